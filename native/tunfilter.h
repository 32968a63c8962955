/*
 * The native addon's parts that know nothing of JavaScript. Functions that can fail return 0 or -1 and then have filled
 * in a struct fail; those of the data path return a negative errno. No state is kept between calls but in what a caller holds.
 */
#ifndef TUNFILTER_H
#define TUNFILTER_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VNET_HDR_LENGTH 12

/* What went wrong: errno, the system call or request, and what is known beyond strerror's words. */
struct fail {
  int err;
  char syscall[24];
  char hint[200];
};

/* Fills in `f` and returns -1; `hint` may be NULL. */
int fail_set(struct fail *f, int err, const char *syscall, const char *hint);
/* "EBUSY"; "UNKNOWN" for a number without a name here. */
const char *errno_name(int err);

/* ---- netns.c ---- */
typedef int (*netns_call)(void *arg, struct fail *f);
/* Calls fn(arg, f) inside the namespace `spec`, on a thread of its own; with an empty spec directly. */
int netns_run(const char *spec, netns_call fn, void *arg, struct fail *f);
int netns_make(const char *name, struct fail *f);
int netns_remove(const char *name, struct fail *f);
int netns_anonymous(int *fd, struct fail *f);

struct sysctl_args {
  const char *name;
  const char *write; /* NULL: read */
  char value[4096];
};
int sysctl_call(void *sysctl_args, struct fail *f);

/* ---- tun.c ---- */
struct tun_args {
  char name[IFNAMSIZ];
  bool vnet_hdr, multi_queue;
  int persist; /* -1: as it is */
  int64_t owner, group; /* -1: as it is */
  int fd;
  unsigned index;
  bool created;
};
int tun_open(void *tun_args, struct fail *f);
int tun_set_offload(int fd, unsigned bits, struct fail *f);

/* ---- steer.c ---- */
int tun_steer(int fd, struct fail *f);

/* ---- link.c and list.c, over netlink.c ---- */
struct address {
  uint8_t family; /* AF_INET, AF_INET6; 0: none */
  uint8_t bytes[16];
};
static inline int address_length(uint8_t family) {
  return family == 2 ? 4 : 16;
}

struct link_args {
  char name[IFNAMSIZ];
  int up;                      /* -1: as it is */
  int64_t mtu, tx_queue_length; /* -1: as it is */
};
int link_set(void *link_args, struct fail *f);
int link_delete(void *link_args, struct fail *f);

struct address_args {
  char name[IFNAMSIZ];
  struct address address, peer;
  int prefix_length;
};
int address_add(void *address_args, struct fail *f);
int address_delete(void *address_args, struct fail *f);

struct route_args {
  struct address destination, via, source;
  int prefix_length;
  char dev[IFNAMSIZ]; /* "": none */
  int64_t mtu, table, metric; /* -1: none */
  bool onlink;
};
int route_add(void *route_args, struct fail *f);
int route_delete(void *route_args, struct fail *f);

struct list {
  void *items;
  size_t count, room, item_size;
};
struct link_item {
  char name[IFNAMSIZ], kind[16];
  int index;
  uint32_t mtu, flags, tx_queue_length;
};
struct address_item {
  int index;
  struct address address, peer;
  uint8_t prefix_length, scope;
};
struct route_item {
  struct address destination, via, source;
  uint8_t family, prefix_length, type;
  int dev; /* index; 0: none */
  uint32_t table, metric, mtu;
};
struct network {
  struct list links, addresses, routes;
  bool want_links, want_addresses, want_routes;
};
int network_list(void *network, struct fail *f);
void network_free(struct network *network);

/* ---- batch.c ---- */
int batch_read(int fd, uint8_t *slab, size_t slab_length, int32_t *descriptors, int count, int capacity, bool vnet_hdr);
int batch_write(int fd, const uint8_t *slab, size_t slab_length, int32_t *descriptors, int count, bool vnet_hdr);
#define POLL_MAX 1024
int poll_words(int32_t *words, int count, double timeout_ms);
uint16_t checksum_sum(const uint8_t *data, size_t length);
bool madvise_huge(uint8_t *data, size_t length);

/* ---- ring.c ---- */
struct ring;
/* `starts`: a power of two of places in the slab, which the ring now holds. NULL where it cannot be. */
struct ring *ring_open(int tun, uint8_t *slab, size_t slab_length, const int32_t *starts, unsigned count, int capacity,
                       struct fail *f);
int ring_fd(const struct ring *ring);
#define RINGS_MAX 256
/*
 * Looks at all rings, and where nothing has come in waits until something does, `event_fd` is readable (it is drained then) or the
 * time is over; the first `spin_us` microseconds of it without sleeping. waiting[i] becomes the number of packets that can be received from a ring; one below zero leaves the ring alone.
 */
int rings_wait(struct ring *const *rings, int count, int event_fd, int timeout_ms, int spin_us, int32_t *waiting);
int ring_receive(struct ring *ring, int32_t *descriptors, int count);
int ring_transmit(struct ring *ring, int32_t *descriptors, int count);
void ring_close(struct ring *ring);

#endif
