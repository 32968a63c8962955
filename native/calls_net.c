/* The calls that open and configure: arguments in, one call of netns_run, and the result or a NativeError out. */
#define _GNU_SOURCE
#include "js.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static napi_value open_tun(napi_env env, napi_callback_info info) {
  napi_value o, netns_value, result, created;
  char netns[NETNS_MAX], asked[IFNAMSIZ];
  struct tun_args a = {0};
  struct fail f;
  int vnet_hdr, multi_queue;
  bool there;
  if (!js_arguments(env, info, &o, 1) || !js_object(env, o, "options")) return NULL;
  if (!js_property_text(env, o, "name", a.name, sizeof a.name, true) ||
      !js_property(env, o, "netns", &netns_value, &there) || !js_netns(env, netns_value, netns) ||
      !js_property_bool(env, o, "vnetHdr", &vnet_hdr) || !js_property_bool(env, o, "multiQueue", &multi_queue) ||
      !js_property_bool(env, o, "persist", &a.persist) ||
      !js_property_int(env, o, "owner", 0, UINT32_MAX - 1, &a.owner) ||
      !js_property_int(env, o, "group", 0, UINT32_MAX - 1, &a.group))
    return NULL;
  a.vnet_hdr = vnet_hdr == 1;
  a.multi_queue = multi_queue == 1;
  memcpy(asked, a.name, sizeof asked);
  if (netns_run(netns, tun_open, &a, &f) < 0) return js_fail(env, "openTun", asked, netns, &f);
  if (napi_create_object(env, &result) != napi_ok || napi_get_boolean(env, a.created, &created) != napi_ok) {
    close(a.fd);
    return NULL;
  }
  js_set(env, result, "fd", js_number(env, a.fd));
  js_set(env, result, "name", js_string(env, a.name));
  js_set(env, result, "index", js_number(env, a.index));
  js_set(env, result, "created", created);
  return result;
}

static napi_value set_offload(napi_env env, napi_callback_info info) {
  napi_value v[2];
  int64_t bits;
  struct fail f;
  int fd;
  if (!js_arguments(env, info, v, 2) || !js_fd(env, v[0], &fd) || !js_int(env, v[1], "bits", 0, UINT32_MAX, &bits))
    return NULL;
  return tun_set_offload(fd, (unsigned)bits, &f) < 0 ? js_fail(env, "setOffload", NULL, NULL, &f) : NULL;
}

static napi_value steer_queues(napi_env env, napi_callback_info info) {
  napi_value v;
  struct fail f;
  int fd;
  if (!js_arguments(env, info, &v, 1) || !js_fd(env, v, &fd)) return NULL;
  return tun_steer(fd, &f) < 0 ? js_fail(env, "steerQueues", NULL, NULL, &f) : NULL;
}

/* Runs fn in the namespace and throws what it says. */
static napi_value run(napi_env env, const char *call, const char *target, const char *netns, netns_call fn, void *arg) {
  struct fail f;
  return netns_run(netns, fn, arg, &f) < 0 ? js_fail(env, call, target, netns, &f) : NULL;
}

static napi_value set_link(napi_env env, napi_callback_info info) {
  napi_value v[2];
  char netns[NETNS_MAX];
  struct link_args a;
  if (!js_arguments(env, info, v, 2) || !js_netns(env, v[0], netns) || !js_object(env, v[1], "link") ||
      !js_property_text(env, v[1], "name", a.name, sizeof a.name, true) || !js_property_bool(env, v[1], "up", &a.up) ||
      !js_property_int(env, v[1], "mtu", 0, INT32_MAX, &a.mtu) ||
      !js_property_int(env, v[1], "txQueueLength", 0, INT32_MAX, &a.tx_queue_length))
    return NULL;
  return run(env, "setLink", a.name, netns, link_set, &a);
}

static napi_value delete_link(napi_env env, napi_callback_info info) {
  napi_value v[2];
  char netns[NETNS_MAX];
  struct link_args a;
  if (!js_arguments(env, info, v, 2) || !js_netns(env, v[0], netns) || !js_text(env, v[1], "name", a.name, sizeof a.name))
    return NULL;
  return run(env, "deleteLink", a.name, netns, link_delete, &a);
}

