// The devices' part of a round: what was received is handed to its family's way, one packet after the other, and what is to leave is
// written. Every device may hand in up to a batch, so that a flood on one does not starve the others.

import type { Device } from './device/device.ts'
import { type Link, type Links, RX_BYTES, RX_ERRORS, RX_PACKETS } from './device/link.ts'
import { Batch } from './packet/batch.ts'
import { Packet } from './packet/packet.ts'
import type { Slab } from './packet/slab.ts'
import type { Ends } from './pipeline-ends.ts'
import * as vnet from './wire/vnet.ts'

export class Devices {
  readonly #ends: Ends
  readonly #slab: Slab
  readonly #links: Links
  readonly #way: (p: Packet) => void
  readonly #notice: (message: string) => void
  readonly #rx = new Batch()
  readonly #packet: Packet

  /**
   * @param way takes a packet over
   * @param notice told of devices that fail
   */
  constructor(ends: Ends, way: (p: Packet) => void, notice: (message: string) => void) {
    this.#ends = ends
    this.#slab = ends.slab
    this.#links = ends.links
    this.#way = way
    this.#notice = notice
    this.#packet = new Packet(ends.slab)
    // Of what devices have not taken for themselves.
    this.#slab.reserve = this.#slab.free >> 2
  }

  /** Takes a batch from each device; gives how many packets there were. */
  receive(): number {
    let received = 0
    const { all } = this.#links
    this.#settle()
    for (let i = 1; i < all.length; i++) {
      const { alive, device } = all[i]
      if (alive && device !== undefined) received += this.#receive(all[i].index, device)
    }
    return received
  }

  #receive(index: number, device: Device): number {
    const rx = this.#rx
    // A device that has nothing is not even asked, and for a packet that came alone no 64 slots are taken and given back.
    const { ready } = device
    if (ready !== undefined && ready <= 0) return 0
    const most = this.#fill(rx, Math.min(rx.capacity, ready ?? rx.capacity))
    const n = most === 0 ? 0 : device.receive(this.#slab, rx, most)
    for (let i = Math.max(n, 0); i < most; i++) this.#slab.give(rx.start(i))
    if (n < 0) {
      this.#failed(index, -n)
      return 0
    }
    const p = this.#packet
    const { counters, offload } = this.#links.at(index)
    counters[RX_PACKETS] += n
    let bytes = 0
    for (let i = 0; i < n; i++) {
      const length = rx.length(i)
      bytes += length
      if (!offload) vnet.clear(this.#slab.view, rx.start(i))
      p.begin(rx.start(i), length, index)
      this.#way(p)
      this.#ends.drain(this.#way)
    }
    counters[RX_BYTES] += bytes
    return n
  }

  /** Names free slots in the batch's descriptors; a quarter stays free for packets of the router's own. */
  #fill(rx: Batch, wanted: number): number {
    const slab = this.#slab
    const { reserve } = slab
    // What waits to be sent gives its slots back, or the devices that come first would starve the others.
    if (slab.free < reserve + rx.capacity) this.flush()
    const most = Math.min(wanted, slab.free - reserve)
    for (let i = 0; i < most; i++) rx.set(i, slab.take(), 0)
    return Math.max(most, 0)
  }

  /** Writes what is to leave. */
  flush(): void {
    const { all } = this.#links
    const { dropped } = this.#ends
    for (let i = 0; i < all.length; i++) {
      const link = all[i]
      if (link.tx.count === 0) continue
      link.flush(this.#slab, dropped)
      this.#tell(link)
    }
  }

  /** Takes over what devices that write later have written. */
  #settle(): void {
    const { all } = this.#links
    const { dropped } = this.#ends
    for (let i = 1; i < all.length; i++) {
      const link = all[i]
      link.settle(this.#slab, dropped)
      this.#tell(link)
    }
  }

  #tell(link: Link): void {
    while (link.untold.length > 0)
      this.#notice(`${link.name}: transmit failed (errno ${link.untold.shift()}); counted from now on`)
  }

  #failed(index: number, errno: number): void {
    const link = this.#links.at(index)
    link.counters[RX_ERRORS]++
    link.alive = false
    this.#notice(`${link.name}: receive failed (errno ${errno}); the device is left alone, the others go on`)
  }
}
