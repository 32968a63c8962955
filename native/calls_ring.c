/* The calls of a ring: an external value stands for it, which keeps the slab alive for as long as the kernel may write to it. */
#define _GNU_SOURCE
#include "js.h"

#include <errno.h>
#include <stdlib.h>

/* The ring is NULL once it is closed. */
struct held {
  struct ring *ring;
  napi_ref slab;
};

static void let_go(napi_env env, struct held *h) {
  if (h->ring == NULL) return;
  ring_close(h->ring);
  h->ring = NULL;
  napi_delete_reference(env, h->slab);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  let_go(env, data);
  free(data);
}

static napi_value int_value(napi_env env, int value) {
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

static struct held *held_of(napi_env env, napi_value value) {
  napi_valuetype type;
  void *data;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_get_value_external(env, value, &data) != napi_ok || ((struct held *)data)->ring == NULL) {
    js_type_error(env, "ring", "a ring that is open");
    return NULL;
  }
  return data;
}

static napi_value open_ring(napi_env env, napi_callback_info info) {
  napi_value v[4], result;
  int fd;
  uint8_t *slab;
  size_t slab_length, count;
  int32_t *starts;
  int64_t capacity;
  struct fail f;
  if (!js_arguments(env, info, v, 4) || !js_fd(env, v[0], &fd) || !js_bytes(env, v[1], "slab", &slab, &slab_length) ||
      !js_words(env, v[2], "starts", &starts, &count) ||
      !js_int(env, v[3], "capacity", 1, INT32_MAX - 1 - VNET_HDR_LENGTH, &capacity))
    return NULL;
  if (count < 1 || count > 32768 || (count & (count - 1))) return js_range_error(env, "starts", "a power of two of slots"), NULL;
  for (size_t i = 0; i < count; i++)
    if (starts[i] < VNET_HDR_LENGTH || (size_t)starts[i] + (size_t)capacity > slab_length)
      return js_range_error(env, "starts", "slots inside the slab"), NULL;
  struct held *h = calloc(1, sizeof *h);
  if (h == NULL) return NULL;
  h->ring = ring_open(fd, slab, slab_length, starts, (unsigned)count, (int)capacity, &f);
  if (h->ring == NULL) {
    free(h);
    return js_fail(env, "openRing", NULL, NULL, &f);
  }
  if (napi_create_reference(env, v[1], 1, &h->slab) == napi_ok &&
      napi_create_external(env, h, finalize, NULL, &result) == napi_ok)
    return result;
  ring_close(h->ring);
  free(h);
  return NULL;
}

static napi_value ring_fd_call(napi_env env, napi_callback_info info) {
  napi_value v;
  struct held *h;
  if (!js_arguments(env, info, &v, 1) || !(h = held_of(env, v))) return NULL;
  return int_value(env, ring_fd(h->ring));
}

/* Rings that are waited for together: what JavaScript hands over once, so that a call a round has nothing to look up. */
struct wait {
  int count, event_fd;
  int32_t *waiting;
  napi_ref rings, words;
  struct held *held[RINGS_MAX];
};

static void finalize_wait(napi_env env, void *data, void *hint) {
  struct wait *w = data;
  (void)hint;
  napi_delete_reference(env, w->rings);
  napi_delete_reference(env, w->words);
  free(w);
}

static napi_value open_wait(napi_env env, napi_callback_info info) {
  napi_value v[3], result;
  uint32_t count;
  size_t words;
  struct wait *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  if (!js_arguments(env, info, v, 3) || !js_words(env, v[1], "waiting", &w->waiting, &words) || !js_fd(env, v[2], &w->event_fd))
    goto failed;
  if (napi_get_array_length(env, v[0], &count) != napi_ok || count > RINGS_MAX || count != words) {
    js_range_error(env, "rings", "at most 256 rings, and a word for each");
    goto failed;
  }
  for (w->count = 0; w->count < (int)count; w->count++) {
    napi_value ring;
    if (napi_get_element(env, v[0], (uint32_t)w->count, &ring) != napi_ok || !(w->held[w->count] = held_of(env, ring)))
      goto failed;
  }
  if (napi_create_reference(env, v[0], 1, &w->rings) == napi_ok && napi_create_reference(env, v[1], 1, &w->words) == napi_ok &&
      napi_create_external(env, w, finalize_wait, NULL, &result) == napi_ok)
    return result;
failed:
  free(w);
  return NULL;
}

static napi_value wait_call(napi_env env, napi_callback_info info) {
  napi_value v[3];
  void *data;
  int32_t timeout_ms, spin_us;
  struct ring *rings[RINGS_MAX];
  if (!js_arguments(env, info, v, 3)) return NULL;
  if (napi_get_value_external(env, v[0], &data) != napi_ok) return js_type_error(env, "wait", "what openWait gave"), NULL;
  if (napi_get_value_int32(env, v[1], &timeout_ms) != napi_ok) return js_type_error(env, "timeoutMs", "an integer"), NULL;
  if (napi_get_value_int32(env, v[2], &spin_us) != napi_ok) return js_type_error(env, "spinUs", "an integer"), NULL;
  const struct wait *w = data;
  for (int i = 0; i < w->count; i++) rings[i] = w->held[i]->ring;
  return int_value(env, rings_wait(rings, w->count, w->event_fd, timeout_ms, spin_us, w->waiting));
}

static napi_value batch(napi_env env, napi_callback_info info, int (*call)(struct ring *, int32_t *, int)) {
  napi_value v[3];
  struct held *h;
  int32_t *descriptors;
  size_t words;
  int64_t count;
  if (!js_arguments(env, info, v, 3) || !(h = held_of(env, v[0])) || !js_words(env, v[1], "descriptors", &descriptors, &words) ||
      !js_int(env, v[2], "count", 0, (int64_t)(words / 2 < INT32_MAX ? words / 2 : INT32_MAX), &count))
    return NULL;
  return int_value(env, call(h->ring, descriptors, (int)count));
}

static napi_value receive(napi_env env, napi_callback_info info) {
  return batch(env, info, ring_receive);
}

static napi_value transmit(napi_env env, napi_callback_info info) {
  return batch(env, info, ring_transmit);
}

static napi_value close_ring(napi_env env, napi_callback_info info) {
  napi_value v;
  struct held *h;
  if (!js_arguments(env, info, &v, 1) || !(h = held_of(env, v))) return NULL;
  let_go(env, h);
  return NULL;
}

void define_ring_calls(napi_env env, napi_value exports) {
  js_define(env, exports, "openRing", open_ring);
  js_define(env, exports, "ringFd", ring_fd_call);
  js_define(env, exports, "openWait", open_wait);
  js_define(env, exports, "waitForRings", wait_call);
  js_define(env, exports, "ringReceive", receive);
  js_define(env, exports, "ringTransmit", transmit);
  js_define(env, exports, "closeRing", close_ring);
}
