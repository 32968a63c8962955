// A TUN device: the kernel's end is an interface in some network namespace, ours a descriptor that gives and takes raw IP
// packets. It is always opened with room for the virtio-net header (IFF_VNET_HDR), so that packets lie in the slab the
// same way whether or not the kernel may hand over large ones; without `offload` every header says "plain packet".

import type { Batch } from '../packet/batch.ts'
import type { Slab } from '../packet/slab.ts'
import { MAX_PACKET } from '../wire/ipv4.ts'
import * as vnet from '../wire/vnet.ts'
import type { Device } from './device.ts'
import { loadNative, type Native, type Netns } from './native.ts'

export interface TunOptions {
  readonly name: string
  /** Namespace of the kernel's end; see Netns. */
  readonly netns?: Netns
  readonly persist?: boolean
  /** TUN_F_ bits: what the engine is ready to receive. 0 when left out: the kernel finishes every packet itself. */
  readonly offload?: number
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
    const { name, netns, persist, offload = 0 } = options
    const tun = this.#native.openTun({ name, netns, persist, vnetHdr: true })
    this.name = tun.name
    this.fd = tun.fd
    this.created = tun.created
    this.vnet = offload !== 0
    try {
      this.#native.setOffload(tun.fd, offload)
    } catch (error) {
      this.#native.close(tun.fd)
      throw error
    }
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    // One byte more than a packet can have: what fills it is longer than an IP packet, and counted as such.
    return this.#native.readBatch(this.fd, slab.bytes, rx.descriptors, most, MAX_PACKET + 1, true)
  }

  transmit(slab: Slab, tx: Batch): number {
    if (!this.vnet) for (let i = 0; i < tx.count; i++) vnet.clear(slab.view, tx.start(i))
    return this.#native.writeBatch(this.fd, slab.bytes, tx.descriptors, tx.count, true)
  }

  close(): void {
    this.#native.close(this.fd)
  }
}
