// A TUN device: the kernel's end is an interface in some network namespace, ours a descriptor that gives and takes raw IP
// packets. It is always opened with room for the virtio-net header (IFF_VNET_HDR), so that packets lie in the slab the
// same way whether or not the kernel may hand over large ones. With offload, which is the default, it hands over packets of up to
// 64 KiB and checksums that are not complete (eight times the TCP rate of packets of 1500 bytes), and takes them.

import type { Batch } from '../packet/batch.ts'
import type { Slab } from '../packet/slab.ts'
import { MAX_PACKET } from '../wire/ipv4.ts'
import type { Device } from './device.ts'
import { loadNative, type Native, type NativeError, type Netns } from './native.ts'

export interface TunOptions {
  readonly name: string
  /** Namespace of the kernel's end; see Netns. */
  readonly netns?: Netns
  readonly persist?: boolean
  /** false: the kernel finishes every packet itself, and so does the router what leaves here. */
  readonly offload?: boolean
}

export class TunDevice implements Device {
  readonly name: string
  readonly fd: number
  readonly vnet: boolean
  /** Whether opening made the device; false where it was there before. */
  readonly created: boolean
  readonly #native: Native

  /** Throws NativeError, or ERR_NATIVE_MISSING. */
  constructor(options: TunOptions) {
    this.#native = loadNative()
    const { name, netns, persist, offload = true } = options
    const tun = this.#native.openTun({ name, netns, persist, vnetHdr: true })
    this.name = tun.name
    this.fd = tun.fd
    this.created = tun.created
    this.vnet = offload
    this.#setOffload(offload)
  }

  /** What the kernel is told to hand over undone: all that it knows of (UDP segmentation came with Linux 6.2). */
  #setOffload(wanted: boolean): void {
    const { TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6 } = this.#native.constants
    const tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN
    const choices = wanted ? [tso | TUN_F_USO4 | TUN_F_USO6, tso] : [0]
    for (const [i, bits] of choices.entries()) {
      try {
        this.#native.setOffload(this.fd, bits)
        return
      } catch (error) {
        if ((error as NativeError).code === 'EINVAL' && i < choices.length - 1) continue
        this.#native.close(this.fd)
        throw error
      }
    }
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    // One byte more than a packet can have: what fills it is longer than an IP packet, and counted as such.
    return this.#native.readBatch(this.fd, slab.bytes, rx.descriptors, most, MAX_PACKET + 1, true)
  }

  transmit(slab: Slab, tx: Batch): number {
    return this.#native.writeBatch(this.fd, slab.bytes, tx.descriptors, tx.count, true)
  }

  close(): void {
    this.#native.close(this.fd)
  }
}
