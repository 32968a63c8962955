// The known way. Between conntrack and the device by which it leaves, what becomes of a packet of a flow in the table is mostly what
// became of the one before: every table counts the same rules and accepts it, the route is the same, and its addresses are rewritten
// alike. The first packet that is forwarded finds out whether all of that was remembered (rule/verdict-memory.ts); those behind it are
// counted where it was, rewritten and sent, and no step of the hooks is asked again.
//
// What always holds: parsing, conntrack and what depends on the packet alone (its TTL, its length, IP options, whether it came in
// fragments) is looked at for every packet; where one is out of the ordinary it goes by the hooks. There is no known way while a step
// is registered that says nothing of settled packets: users' hooks have to see each one.

import { LOOPBACK } from './device/link.ts'
import { FORWARD, POSTROUTING, PREROUTING } from './hook/hook.ts'
import type { Way } from './hook/way.ts'
import { SETTLED } from './hook/way.ts'
import { CT_NEW, type Packet } from './packet/packet.ts'
import { count } from './rule/interpreter.ts'
import type { Chunks } from './rule/ledger.ts'
import { isRemembered, type KnownWay, type TableOnWay, type VerdictMemory } from './rule/verdict-memory.ts'
import { PROTO_GRE } from './wire/ipv4.ts'

/** Conntrack, where some flows' packets are looked at one by one. */
export interface Watching {
  /** Whether flows may have their sequence numbers adjusted. */
  readonly adjusting: boolean
  /** Connection helpers, and whether a rule has asked for one. */
  readonly announced: { readonly isUsed: boolean; isWatched(ct: number): boolean }
  /** Whether NAT has chosen for both ends of the flow. */
  isBound(ct: number): boolean
}

export class KnownWays {
  readonly #memory: VerdictMemory
  readonly #counters: Chunks
  readonly #tables: readonly TableOnWay[]
  /** Ways that packets of this round went. */
  readonly #counted: KnownWay[] = []
  #count = 0

  readonly #conntrack: Watching
  readonly #watching: boolean

  private constructor(memory: VerdictMemory, counters: Chunks, tables: readonly TableOnWay[], conntrack: Watching) {
    this.#memory = memory
    this.#counters = counters
    this.#tables = tables
    this.#conntrack = conntrack
    this.#watching = conntrack.adjusting || conntrack.announced.isUsed
  }

  /**
   * Those of a way on which nobody wants to see settled packets; undefined for another.
   * @param tracked steps of PREROUTING up to conntrack
   */
  static of(
    way: Way,
    tracked: number,
    memory: VerdictMemory,
    counters: Chunks,
    conntrack: Watching,
  ): KnownWays | undefined {
    const tables: TableOnWay[] = []
    for (const hook of [PREROUTING, FORWARD, POSTROUTING]) {
      for (const { settled } of way.steps(hook).slice(hook === PREROUTING ? tracked : 0)) {
        if (settled === undefined) return undefined
        if (settled !== SETTLED) tables.push({ table: settled, routed: hook !== PREROUTING })
      }
    }
    return new KnownWays(memory, counters, tables, conntrack)
  }

  /** The way of a packet that conntrack has just seen. */
  find(p: Packet): KnownWay | undefined {
    return this.#isOrdinary(p) ? this.#memory.way(p) : undefined
  }

  /** The packet goes on a known way: every rule and policy on it counts it, at the end of the round. */
  count(way: KnownWay, p: Packet): void {
    if (way.packets === 0) this.#counted[this.#count++] = way
    way.packets++
    way.bytes += p.length
  }

  /** The round ends. A batch goes few ways: so ten rules that a packet meets cost it no more than one. */
  settle(): void {
    const counted = this.#counted
    for (let i = 0; i < this.#count; i++) {
      const way = counted[i]
      for (const place of way.places) count(this.#counters, place, way.bytes, way.packets)
      way.packets = 0
      way.bytes = 0
    }
    // The list keeps its length: an array that is emptied gives back its memory, and asks for it anew in the next round.
    this.#count = 0
  }

  /** The packet went by the hooks, and leaves now. */
  learn(p: Packet): void {
    // Who sends packets back out of the device that they came from is told of it, by and by (ICMP redirects).
    if (this.#isOrdinary(p) && p.inLink > LOOPBACK && p.inLink !== p.outLink)
      this.#memory.keepWay(p, this.#tables, p.mtu)
  }

  /** GRE's NAT looks at each packet's version; a flow that nobody answered is new to the nat table until it is bound. */
  #isOrdinary(p: Packet): boolean {
    if (!isRemembered(p) || p.trace !== 0 || p.fragmentMax !== 0 || p.protocol === PROTO_GRE) return false
    if (p.ctinfo === CT_NEW && !this.#conntrack.isBound(p.ct)) return false
    return !this.#watching || !this.#conntrack.announced.isWatched(p.ct)
  }
}
