/*
 * Opens TUN devices: IFF_TUN | IFF_NO_PI always, so that a packet is an IP packet and nothing else but, if asked for, a
 * virtio-net header of 12 bytes before it. The device's namespace is that of the thread which opens /dev/net/tun.
 */
#define _GNU_SOURCE
#include "tunfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *attach_hint(int err) {
  switch (err) {
    case EBUSY:
      return "it is open already, here or in another process";
    case EPERM:
      return "this needs CAP_NET_ADMIN in the namespace, or to be the device's owner";
    case EINVAL:
      return "the name is not valid, or a device of that name is not a TUN device or differs in multi-queue";
    case E2BIG:
      return "the device has as many queues as it can have";
  }
  return NULL;
}

static int set_up(struct tun_args *a, struct fail *f) {
  struct ifreq ifr = {0};
  int header = VNET_HDR_LENGTH;
  memcpy(ifr.ifr_name, a->name, IFNAMSIZ);
  ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (a->vnet_hdr ? IFF_VNET_HDR : 0) | (a->multi_queue ? IFF_MULTI_QUEUE : 0));
  a->created = !if_nametoindex(a->name);
  if (ioctl(a->fd, TUNSETIFF, &ifr) < 0) return fail_set(f, errno, "TUNSETIFF", attach_hint(errno));
  memcpy(a->name, ifr.ifr_name, IFNAMSIZ);
  a->name[IFNAMSIZ - 1] = 0;

  if (a->vnet_hdr && ioctl(a->fd, TUNSETVNETHDRSZ, &header) < 0) return fail_set(f, errno, "TUNSETVNETHDRSZ", NULL);
  if (a->owner >= 0 && ioctl(a->fd, TUNSETOWNER, (unsigned long)a->owner) < 0) return fail_set(f, errno, "TUNSETOWNER", NULL);
  if (a->group >= 0 && ioctl(a->fd, TUNSETGROUP, (unsigned long)a->group) < 0) return fail_set(f, errno, "TUNSETGROUP", NULL);
  a->index = if_nametoindex(a->name);
  if (!a->index) return fail_set(f, errno, "if_nametoindex", NULL);
  /* Last: what fails before leaves no device behind. */
  if (a->persist >= 0 && ioctl(a->fd, TUNSETPERSIST, (unsigned long)a->persist) < 0)
    return fail_set(f, errno, "TUNSETPERSIST", NULL);
  return 0;
}

int tun_open(void *p, struct fail *f) {
  struct tun_args *a = p;
  a->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (a->fd < 0) {
    const char *hint = errno == ENOENT || errno == ENODEV || errno == ENXIO
                           ? "there is no /dev/net/tun: modprobe tun, or hand the device to the container"
                       : errno == EACCES || errno == EPERM ? "/dev/net/tun may not be opened by this user"
                                                           : "/dev/net/tun";
    return fail_set(f, errno, "open", hint);
  }
  if (set_up(a, f) == 0) return 0;
  close(a->fd);
  return -1;
}

int tun_set_offload(int fd, unsigned bits, struct fail *f) {
  if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)bits) == 0) return 0;
  const char *hint = errno == EINVAL ? "the kernel does not know one of the bits, or one lacks another that it needs" : NULL;
  return fail_set(f, errno, "TUNSETOFFLOAD", hint);
}
