// What the native addon (native/, C) offers, as types, and the one place that loads it. Loading is lazy: nothing that
// needs no device touches the addon. There is no policy behind these calls; each is a system call or a few of them.
//
// What fails outside of the data path throws a NativeError: `code` is the errno's name. Wrong argument types throw
// TypeError, numbers out of range RangeError, both before anything was done. The data path (readBatch, writeBatch, poll)
// throws for wrong arguments only; everything else it returns as a negative errno, as the kernel does.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TunfilterError } from '../errors.ts'

/** Bytes of virtio-net header before the IP header on a device opened with `vnetHdr`. */
export const VNET_HDR_LENGTH = 12

/** What TUNSETOFFLOAD takes (`setOffload`). TSO needs CSUM; USO4 and USO6 go together and need Linux 6.2. */
export const TUN_F_CSUM = 0x01
export const TUN_F_TSO4 = 0x02
export const TUN_F_TSO6 = 0x04
export const TUN_F_TSO_ECN = 0x08
export const TUN_F_USO4 = 0x20
export const TUN_F_USO6 = 0x40

/** `events` and `revents` of `poll`. POLLERR, POLLHUP and POLLNVAL are always reported, asked for or not. */
export const POLLIN = 0x001
export const POLLOUT = 0x004
export const POLLERR = 0x008
export const POLLHUP = 0x010
export const POLLNVAL = 0x020

/**
 * A network namespace: a bare name means /run/netns/NAME (`ip netns`); anything with a slash is a path, such as
 * /proc/PID/ns/net, or /proc/self/fd/N for the descriptor of `anonymousNetns`. undefined is the calling thread's own.
 * The call is made by a short-lived thread inside that namespace: the calling thread never leaves its own.
 */
export type Netns = string | undefined

/** What the native calls throw. */
export interface NativeError extends Error {
  /** The errno's name: 'EBUSY', 'EPERM', 'ENOENT', ... */
  readonly code: string
  /** The negative errno, as in Node's own system errors. */
  readonly errno: number
  /** The system call or request that failed: 'open', 'setns', 'TUNSETIFF', 'RTM_NEWADDR', ... */
  readonly syscall: string
  /** The device, address, route or sysctl that was asked for. */
  readonly target?: string
  readonly netns?: string
}

export interface OpenTunOptions {
  /** At most 15 bytes; `tun%d` lets the kernel choose the number. */
  readonly name: string
  readonly netns?: Netns
  /** IFF_VNET_HDR with a header of VNET_HDR_LENGTH bytes, in the host's byte order. */
  readonly vnetHdr?: boolean
  /** IFF_MULTI_QUEUE: every further openTun of that name opens one more queue. */
  readonly multiQueue?: boolean
  /** true: the device outlives its descriptors; false: it does not (any more); undefined: as it is. */
  readonly persist?: boolean
  /** Users and groups that may attach without CAP_NET_ADMIN. */
  readonly owner?: number
  readonly group?: number
}

export interface OpenedTun {
  /** Non-blocking and close-on-exec. */
  readonly fd: number
  readonly name: string
  readonly index: number
  /** false: it was there before and this attached to it. */
  readonly created: boolean
}

export interface LinkSettings {
  readonly name: string
  readonly up?: boolean
  readonly mtu?: number
  readonly txQueueLength?: number
}

/** Text ('10.0.0.1', 'fd00::1') or 4 or 16 bytes in network order. */
export type AddressInput = string | Uint8Array

export interface AddressSettings {
  readonly name: string
  readonly address: AddressInput
  readonly prefixLength: number
  /** The other end of a point-to-point link; prefixLength is then the peer's. */
  readonly peer?: AddressInput
}

export interface RouteSettings {
  /** 'default' (of via's or source's family, IPv4 without either), 'ADDRESS/LENGTH', or an address alone. */
  readonly destination: string
  readonly via?: AddressInput
  readonly dev?: string
  readonly source?: AddressInput
  readonly mtu?: number
  /** 254, the main table, when left out. */
  readonly table?: number
  readonly metric?: number
  /** Take `via` as reachable on `dev` even where no prefix of the device says so. */
  readonly onlink?: boolean
}

export interface LinkAddress {
  readonly family: 4 | 6
  readonly address: string
  readonly prefixLength: number
  readonly peer?: string
  /** rtnetlink's scope: 0 global, 253 link, 254 host. */
  readonly scope: number
}

export interface DeviceAddress extends LinkAddress {
  readonly name: string
  readonly index: number
}

export interface Link {
  readonly name: string
  readonly index: number
  readonly mtu: number
  /** IFF_UP, as set by the administrator. */
  readonly up: boolean
  /** All of ifi_flags. */
  readonly flags: number
  readonly txQueueLength: number
  /** IFLA_INFO_KIND: 'tun', 'veth', ...; undefined for hardware and loopback. */
  readonly kind?: string
  readonly addresses: readonly LinkAddress[]
}

