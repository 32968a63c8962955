/*
 * The data path: many packets a call, between a descriptor and the slab. Offsets and lengths come from memory that
 * JavaScript, or another thread, can write at any time: each is loaded once, checked against the slab, and then used.
 */
#define _GNU_SOURCE
#include "tunfilter.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static inline int32_t load(const int32_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline bool inside(int64_t start, int64_t length, int64_t header, size_t slab_length) {
  return start >= header && length >= 0 && start + length <= (int64_t)slab_length;
}

int batch_read(int fd, uint8_t *slab, size_t slab_length, int32_t *descriptors, int count, int capacity, bool vnet_hdr) {
  const int header = vnet_hdr ? VNET_HDR_LENGTH : 0;
  for (int i = 0; i < count; i++)
    if (!inside(load(descriptors + 2 * i), capacity, header, slab_length)) return -EFAULT;

  for (int i = 0; i < count; i++) {
    const int32_t start = load(descriptors + 2 * i);
    ssize_t n;
    if (!inside(start, capacity, header, slab_length)) return i ? i : -EFAULT;
    do n = read(fd, slab + start - header, (size_t)(capacity + header));
    while (n < 0 && errno == EINTR);
    if (n < 0) return i || errno == EAGAIN ? i : -errno;
    n -= header;
    /* The kernel does not say that it cut a packet off. A byte more by readv, to see it, costs 45 ns a packet. */
    descriptors[2 * i + 1] = n < 0 ? 0 : n < capacity ? (int32_t)n : capacity + 1;
  }
  return count;
}

int batch_write(int fd, const uint8_t *slab, size_t slab_length, int32_t *descriptors, int count, bool vnet_hdr) {
  const int header = vnet_hdr ? VNET_HDR_LENGTH : 0;
  int written = 0;
  bool full = false;
  for (int i = 0; i < count; i++) {
    const int32_t start = load(descriptors + 2 * i), length = load(descriptors + 2 * i + 1);
    ssize_t n;
    if (!inside(start, length, header, slab_length)) {
      descriptors[2 * i + 1] = -EFAULT;
      continue;
    }
    if (full) {
      descriptors[2 * i + 1] = -EAGAIN;
      continue;
    }
    do n = write(fd, slab + start - header, (size_t)length + (size_t)header);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)length + header) {
      written++;
      continue;
    }
    /* A part of a packet was taken: only what is no packet device does that. */
    descriptors[2 * i + 1] = n < 0 ? -errno : -EIO;
    full = n < 0 && errno == EAGAIN;
  }
  return written;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int poll_words(int32_t *words, int count, double timeout_ms) {
  struct pollfd fds[POLL_MAX];
  const bool forever = timeout_ms < 0 || timeout_ms > 1e12;
  const double end = forever ? 0 : now_ms() + timeout_ms;
  for (int i = 0; i < count; i++) fds[i] = (struct pollfd){.fd = words[3 * i], .events = (short)words[3 * i + 1]};
  for (double left = timeout_ms;; left = end - now_ms()) {
    if (left < 0) left = 0;
    struct timespec t = {.tv_sec = (time_t)(left / 1e3)};
    t.tv_nsec = (long)((left - (double)t.tv_sec * 1e3) * 1e6);
    const int n = ppoll(fds, (nfds_t)count, forever ? NULL : &t, NULL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    for (int i = 0; i < count; i++) words[3 * i + 2] = fds[i].revents;
    return n;
  }
}

/* RFC 1071: the sum does not depend on the byte order it is taken in, so it is taken in the machine's and swapped last. */
uint16_t checksum_sum(const uint8_t *data, size_t length) {
  uint64_t sum = 0, sum2 = 0;
  uint32_t word;
  if (!length) return 0; /* An empty array may have no memory at all. */
  for (; length >= 8; data += 8, length -= 8) {
    uint32_t pair[2];
    memcpy(pair, data, 8);
    sum += pair[0];
    sum2 += pair[1];
  }
  sum += sum2;
  if (length >= 4) {
    memcpy(&word, data, 4);
    sum += word;
    data += 4;
    length -= 4;
  }
  word = 0;
  memcpy(&word, data, length);
  /* The up to three bytes lie at the start of the word in memory, followed by zeros: as words of 16 bits they are right. */
  sum += word;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16((uint16_t)sum) : (uint16_t)sum;
}

bool madvise_huge(uint8_t *data, size_t length) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t start = ((uintptr_t)data + page - 1) & ~(page - 1), end = ((uintptr_t)data + length) & ~(page - 1);
  return end > start && madvise((void *)start, end - start, MADV_HUGEPAGE) == 0;
}
