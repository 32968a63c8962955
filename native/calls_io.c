/* The calls of the data path and the few descriptors that it waits on. Arguments are checked, then batch.c does it. */
#define _GNU_SOURCE
#include "js.h"

#include <errno.h>
#include <math.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* fd, slab, descriptors, count: what readBatch and writeBatch have in common. */
struct batch {
  int fd;
  uint8_t *slab;
  size_t slab_length;
  int32_t *descriptors;
  int count;
};

static bool batch_arguments(napi_env env, napi_value *v, struct batch *b) {
  size_t words;
  int64_t count;
  if (!js_fd(env, v[0], &b->fd) || !js_bytes(env, v[1], "slab", &b->slab, &b->slab_length) ||
      !js_words(env, v[2], "descriptors", &b->descriptors, &words) ||
      !js_int(env, v[3], "count", 0, (int64_t)(words / 2 < INT32_MAX ? words / 2 : INT32_MAX), &count))
    return false;
  b->count = (int)count;
  return true;
}

static napi_value int_value(napi_env env, int value) {
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

static napi_value read_batch(napi_env env, napi_callback_info info) {
  napi_value v[6];
  struct batch b;
  int64_t capacity;
  bool vnet_hdr;
  if (!js_arguments(env, info, v, 6) || !batch_arguments(env, v, &b) ||
      !js_int(env, v[4], "capacity", 1, INT32_MAX - 1 - VNET_HDR_LENGTH, &capacity) ||
      !js_bool(env, v[5], "vnetHdr", &vnet_hdr))
    return NULL;
  return int_value(env, batch_read(b.fd, b.slab, b.slab_length, b.descriptors, b.count, (int)capacity, vnet_hdr));
}

static napi_value write_batch(napi_env env, napi_callback_info info) {
  napi_value v[5];
  struct batch b;
  bool vnet_hdr;
  if (!js_arguments(env, info, v, 5) || !batch_arguments(env, v, &b) || !js_bool(env, v[4], "vnetHdr", &vnet_hdr))
    return NULL;
  return int_value(env, batch_write(b.fd, b.slab, b.slab_length, b.descriptors, b.count, vnet_hdr));
}

static napi_value poll_call(napi_env env, napi_callback_info info) {
  napi_value v[3];
  int32_t *words;
  size_t length;
  int64_t count;
  double timeout_ms;
  if (!js_arguments(env, info, v, 3) || !js_words(env, v[0], "fds", &words, &length) ||
      !js_int(env, v[1], "count", 0, (int64_t)(length / 3 < POLL_MAX ? length / 3 : POLL_MAX), &count))
    return NULL;
  if (napi_get_value_double(env, v[2], &timeout_ms) != napi_ok || isnan(timeout_ms))
    return js_type_error(env, "timeoutMs", "a number"), NULL;
  return int_value(env, poll_words(words, (int)count, timeout_ms));
}

static napi_value event_fd(napi_env env, napi_callback_info info) {
  struct fail f;
  (void)info;
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd >= 0) return int_value(env, fd);
  fail_set(&f, errno, "eventfd", NULL);
  return js_fail(env, "eventFd", NULL, NULL, &f);
}

static napi_value signal_call(napi_env env, napi_callback_info info) {
  napi_value v;
  int fd;
  struct fail f;
  const uint64_t one = 1;
  if (!js_arguments(env, info, &v, 1) || !js_fd(env, v, &fd)) return NULL;
  /* EAGAIN: the counter is at its end, so it is signalled already. */
  if (write(fd, &one, sizeof one) >= 0 || errno == EAGAIN) return NULL;
  fail_set(&f, errno, "write", NULL);
  return js_fail(env, "signal", NULL, NULL, &f);
}

static napi_value drain_call(napi_env env, napi_callback_info info) {
  napi_value v;
  int fd;
  struct fail f;
  uint64_t value = 0;
  if (!js_arguments(env, info, &v, 1) || !js_fd(env, v, &fd)) return NULL;
  if (read(fd, &value, sizeof value) >= 0 || errno == EAGAIN) return js_number(env, (double)value);
  fail_set(&f, errno, "read", NULL);
  return js_fail(env, "drain", NULL, NULL, &f);
}

static napi_value close_call(napi_env env, napi_callback_info info) {
  napi_value v;
  int fd;
  struct fail f;
  if (!js_arguments(env, info, &v, 1) || !js_fd(env, v, &fd)) return NULL;
  /* After EINTR it is closed all the same. */
  if (close(fd) == 0 || errno == EINTR) return NULL;
  fail_set(&f, errno, "close", NULL);
  return js_fail(env, "close", NULL, NULL, &f);
}

static napi_value socket_pair(napi_env env, napi_callback_info info) {
  napi_value pair;
  int fds[2];
  struct fail f;
  (void)info;
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
    fail_set(&f, errno, "socketpair", NULL);
    return js_fail(env, "socketpair", NULL, NULL, &f);
  }
  if (napi_create_array_with_length(env, 2, &pair) != napi_ok) return NULL;
  napi_set_element(env, pair, 0, int_value(env, fds[0]));
  napi_set_element(env, pair, 1, int_value(env, fds[1]));
  return pair;
}

static napi_value madvise_call(napi_env env, napi_callback_info info) {
  napi_value v, result;
  uint8_t *data;
  size_t length;
  if (!js_arguments(env, info, &v, 1) || !js_bytes(env, v, "array", &data, &length)) return NULL;
  return napi_get_boolean(env, madvise_huge(data, length), &result) == napi_ok ? result : NULL;
}

static napi_value checksum_call(napi_env env, napi_callback_info info) {
  napi_value v[3];
  uint8_t *slab;
  size_t slab_length;
  int64_t start, length;
  if (!js_arguments(env, info, v, 3) || !js_bytes(env, v[0], "slab", &slab, &slab_length) ||
      !js_int(env, v[1], "start", 0, (int64_t)slab_length, &start) ||
      !js_int(env, v[2], "length", 0, (int64_t)slab_length - start, &length))
    return NULL;
  return int_value(env, checksum_sum(slab + start, (size_t)length));
}

void define_io_calls(napi_env env, napi_value exports) {
  js_define(env, exports, "readBatch", read_batch);
  js_define(env, exports, "writeBatch", write_batch);
  js_define(env, exports, "poll", poll_call);
  js_define(env, exports, "eventFd", event_fd);
  js_define(env, exports, "signal", signal_call);
  js_define(env, exports, "drain", drain_call);
  js_define(env, exports, "close", close_call);
  js_define(env, exports, "socketpair", socket_pair);
  js_define(env, exports, "madviseHuge", madvise_call);
  js_define(env, exports, "checksum", checksum_call);
}
