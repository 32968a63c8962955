// Which flows an address, or a network, has open (nf_conncount). A flow is counted from its first packet; a packet of a flow that
// is confirmed changes nothing. When a new flow comes, those of the same address that ended, were never confirmed, or are
// closed (TCP) are taken off before it is counted.
//
// A tuple is remembered as it stands in a flow's record: source, destination, PORTS and KEY. For IPv6, where the first two are
// digests, the eight words of the addresses follow, so that nothing is taken for another.

import type { Conntrack } from '../conntrack/conntrack.ts'
import type { FlowTable6 } from '../conntrack/flows6.ts'
import * as f from '../conntrack/record.ts'
import { state as tcpState } from '../conntrack/tcp-record.ts'
import { CLOSE, TIME_WAIT } from '../conntrack/tcp-states.ts'
import { NO_FLOW, type Packet } from '../packet/packet.ts'
import type { Family } from '../rule/model.ts'
import * as ip from '../wire/ipv4.ts'

/** How many addresses there may be before those without open flows are looked for. */
const SWEEP = 256

/** Words of a tuple: without addresses, and with them. */
const WORDS: Readonly<Record<Family, number>> = { 4: 4, 6: 4 + f.TUPLE_ADDRESS_WORDS }
const DESTINATION = 1
const PORTS = 2
const KEY = 3
const ADDRESSES = 4

/** Tuples of one address in one zone. */
interface Group {
  readonly address: Int32Array
  tuples: Int32Array
  count: number
  /** Another address with the same digest. */
  next: Group | undefined
}

export class OpenFlows {
  readonly #conntrack: Conntrack
  readonly #time: { readonly now: number }
  readonly #words: number
  /** By zone and address, or its digest. */
  readonly #groups = new Map<number, Group>()
  #size = 0
  #sweepAt = SWEEP
  /** The packet's tuple. */
  readonly #tuple: Int32Array

  constructor(conntrack: Conntrack, time: { readonly now: number }, family: Family) {
    this.#conntrack = conntrack
    this.#time = time
    this.#words = WORDS[family]
    this.#tuple = new Int32Array(this.#words)
  }

  /**
   * The flows of this address, the packet's among them; 0 where it has no tuple.
   * @param address four words, masked; of IPv4 the first
   */
  count(p: Packet, address: Int32Array): number {
    const { flows } = this.#conntrack
    if (!this.#read(p)) return 0
    const known = this.#find(address)
    if (known !== undefined && p.ct !== NO_FLOW && (flows.status(p.ct) & f.CONFIRMED) !== 0) return known.count
    const group = known ?? this.#add(address)
    this.#clean(group)
    this.#append(group)
    return group.count
  }

  /** Takes the original tuple of the packet's flow, or the packet's own. */
  #read(p: Packet): boolean {
    const tuple = this.#tuple
    const { flows } = this.#conntrack
    if (p.ct !== NO_FLOW) {
      const { words, addresses } = flows
      const base = p.ct * f.WORDS
      tuple[0] = words[base + f.SOURCE]
      tuple[DESTINATION] = words[base + f.DESTINATION]
      tuple[PORTS] = words[base + f.PORTS]
      tuple[KEY] = words[base + f.KEY]
      const from = p.ct * f.ADDRESS_WORDS
      for (let i = ADDRESSES; i < this.#words; i++) tuple[i] = addresses[from + i - ADDRESSES]
      return true
    }
    if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return false
    if (p.transport === 0 && p.protocol !== ip.PROTO_IGMP && p.length > p.headerLength) return false
    if (this.#words === WORDS[4]) {
      tuple[0] = p.source
      tuple[DESTINATION] = p.destination
    } else {
      const flows6 = flows as FlowTable6
      tuple[0] = flows6.digest(p.source, p.source1, p.source2, p.source3)
      tuple[DESTINATION] = flows6.digest(p.destination, p.destination1, p.destination2, p.destination3)
      tuple[ADDRESSES] = p.source
      tuple[ADDRESSES + 1] = p.source1
      tuple[ADDRESSES + 2] = p.source2
      tuple[ADDRESSES + 3] = p.source3
      tuple[ADDRESSES + 4] = p.destination
      tuple[ADDRESSES + 5] = p.destination1
      tuple[ADDRESSES + 6] = p.destination2
      tuple[ADDRESSES + 7] = p.destination3
    }
    tuple[PORTS] = (p.sport << 16) | p.dport
    tuple[KEY] = f.keyIn(p.protocol, p.zone, 0)
    return true
  }

  #place(address: Int32Array): number {
    const { flows } = this.#conntrack
    const short =
      this.#words === WORDS[4]
        ? address[0]
        : (flows as FlowTable6).digest(address[0], address[1], address[2], address[3])
    return (this.#tuple[KEY] >>> 8) * 2 ** 32 + (short >>> 0)
  }

  #find(address: Int32Array): Group | undefined {
    let group = this.#groups.get(this.#place(address))
    while (group !== undefined && !sameAddress(group.address, address)) group = group.next
    return group
  }

