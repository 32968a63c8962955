// The packet's way, top to bottom.
//
//   device ─▶ receive ─▶ PREROUTING ─▶ routing ─┬─▶ forward ─▶ FORWARD ─┐
//                                               │                       ├─▶ POSTROUTING ─▶ transmit ─▶ device
//                                               └─▶ INPUT ─▶ local ─▶ OUTPUT ─┘
//
//   PREROUTING   defrag -400  raw -300  conntrack -200  mangle -150  nat (DNAT) -100
//   INPUT        mangle -150  filter 0  security 50  nat (SNAT) 100  confirm
//   FORWARD      mangle -150  filter 0  security 50
//   OUTPUT       defrag -400  raw -300  conntrack -200  mangle -150  nat (DNAT) -100  filter 0  security 50
//   POSTROUTING  mangle -150  nat (SNAT) 100  confirm
//
// Every packet that comes in leaves by transmit(), is answered by local/, is held, or ends in drop() with one reason.
// A packet is owned by exactly one of these at a time; its slot is given back exactly once. The order of checks is
// Linux's: ip_rcv, ip_route_input, ip_forward, ip_local_deliver, ip_output.

import type { Conntrack4 } from './conntrack/conntrack4.ts'
import { HELD, PASS, USER_LOCAL, USER_OUTPUT, USER_PREROUTING } from './conntrack/defrag.ts'
import { Defrag4 } from './conntrack/defrag4.ts'
import { CONFIRMED } from './conntrack/record.ts'
import { type Links, LOOPBACK } from './device/link.ts'
import { ACCEPT, DROP, FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, STOLEN } from './hook/hook.ts'
import { type Queued, type Step, HELD as TAKEN, Way } from './hook/way.ts'
import { Local, type Mouth } from './local/local.ts'
import type { IcmpCredit } from './local/rate.ts'
import { Nat4 } from './nat/nat4.ts'
import type { QueuedWay, Queues } from './nfnetlink/nfqueue.ts'
import { fragmentOut } from './packet/fragment.ts'
import { complete, readOffload, segmentOut, wireLength } from './packet/offload.ts'
import { CT_UNTRACKED, NO_FLOW, type Packet } from './packet/packet.ts'
import { PARSED, parse4, readHeader4 } from './packet/parse.ts'
import { REASON } from './packet/reason.ts'
import type { Slab } from './packet/slab.ts'
import type { Ends } from './pipeline-ends.ts'
import { registered, type UserHook } from './pipeline-register.ts'
import { ROUTED, type Routing } from './route/routing.ts'
import * as type from './route/type.ts'
import type { Program } from './rule/program.ts'
import type { Sysctl } from './sysctl.ts'
import type { Time } from './time.ts'
import { update16 } from './wire/checksum.ts'
import * as icmp from './wire/icmp.ts'
import * as ip from './wire/ipv4.ts'
import { checkOptions, OPTIONS_FINE, recordRoute, SOURCE_ROUTED } from './wire/ipv4-options.ts'
import * as vnet from './wire/vnet.ts'

export interface PipelineParts {
  readonly ends: Ends
  readonly queues: Queues
  readonly routing: Routing
  readonly conntrack: Conntrack4
  readonly credit: IcmpCredit
  readonly time: Time
  readonly sysctl: Sysctl
  readonly random: () => number
  /** Told what an operator should know. */
  readonly notice: (message: string) => void
}

export class Pipeline implements Mouth, QueuedWay {
  readonly ends: Ends
  readonly queues: Queues
  readonly slab: Slab
  readonly links: Links
  readonly conntrack: Conntrack4
  readonly nat: Nat4
  readonly local: Local
  readonly defrag: Defrag4
  /** Packets dropped, by REASON. */
  readonly dropped: Float64Array
  routing: Routing
  readonly #sendRedirects: boolean
  readonly #notice: (message: string) => void
  /** What the route of the packet that walks OUTPUT was chosen by: destination, source and mark. */
  #before: Packet
  #way: Way
  /** Where the fragments or segments go that #emit is called for, and how long they may be. */
  #outLink = 0
  #outMtu = 0

