/*
 * One io_uring a thread, which all its devices share: one system call submits a batch of writes and gathers what has come in, and one
 * waits for all of them. What the kernel has to do for a packet that came in is put off until the thread asks (DEFER_TASKRUN), so that
 * packets interrupt nobody, least of all a thread that sleeps to let more of them gather.
 *
 * Needs Linux 6.7 for the reads of ring.c; containers often forbid it.
 */
#define _GNU_SOURCE
#include "uring.h"

#include <errno.h>
#include <linux/time_types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMPLETIONS 4096
/* Linux 6.7; Debian 12's headers are older. */
#define OP_READ_MULTISHOT 49

/* Of this thread: only who opened it may submit (SINGLE_ISSUER). */
static _Thread_local struct uring *own;

unsigned uring_queued(const struct uring *u) {
  return u->tail - atomic_load_explicit(u->sq_head, memory_order_acquire);
}

int uring_enter(struct uring *u, unsigned wait, uint64_t nanoseconds) {
  struct __kernel_timespec t = {.tv_sec = (long long)(nanoseconds / 1000000000), .tv_nsec = (long long)(nanoseconds % 1000000000)};
  struct io_uring_getevents_arg arg = {.ts = (uint64_t)(uintptr_t)&t};
  const unsigned flags = IORING_ENTER_GETEVENTS | (nanoseconds ? IORING_ENTER_EXT_ARG : 0);
  unsigned queued = uring_queued(u);
  atomic_store_explicit(u->sq_tail, u->tail, memory_order_release);
  for (;;) {
    const int n = (int)syscall(SYS_io_uring_enter, u->fd, queued, wait, flags, nanoseconds ? (void *)&arg : NULL, sizeof arg);
    if (n < 0) return -errno;
    queued -= (unsigned)n;
    if (queued == 0) return 0;
  }
}

bool uring_put_off(const struct uring *u) {
  return atomic_load_explicit(u->sq_flags, memory_order_relaxed) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

struct io_uring_sqe *uring_entry(struct uring *u) {
  const unsigned at = u->tail++ & u->sq_mask;
  struct io_uring_sqe *e = &u->entries[at];
  memset(e, 0, sizeof *e);
  u->sq_array[at] = at;
  return e;
}

static bool map_queues(struct uring *u, struct io_uring_params *p) {
  const size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned);
  const size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
  const int shared = MAP_SHARED | MAP_POPULATE;
  u->queues_length = sq > cq ? sq : cq;
  void *q = mmap(NULL, u->queues_length, PROT_READ | PROT_WRITE, shared, u->fd, IORING_OFF_SQ_RING);
  if (q == MAP_FAILED) return false;
  u->queues = q;
  void *e = mmap(NULL, SUBMISSIONS * sizeof *u->entries, PROT_READ | PROT_WRITE, shared, u->fd, IORING_OFF_SQES);
  if (e == MAP_FAILED) return false;
  u->entries = e;
  uint8_t *base = q;
  u->sq_head = (_Atomic unsigned *)(void *)(base + p->sq_off.head);
  u->sq_tail = (_Atomic unsigned *)(void *)(base + p->sq_off.tail);
  u->sq_flags = (_Atomic unsigned *)(void *)(base + p->sq_off.flags);
  u->sq_array = (unsigned *)(void *)(base + p->sq_off.array);
  u->sq_mask = *(unsigned *)(void *)(base + p->sq_off.ring_mask);
  u->cq_head = (_Atomic unsigned *)(void *)(base + p->cq_off.head);
  u->cq_tail = (_Atomic unsigned *)(void *)(base + p->cq_off.tail);
  u->cq_mask = *(unsigned *)(void *)(base + p->cq_off.ring_mask);
  u->completions = (struct io_uring_cqe *)(void *)(base + p->cq_off.cqes);
  return true;
}

static bool knows_multishot_reads(const struct uring *u) {
  struct {
    struct io_uring_probe probe;
    struct io_uring_probe_op ops[64];
  } p = {0};
  return syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_PROBE, &p, 64) == 0 &&
         p.probe.last_op >= OP_READ_MULTISHOT && p.ops[OP_READ_MULTISHOT].flags & IO_URING_OP_SUPPORTED;
}

static void close_uring(struct uring *u) {
  if (u->fd >= 0) close(u->fd);
  if (u->queues) munmap(u->queues, u->queues_length);
  if (u->entries) munmap(u->entries, SUBMISSIONS * sizeof *u->entries);
  free(u);
}

static struct uring *open_uring(struct fail *f) {
  struct io_uring_params p = {.cq_entries = COMPLETIONS};
  struct uring *u = calloc(1, sizeof *u);
  const char *call = "io_uring_setup", *hint = "io_uring may be switched off here (kernel.io_uring_disabled, seccomp)";
  int err;
  if (!u) return fail_set(f, ENOMEM, "calloc", NULL), NULL;
  *u = (struct uring){.event_fd = -1};
  p.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  u->fd = (int)syscall(SYS_io_uring_setup, SUBMISSIONS, &p);
  if (u->fd < 0) goto failed;
  call = "io_uring_register";
  hint = "multishot reads came with Linux 6.7";
  errno = EINVAL;
  if (!knows_multishot_reads(u)) goto failed;
  call = "mmap";
  hint = NULL;
  if (map_queues(u, &p)) return u;
failed:
  err = errno;
  close_uring(u);
  fail_set(f, err, call, hint);
  return NULL;
}

struct uring *uring_take(struct fail *f) {
  if (!own) own = open_uring(f);
  if (own) own->users++;
  return own;
}

void uring_give(struct uring *u) {
  if (--u->users > 0) return;
  if (own == u) own = NULL;
  close_uring(u);
}
