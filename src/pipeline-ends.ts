// Where packets come from and where they end, of both families: free slots and descriptors, the devices' queues, and the loopback
// device's backlog. A packet that leaves is a slot in a link's queue; one of the router's own begins with take().

import { type Links, LOOPBACK } from './device/link.ts'
import { Packet } from './packet/packet.ts'
import { REASON } from './packet/reason.ts'
import type { Slab } from './packet/slab.ts'
import * as vnet from './wire/vnet.ts'

/** How deeply the router's own packets may cause each other. */
const DEPTH_MAX = 8
/** Looped-back packets that may wait; beyond, they are dropped as by a full backlog. */
const BACKLOG_MAX = 64

export class Ends {
  readonly slab: Slab
  readonly links: Links
  /** Packets dropped, by REASON. */
  readonly dropped: Float64Array
  readonly #spare: Packet[] = []
  readonly #backlog: Packet[] = []

  constructor(slab: Slab, links: Links, dropped: Float64Array) {
    this.slab = slab
    this.links = links
    this.dropped = dropped
  }

  /** A descriptor without a packet. */
  packet(): Packet {
    return this.#spare.pop() ?? new Packet(this.slab)
  }

  /** Gives a descriptor back that packet() or take() gave; its slot is somebody else's by now. */
  giveBack(p: Packet): void {
    this.#spare.push(p)
  }

  /** A packet at a free slot, one level deeper than its cause; undefined when there is no slot, or it is too deep. */
  take(cause: Packet): Packet | undefined {
    if (cause.depth >= DEPTH_MAX) {
      this.dropped[REASON['too-many-nested']]++
      return undefined
    }
    const start = this.slab.take()
    if (start < 0) {
      this.dropped[REASON['no-slot']]++
      return undefined
    }
    vnet.clear(this.slab.view, start)
    const p = this.packet()
    p.begin(start, 0, 0)
    p.depth = cause.depth + 1
    return p
  }

  /** Gives a packet up that take() gave, with its slot. */
  discard(p: Packet): void {
    this.slab.give(p.start)
    this.#spare.push(p)
  }

  /** Leaves by a device, which gives the slot back. */
  enqueue(outLink: number, start: number, length: number): void {
    const link = this.links.at(outLink)
    if (link.tx.full) link.flush(this.slab, this.dropped)
    link.tx.push(start, length)
  }

  get backlogFull(): boolean {
    return this.#backlog.length >= BACKLOG_MAX
  }

  /** The loopback device: the packet in p's slot comes in again, with the flow and the route that p has; the slot is taken over. */
  loop(p: Packet): void {
    const { ct, ctinfo, direction, zone, mark, trace, depth, routeType } = p
    const looped = this.packet()
    looped.begin(p.start, p.length, LOOPBACK)
    Object.assign(looped, { ct, ctinfo, direction, zone, mark, trace, depth, routeType })
    this.#backlog.push(looped)
  }

  /** Hands what was looped back to `receive`, until nothing more comes. */
  drain(receive: (p: Packet) => void): void {
    while (this.#backlog.length > 0) {
      const p = this.#backlog.shift() as Packet
      receive(p)
      this.#spare.push(p)
    }
  }
}
