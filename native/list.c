/*
 * What is there: links, addresses and routes of the calling thread's namespace, as rtnetlink dumps them. Attributes may
 * be missing or of another length in kernels to come; what is not as expected is left out, never read beyond.
 */
#include "netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void *list_add(struct list *l) {
  if (l->count == l->room) {
    const size_t room = l->room ? 2 * l->room : 16;
    void *items = realloc(l->items, room * l->item_size);
    if (!items) return NULL;
    l->items = items;
    l->room = room;
  }
  return memset((char *)l->items + l->count++ * l->item_size, 0, l->item_size);
}

static void list_clear(void *p) {
  ((struct list *)p)->count = 0;
}

static uint32_t u32_of(const struct rtattr *a) {
  uint32_t value = 0;
  if (a && RTA_PAYLOAD(a) >= sizeof value) memcpy(&value, RTA_DATA(a), sizeof value);
  return value;
}

static void text_of(const struct rtattr *a, char *text, size_t size) {
  if (!a) return;
  size_t length = strnlen(RTA_DATA(a), RTA_PAYLOAD(a));
  if (length >= size) length = size - 1;
  memcpy(text, RTA_DATA(a), length);
  text[length] = 0;
}

static void address_of(const struct rtattr *a, uint8_t family, struct address *address) {
  const size_t length = (size_t)address_length(family);
  if (!a || RTA_PAYLOAD(a) < length) return;
  address->family = family;
  memcpy(address->bytes, RTA_DATA(a), length);
}

static int add_link(const struct nlmsghdr *m, void *list) {
  const struct ifinfomsg *i = NLMSG_DATA(m);
  struct rtattr *t[IFLA_LINKINFO + 1], *info[IFLA_INFO_KIND + 1];
  if (m->nlmsg_type != RTM_NEWLINK || m->nlmsg_len < NLMSG_LENGTH(sizeof *i)) return 0;
  struct link_item *item = list_add(list);
  if (!item) return -1;
  nl_parse(t, IFLA_LINKINFO, IFLA_RTA(i), (int)IFLA_PAYLOAD(m));
  item->index = i->ifi_index;
  item->flags = i->ifi_flags;
  item->mtu = u32_of(t[IFLA_MTU]);
  item->tx_queue_length = u32_of(t[IFLA_TXQLEN]);
  text_of(t[IFLA_IFNAME], item->name, sizeof item->name);
  if (t[IFLA_LINKINFO]) {
    nl_parse(info, IFLA_INFO_KIND, RTA_DATA(t[IFLA_LINKINFO]), (int)RTA_PAYLOAD(t[IFLA_LINKINFO]));
    text_of(info[IFLA_INFO_KIND], item->kind, sizeof item->kind);
  }
  return 0;
}

static int add_address(const struct nlmsghdr *m, void *list) {
  const struct ifaddrmsg *i = NLMSG_DATA(m);
  struct rtattr *t[IFA_LOCAL + 1];
  if (m->nlmsg_type != RTM_NEWADDR || m->nlmsg_len < NLMSG_LENGTH(sizeof *i)) return 0;
  if (i->ifa_family != AF_INET && i->ifa_family != AF_INET6) return 0;
  struct address_item *item = list_add(list);
  if (!item) return -1;
  nl_parse(t, IFA_LOCAL, IFA_RTA(i), (int)IFA_PAYLOAD(m));
  item->index = (int)i->ifa_index;
  item->prefix_length = i->ifa_prefixlen;
  item->scope = i->ifa_scope;
  address_of(t[IFA_ADDRESS], i->ifa_family, &item->address);
  if (t[IFA_LOCAL]) {
    struct address other = item->address;
    address_of(t[IFA_LOCAL], i->ifa_family, &item->address);
    if (memcmp(&other, &item->address, sizeof other)) item->peer = other;
  }
  return 0;
}