export interface Route {
  readonly family: 4 | 6
  /** 'ADDRESS/LENGTH'; '0.0.0.0/0' or '::/0' for the default route. */
  readonly destination: string
  readonly via?: string
  readonly dev?: string
  readonly source?: string
  readonly mtu?: number
  readonly table: number
  readonly metric: number
  /** rtm_type: 1 unicast, 2 local, 3 broadcast, 5 multicast, 6 blackhole, 7 unreachable, 8 prohibit. */
  readonly type: number
}

/** What openRing returns; it means nothing to JavaScript. */
export type Ring = object & { readonly __ring: unique symbol }
/** What openWait returns, likewise. */
export type RingWait = object & { readonly __wait: unique symbol }

export interface Native {
  /** The running system's numbers, for comparison with what the data path returns. */
  readonly constants: Readonly<Record<NativeConstant, number>>

  /** 'EBADFD' for -77 or 77. */
  errnoName(errno: number): string

  /**
   * Opens /dev/net/tun (IFF_TUN | IFF_NO_PI) and creates the device or attaches to it. Throws, among others, EBUSY: another
   * descriptor holds the (only) queue; EPERM: no CAP_NET_ADMIN in the namespace; ENOENT: no such namespace or no
   * /dev/net/tun (see `syscall` and the message); EINVAL: a device of that name is no TUN, or differs in multiQueue.
   */
  openTun(options: OpenTunOptions): OpenedTun
  /** TUNSETOFFLOAD: TUN_F_ bits that this program is ready to receive. EINVAL: the kernel does not know one. */
  setOffload(fd: number, bits: number): void
  /**
   * Has a device of several queues give a flow's packets to one of them for good, by addresses and ports (of fragments by addresses).
   * EPERM: no CAP_BPF, and unprivileged programs are switched off; ENOSYS, EINVAL: the kernel has no such thing.
   */
  steerQueues(fd: number): void

  /** ENODEV: no such device. */
  setLink(netns: Netns, link: LinkSettings): void
  deleteLink(netns: Netns, name: string): void
  /** EEXIST: the device has that address already. */
  addAddress(netns: Netns, address: AddressSettings): void
  /** EADDRNOTAVAIL: the device does not have it. */
  deleteAddress(netns: Netns, address: AddressSettings): void
  /** EEXIST: that route is there already; ENETUNREACH: nothing reaches `via`. */
  addRoute(netns: Netns, route: RouteSettings): void
  /** ESRCH: no such route. */
  deleteRoute(netns: Netns, route: RouteSettings): void
  listLinks(netns: Netns): Link[]
  listAddresses(netns: Netns): DeviceAddress[]
  /** All tables, IPv4 and IPv6, local and broadcast routes too: select by `table` and `type`. */
  listRoutes(netns: Netns): Route[]

  /** 'net.ipv4.ip_forward', or with slashes where a device's name has a dot: 'net/ipv4/conf/eth0.5/rp_filter'. */
  readSysctl(netns: Netns, name: string): string
  writeSysctl(netns: Netns, name: string, value: string): void

  /** As `ip netns add`: a namespace mounted on /run/netns/NAME, its loopback down. EEXIST: there is one. */
  makeNetns(name: string): void
  /** As `ip netns delete`: unmounts and removes the name; the namespace itself goes with its last user. */
  removeNetns(name: string): void
  /** The descriptor of a new network namespace, loopback down, that lives as long as something refers to it. */
  anonymousNetns(): number

  /**
   * Reads up to `count` packets. descriptors[2i] says where in the slab the IP header of packet i is to lie, and stays;
   * descriptors[2i + 1] becomes the packet's length in bytes. At most `capacity` bytes of a packet are stored; one that fills
   * them all counts as cut off and gets the length capacity + 1: choose a capacity above the largest packet. With `vnetHdr`
   * the VNET_HDR_LENGTH bytes before the IP header receive the virtio-net header, and are counted neither in length
   * nor in capacity.
   * Returns the number of packets read: less than count, or 0, when no more are waiting. A negative errno when the first
   * read failed: -EBADFD the device was deleted, -EIO it is down (after the packets that were still queued).
   * -EFAULT, and nothing read: one of the `count` places is not wholly inside the slab.
   */
  readBatch(
    fd: number,
    slab: Uint8Array,
    descriptors: Int32Array,
    count: number,
    capacity: number,
    vnetHdr: boolean,
  ): number
  /**
   * Writes `count` packets: descriptors[2i] is where packet i's IP header lies, descriptors[2i + 1] its length; with
   * `vnetHdr` the header is taken from the VNET_HDR_LENGTH bytes before. Returns the number written. The length of
   * each packet that was not written is replaced by a negative errno: -EINVAL the kernel refused the packet, -EIO the device is
   * down, -EBADFD it was deleted, -ENOBUFS or -ENOMEM no memory, -EFAULT not wholly inside the slab. A packet that failed
   * does not stop the batch, except for -EAGAIN, a full queue: the rest is then not tried and says -EAGAIN too, so that
   * the order is kept when they are tried again.
   */
  writeBatch(fd: number, slab: Uint8Array, descriptors: Int32Array, count: number, vnetHdr: boolean): number

