// What one family's way shares with the other's: the walk over a hook, packets of the router's own, what a listener judged, and how
// a packet leaves or ends. Which way a packet takes stands in pipeline.ts and pipeline6.ts; they say in `route`, `forwarded`,
// `delivered` and `leave` where it goes on behind each hook.

import type { Conntrack } from './conntrack/conntrack.ts'
import { CONFIRMED } from './conntrack/record.ts'
import { type Links, LOOPBACK } from './device/link.ts'
import { ACCEPT, DROP, FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, STOLEN } from './hook/hook.ts'
import { type Queued, type Step, type Watch, Way } from './hook/way.ts'
import type { Mouth } from './local/local.ts'
import type { IcmpCredit } from './local/rate.ts'
import type { Synproxy } from './local/synproxy.ts'
import type { Nat } from './nat/nat.ts'
import type { QueuedWay, Queues } from './nfnetlink/nfqueue.ts'
import { complete, segmentOut } from './packet/offload.ts'
import { NO_FLOW, type Packet } from './packet/packet.ts'
import { PARSED } from './packet/parse.ts'
import { REASON } from './packet/reason.ts'
import type { Slab } from './packet/slab.ts'
import type { Ends } from './pipeline-ends.ts'
import type { KnownWays } from './pipeline-known.ts'
import { registered, type UserHook } from './pipeline-register.ts'
import type { Program } from './rule/program.ts'
import type { KnownWay } from './rule/verdict-memory.ts'
import type { Sysctl } from './sysctl.ts'
import type { Time } from './time.ts'
import * as ip from './wire/ipv4.ts'
import * as vnet from './wire/vnet.ts'

export interface FamilyParts<Tracker, Router> {
  readonly ends: Ends
  readonly queues: Queues
  readonly routing: Router
  readonly conntrack: Tracker
  readonly credit: IcmpCredit
  readonly time: Time
  readonly sysctl: Sysctl
  readonly random: () => number
  /** Told what an operator should know. */
  readonly notice: (message: string) => void
  readonly watch: Watch | undefined
}

export abstract class FamilyPipeline<Tracker extends Conntrack, Router> implements Mouth, QueuedWay {
  readonly ends: Ends
  readonly slab: Slab
  readonly links: Links
  /** Packets dropped, by REASON. */
  readonly dropped: Float64Array
  readonly conntrack: Tracker
  readonly queues: Queues
  routing: Router
  abstract readonly nat: Nat
  abstract readonly local: { readonly synproxy: Synproxy }
  /** A fragment at PREROUTING or OUTPUT: ACCEPT with a whole packet, STOLEN when it is held or was dropped. */
  protected abstract readonly defragment: (p: Packet, hook: number) => number
  readonly #notice: (message: string) => void
  readonly #watch: Watch | undefined
  #way: Way
  /** Steps of PREROUTING up to conntrack, behind which a packet may go on by a known way. */
  #tracked = 0
  /** They are defragmentation and conntrack. */
  #tracksAtOnce = false
  #known: KnownWays | undefined
  /** Where the pieces go that `emit` is called for. */
  #pieceLink = 0

  constructor(parts: FamilyParts<Tracker, Router>) {
    this.ends = parts.ends
    this.slab = parts.ends.slab
    this.links = parts.ends.links
    this.dropped = parts.ends.dropped
    this.conntrack = parts.conntrack
    this.queues = parts.queues
    this.routing = parts.routing
    this.#notice = parts.notice
    this.#watch = parts.watch
    this.#way = new Way(this.#queued)
  }

  /**
   * Registers what a generation of rules needs, and the user's hooks, in order of priority. Called between two batches.
   * @param tracking conntrack and defragmentation run, because some rule needs them
   * @param defragmenting the latter alone
   */
  register(program: Program, tracking: boolean, defragmenting: boolean, users: readonly UserHook[]): void {
    const { conntrack, nat } = this
    const { way, tracked, known, tracksAtOnce } = registered(program, users, {
      queued: this.#queued,
      watch: this.#watch,
      drop: (p, reason) => this.drop(p, reason),
      notice: this.#notice,
      nat: (p, at, table) => nat.input(p, at, table),
      routedAnew: (p, step, byMark) => this.#routedAnew(p, step, byMark),
      synproxy: (p) => this.local.synproxy.step(p),
      defragment: tracking || defragmenting ? this.defragment : undefined,
      conntrack: tracking ? conntrack : undefined,
    })
    this.#way = way
    this.#tracked = tracked
    this.#tracksAtOnce = tracksAtOnce
    this.#known = known
  }

