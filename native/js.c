/* Arguments out of JavaScript, checked by type and range, and errors into it. Nothing here does a system call. */
#define _GNU_SOURCE
#include "js.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool js_type_error(napi_env env, const char *what, const char *expected) {
  char message[256];
  snprintf(message, sizeof message, "%s: %s was expected", what, expected);
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool js_range_error(napi_env env, const char *what, const char *expected) {
  char message[256];
  snprintf(message, sizeof message, "%s: %s was expected", what, expected);
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return false;
}

napi_value js_fail(napi_env env, const char *call, const char *target, const char *netns, const struct fail *f) {
  char message[5000];
  const bool has_target = target && *target, has_netns = netns && *netns, has_hint = *f->hint;
  napi_value text, code, error;
  snprintf(message, sizeof message, "%s%s%s%s%s: %s: %s, %s%s%s%s", call, has_target ? " " : "", has_target ? target : "",
           has_netns ? " in network namespace " : "", has_netns ? netns : "", f->syscall, errno_name(f->err),
           strerror(f->err), has_hint ? " (" : "", f->hint, has_hint ? ")" : "");
  code = js_string(env, errno_name(f->err));
  text = js_string(env, message);
  if (!code || !text || napi_create_error(env, code, text, &error) != napi_ok) return NULL;
  js_set(env, error, "errno", js_number(env, -f->err));
  js_set(env, error, "syscall", js_string(env, f->syscall));
  if (has_target) js_set(env, error, "target", js_string(env, target));
  if (has_netns) js_set(env, error, "netns", js_string(env, netns));
  napi_throw(env, error);
  return NULL;
}

bool js_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count) {
  return napi_get_cb_info(env, info, &count, values, NULL, NULL) == napi_ok;
}

bool js_int(napi_env env, napi_value value, const char *what, int64_t min, int64_t max, int64_t *out) {
  double number;
  char expected[96];
  if (napi_get_value_double(env, value, &number) != napi_ok) return js_type_error(env, what, "a number");
  if (number >= (double)min && number <= (double)max && (double)(int64_t)number == number) {
    *out = (int64_t)number;
    return true;
  }
  snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)min, (long long)max);
  return js_range_error(env, what, expected);
}

bool js_fd(napi_env env, napi_value value, int *fd) {
  int64_t number;
  if (!js_int(env, value, "fd", 0, INT32_MAX, &number)) return false;
  *fd = (int)number;
  return true;
}

bool js_bool(napi_env env, napi_value value, const char *what, bool *out) {
  return napi_get_value_bool(env, value, out) == napi_ok || js_type_error(env, what, "a boolean");
}

bool js_text(napi_env env, napi_value value, const char *what, char *out, size_t size) {
  size_t length, copied;
  char expected[96];
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return js_type_error(env, what, "a string");
  if (length > 0 && length < size) {
    if (napi_get_value_string_utf8(env, value, out, size, &copied) != napi_ok) return false;
    if (strlen(out) == length) return true;
  }
  snprintf(expected, sizeof expected, "1 to %zu bytes without NUL", size - 1);
  return js_range_error(env, what, expected);
}

/* napi_get_typedarray_info also takes arrays over a SharedArrayBuffer; a detached one has no length. */
static bool array(napi_env env, napi_value value, napi_typedarray_type type, void **data, size_t *length) {
  napi_typedarray_type actual;
  return napi_get_typedarray_info(env, value, &actual, length, data, NULL, NULL) == napi_ok && actual == type;
}

bool js_bytes(napi_env env, napi_value value, const char *what, uint8_t **data, size_t *length) {
  return array(env, value, napi_uint8_array, (void **)data, length) || js_type_error(env, what, "a Uint8Array");
}

bool js_words(napi_env env, napi_value value, const char *what, int32_t **data, size_t *count) {
  return array(env, value, napi_int32_array, (void **)data, count) || js_type_error(env, what, "an Int32Array");
}

static bool is_nothing(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && (type == napi_undefined || type == napi_null);
}

