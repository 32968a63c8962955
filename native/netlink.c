/*
 * rtnetlink (RFC 3549 for the idea, the kernel's headers for the layout). One socket a call: it belongs to the namespace
 * of the thread that makes it, and threads here do not outlive their call. Attributes end on 4-byte boundaries.
 */
#define _GNU_SOURCE
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_LENGTH 65536
#define DUMP_TRIES 8
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

void nl_start(struct nl_request *r, int type, int flags, const void *header, size_t length) {
  memset(r, 0, sizeof *r);
  r->header.nlmsg_type = (uint16_t)type;
  r->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  r->header.nlmsg_seq = 1;
  memcpy(r->body, header, length);
  r->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(NLMSG_ALIGN(length));
}

/* The requests of this addon are some 200 bytes; one that outgrows the buffer is a mistake in this directory. */
void nl_attribute(struct nl_request *r, int type, const void *data, size_t length) {
  const size_t at = r->header.nlmsg_len;
  if (at + RTA_SPACE(length) > sizeof *r) abort();
  struct rtattr *a = (struct rtattr *)((char *)r + at);
  a->rta_type = (uint16_t)type;
  a->rta_len = (uint16_t)RTA_LENGTH(length);
  if (length) memcpy(RTA_DATA(a), data, length);
  r->header.nlmsg_len = (uint32_t)(at + RTA_SPACE(length));
}

void nl_u32(struct nl_request *r, int type, uint32_t value) {
  nl_attribute(r, type, &value, sizeof value);
}

struct rtattr *nl_nest(struct nl_request *r, int type) {
  struct rtattr *nest = (struct rtattr *)((char *)r + r->header.nlmsg_len);
  nl_attribute(r, type, NULL, 0);
  return nest;
}

void nl_nest_end(struct nl_request *r, struct rtattr *nest) {
  nest->rta_len = (uint16_t)((char *)r + r->header.nlmsg_len - (char *)nest);
}

void nl_parse(struct rtattr **table, int max, const struct rtattr *first, int length) {
  memset(table, 0, sizeof *table * (size_t)(max + 1));
  for (struct rtattr *a = (struct rtattr *)first; RTA_OK(a, length); a = RTA_NEXT(a, length)) {
    const int type = a->rta_type & NLA_TYPE_MASK;
    if (type <= max) table[type] = a;
  }
}

static int open_and_send(struct nl_request *r, struct fail *f) {
  const int one = 1;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return fail_set(f, errno, "socket", "AF_NETLINK");
  /* Both are for better messages only; kernels without them answer all the same. */
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (sendto(fd, r, r->header.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0) {
    const int err = errno;
    close(fd);
    return fail_set(f, err, "sendto", "AF_NETLINK");
  }
  return fd;
}

static ssize_t receive(int fd, char *buffer, struct fail *f) {
  ssize_t n;
  do n = recv(fd, buffer, BUFFER_LENGTH, MSG_TRUNC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return fail_set(f, errno, "recv", "AF_NETLINK");
  if (n > BUFFER_LENGTH) return fail_set(f, EMSGSIZE, "recv", "AF_NETLINK");
  return n;
}

/* The kernel's own sentence about the error, if it has one. */
static int refused(const struct nlmsghdr *m, int err, const char *what, struct fail *f) {
  const struct nlmsgerr *e = NLMSG_DATA(m);
  struct rtattr *table[NLMSGERR_ATTR_MSG + 1];
  char hint[sizeof f->hint] = "";
  if (m->nlmsg_type == NLMSG_ERROR && m->nlmsg_flags & NLM_F_ACK_TLVS) {
    size_t skip = sizeof *e;
    if (!(m->nlmsg_flags & NLM_F_CAPPED)) skip += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof e->msg;
    if (m->nlmsg_len > NLMSG_LENGTH(skip)) {
      nl_parse(table, NLMSGERR_ATTR_MSG, (const void *)((const char *)e + skip), (int)(m->nlmsg_len - NLMSG_LENGTH(skip)));
      const struct rtattr *text = table[NLMSGERR_ATTR_MSG];
      if (text) {
        size_t length = strnlen(RTA_DATA(text), RTA_PAYLOAD(text));
        if (length >= sizeof hint) length = sizeof hint - 1;
        memcpy(hint, RTA_DATA(text), length);
      }
    }
  }
  if (!*hint && err == EPERM) strcpy(hint, "this needs CAP_NET_ADMIN in the namespace");
  return fail_set(f, err, what, hint);
}

int nl_ask(struct nl_request *r, const char *what, struct fail *f) {
  int result = -1, left;
  char *buffer = malloc(BUFFER_LENGTH);
  if (!buffer) return fail_set(f, ENOMEM, "malloc", NULL);
  r->header.nlmsg_flags |= NLM_F_ACK;
  const int fd = open_and_send(r, f);
  for (bool answered = fd < 0; !answered;) {
    left = (int)receive(fd, buffer, f);
    if (left < 0) break;
    for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, (unsigned)left) && !answered; m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_type != NLMSG_ERROR || m->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) continue;
      const int err = -((const struct nlmsgerr *)NLMSG_DATA(m))->error;
      result = err ? refused(m, err, what, f) : 0;
      answered = true;
    }
  }
  if (fd >= 0) close(fd);
  free(buffer);
  return result;
}

/* 0: all there; 1: something changed meanwhile; -1: failed. */
static int dump_once(int fd, char *buffer, const char *what, nl_item item, void *arg, struct fail *f) {
  bool changed = false;
  for (;;) {
    int left = (int)receive(fd, buffer, f);
    if (left < 0) return -1;
    for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, (unsigned)left); m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_flags & NLM_F_DUMP_INTR) changed = true;
      if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
        const int status = m->nlmsg_len >= NLMSG_LENGTH(sizeof status) ? *(const int *)NLMSG_DATA(m) : 0;
        return status < 0 ? refused(m, -status, what, f) : changed;
      }
      if (item(m, arg) < 0) return fail_set(f, ENOMEM, "malloc", NULL);
    }
  }
}

int nl_dump(int type, size_t header_length, const char *what, nl_item item, void (*restart)(void *arg), void *arg,
            struct fail *f) {
  const char header[32] = {0}; /* AF_UNSPEC, and no wishes. */
  int result = -1;
  char *buffer = malloc(BUFFER_LENGTH);
  if (!buffer) return fail_set(f, ENOMEM, "malloc", NULL);
  for (int i = 0; i < DUMP_TRIES; i++) {
    struct nl_request r;
    nl_start(&r, type, NLM_F_DUMP, header, header_length);
    restart(arg);
    const int fd = open_and_send(&r, f);
    if (fd < 0) break;
    result = dump_once(fd, buffer, what, item, arg, f);
    close(fd);
    if (result <= 0) break;
  }
  free(buffer);
  /* A namespace that does not stand still is shown as it was last seen. */
  return result > 0 ? 0 : result;
}