  /**
   * Reads a TUN device opened with `vnetHdr` ahead by io_uring, for the calling thread alone, whose rings (256 at most) share one. `starts` (a power of two of them) are
   * places in the slab where packets may lie; the ring holds as many at all times. Throws ENOSYS, EPERM or EINVAL where the
   * kernel has no io_uring, forbids it, or is older than 6.7. `capacity` is as for readBatch.
   */
  openRing(fd: number, slab: Uint8Array, starts: Int32Array, capacity: number): Ring
  /** A descriptor that polls readable when something came in since the last call, on this ring or another of the thread. */
  ringFd(ring: Ring): number
  /**
   * Makes ready to wait for rings together. `waiting` has a word for each, at most 256.
   * @param eventFd ends a wait, and is drained
   */
  openWait(rings: readonly Ring[], waiting: Int32Array, eventFd: number): RingWait
  /**
   * Looks at all rings, and where nothing has come in waits as `poll` does, until something has. waiting[i] becomes the number of
   * packets that can be received from ring i, or 1 for one that failed; a negative word leaves its ring alone. A signal may end it
   * early. The first `spinUs` microseconds it does not sleep, but looks again and again, and lets others have the core; without that,
   * packets that come often are left to gather for 50 microseconds where that slows nobody down (native/moderation.c).
   * Returns 0, or a negative errno.
   */
  waitForRings(wait: RingWait, timeoutMs: number, spinUs: number): number
  /** As readBatch, but the slots change places: descriptors[2i] is a free slot before, and where the packet lies afterwards. */
  ringReceive(ring: Ring, descriptors: Int32Array, count: number): number
  /** As writeBatch. */
  ringTransmit(ring: Ring, descriptors: Int32Array, count: number): number
  /** Ends the ring; the device stays open. */
  closeRing(ring: Ring): void

  /**
   * Waits until one of `count` descriptors is ready: three words each, [fd, events, revents]; revents is written. Returns
   * how many are ready, 0 after timeoutMs (which may be a fraction; negative waits for ever), or a negative errno. A signal
   * does not end it: it goes on with the time that remains. It blocks the thread and its event loop, so it is meant for a
   * worker, and `process.exit` hangs until it returns: stop it by an eventFd.
   */
  poll(fds: Int32Array, count: number, timeoutMs: number): number
  /** eventfd(2), non-blocking. `signal` adds 1, `drain` takes all and returns what it was, 0 for none. */
  eventFd(): number
  signal(fd: number): void
  drain(fd: number): number
  close(fd: number): void
  /** A connected pair of datagram sockets, non-blocking: one packet a read or write, as TUN has it. */
  socketpair(): [number, number]

  /** MADV_HUGEPAGE for the whole pages inside the array's memory; false where the kernel has none to give. */
  madviseHuge(array: Uint8Array): boolean
  /** The sum of the 16-bit big-endian words, an odd byte at the end being a high one, folded, not complemented. */
  checksum(slab: Uint8Array, start: number, length: number): number
}

export type NativeConstant =
  | 'VNET_HDR_LENGTH'
  | 'TUN_F_CSUM'
  | 'TUN_F_TSO4'
  | 'TUN_F_TSO6'
  | 'TUN_F_TSO_ECN'
  | 'TUN_F_USO4'
  | 'TUN_F_USO6'
  | 'POLLIN'
  | 'POLLOUT'
  | 'POLLERR'
  | 'POLLHUP'
  | 'POLLNVAL'
  | 'EAGAIN'
  | 'EBADF'
  | 'EBADFD'
  | 'EFAULT'
  | 'EINVAL'
  | 'EIO'
  | 'ENOBUFS'
  | 'ENOMEM'

// src/device/ and dist/device/ are equally deep, so this holds for both.
const root = fileURLToPath(new URL('../../', import.meta.url))
const addon = join(root, 'native/build/tunfilter.node')
const require = createRequire(import.meta.url)

let loaded: Native | undefined

/** Loads the addon on first use. Throws ERR_NATIVE_MISSING, which says what is missing and how to build it. */
export function loadNative(): Native {
  loaded ??= load()
  return loaded
}

function load(): Native {
  try {
    return require(addon) as Native
  } catch (cause) {
    throw new TunfilterError('ERR_NATIVE_MISSING', whatIsMissing(cause), { cause })
  }
}

function whatIsMissing(cause: unknown): string {
  if (process.platform !== 'linux') return `TUN devices need Linux; this is ${process.platform}`
  if (existsSync(addon)) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return `the native addon does not load: ${reason}; build it for this machine: ${root}scripts/build-native --force`
  }
  const missing: string[] = []
  if (!isInPath('gcc')) missing.push('gcc is not installed (Debian: apt-get install gcc libc6-dev)')
  if (!isInstalled('node-api-headers'))
    missing.push(`the package node-api-headers is not installed (npm install in ${root})`)
  const first = missing.length > 0 ? `; before that: ${missing.join('; ')}` : ''
  return `the native addon, which devices need, is not built (no ${addon}); build it: ${root}scripts/build-native${first}`
}

function isInPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)))
}

function isInstalled(name: string): boolean {
  try {
    require.resolve(`${name}/package.json`)
    return true
  } catch {
    return false
  }
}