static const char *address_text(const struct address *a, char *text) {
  return inet_ntop(a->family, a->bytes, text, INET6_ADDRSTRLEN);
}

static napi_value change_address(napi_env env, napi_callback_info info, const char *call, netns_call fn) {
  napi_value v[2];
  char netns[NETNS_MAX], text[INET6_ADDRSTRLEN], target[96];
  struct address_args a;
  int64_t length;
  if (!js_arguments(env, info, v, 2) || !js_netns(env, v[0], netns) || !js_object(env, v[1], "address") ||
      !js_property_text(env, v[1], "name", a.name, sizeof a.name, true) ||
      !js_property_address(env, v[1], "address", &a.address, true) ||
      !js_property_address(env, v[1], "peer", &a.peer, false) ||
      !js_property_int(env, v[1], "prefixLength", 0, 8 * address_length(a.address.family), &length))
    return NULL;
  if (length < 0) return js_type_error(env, "prefixLength", "a number"), NULL;
  if (a.peer.family && a.peer.family != a.address.family)
    return js_range_error(env, "peer", "an address of the same family as address"), NULL;
  a.prefix_length = (int)length;
  snprintf(target, sizeof target, "%s/%d on %s", address_text(&a.address, text), a.prefix_length, a.name);
  return run(env, call, target, netns, fn, &a);
}

static napi_value add_address(napi_env env, napi_callback_info info) {
  return change_address(env, info, "addAddress", address_add);
}

static napi_value delete_address(napi_env env, napi_callback_info info) {
  return change_address(env, info, "deleteAddress", address_delete);
}

static napi_value change_route(napi_env env, napi_callback_info info, const char *call, netns_call fn) {
  napi_value v[2];
  char netns[NETNS_MAX], destination[80], via[INET6_ADDRSTRLEN], target[200];
  struct route_args a;
  int onlink;
  if (!js_arguments(env, info, v, 2) || !js_netns(env, v[0], netns) || !js_object(env, v[1], "route") ||
      !js_property_text(env, v[1], "destination", destination, sizeof destination, true) ||
      !js_property_address(env, v[1], "via", &a.via, false) ||
      !js_property_address(env, v[1], "source", &a.source, false) ||
      !js_property_text(env, v[1], "dev", a.dev, sizeof a.dev, false) ||
      !js_property_int(env, v[1], "mtu", 0, INT32_MAX, &a.mtu) ||
      !js_property_int(env, v[1], "table", 1, UINT32_MAX, &a.table) ||
      !js_property_int(env, v[1], "metric", 0, UINT32_MAX, &a.metric) ||
      !js_property_bool(env, v[1], "onlink", &onlink))
    return NULL;
  a.onlink = onlink == 1;
  if (!strcmp(destination, "default")) {
    memset(&a.destination, 0, sizeof a.destination);
    a.prefix_length = 0;
    a.destination.family = a.via.family ? a.via.family : a.source.family ? a.source.family : AF_INET;
  } else if (!js_prefix(env, destination, "destination", &a.destination, &a.prefix_length)) {
    return NULL;
  }
  if (a.via.family && a.via.family != a.destination.family)
    return js_range_error(env, "via", "an address of the same family as destination"), NULL;
  if (a.source.family && a.source.family != a.destination.family)
    return js_range_error(env, "source", "an address of the same family as destination"), NULL;
  snprintf(target, sizeof target, "%s%s%s%s%s", destination, a.via.family ? " via " : "",
           a.via.family ? address_text(&a.via, via) : "", *a.dev ? " dev " : "", a.dev);
  return run(env, call, target, netns, fn, &a);
}

static napi_value add_route(napi_env env, napi_callback_info info) {
  return change_route(env, info, "addRoute", route_add);
}

static napi_value delete_route(napi_env env, napi_callback_info info) {
  return change_route(env, info, "deleteRoute", route_delete);
}

