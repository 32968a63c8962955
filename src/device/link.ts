// A link is the router's side of a device (Linux's net_device): its index, name, MTU, addresses, what waits to be
// transmitted, and its counters. Index 0 means "none", 1 is the loopback device, which every router has.

import { TunfilterError } from '../errors.ts'
import { Batch } from '../packet/batch.ts'
import { REASON } from '../packet/reason.ts'
import type { Slab } from '../packet/slab.ts'
import { type Device, EAGAIN, ENOBUFS } from './device.ts'

export const NO_LINK = 0
export const LOOPBACK = 1

/** An address that a link has; all int32. */
export interface LinkAddress {
  readonly address: number
  readonly prefixLength: number
  /** Of a point-to-point link: the prefix is then the peer's. */
  readonly peer?: number
  /** Shown as the address of all on the link; packets to it go by the prefix. */
  readonly broadcast?: number
}

/** The same for IPv6, addresses as four int32 words. */
export interface LinkAddress6 {
  readonly address: readonly number[]
  readonly prefixLength: number
  readonly peer?: readonly number[]
}

// Places in Link.counters.
export const RX_PACKETS = 0
export const RX_BYTES = 1
export const TX_PACKETS = 2
export const TX_BYTES = 3
export const RX_ERRORS = 4
export const TX_DROPPED = 5
export const TX_ERRORS = 6
export const LINK_COUNTERS = 8

export class Link {
  readonly index: number
  readonly name: string
  readonly mtu: number
  addresses: readonly LinkAddress[]
  /** In the order in which they were given. */
  addresses6: readonly LinkAddress6[]
  /** Absent for the loopback device. */
  readonly device: Device | undefined
  /** The device takes packets with a checksum to complete, and large ones to segment. */
  readonly offload: boolean
  readonly tx = new Batch()
  readonly #done = new Batch()
  readonly counters: Float64Array
  /** False once the device failed for good (deleted, namespace gone). */
  alive = true
  /** errnos of failed transmissions that nobody was told of yet; each kind is told once. */
  readonly untold: number[] = []
  readonly #failures = new Set<number>()

  constructor(
    index: number,
    name: string,
    mtu: number,
    addresses: readonly LinkAddress[],
    device: Device | undefined,
    counters: Float64Array,
    addresses6: readonly LinkAddress6[] = [],
  ) {
    this.index = index
    this.name = name
    this.mtu = mtu
    this.addresses = addresses
    this.addresses6 = addresses6
    this.device = device
    this.offload = device?.vnet === true
    this.counters = counters
  }

  /**
   * Transmits what waits and gives the slots back. What the device did not take is counted under its reason in
   * `dropped`; the first failure of each kind is put into `untold` for whoever logs it.
   */
  flush(slab: Slab, dropped: Float64Array): void {
    const { tx, counters, device } = this
    if (tx.count === 0) return
    if (device === undefined || !this.alive) {
      counters[TX_ERRORS] += tx.count
      dropped[REASON['device-error']] += tx.count
    } else {
      device.transmit(slab, tx)
      this.#count(tx, dropped)
    }
    for (let i = 0; i < tx.count; i++) slab.give(tx.start(i))
    tx.count = 0
  }

  /** The same end for packets that a device took to write them later, and has written by now. */
  settle(slab: Slab, dropped: Float64Array): void {
    const { device } = this
    if (device?.written === undefined) return
    const done = this.#done
    while (device.written(done) > 0) {
      this.#count(done, dropped)
      for (let i = 0; i < done.count; i++) slab.give(done.start(i))
      done.count = 0
    }
  }

  /** Each packet by its descriptor: a length for what left, a negative errno for what did not. */
  #count(tx: Batch, dropped: Float64Array): void {
    const { counters } = this
    let packets = 0
    let bytes = 0
    for (let i = 0; i < tx.count; i++) {
      const length = tx.length(i)
      if (length >= 0) {
        packets++
        bytes += length
      } else {
        const full = -length === EAGAIN || -length === ENOBUFS
        counters[full ? TX_DROPPED : TX_ERRORS]++
        dropped[full ? REASON['device-queue-full'] : REASON['device-error']]++
        this.#tell(-length)
      }
    }
    counters[TX_PACKETS] += packets
    counters[TX_BYTES] += bytes
  }

  #tell(errno: number): void {
    if (this.#failures.has(errno)) return
    this.#failures.add(errno)
    this.untold.push(errno)
  }
}

/** All links by index and name. */
export class Links {
  readonly all: Link[] = []
  /** Links by index; [0] stands for "none" and has an empty name. */
  readonly #byIndex: (Link | undefined)[] = [undefined]
  readonly #byName = new Map<string, Link>()

  add(link: Link): void {
    if (link.index !== this.#byIndex.length) throw new TunfilterError('ERR_LINK', `${link.name}: index out of order`)
    if (this.#byName.has(link.name))
      throw new TunfilterError('ERR_LINK', `${link.name}: there is such a device already`)
    this.#byIndex.push(link)
    this.#byName.set(link.name, link)
    this.all.push(link)
  }

  /** The link that has this index; whoever calls got the index from here. */
  at(index: number): Link {
    return this.#byIndex[index] as Link
  }

  /** The link's name, '' for NO_LINK. */
  name(index: number): string {
    return this.#byIndex[index]?.name ?? ''
  }

  byName(name: string): Link | undefined {
    return this.#byName.get(name)
  }

  get size(): number {
    return this.#byIndex.length
  }
}
