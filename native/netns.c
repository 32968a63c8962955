/*
 * Network namespaces. A namespace belongs to a thread: whatever has to happen inside another one happens on a thread
 * made for it, which ends there. So the calling thread never leaves its own, and there is no way back that could fail (it
 * can: an unprivileged process may enter a namespace that it owns and yet not return to the one that it came from).
 */
#define _GNU_SOURCE
#include "tunfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define NETNS_DIRECTORY "/run/netns"
#define OWN_NETNS "/proc/thread-self/ns/net"

struct visit {
  int netns_fd; /* -1: a new namespace */
  netns_call fn;
  void *arg;
  struct fail *f;
  int result;
};

static void *visit_thread(void *p) {
  struct visit *v = p;
  if (v->netns_fd < 0) {
    if (unshare(CLONE_NEWNET) < 0) {
      v->result = fail_set(v->f, errno, "unshare", errno == EPERM ? "a network namespace needs CAP_SYS_ADMIN" : NULL);
      return NULL;
    }
  } else if (setns(v->netns_fd, CLONE_NEWNET) < 0) {
    const char *hint = errno == EPERM    ? "entering a network namespace needs CAP_SYS_ADMIN over it"
                       : errno == EINVAL ? "this is not a network namespace"
                                         : NULL;
    v->result = fail_set(v->f, errno, "setns", hint);
    return NULL;
  }
  v->result = v->fn(v->arg, v->f);
  return NULL;
}

static int visit(int netns_fd, netns_call fn, void *arg, struct fail *f) {
  struct visit v = {.netns_fd = netns_fd, .fn = fn, .arg = arg, .f = f, .result = -1};
  pthread_t thread;
  sigset_t all, before;
  /* Signals are for the threads of Node. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int err = pthread_create(&thread, NULL, visit_thread, &v);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (err) return fail_set(f, err, "pthread_create", NULL);
  pthread_join(thread, NULL);
  return v.result;
}

static int netns_path(const char *spec, char *path, size_t size, struct fail *f) {
  const char *directory = strchr(spec, '/') ? "" : NETNS_DIRECTORY "/";
  if ((size_t)snprintf(path, size, "%s%s", directory, spec) >= size) return fail_set(f, ENAMETOOLONG, "open", NULL);
  return 0;
}

int netns_run(const char *spec, netns_call fn, void *arg, struct fail *f) {
  char path[4096];
  if (!*spec) return fn(arg, f);
  if (netns_path(spec, path, sizeof path, f) < 0) return -1;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_set(f, errno, "open", errno == ENOENT ? "there is no such network namespace" : NULL);
  int result = visit(fd, fn, arg, f);
  close(fd);
  return result;
}

static int open_own(void *arg, struct fail *f) {
  int *fd = arg;
  *fd = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
  return *fd < 0 ? fail_set(f, errno, "open", "/proc is needed") : 0;
}

int netns_anonymous(int *fd, struct fail *f) {
  return visit(-1, open_own, fd, f);
}

static int mount_own(void *arg, struct fail *f) {
  return mount(OWN_NETNS, arg, "none", MS_BIND, NULL) < 0 ? fail_set(f, errno, "mount", NULL) : 0;
}

static int named_path(const char *name, char *path, size_t size, struct fail *f) {
  if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
    return fail_set(f, EINVAL, "open", "a name was expected, without a slash");
  return netns_path(name, path, size, f);
}

/* The directory is a mount point of its own, shared, so that a name removed here goes away in every mount namespace. */
static int share_directory(struct fail *f) {
  if (mkdir(NETNS_DIRECTORY, 0755) < 0 && errno != EEXIST)
    return fail_set(f, errno, "mkdir", NETNS_DIRECTORY " cannot be made");
  if (mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL) == 0) return 0;
  if (errno != EINVAL) return fail_set(f, errno, "mount", errno == EPERM ? "a mount needs CAP_SYS_ADMIN" : NULL);
  if (mount(NETNS_DIRECTORY, NETNS_DIRECTORY, "none", MS_BIND | MS_REC, NULL) < 0 ||
      mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL) < 0)
    return fail_set(f, errno, "mount", NULL);
  return 0;
}

int netns_make(const char *name, struct fail *f) {
  char path[4096];
  if (named_path(name, path, sizeof path, f) < 0 || share_directory(f) < 0) return -1;
  int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (fd < 0) return fail_set(f, errno, "open", errno == EEXIST ? "there is one of that name" : NULL);
  close(fd);
  if (visit(-1, mount_own, path, f) == 0) return 0;
  unlink(path);
  return -1;
}

int netns_remove(const char *name, struct fail *f) {
  char path[4096];
  if (named_path(name, path, sizeof path, f) < 0) return -1;
  /* EINVAL: a file on which nothing is mounted, left by somebody who was interrupted. */
  if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL)
    return fail_set(f, errno, "umount", errno == ENOENT ? "there is no such network namespace" : NULL);
  if (unlink(path) < 0) return fail_set(f, errno, "unlink", NULL);
  return 0;
}

/* /proc/sys/net shows the namespace of the thread that looks. */
int sysctl_call(void *p, struct fail *f) {
  struct sysctl_args *a = p;
  char path[512] = "/proc/sys/";
  size_t at = strlen(path), length = strlen(a->name);
  bool slashes = strchr(a->name, '/') != NULL;
  if (length >= sizeof path - at || (strncmp(a->name, "net.", 4) && strncmp(a->name, "net/", 4)) ||
      strstr(a->name, slashes ? "../" : ".."))
    return fail_set(f, EINVAL, "open", "a name that starts with net. was expected: only those belong to a namespace");
  for (size_t i = 0; i <= length; i++) path[at + i] = a->name[i] == '.' && !slashes ? '/' : a->name[i];

  int fd = open(path, (a->write ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return fail_set(f, errno, "open", errno == ENOENT ? "there is no such sysctl here" : NULL);
  ssize_t n = a->write ? write(fd, a->write, strlen(a->write)) : read(fd, a->value, sizeof a->value - 1);
  int err = errno;
  close(fd);
  if (n < 0) return fail_set(f, err, a->write ? "write" : "read", NULL);
  if (a->write) return 0;
  while (n > 0 && a->value[n - 1] == '\n') n--;
  a->value[n] = 0;
  return 0;
}
