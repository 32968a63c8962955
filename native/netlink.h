/* rtnetlink's wire form: one request built in a fixed buffer, its answer an acknowledgement or a dump. */
#ifndef TUNFILTER_NETLINK_H
#define TUNFILTER_NETLINK_H

#include "tunfilter.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct nl_request {
  struct nlmsghdr header;
  char body[1024];
};

void nl_start(struct nl_request *r, int type, int flags, const void *header, size_t length);
void nl_attribute(struct nl_request *r, int type, const void *data, size_t length);
void nl_u32(struct nl_request *r, int type, uint32_t value);
struct rtattr *nl_nest(struct nl_request *r, int type);
void nl_nest_end(struct nl_request *r, struct rtattr *nest);

/* Sends the request in the calling thread's namespace and waits for the kernel's verdict. `what` names it in errors. */
int nl_ask(struct nl_request *r, const char *what, struct fail *f);

/* For each message of the dump. Returns -1 when there is no memory for it. */
typedef int (*nl_item)(const struct nlmsghdr *message, void *arg);
/* `restart` is called when something changed during the dump, which then begins anew. */
int nl_dump(int type, size_t header_length, const char *what, nl_item item, void (*restart)(void *arg), void *arg,
            struct fail *f);

/* table[type] = the attribute, for types up to max. */
void nl_parse(struct rtattr **table, int max, const struct rtattr *first, int length);

#endif