/* RTA_VIA: a nexthop of the other family. */
static void via_of(const struct rtattr *a, struct address *address) {
  const struct rtvia *via = RTA_DATA(a);
  if (RTA_PAYLOAD(a) < sizeof *via || (via->rtvia_family != AF_INET && via->rtvia_family != AF_INET6)) return;
  const size_t length = (size_t)address_length((uint8_t)via->rtvia_family);
  if (RTA_PAYLOAD(a) < sizeof *via + length) return;
  address->family = (uint8_t)via->rtvia_family;
  memcpy(address->bytes, via->rtvia_addr, length);
}

static int add_route(const struct nlmsghdr *m, void *list) {
  const struct rtmsg *i = NLMSG_DATA(m);
  struct rtattr *t[RTA_VIA + 1], *hop[RTA_VIA + 1], *metrics[RTAX_MTU + 1];
  if (m->nlmsg_type != RTM_NEWROUTE || m->nlmsg_len < NLMSG_LENGTH(sizeof *i)) return 0;
  if ((i->rtm_family != AF_INET && i->rtm_family != AF_INET6) || i->rtm_flags & RTM_F_CLONED) return 0;
  struct route_item *item = list_add(list);
  if (!item) return -1;
  nl_parse(t, RTA_VIA, RTM_RTA(i), (int)RTM_PAYLOAD(m));
  item->family = i->rtm_family;
  item->type = i->rtm_type;
  item->prefix_length = i->rtm_dst_len;
  item->table = t[RTA_TABLE] ? u32_of(t[RTA_TABLE]) : i->rtm_table;
  item->metric = u32_of(t[RTA_PRIORITY]);
  item->dev = (int)u32_of(t[RTA_OIF]);
  item->destination.family = i->rtm_family;
  address_of(t[RTA_DST], i->rtm_family, &item->destination);
  address_of(t[RTA_PREFSRC], i->rtm_family, &item->source);
  address_of(t[RTA_GATEWAY], i->rtm_family, &item->via);
  if (t[RTA_VIA]) via_of(t[RTA_VIA], &item->via);
  if (t[RTA_METRICS]) {
    nl_parse(metrics, RTAX_MTU, RTA_DATA(t[RTA_METRICS]), (int)RTA_PAYLOAD(t[RTA_METRICS]));
    item->mtu = u32_of(metrics[RTAX_MTU]);
  }
  /* Of a route with several nexthops the first is shown. */
  if (t[RTA_MULTIPATH] && RTA_PAYLOAD(t[RTA_MULTIPATH]) >= sizeof(struct rtnexthop)) {
    const struct rtnexthop *first = RTA_DATA(t[RTA_MULTIPATH]);
    if (first->rtnh_len >= sizeof *first && first->rtnh_len <= RTA_PAYLOAD(t[RTA_MULTIPATH])) {
      item->dev = first->rtnh_ifindex;
      nl_parse(hop, RTA_VIA, RTNH_DATA(first), (int)(first->rtnh_len - sizeof *first));
      address_of(hop[RTA_GATEWAY], i->rtm_family, &item->via);
      if (hop[RTA_VIA]) via_of(hop[RTA_VIA], &item->via);
    }
  }
  return 0;
}

int network_list(void *p, struct fail *f) {
  struct network *n = p;
  n->links.item_size = sizeof(struct link_item);
  n->addresses.item_size = sizeof(struct address_item);
  n->routes.item_size = sizeof(struct route_item);
  if (n->want_links &&
      nl_dump(RTM_GETLINK, sizeof(struct ifinfomsg), "RTM_GETLINK", add_link, list_clear, &n->links, f) < 0)
    return -1;
  if (n->want_addresses &&
      nl_dump(RTM_GETADDR, sizeof(struct ifaddrmsg), "RTM_GETADDR", add_address, list_clear, &n->addresses, f) < 0)
    return -1;
  if (n->want_routes && nl_dump(RTM_GETROUTE, sizeof(struct rtmsg), "RTM_GETROUTE", add_route, list_clear, &n->routes, f) < 0)
    return -1;
  return 0;
}

void network_free(struct network *n) {
  free(n->links.items);
  free(n->addresses.items);
  free(n->routes.items);
}
