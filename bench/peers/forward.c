// A bare forwarder between two TUN devices: what I/O alone costs, with the least that a NAT gateway does to a packet. It rewrites one
// fixed address each way, counts down the TTL and updates checksums; it tracks no flow and knows no rules. Its I/O is the gateway's
// own (native/batch.c, native/ring.c), so what is left between the two is what TypeScript and netfilter cost.
//
//   forward CLIENT_NETNS SERVER_NETNS read|uring plain|offload INSIDE OUTSIDE [QUEUES]
//
// With several QUEUES each device has as many (IFF_MULTI_QUEUE), and a process each serves one of both: what workers that share
// nothing would bring. The kernel gives a flow to a queue by its hash.
//
// Devices `lan` in the client's namespace and `wan` in the server's; INSIDE becomes OUTSIDE on the way out. Prints "ready" once both
// are open; ends on SIGTERM.

#define _GNU_SOURCE
#include "../../native/tunfilter.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { BATCH = 64, READ_AHEAD = 256, STRIDE = 65600, HEADROOM = 64, CAPACITY = 65536, SLOTS = 2 * (BATCH + READ_AHEAD) };

struct device {
  int fd;
  struct ring *ring;
  int32_t batch[2 * BATCH];
};

static uint8_t *slab;
static const size_t slab_length = (size_t)SLOTS * STRIDE;
static uint32_t inside, outside;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int open_device(const char *netns, const char *name, bool offload, bool several) {
  char path[256];
  struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (several ? IFF_MULTI_QUEUE : 0)};
  int header = VNET_HDR_LENGTH;
  const unsigned bits = offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6 : 0;
  snprintf(path, sizeof path, "/run/netns/%s", netns);
  const int ns = open(path, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET) < 0) die(path);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  strcpy(ifr.ifr_name, name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
      ioctl(fd, TUNSETOFFLOAD, (unsigned long)bits) < 0)
    die(name);
  close(ns);
  return fd;
}

static uint16_t folded(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* RFC 1624, in the order of memory: a checksum after a word of 32 bits changed. */
static void update(uint8_t *field, uint32_t before, uint32_t after, bool partial) {
  uint16_t sum;
  memcpy(&sum, field, 2);
  if (partial) sum = (uint16_t)~sum;
  sum = (uint16_t)~folded((uint16_t)~sum + (~before >> 16) + (~before & 0xffff) + (after >> 16) + (after & 0xffff));
  if (partial) sum = (uint16_t)~sum;
  memcpy(field, &sum, 2);
}

static bool forward(uint8_t *p, int length, bool out) {
  if (length < 20 || p[0] != 0x45 || p[8] <= 1) return false;
  const uint32_t before = out ? inside : outside, after = out ? outside : inside;
  uint8_t *address = p + (out ? 12 : 16);
  if (memcmp(address, &before, 4) != 0) return false;
  memcpy(address, &after, 4);
  const uint32_t ttl = p[8];
  p[8]--;
  update(p + 10, before, after, false);
  uint16_t sum;
  memcpy(&sum, p + 10, 2);
  sum = htons((uint16_t)~folded((uint16_t)~ntohs(sum) + (uint16_t)~(ttl << 8) + ((ttl - 1) << 8)));
  memcpy(p + 10, &sum, 2);
  const bool partial = (p[-VNET_HDR_LENGTH] & 1) != 0;
  if (p[9] == 6 && length >= 40) update(p + 36, before, after, partial);
  if (p[9] == 17 && length >= 28 && (p[26] | p[27] || partial)) update(p + 26, before, after, partial);
  return true;
}

static bool relay(struct device *from, struct device *to, bool out) {
  const int n = from->ring ? ring_receive(from->ring, from->batch, BATCH)
                           : batch_read(from->fd, slab, slab_length, from->batch, BATCH, CAPACITY, true);
  int32_t leaving[2 * BATCH];
  int count = 0;
  for (int i = 0; i < n; i++)
    if (forward(slab + from->batch[2 * i], from->batch[2 * i + 1], out)) {
      leaving[2 * count] = from->batch[2 * i];
      leaving[2 * count++ + 1] = from->batch[2 * i + 1];
    }
  if (!count) return n > 0;
  if (to->ring) ring_transmit(to->ring, leaving, count);
  else batch_write(to->fd, slab, slab_length, leaving, count, true);
  return true;
}

int main(int argc, char **argv) {
  struct device lan, wan;
  int32_t starts[READ_AHEAD];
  int slot = 0;
  struct fail f;
  if (argc != 7 && argc != 8) {
    fprintf(stderr, "usage: forward CLIENT_NETNS SERVER_NETNS read|uring plain|offload INSIDE OUTSIDE [QUEUES]\n");
    return 2;
  }
  const bool offload = strcmp(argv[4], "offload") == 0;
  const int queues = argc == 8 ? atoi(argv[7]) : 1;
  // The others wait until the devices are there, and end with the first.
  for (int i = 1; i < queues; i++)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      usleep(200000);
      break;
    }
  inside = inet_addr(argv[5]);
  outside = inet_addr(argv[6]);
  slab = mmap(NULL, slab_length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (slab == MAP_FAILED) die("mmap");
  lan.fd = open_device(argv[1], "lan", offload, queues > 1);
  wan.fd = open_device(argv[2], "wan", offload, queues > 1);
  for (struct device *d = &lan; d; d = d == &lan ? &wan : NULL) {
    d->ring = NULL;
    for (int i = 0; i < BATCH; i++) d->batch[2 * i] = slot++ * STRIDE + HEADROOM;
    if (strcmp(argv[3], "uring") != 0) continue;
    for (int i = 0; i < READ_AHEAD; i++) starts[i] = slot++ * STRIDE + HEADROOM;
    d->ring = ring_open(d->fd, slab, slab_length, starts, READ_AHEAD, CAPACITY, &f);
    if (!d->ring) {
      fprintf(stderr, "forward: %s: %s\n", f.syscall, strerror(f.err));
      return 1;
    }
  }
  printf("ready\n");
  fflush(stdout);
  struct ring *const rings[2] = {lan.ring, wan.ring};
  for (;;) {
    if (lan.ring) {
      int32_t waiting[2] = {0, 0};
      rings_wait(rings, 2, -1, 1000, 0, waiting);
      if (waiting[0]) relay(&lan, &wan, true);
      if (waiting[1]) relay(&wan, &lan, false);
      continue;
    }
    if (relay(&lan, &wan, true) | relay(&wan, &lan, false)) continue;
    struct pollfd fds[2] = {{.fd = lan.fd, .events = POLLIN}, {.fd = wan.fd, .events = POLLIN}};
    poll(fds, 2, 1000);
  }
}