  constructor(parts: PipelineParts) {
    this.ends = parts.ends
    this.slab = parts.ends.slab
    this.links = parts.ends.links
    this.dropped = parts.ends.dropped
    this.routing = parts.routing
    this.conntrack = parts.conntrack
    this.#notice = parts.notice
    this.queues = parts.queues
    this.#before = parts.ends.packet()
    this.#way = new Way(this.#queued)
    this.#sendRedirects = parts.sysctl['net.ipv4.conf.all.send_redirects'] !== 0
    const routing = () => this.routing
    this.nat = new Nat4(parts.conntrack, routing, this.links, parts.random)
    this.local = new Local(parts.conntrack, routing, this, parts.random, parts.time, parts.sysctl, parts.credit)
    this.defrag = new Defrag4(this.slab, parts.time, parts.sysctl, parts.random(), {
      expired: (first) => this.#fragmentsExpired(first),
      dropped: (reason) => {
        this.dropped[reason]++
      },
    })
  }

  /**
   * Registers what a generation of rules needs, and the user's hooks, in order of priority. Called between two batches.
   * @param tracking conntrack and defragmentation run, because some rule needs them
   * @param defragmenting the latter alone
   */
  register(program: Program, tracking: boolean, defragmenting: boolean, users: readonly UserHook[]): void {
    const { conntrack, nat } = this
    this.#way = registered(program, users, {
      queued: this.#queued,
      drop: (p, reason) => this.drop(p, reason),
      notice: this.#notice,
      nat: (p, at, table) => nat.input(p, at, table),
      defragment: tracking || defragmenting ? this.#defragment : undefined,
      conntrack: tracking ? conntrack : undefined,
    })
  }

  /** The steps that are registered at a hook, in their order. */
  steps(at: number): readonly Step[] {
    return this.#way.steps(at)
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A packet that a device received. */
  receive(p: Packet): void {
    let parsed = parse4(p)
    if (parsed === PARSED && vnet.isOffloaded(p.view, p.start)) parsed = readOffload(p)
    if (parsed !== PARSED) return this.drop(p, parsed)
    this.#prerouting(p)
  }

  #prerouting(p: Packet): void {
    const verdict = this.#way.walk(PREROUTING, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#route(p)
  }

  #optionsAllow(p: Packet): boolean {
    const said = checkOptions(p.view, p.start, p.headerLength)
    if (said === OPTIONS_FINE) return true
    if (said !== SOURCE_ROUTED) this.local.error(p, icmp.PARAMETER_PROBLEM, 0, said << 24)
    this.drop(p, REASON['bad-options'])
    return false
  }

  #route(p: Packet): void {
    const { routing } = this
    const said = routing.input(p.destination, p.source, p.inLink)
    if (said !== ROUTED) return this.#unroutable(p, said)
    p.routeType = routing.type
    if (p.headerLength > ip.MIN_HEADER && !this.#optionsAllow(p)) return
    if (routing.type !== type.UNICAST) return this.#deliver(p)
    p.outLink = routing.link
    p.nexthop = routing.nexthop
    p.mtu = routing.mtu
    this.#forward(p)
  }

  #unroutable(p: Packet, reason: number): void {
    if (reason === REASON['no-route']) this.local.routeError(p, icmp.NET_UNREACHABLE)
    else if (reason === REASON['unreachable-route']) {
      if (this.routing.type === type.UNREACHABLE) this.local.routeError(p, icmp.HOST_UNREACHABLE)
      else if (this.routing.type === type.PROHIBIT) this.local.routeError(p, icmp.ADMIN_PROHIBITED)
    }
    this.drop(p, reason)
  }

  // ── through ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #forward(p: Packet): void {
    const { view, start } = p
    const ttl = view.getUint8(start + ip.TTL)
    if (ttl <= 1) {
      this.local.error(p, icmp.TIME_EXCEEDED, icmp.EXCEEDED_TTL, 0)
      return this.drop(p, REASON['ttl-exceeded'])
    }
    if (wireLength(p) > p.mtu && mustStayWhole(p)) {
      this.local.error(p, icmp.DEST_UNREACHABLE, icmp.FRAGMENTATION_NEEDED, p.mtu)
      return this.drop(p, REASON['fragmentation-needed'])
    }
    view.setUint8(start + ip.TTL, ttl - 1)
    view.setUint16(start + ip.CHECKSUM, update16(view.getUint16(start + ip.CHECKSUM), ttl << 8, (ttl - 1) << 8))
    if (p.outLink === p.inLink && this.#sendRedirects && this.routing.onLink(p.inLink, p.source, 0))
      this.local.redirect(p, p.nexthop)
    const verdict = this.#way.walk(FORWARD, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#forwarded(p)
  }

  #forwarded(p: Packet): void {
    if (p.headerLength > ip.MIN_HEADER) this.#record(p)
    this.#postrouting(p)
  }

  #record(p: Packet): void {
    const address = this.routing.selectSource(p.outLink, p.nexthop)
    if (recordRoute(p.view, p.start, p.headerLength, address)) ip.writeChecksum(p.view, p.start, p.headerLength)
  }

  // ── to the router itself ────────────────────────────────────────────────────────────────────────────────────────────

  #deliver(p: Packet): void {
    if ((p.fragment & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) !== 0 && !this.#reassemble(p, USER_LOCAL)) return
    const verdict = this.#way.walk(INPUT, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#delivered(p)
  }

  #delivered(p: Packet): void {
    this.local.deliver(p)
    this.drop(p, REASON.delivered)
  }

  // ── from the router itself ──────────────────────────────────────────────────────────────────────────────────────────

  /** A packet of the router's own, header read and routed (outLink, nexthop, mtu); it is used up. */
  output(p: Packet): void {
    const outer = this.#before
    const before = this.ends.packet()
    before.destination = p.destination
    before.source = p.source
    before.mark = p.mark
    this.#before = before
    const verdict = this.#way.walk(OUTPUT, p)
    this.#before = outer
    if (verdict !== ACCEPT) this.#end(p, verdict)
    else this.#sent(p, before)
    this.ends.giveBack(before)
    this.ends.giveBack(p)
  }

  /** @param before what the route was chosen by */
  #sent(p: Packet, before: Packet): void {
    if (isRoutedBy(p, before) || this.#reroute(p)) this.#postrouting(p)
  }

  /** A packet of the router's own, handed in as bytes; false when it is no whole IPv4 packet, or has no way. */
  originate(bytes: Uint8Array): boolean {
    const start = this.slab.take()
    if (start < 0) {
      this.dropped[REASON['no-slot']]++
      return false
    }
    const p = this.ends.packet()
    p.begin(start, bytes.length, 0)
    if (bytes.length <= ip.MAX_PACKET) this.slab.bytes.set(bytes, start)
    const parsed = parse4(p)
    if (parsed !== PARSED || !this.routing.output(p.destination)) {
      this.drop(p, parsed !== PARSED ? parsed : REASON['no-route'])
      this.ends.giveBack(p)
      return false
    }
    vnet.clear(this.slab.view, start)
    p.outLink = this.routing.link
    p.nexthop = this.routing.nexthop
    p.mtu = this.routing.mtu
    p.routeType = this.routing.type
    this.output(p)
    return true
  }

  /** DNAT or MARK in OUTPUT: the way is looked up again, the source address stays. */
  #reroute(p: Packet): boolean {
    const { routing } = this
    if (!routing.output(p.destination)) {
      this.drop(p, REASON['no-route'])
      return false
    }
    p.outLink = routing.link
    p.nexthop = routing.nexthop
    p.mtu = routing.mtu
    p.routeType = routing.type
    return true
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #postrouting(p: Packet): void {
    const verdict = this.#way.walk(POSTROUTING, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#leave(p)
  }

  #leave(p: Packet): void {
    // The loopback device takes every packet whole; others what came in fragments no larger than those were.
    if ((wireLength(p) <= p.mtu && p.fragmentMax === 0) || p.outLink === LOOPBACK) return this.#transmit(p)
    if (mustStayWhole(p)) {
      this.local.error(p, icmp.DEST_UNREACHABLE, icmp.FRAGMENTATION_NEEDED, p.mtu)
      return this.drop(p, REASON['fragmentation-needed'])
    }
    this.#outLink = p.outLink
    this.#outMtu = p.mtu
    if (p.gsoSize !== 0) return this.#segmented(p, this.#emitInFragments)
    if (p.partial) complete(p)
    if (fragmentOut(p, p.mtu, this.#emit) === 0) return this.drop(p, REASON['no-slot'])
    this.#free(p)
  }

  #transmit(p: Packet): void {
    if (p.outLink === LOOPBACK) return this.#loop(p)
    if (p.partial && !this.links.at(p.outLink).offload) {
      this.#outLink = p.outLink
      if (p.gsoSize !== 0) return this.#segmented(p, this.#emit)
      complete(p)
    }
    this.conntrack.forget(p)
    this.ends.enqueue(p.outLink, p.start, p.length)
  }

  /** The segments that p stands for leave one by one; p itself is at its end. */
  #segmented(p: Packet, emit: (start: number, length: number) => void): void {
    const link = this.links.at(p.outLink)
    // What waits there gives its slots back, and so do the segments with every batch.
    link.flush(this.slab, this.dropped)
    if (!segmentOut(p, emit)) this.dropped[REASON['no-slot']]++
    this.#free(p)
  }

  readonly #emit = (start: number, length: number): void => this.ends.enqueue(this.#outLink, start, length)

  /** A segment that is longer than the MTU itself. */
  readonly #emitInFragments = (start: number, length: number): void => {
    const segment = this.ends.packet()
    segment.begin(start, length, 0)
    readHeader4(segment)
    if (fragmentOut(segment, this.#outMtu, this.#emit) === 0) this.dropped[REASON['no-slot']]++
    this.slab.give(start)
    this.ends.giveBack(segment)
  }

  /** The loopback device: what leaves comes in again, with the flow that it has. */
  #loop(p: Packet): void {
    if (this.ends.backlogFull) return this.drop(p, REASON['device-queue-full'])
    // An answer's flow that is not confirmed ends with the packet that is answered, before this one comes in again.
    if (p.ct !== NO_FLOW && (this.conntrack.flows.status(p.ct) & CONFIRMED) === 0) this.conntrack.forget(p)
    this.ends.loop(p)
  }

  // ── fragments ───────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #defragment = (p: Packet, at: number): number => {
    if ((p.fragment & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) === 0 || p.ctinfo === CT_UNTRACKED) return ACCEPT
    return this.#reassemble(p, at === PREROUTING ? USER_PREROUTING : USER_OUTPUT) ? ACCEPT : STOLEN
  }

  /** True when `p` is a whole packet now; false when it is held or was dropped. */
  #reassemble(p: Packet, user: number): boolean {
    const said = this.defrag.input(p, user)
    if (said === PASS) return true
    if (said !== HELD) this.drop(p, said)
    return false
  }

  /** Fragments that waited in vain for the others: their sender is told, if they were for the router itself. */
  #fragmentsExpired(p: Packet): void {
    if (this.routing.input(p.destination, p.source, p.inLink) === ROUTED && this.routing.type === type.LOCAL) {
      p.routeType = type.LOCAL
      this.local.error(p, icmp.TIME_EXCEEDED, icmp.EXCEEDED_REASSEMBLY, 0)
    }
  }

  // ── queues ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #queued: Queued = (p, at, step, verdict) => {
    // Its listener sees the route that it has by now.
    if (at === OUTPUT && !isRoutedBy(p, this.#before) && !this.#reroute(p)) return TAKEN
    return this.queues.hold(p, at, step, verdict, this)
  }

  parse(p: Packet): number {
    return parse4(p)
  }

  /** A packet that was queued goes on. */
  resume(p: Packet, at: number, step: Step, again: boolean, before: Packet): void {
    const outer = this.#before
    this.#before = before
    const verdict = this.#way.walk(at, p, this.#way.place(at, step, again))
    this.#before = outer
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    switch (at) {
      case PREROUTING:
        return this.#route(p)
      case INPUT:
        return this.#delivered(p)
      case FORWARD:
        return this.#forwarded(p)
      case OUTPUT:
        return this.#sent(p, before)
      default:
        return this.#leave(p)
    }
  }

  abandon(p: Packet, reason: number): void {
    this.dropped[reason]++
    this.conntrack.forget(p)
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #end(p: Packet, verdict: number): void {
    // STOLEN: whoever said so has seen to the packet.
    if (verdict === DROP) this.drop(p, this.#way.reason)
  }

  /** The packet goes no further: counted under one reason, its slot given back. */
  drop(p: Packet, reason: number): void {
    this.dropped[reason]++
    this.#free(p)
  }

  #free(p: Packet): void {
    this.conntrack.forget(p)
    this.slab.give(p.start)
  }

  // ── packets of the router's own ─────────────────────────────────────────────────────────────────────────────────────

  take(cause: Packet): Packet | undefined {
    return this.ends.take(cause)
  }

  discard(p: Packet): void {
    this.ends.discard(p)
  }
}

function isRoutedBy(p: Packet, before: Packet): boolean {
  return p.destination === before.destination && p.source === before.source && p.mark === before.mark
}

/**
 * DF forbids to split it. A packet that came in fragments may leave in fragments again, if none of those was larger than
 * the MTU.
 */
function mustStayWhole(p: Packet): boolean {
  return (p.fragment & ip.DF) !== 0 && (p.fragmentMax === 0 || (p.fragmentMax & 0xffff) > p.mtu)
}
