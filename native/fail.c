/*
 * What went wrong, as errno, system call and hint, and the names of the errnos that the kernel gives for what this addon
 * asks of it (strerrorname_np is glibc's alone).
 */
#include "tunfilter.h"

#include <errno.h>
#include <stdio.h>

int fail_set(struct fail *f, int err, const char *syscall, const char *hint) {
  f->err = err;
  snprintf(f->syscall, sizeof f->syscall, "%s", syscall);
  snprintf(f->hint, sizeof f->hint, "%s", hint ? hint : "");
  return -1;
}

#define NAME(e) \
  case e:       \
    return #e;

const char *errno_name(int err) {
  switch (err < 0 ? -err : err) {
    NAME(E2BIG)
    NAME(EACCES)
    NAME(EADDRINUSE)
    NAME(EADDRNOTAVAIL)
    NAME(EAFNOSUPPORT)
    NAME(EAGAIN)
    NAME(EALREADY)
    NAME(EBADF)
    NAME(EBADFD)
    NAME(EBADMSG)
    NAME(EBUSY)
    NAME(ECONNREFUSED)
    NAME(ECONNRESET)
    NAME(EDESTADDRREQ)
    NAME(EEXIST)
    NAME(EFAULT)
    NAME(EFBIG)
    NAME(EHOSTUNREACH)
    NAME(EINTR)
    NAME(EINVAL)
    NAME(EIO)
    NAME(EISDIR)
    NAME(ELOOP)
    NAME(EMFILE)
    NAME(EMSGSIZE)
    NAME(ENAMETOOLONG)
    NAME(ENETDOWN)
    NAME(ENETUNREACH)
    NAME(ENFILE)
    NAME(ENOBUFS)
    NAME(ENODEV)
    NAME(ENOENT)
    NAME(ENOMEM)
    NAME(ENOPROTOOPT)
    NAME(ENOSPC)
    NAME(ENOSYS)
    NAME(ENOTCONN)
    NAME(ENOTDIR)
    NAME(ENOTSOCK)
    NAME(ENOTTY)
    NAME(ENOTUNIQ)
    NAME(ENXIO)
    NAME(EOPNOTSUPP)
    NAME(EOVERFLOW)
    NAME(EPERM)
    NAME(EPIPE)
    NAME(EPROTO)
    NAME(EPROTONOSUPPORT)
    NAME(ERANGE)
    NAME(EROFS)
    NAME(ESPIPE)
    NAME(ESRCH)
    NAME(ETIMEDOUT)
    NAME(EUSERS)
    NAME(EXDEV)
  }
  return "UNKNOWN";
}
