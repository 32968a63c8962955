/*
 * Arguments out of JavaScript and errors into it. Every getter returns false with an exception pending when the value is
 * not what was expected; `what` names it in the message.
 */
#ifndef TUNFILTER_JS_H
#define TUNFILTER_JS_H

#include "tunfilter.h"

#define NAPI_VERSION 8
#include <node_api.h>

#define NETNS_MAX 4000

/* The call's arguments, undefined where there are fewer than `count`. */
bool js_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count);

bool js_int(napi_env env, napi_value value, const char *what, int64_t min, int64_t max, int64_t *out);
bool js_fd(napi_env env, napi_value value, int *fd);
bool js_bool(napi_env env, napi_value value, const char *what, bool *out);
/* At most size - 1 bytes of UTF-8, at least 1 and without NUL. */
bool js_text(napi_env env, napi_value value, const char *what, char *out, size_t size);
bool js_bytes(napi_env env, napi_value value, const char *what, uint8_t **data, size_t *length);
bool js_words(napi_env env, napi_value value, const char *what, int32_t **data, size_t *count);
/* undefined and null become "". */
bool js_netns(napi_env env, napi_value value, char *out);
bool js_address(napi_env env, napi_value value, const char *what, struct address *out);
/* 'ADDRESS/LENGTH' or 'ADDRESS'. */
bool js_prefix(napi_env env, const char *text, const char *what, struct address *out, int *length);

bool js_object(napi_env env, napi_value value, const char *what);
/* Sets *there to false where the property is undefined. */
bool js_property(napi_env env, napi_value object, const char *name, napi_value *value, bool *there);
bool js_property_int(napi_env env, napi_value object, const char *name, int64_t min, int64_t max, int64_t *out);
/* -1 where it is undefined. */
bool js_property_bool(napi_env env, napi_value object, const char *name, int *out);
bool js_property_text(napi_env env, napi_value object, const char *name, char *out, size_t size, bool required);
bool js_property_address(napi_env env, napi_value object, const char *name, struct address *out, bool required);

/* Both return false. */
bool js_type_error(napi_env env, const char *what, const char *expected);
bool js_range_error(napi_env env, const char *what, const char *expected);
/* Throws a NativeError and returns NULL; target and netns may be NULL or empty. */
napi_value js_fail(napi_env env, const char *call, const char *target, const char *netns, const struct fail *f);

/* NULL with an exception pending when it fails, as does all that makes values. */
napi_value js_number(napi_env env, double value);
napi_value js_string(napi_env env, const char *text);
void js_set(napi_env env, napi_value object, const char *name, napi_value value);

/* The functions of calls_net.c, calls_io.c and calls_ring.c, put on `exports`. */
void define_net_calls(napi_env env, napi_value exports);
void define_io_calls(napi_env env, napi_value exports);
void define_ring_calls(napi_env env, napi_value exports);
void js_define(napi_env env, napi_value exports, const char *name, napi_callback call);

#endif