  #add(address: Int32Array): Group {
    if (this.#size >= this.#sweepAt) this.#sweep()
    const place = this.#place(address)
    const group = {
      address: address.slice(),
      tuples: new Int32Array(4 * this.#words),
      count: 0,
      next: this.#groups.get(place),
    }
    this.#groups.set(place, group)
    this.#size++
    return group
  }

  /** Forgets the addresses that have no open flow. */
  #sweep(): void {
    this.#size = 0
    for (const [place, first] of this.#groups) {
      let left: Group | undefined
      for (let group: Group | undefined = first; group !== undefined; ) {
        const { next }: Group = group
        this.#clean(group)
        if (group.count > 0) {
          group.next = left
          left = group
          this.#size++
        }
        group = next
      }
      if (left === undefined) this.#groups.delete(place)
      else this.#groups.set(place, left)
    }
    this.#sweepAt = Math.max(SWEEP, 2 * this.#size)
  }

  /** Takes off what is open no longer. */
  #clean(group: Group): void {
    const { tuples } = group
    const words = this.#words
    for (let i = 0; i < group.count; ) {
      if (this.#isOpen(tuples, i * words)) i++
      else tuples.copyWithin(i * words, --group.count * words, (group.count + 1) * words)
    }
  }

  #isOpen(tuples: Int32Array, at: number): boolean {
    const { flows } = this.#conntrack
    const key = tuples[at + KEY]
    const found = this.#flowOf(tuples, at)
    if (found < 0) return false
    const ct = found >> 1
    if (flows.isOver(ct, this.#time.now)) return false
    if ((key & 0xff) !== ip.PROTO_TCP) return true
    const state = tcpState(flows.words, ct * f.WORDS + f.TRACKER)
    return state !== TIME_WAIT && state !== CLOSE
  }

  #flowOf(tuples: Int32Array, at: number): number {
    const { flows } = this.#conntrack
    const source = tuples[at]
    const destination = tuples[at + DESTINATION]
    if (this.#words === WORDS[4]) return flows.find(source, destination, tuples[at + PORTS], tuples[at + KEY])
    const flows6 = flows as FlowTable6
    const { addresses, sought } = flows6
    for (let i = 0; i < f.TUPLE_ADDRESS_WORDS; i++) addresses[sought + i] = tuples[at + ADDRESSES + i]
    return flows6.findAt(sought, source, destination, tuples[at + PORTS], tuples[at + KEY])
  }

  #append(group: Group): void {
    const words = this.#words
    const end = group.count * words
    for (let at = 0; at < end; at += words) if (this.#isAt(group.tuples, at)) return
    if (end + words > group.tuples.length) {
      const larger = new Int32Array(2 * group.tuples.length)
      larger.set(group.tuples)
      group.tuples = larger
    }
    group.tuples.set(this.#tuple, end)
    group.count++
  }

  /** Whether the packet's tuple stands there. */
  #isAt(tuples: Int32Array, at: number): boolean {
    const tuple = this.#tuple
    for (let i = 0; i < this.#words; i++) if (tuples[at + i] !== tuple[i]) return false
    return true
  }
}

function sameAddress(a: Int32Array, b: Int32Array): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3]
}