  /** All packets of a flow, in one direction, have the same route. */
  protected abstract readonly routesByFlow: boolean

  /** The steps that are registered at a hook, in their order. */
  steps(at: number): readonly Step[] {
    return this.#way.steps(at)
  }

  /** True when the packet goes on behind the hook; else it has come to its end, or was taken. */
  protected passes(at: number, p: Packet): boolean {
    const verdict = this.#way.walk(at, p)
    if (verdict === ACCEPT) return true
    this.#end(p, verdict)
    return false
  }

  /** PREROUTING of a packet whose headers were read; what follows is mostly known of an established flow's. */
  protected prerouting(p: Packet): void {
    const known = this.#known
    if (known === undefined) {
      if (this.passes(PREROUTING, p)) this.route(p)
      return
    }
    let verdict = this.#tracksAtOnce ? this.#track(p) : this.#way.walk(PREROUTING, p, 0, this.#tracked)
    if (verdict === ACCEPT) {
      const way = known.find(p)
      if (way !== undefined && this.goKnownWay(p, way.mtu)) return this.#leaveKnownWay(p, known, way)
      verdict = this.#way.walk(PREROUTING, p, this.#tracked)
    }
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.route(p)
  }

  /** What the steps up to conntrack do where no others stand among them; called as they stand here this is 10 ns less than by the list. */
  #track(p: Packet): number {
    const whole = this.defragment(p, PREROUTING)
    if (whole !== ACCEPT) return whole
    this.#way.reason = REASON.conntrack
    return this.conntrack.input(p)
  }

  /** A round ends: what went by known ways is counted. */
  settle(): void {
    this.#known?.settle()
  }

  /**
   * What forwarding does with every packet by itself, for one on a known way; false, with nothing done, where it has to go by the
   * hooks after all.
   */
  protected abstract goKnownWay(p: Packet, mtu: number): boolean

  #leaveKnownWay(p: Packet, known: KnownWays, way: KnownWay): void {
    known.count(way, p)
    this.nat.translate(p)
    this.conntrack.confirm(p)
    p.outLink = way.outLink
    this.transmit(p)
  }

  /** STOLEN: whoever said so has seen to the packet. */
  #end(p: Packet, verdict: number): void {
    if (verdict === DROP) this.drop(p, this.#way.reason)
  }

  // ── where a packet goes on ──────────────────────────────────────────────────────────────────────────────────────────

  /** Reads the headers: PARSED, or the reason number of what is wrong. */
  abstract parse(p: Packet): number
  /** Behind PREROUTING. */
  protected abstract route(p: Packet): void
  /** Behind INPUT. */
  protected abstract delivered(p: Packet): void
  /** Behind FORWARD. */
  protected abstract forwarded(p: Packet): void
  /** Behind POSTROUTING. */
  protected abstract leave(p: Packet): void

  // ── from the router itself ──────────────────────────────────────────────────────────────────────────────────────────

  /** Chooses the route of a packet of the router's own by its destination; false when there is none. */
  protected abstract routeOutput(p: Packet): boolean
  /** Keeps what the route was chosen by. */
  protected abstract keepRoutedBy(p: Packet, kept: Packet): void
  protected abstract isRoutedBy(p: Packet, kept: Packet): boolean

  /** A packet of the router's own, header read and routed (outLink, nexthop, mtu); it is used up. */
  output(p: Packet): void {
    const verdict = this.#way.walk(OUTPUT, p)
    if (verdict !== ACCEPT) this.#end(p, verdict)
    else this.postrouting(p)
    this.ends.giveBack(p)
  }

  /**
   * What a step of OUTPUT does, and a new route where it changes what the route was chosen by. In Linux that are mangle and nat: a
   * MARK in another table comes too late or too early.
   */
  #routedAnew(p: Packet, step: (p: Packet, hook: number) => number, byMark: boolean): number {
    const before = this.ends.packet()
    this.keepRoutedBy(p, before)
    const verdict = step(p, OUTPUT)
    if (!byMark) before.mark = p.mark
    const stays = verdict === DROP || verdict === STOLEN || this.isRoutedBy(p, before)
    this.ends.giveBack(before)
    return stays || this.#reroute(p) ? verdict : STOLEN
  }

  /** DNAT or MARK in OUTPUT: the way is looked up again, the source address stays. */
  #reroute(p: Packet): boolean {
    if (this.routeOutput(p)) return true
    this.drop(p, REASON['no-route'])
    return false
  }

  /** A packet of the router's own, handed in as bytes; false when it is no whole packet of this family, or has no way. */
  originate(bytes: Uint8Array): boolean {
    const start = this.slab.take()
    if (start < 0) {
      this.dropped[REASON['no-slot']]++
      return false
    }
    const p = this.ends.packet()
    p.begin(start, bytes.length, 0)
    if (bytes.length <= ip.MAX_PACKET) this.slab.bytes.set(bytes, start)
    const parsed = this.parse(p)
    if (parsed !== PARSED || !this.routeOutput(p)) {
      this.drop(p, parsed !== PARSED ? parsed : REASON['no-route'])
      this.ends.giveBack(p)
      return false
    }
    vnet.clear(this.slab.view, start)
    this.output(p)
    return true
  }

  take(cause: Packet): Packet | undefined {
    return this.ends.take(cause)
  }

  discard(p: Packet): void {
    this.ends.discard(p)
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  protected postrouting(p: Packet): void {
    if (!this.passes(POSTROUTING, p)) return
    if (this.routesByFlow) this.#known?.learn(p)
    this.leave(p)
  }

  /** The packet, as it is now, goes to its device. */
  protected transmit(p: Packet): void {
    if (p.outLink === LOOPBACK) return this.#loop(p)
    if (p.partial && !this.links.at(p.outLink).offload) {
      if (p.gsoSize !== 0) return this.segmented(p, this.piecesTo(p.outLink))
      complete(p)
    }
    this.conntrack.forget(p)
    this.ends.enqueue(p.outLink, p.start, p.length)
  }

  /** The segments that p stands for leave one by one; p itself is at its end. */
  protected segmented(p: Packet, emit: (start: number, length: number) => void): void {
    // What waits there gives its slots back, and so do the segments with every batch.
    this.links.at(p.outLink).flush(this.slab, this.dropped)
    if (!segmentOut(p, emit)) this.dropped[REASON['no-slot']]++
    this.free(p)
  }

  /** What sends pieces of a packet, slots of their own, to this link; good until the next call. */
  protected piecesTo(link: number): (start: number, length: number) => void {
    this.#pieceLink = link
    return this.#emit
  }

  readonly #emit = (start: number, length: number): void => this.ends.enqueue(this.#pieceLink, start, length)

  /** The loopback device: what leaves comes in again, with the flow that it has. */
  #loop(p: Packet): void {
    if (this.ends.backlogFull) return this.drop(p, REASON['device-queue-full'])
    // An answer's flow that is not confirmed ends with the packet that is answered, before this one comes in again.
    if (p.ct !== NO_FLOW && (this.conntrack.flows.status(p.ct) & CONFIRMED) === 0) this.conntrack.forget(p)
    this.ends.loop(p)
  }

  // ── packets that a listener judges (NFQUEUE) ────────────────────────────────────────────────────────────────────────

  readonly #queued: Queued = (p, at, step, verdict) => this.queues.hold(p, at, step, verdict, this)

  /** A packet that was queued goes on. */
  resume(p: Packet, at: number, step: Step, again: boolean, before: Packet): void {
    // Its listener may have changed what its route was chosen by.
    if (at === OUTPUT && !this.isRoutedBy(p, before) && !this.#reroute(p)) return
    const verdict = this.#way.walk(at, p, this.#way.place(at, step, again))
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    switch (at) {
      case PREROUTING:
        return this.route(p)
      case INPUT:
        return this.delivered(p)
      case FORWARD:
        return this.forwarded(p)
      case OUTPUT:
        return this.postrouting(p)
      default:
        return this.leave(p)
    }
  }

  abandon(p: Packet, reason: number): void {
    this.dropped[reason]++
    this.conntrack.forget(p)
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The packet goes no further: counted under one reason, its slot given back. */
  drop(p: Packet, reason: number): void {
    this.dropped[reason]++
    this.free(p)
  }

  protected free(p: Packet): void {
    this.conntrack.forget(p)
    this.slab.give(p.start)
  }
}