static napi_value make_netns(napi_env env, napi_callback_info info) {
  napi_value v;
  char name[256];
  struct fail f;
  if (!js_arguments(env, info, &v, 1) || !js_text(env, v, "name", name, sizeof name)) return NULL;
  return netns_make(name, &f) < 0 ? js_fail(env, "makeNetns", name, NULL, &f) : NULL;
}

static napi_value remove_netns(napi_env env, napi_callback_info info) {
  napi_value v;
  char name[256];
  struct fail f;
  if (!js_arguments(env, info, &v, 1) || !js_text(env, v, "name", name, sizeof name)) return NULL;
  return netns_remove(name, &f) < 0 ? js_fail(env, "removeNetns", name, NULL, &f) : NULL;
}

static napi_value anonymous_netns(napi_env env, napi_callback_info info) {
  struct fail f;
  int fd;
  (void)info;
  return netns_anonymous(&fd, &f) < 0 ? js_fail(env, "anonymousNetns", NULL, NULL, &f) : js_number(env, fd);
}

static napi_value read_sysctl(napi_env env, napi_callback_info info) {
  napi_value v[2];
  char netns[NETNS_MAX], name[256];
  struct sysctl_args a = {.name = name};
  struct fail f;
  if (!js_arguments(env, info, v, 2) || !js_netns(env, v[0], netns) || !js_text(env, v[1], "name", name, sizeof name))
    return NULL;
  return netns_run(netns, sysctl_call, &a, &f) < 0 ? js_fail(env, "readSysctl", name, netns, &f) : js_string(env, a.value);
}

static napi_value write_sysctl(napi_env env, napi_callback_info info) {
  napi_value v[3];
  char netns[NETNS_MAX], name[256], value[4096];
  struct sysctl_args a = {.name = name, .write = value};
  if (!js_arguments(env, info, v, 3) || !js_netns(env, v[0], netns) || !js_text(env, v[1], "name", name, sizeof name) ||
      !js_text(env, v[2], "value", value, sizeof value))
    return NULL;
  return run(env, "writeSysctl", name, netns, sysctl_call, &a);
}

static napi_value link_addresses(napi_env env, const struct network *n, int index, bool with_device);

static const char *name_of(const struct network *n, int index) {
  const struct link_item *links = n->links.items;
  for (size_t i = 0; i < n->links.count; i++)
    if (links[i].index == index) return links[i].name;
  return NULL;
}

static void set_text(napi_env env, napi_value object, const char *name, const char *text) {
  if (text && *text) js_set(env, object, name, js_string(env, text));
}

static void set_address(napi_env env, napi_value object, const char *name, const struct address *a) {
  char text[INET6_ADDRSTRLEN];
  if (a->family) js_set(env, object, name, js_string(env, address_text(a, text)));
}

static napi_value links_value(napi_env env, const struct network *n) {
  const struct link_item *links = n->links.items;
  napi_value array, item, up;
  if (napi_create_array(env, &array) != napi_ok) return NULL;
  for (size_t i = 0; i < n->links.count; i++) {
    if (napi_create_object(env, &item) != napi_ok || napi_get_boolean(env, links[i].flags & IFF_UP, &up) != napi_ok)
      return NULL;
    js_set(env, item, "name", js_string(env, links[i].name));
    js_set(env, item, "index", js_number(env, links[i].index));
    js_set(env, item, "mtu", js_number(env, links[i].mtu));
    js_set(env, item, "up", up);
    js_set(env, item, "flags", js_number(env, links[i].flags));
    js_set(env, item, "txQueueLength", js_number(env, links[i].tx_queue_length));
    set_text(env, item, "kind", links[i].kind);
    js_set(env, item, "addresses", link_addresses(env, n, links[i].index, false));
    napi_set_element(env, array, (uint32_t)i, item);
  }
  return array;
}

