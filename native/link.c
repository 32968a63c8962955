/*
 * Links, addresses and routes: set, added and deleted by one rtnetlink request each, in the namespace of the calling
 * thread. What is added must not be there yet (NLM_F_EXCL): EEXIST says that it was.
 */
#include "netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>

static int index_of(const char *name, unsigned *index, struct fail *f) {
  *index = if_nametoindex(name);
  return *index ? 0 : fail_set(f, errno, "if_nametoindex", "there is no such device here");
}

int link_set(void *p, struct fail *f) {
  struct link_args *a = p;
  struct nl_request r;
  struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
  unsigned index;
  if (index_of(a->name, &index, f) < 0) return -1;
  m.ifi_index = (int)index;
  if (a->up >= 0) {
    m.ifi_change = IFF_UP;
    m.ifi_flags = a->up ? IFF_UP : 0;
  }
  nl_start(&r, RTM_NEWLINK, 0, &m, sizeof m);
  if (a->mtu >= 0) nl_u32(&r, IFLA_MTU, (uint32_t)a->mtu);
  if (a->tx_queue_length >= 0) nl_u32(&r, IFLA_TXQLEN, (uint32_t)a->tx_queue_length);
  return nl_ask(&r, "RTM_NEWLINK", f);
}

int link_delete(void *p, struct fail *f) {
  struct link_args *a = p;
  struct nl_request r;
  struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
  unsigned index;
  if (index_of(a->name, &index, f) < 0) return -1;
  m.ifi_index = (int)index;
  nl_start(&r, RTM_DELLINK, 0, &m, sizeof m);
  return nl_ask(&r, "RTM_DELLINK", f);
}

/* IFA_LOCAL is this end; IFA_ADDRESS the other, or again this end where there is no other. */
static int address_change(struct address_args *a, int type, int flags, const char *what, struct fail *f) {
  struct nl_request r;
  struct ifaddrmsg m = {.ifa_family = a->address.family, .ifa_prefixlen = (uint8_t)a->prefix_length};
  const size_t length = (size_t)address_length(a->address.family);
  unsigned index;
  if (index_of(a->name, &index, f) < 0) return -1;
  m.ifa_index = index;
  if (m.ifa_family == AF_INET && a->address.bytes[0] == 127) m.ifa_scope = RT_SCOPE_HOST;
  nl_start(&r, type, flags, &m, sizeof m);
  nl_attribute(&r, IFA_LOCAL, a->address.bytes, length);
  nl_attribute(&r, IFA_ADDRESS, a->peer.family ? a->peer.bytes : a->address.bytes, length);
  return nl_ask(&r, what, f);
}

int address_add(void *p, struct fail *f) {
  return address_change(p, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "RTM_NEWADDR", f);
}

int address_delete(void *p, struct fail *f) {
  return address_change(p, RTM_DELADDR, 0, "RTM_DELADDR", f);
}

static int route_change(struct route_args *a, int type, int flags, const char *what, struct fail *f) {
  struct nl_request r;
  const uint8_t family = a->destination.family;
  const size_t length = (size_t)address_length(family);
  const uint32_t table = a->table >= 0 ? (uint32_t)a->table : RT_TABLE_MAIN;
  struct rtmsg m = {.rtm_family = family, .rtm_dst_len = (uint8_t)a->prefix_length};
  unsigned index = 0;
  if (*a->dev && index_of(a->dev, &index, f) < 0) return -1;
  m.rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
  if (a->onlink) m.rtm_flags = RTNH_F_ONLINK;
  if (type == RTM_NEWROUTE) {
    m.rtm_type = RTN_UNICAST;
    m.rtm_protocol = RTPROT_STATIC;
    m.rtm_scope = family == AF_INET && !a->via.family ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  } else {
    m.rtm_scope = RT_SCOPE_NOWHERE; /* Any. */
  }
  nl_start(&r, type, flags, &m, sizeof m);
  if (a->prefix_length) nl_attribute(&r, RTA_DST, a->destination.bytes, length);
  if (a->via.family) nl_attribute(&r, RTA_GATEWAY, a->via.bytes, length);
  if (a->source.family) nl_attribute(&r, RTA_PREFSRC, a->source.bytes, length);
  if (index) nl_u32(&r, RTA_OIF, index);
  if (table >= 256) nl_u32(&r, RTA_TABLE, table);
  if (a->metric >= 0) nl_u32(&r, RTA_PRIORITY, (uint32_t)a->metric);
  if (a->mtu >= 0) {
    struct rtattr *metrics = nl_nest(&r, RTA_METRICS);
    nl_u32(&r, RTAX_MTU, (uint32_t)a->mtu);
    nl_nest_end(&r, metrics);
  }
  return nl_ask(&r, what, f);
}

int route_add(void *p, struct fail *f) {
  return route_change(p, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "RTM_NEWROUTE", f);
}

int route_delete(void *p, struct fail *f) {
  return route_change(p, RTM_DELROUTE, 0, "RTM_DELROUTE", f);
}
