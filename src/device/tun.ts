// A TUN device: the kernel's end is an interface in some network namespace, ours a descriptor that gives and takes raw IP
// packets. It is always opened with room for the virtio-net header (IFF_VNET_HDR), so that packets lie in the slab the
// same way whether or not the kernel may hand over large ones. With offload, which is the default, it hands over packets of up to
// 64 KiB and checksums that are not complete (eight times the TCP rate of packets of 1500 bytes), and takes them.
//
// Packets come and go by read and write, a system call each, or by io_uring: then the kernel reads ahead into slots that the device
// holds, and a batch is written by one call. The ring belongs to the thread that attached the device to a slab.

import type { Batch } from '../packet/batch.ts'
import type { Slab } from '../packet/slab.ts'
import { MAX_PACKET } from '../wire/ipv4.ts'
import type { Device } from './device.ts'
import { loadNative, type Native, type NativeError, type Netns, type Ring } from './native.ts'

/** Packets that the kernel may read ahead by io_uring; a power of two. */
export const RING_SLOTS = 256

export interface TunOptions {
  readonly name: string
  /** Namespace of the kernel's end; see Netns. */
  readonly netns?: Netns
  readonly persist?: boolean
  /** false: the kernel finishes every packet itself, and so does the router what leaves here. */
  readonly offload?: boolean
  /** `auto`, which is the default: by io_uring where the kernel has it and allows it (Linux 6.7), else by read and write. */
  readonly io?: TunIo
  /** The device has several queues, and this opens one more. */
  readonly multiQueue?: boolean
}

export type TunIo = 'auto' | 'uring' | 'read'

/** What a kernel says that has no io_uring with multishot reads, or forbids it. */
const NO_RING = new Set(['ENOSYS', 'EPERM', 'EINVAL', 'EACCES', 'ENOMEM'])

export class TunDevice implements Device {
  readonly name: string
  /** What polls readable: the ring, where there is one. */
  fd: number
  readonly vnet: boolean
  /** Whether opening made the device; false where it was there before. */
  readonly created: boolean
  readonly #native: Native
  readonly #tun: number
  readonly #io: TunIo
  #ring: Ring | undefined
  #waiting: Int32Array | undefined
  #place = 0

  /**
   * Throws NativeError, or ERR_NATIVE_MISSING.
   * @param opened a descriptor that another thread's TunDevice of these options opened, to be taken over
   */
  constructor(options: TunOptions, opened?: number) {
    this.#native = loadNative()
    const { name, netns, persist, multiQueue, offload = true, io = 'auto' } = options
    const tun =
      opened === undefined
        ? this.#native.openTun({ name, netns, persist, multiQueue, vnetHdr: true })
        : { name, fd: opened, created: false }
    this.name = tun.name
    this.fd = tun.fd
    this.#tun = tun.fd
    this.#io = io
    this.created = tun.created
    this.vnet = offload
    if (opened === undefined) this.#setOffload(offload)
  }

  /** What the kernel is told to hand over undone: all that it knows of (UDP segmentation came with Linux 6.2). */
  #setOffload(wanted: boolean): void {
    const { TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6 } = this.#native.constants
    const tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN
    const choices = wanted ? [tso | TUN_F_USO4 | TUN_F_USO6, tso] : [0]
    for (const [i, bits] of choices.entries()) {
      try {
        this.#native.setOffload(this.#tun, bits)
        return
      } catch (error) {
        if ((error as NativeError).code === 'EINVAL' && i < choices.length - 1) continue
        this.#native.close(this.#tun)
        throw error
      }
    }
  }

  /**
   * Opens the ring, which takes `ahead` slots of the slab for as long as the device is open. Throws NativeError where `uring` was
   * wanted and cannot be, and with `auto` for what is no sign of an old or closed kernel.
   * @param ahead a power of two, or 0 for none
   */
  attach(slab: Slab, ahead: number = this.#readAhead(slab)): void {
    if (this.#io === 'read' || this.#ring !== undefined || ahead === 0) return
    const starts = Int32Array.from({ length: ahead }, () => slab.take())
    try {
      this.#ring = this.#native.openRing(this.#tun, slab.bytes, starts, MAX_PACKET + 1)
      this.fd = this.#native.ringFd(this.#ring)
    } catch (error) {
      for (const start of starts) if (start >= 0) slab.give(start)
      if (this.#io === 'uring' || !NO_RING.has((error as NativeError).code)) throw error
    }
  }

  /** A router with few slots needs them for its packets. */
  #readAhead(slab: Slab): number {
    return this.#io === 'auto' && slab.free < 4 * RING_SLOTS ? 0 : RING_SLOTS
  }

  /** How packets come and go, for people. */
  get io(): 'io_uring' | 'read' {
    return this.#ring === undefined ? 'read' : 'io_uring'
  }

  get ring(): Ring | undefined {
    return this.#ring
  }

  /** From now on somebody waits for the ring with others' (device/together.ts): `place` of `waiting` says how many packets there are. */
  waitTogether(waiting: Int32Array, place: number): void {
    this.#waiting = waiting
    this.#place = place
  }

  get ready(): number | undefined {
    return this.#waiting?.[this.#place]
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    // One byte more than a packet can have: what fills it is longer than an IP packet, and counted as such.
    if (this.#ring !== undefined) {
      const n = this.#native.ringReceive(this.#ring, rx.descriptors, most)
      // Nobody waits for a device that failed.
      if (this.#waiting !== undefined) this.#waiting[this.#place] = n < 0 ? -1 : this.#waiting[this.#place] - n
      return n
    }
    return this.#native.readBatch(this.#tun, slab.bytes, rx.descriptors, most, MAX_PACKET + 1, true)
  }

  transmit(slab: Slab, tx: Batch): number {
    if (this.#ring !== undefined) return this.#native.ringTransmit(this.#ring, tx.descriptors, tx.count)
    return this.#native.writeBatch(this.#tun, slab.bytes, tx.descriptors, tx.count, true)
  }

  close(): void {
    if (this.#ring !== undefined) this.#native.closeRing(this.#ring)
    this.#ring = undefined
    this.#native.close(this.#tun)
  }
}