/* Those of one link, or with index 0 those of all. */
static napi_value link_addresses(napi_env env, const struct network *n, int index, bool with_device) {
  const struct address_item *addresses = n->addresses.items;
  napi_value array, item;
  uint32_t at = 0;
  if (napi_create_array(env, &array) != napi_ok) return NULL;
  for (size_t i = 0; i < n->addresses.count; i++) {
    const struct address_item *a = addresses + i;
    if (index && a->index != index) continue;
    if (napi_create_object(env, &item) != napi_ok) return NULL;
    if (with_device) {
      set_text(env, item, "name", name_of(n, a->index));
      js_set(env, item, "index", js_number(env, a->index));
    }
    js_set(env, item, "family", js_number(env, a->address.family == AF_INET ? 4 : 6));
    set_address(env, item, "address", &a->address);
    js_set(env, item, "prefixLength", js_number(env, a->prefix_length));
    set_address(env, item, "peer", &a->peer);
    js_set(env, item, "scope", js_number(env, a->scope));
    napi_set_element(env, array, at++, item);
  }
  return array;
}

static napi_value routes_value(napi_env env, const struct network *n) {
  const struct route_item *routes = n->routes.items;
  napi_value array, item;
  if (napi_create_array(env, &array) != napi_ok) return NULL;
  for (size_t i = 0; i < n->routes.count; i++) {
    const struct route_item *r = routes + i;
    char address[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN + 8];
    if (napi_create_object(env, &item) != napi_ok) return NULL;
    snprintf(destination, sizeof destination, "%s/%d", address_text(&r->destination, address), r->prefix_length);
    js_set(env, item, "family", js_number(env, r->family == AF_INET ? 4 : 6));
    js_set(env, item, "destination", js_string(env, destination));
    set_address(env, item, "via", &r->via);
    set_text(env, item, "dev", name_of(n, r->dev));
    set_address(env, item, "source", &r->source);
    if (r->mtu) js_set(env, item, "mtu", js_number(env, r->mtu));
    js_set(env, item, "table", js_number(env, r->table));
    js_set(env, item, "metric", js_number(env, r->metric));
    js_set(env, item, "type", js_number(env, r->type));
    napi_set_element(env, array, (uint32_t)i, item);
  }
  return array;
}

static napi_value list(napi_env env, napi_callback_info info, const char *call, bool addresses, bool routes) {
  napi_value v, result = NULL;
  char netns[NETNS_MAX];
  struct network n = {.want_links = true, .want_addresses = !routes, .want_routes = routes};
  struct fail f;
  if (!js_arguments(env, info, &v, 1) || !js_netns(env, v, netns)) return NULL;
  if (netns_run(netns, network_list, &n, &f) < 0) {
    js_fail(env, call, NULL, netns, &f);
  } else {
    result = routes ? routes_value(env, &n) : addresses ? link_addresses(env, &n, 0, true) : links_value(env, &n);
  }
  network_free(&n);
  return result;
}

static napi_value list_links(napi_env env, napi_callback_info info) {
  return list(env, info, "listLinks", false, false);
}

static napi_value list_addresses(napi_env env, napi_callback_info info) {
  return list(env, info, "listAddresses", true, false);
}

static napi_value list_routes(napi_env env, napi_callback_info info) {
  return list(env, info, "listRoutes", false, true);
}

void define_net_calls(napi_env env, napi_value exports) {
  js_define(env, exports, "openTun", open_tun);
  js_define(env, exports, "setOffload", set_offload);
  js_define(env, exports, "steerQueues", steer_queues);
  js_define(env, exports, "setLink", set_link);
  js_define(env, exports, "deleteLink", delete_link);
  js_define(env, exports, "addAddress", add_address);
  js_define(env, exports, "deleteAddress", delete_address);
  js_define(env, exports, "addRoute", add_route);
  js_define(env, exports, "deleteRoute", delete_route);
  js_define(env, exports, "listLinks", list_links);
  js_define(env, exports, "listAddresses", list_addresses);
  js_define(env, exports, "listRoutes", list_routes);
  js_define(env, exports, "readSysctl", read_sysctl);
  js_define(env, exports, "writeSysctl", write_sysctl);
  js_define(env, exports, "makeNetns", make_netns);
  js_define(env, exports, "removeNetns", remove_netns);
  js_define(env, exports, "anonymousNetns", anonymous_netns);
}
