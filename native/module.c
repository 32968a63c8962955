/*
 * The module: src/device/native.ts describes what it exports. Nothing is kept in globals, so that every worker thread may
 * load it and each has its own.
 */
#include "js.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>

/* Linux 6.2; Debian 12's headers are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static napi_value errno_name_call(napi_env env, napi_callback_info info) {
  napi_value v;
  int64_t number;
  if (!js_arguments(env, info, &v, 1) || !js_int(env, v, "errno", -4095, 4095, &number)) return NULL;
  return js_string(env, errno_name((int)number));
}

NAPI_MODULE_INIT(/* env, exports */) {
#define CONSTANT(name) {#name, name}
  static const struct {
    const char *name;
    int value;
  } constants[] = {
      CONSTANT(VNET_HDR_LENGTH), CONSTANT(TUN_F_CSUM), CONSTANT(TUN_F_TSO4), CONSTANT(TUN_F_TSO6), CONSTANT(TUN_F_TSO_ECN),
      CONSTANT(TUN_F_USO4),      CONSTANT(TUN_F_USO6), CONSTANT(POLLIN),     CONSTANT(POLLOUT),    CONSTANT(POLLERR),
      CONSTANT(POLLHUP),         CONSTANT(POLLNVAL),   CONSTANT(EAGAIN),     CONSTANT(EBADF),      CONSTANT(EBADFD),
      CONSTANT(EFAULT),          CONSTANT(EINVAL),     CONSTANT(EIO),        CONSTANT(ENOBUFS),    CONSTANT(ENOMEM),
  };
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
    js_set(env, object, constants[i].name, js_number(env, constants[i].value));
  napi_object_freeze(env, object);
  js_set(env, exports, "constants", object);
  js_define(env, exports, "errnoName", errno_name_call);
  define_net_calls(env, exports);
  define_io_calls(env, exports);
  define_ring_calls(env, exports);
  return exports;
}