bool js_netns(napi_env env, napi_value value, char *out) {
  *out = 0;
  return is_nothing(env, value) || js_text(env, value, "netns", out, NETNS_MAX);
}

bool js_address(napi_env env, napi_value value, const char *what, struct address *out) {
  char text[INET6_ADDRSTRLEN];
  napi_valuetype type;
  uint8_t *data;
  size_t length;
  memset(out, 0, sizeof *out);
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_string) {
    if (!js_text(env, value, what, text, sizeof text)) return false;
    out->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(out->family, text, out->bytes) == 1 || js_range_error(env, what, "an IPv4 or IPv6 address");
  }
  if (!array(env, value, napi_uint8_array, (void **)&data, &length))
    return js_type_error(env, what, "an address as a string or a Uint8Array");
  if (length != 4 && length != 16) return js_range_error(env, what, "an address of 4 or 16 bytes");
  out->family = length == 4 ? AF_INET : AF_INET6;
  memcpy(out->bytes, data, length);
  return true;
}

bool js_prefix(napi_env env, const char *text, const char *what, struct address *out, int *length) {
  char address[INET6_ADDRSTRLEN];
  const char *slash = strchr(text, '/');
  const size_t size = slash ? (size_t)(slash - text) : strlen(text);
  memset(out, 0, sizeof *out);
  if (size < sizeof address) {
    memcpy(address, text, size);
    address[size] = 0;
    out->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    const long bits = 8L * address_length(out->family);
    char *end = NULL;
    const long wanted = slash ? strtol(slash + 1, &end, 10) : bits;
    const bool number = !slash || (slash[1] >= '0' && slash[1] <= '9' && !*end);
    if (number && wanted >= 0 && wanted <= bits && inet_pton(out->family, address, out->bytes) == 1) {
      *length = (int)wanted;
      return true;
    }
  }
  return js_range_error(env, what, "'default', an address, or ADDRESS/LENGTH");
}

bool js_object(napi_env env, napi_value value, const char *what) {
  napi_valuetype type;
  return (napi_typeof(env, value, &type) == napi_ok && type == napi_object) || js_type_error(env, what, "an object");
}

bool js_property(napi_env env, napi_value object, const char *name, napi_value *value, bool *there) {
  if (napi_get_named_property(env, object, name, value) != napi_ok) return false;
  *there = !is_nothing(env, *value);
  return true;
}

bool js_property_int(napi_env env, napi_value object, const char *name, int64_t min, int64_t max, int64_t *out) {
  napi_value value;
  bool there;
  if (!js_property(env, object, name, &value, &there)) return false;
  *out = -1;
  return !there || js_int(env, value, name, min, max, out);
}

bool js_property_bool(napi_env env, napi_value object, const char *name, int *out) {
  napi_value value;
  bool there, is = false;
  if (!js_property(env, object, name, &value, &there)) return false;
  if (there && !js_bool(env, value, name, &is)) return false;
  *out = there ? is : -1;
  return true;
}

bool js_property_text(napi_env env, napi_value object, const char *name, char *out, size_t size, bool required) {
  napi_value value;
  bool there;
  if (!js_property(env, object, name, &value, &there)) return false;
  *out = 0;
  return (!there && !required) || js_text(env, value, name, out, size);
}

bool js_property_address(napi_env env, napi_value object, const char *name, struct address *out, bool required) {
  napi_value value;
  bool there;
  if (!js_property(env, object, name, &value, &there)) return false;
  memset(out, 0, sizeof *out);
  return (!there && !required) || js_address(env, value, name, out);
}

napi_value js_number(napi_env env, double value) {
  napi_value result;
  return napi_create_double(env, value, &result) == napi_ok ? result : NULL;
}

napi_value js_string(napi_env env, const char *text) {
  napi_value result;
  return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result) == napi_ok ? result : NULL;
}

void js_set(napi_env env, napi_value object, const char *name, napi_value value) {
  if (object && value) napi_set_named_property(env, object, name, value);
}

void js_define(napi_env env, napi_value exports, const char *name, napi_callback call) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, NULL, &function) == napi_ok) js_set(env, exports, name, function);
}
