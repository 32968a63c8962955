/* The io_uring of a thread: what ring.c, which has the devices, and uring.c, which has the queues, know of each other. */
#ifndef URING_H
#define URING_H

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunfilter.h"

/* Entries that can be submitted at once. */
#define SUBMISSIONS 128

/* When packets come often, waking for each costs more than they do (moderation.c). */
struct moderation {
  /* When the window that is under way began, in nanoseconds, and the last pause; and packets counted by then. */
  uint64_t since, packets, paused, gathered;
  /* Packets a millisecond without pauses, while there are some; 0 while there are none. */
  uint64_t plain;
  /* Pauses one after the other in which too little came. */
  unsigned poor;
  /* When pauses may be tried again, when they are to be left out once more, and how long the next refusal lasts. */
  uint64_t not_before, until, refusal;
};

struct uring {
  int fd, users;
  /* Shared with the kernel. */
  void *queues;
  size_t queues_length;
  struct io_uring_sqe *entries;
  _Atomic unsigned *sq_head, *sq_tail, *sq_flags, *cq_head, *cq_tail;
  unsigned *sq_array;
  unsigned sq_mask, cq_mask;
  /* Behind the last entry; the kernel knows of those up to the shared one. */
  unsigned tail;
  struct io_uring_cqe *completions;
  /* The devices; a read's completion names its place. */
  struct ring *rings[RINGS_MAX];
  /* What a batch that is being written says of its packets, and how many of them are through. */
  int32_t *writing;
  int written;
  /* Packets read so far. */
  uint64_t packets;
  /* The descriptor that ends a wait; -1: none. */
  int event_fd;
  bool event_came;
  struct moderation moderation;
};

/* The calling thread's, which is opened for its first user and closed with the last. NULL where it cannot be. */
struct uring *uring_take(struct fail *f);
void uring_give(struct uring *u);
/* An empty entry; the kernel takes it with the next enter. At most SUBMISSIONS between two of them. */
struct io_uring_sqe *uring_entry(struct uring *u);
/*
 * Submits what is queued, has the kernel do what it put off, and waits for so many completions, but no longer than this (0: for ever).
 * Returns 0, or a negative errno: -ETIME when the time was over, -EINTR after a signal.
 */
int uring_enter(struct uring *u, unsigned wait, uint64_t nanoseconds);
/* Entries that the kernel did not take yet. */
unsigned uring_queued(const struct uring *u);
/* Whether the kernel put something off until it is entered. */
bool uring_put_off(const struct uring *u);

/* How long to leave packets to gather before looking for them, in nanoseconds; 0: not at all. To be asked when nothing waits. */
uint64_t moderation_pause(struct moderation *m, uint64_t now, uint64_t packets);

#endif
