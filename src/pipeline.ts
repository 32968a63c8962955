// The packet's way, top to bottom.
//
//   device ─▶ receive ─▶ PREROUTING ─▶ routing ─┬─▶ forward ─▶ FORWARD ─┐
//                                               │                       ├─▶ POSTROUTING ─▶ transmit ─▶ device
//                                               └─▶ INPUT ─▶ local ─▶ OUTPUT ─┘
//
//   PREROUTING   defrag -400  raw -300  conntrack -200  mangle -150  nat (DNAT) -100
//   INPUT        mangle -150  filter 0  security 50  nat (SNAT) 100  helper 300  synproxy, seqadj, confirm
//   FORWARD      mangle -150  filter 0  security 50
//   OUTPUT       defrag -400  raw -300  conntrack -200  mangle -150  nat (DNAT) -100  filter 0  security 50
//   POSTROUTING  mangle -150  nat (SNAT) 100  helper 300  synproxy, seqadj, confirm
//
// Every packet that comes in leaves by transmit(), is answered by local/, is held, or ends in drop() with one reason.
// A packet is owned by exactly one of these at a time; its slot is given back exactly once. The order of checks is
// Linux's: ip_rcv, ip_route_input, ip_forward, ip_local_deliver, ip_output.

import type { Conntrack4 } from './conntrack/conntrack4.ts'
import { HELD, PASS, USER_LOCAL, USER_OUTPUT, USER_PREROUTING } from './conntrack/defrag.ts'
import { Defrag4 } from './conntrack/defrag4.ts'
import { LOOPBACK } from './device/link.ts'
import { ACCEPT, FORWARD, INPUT, PREROUTING, STOLEN } from './hook/hook.ts'
import { Local } from './local/local.ts'
import { Nat4 } from './nat/nat4.ts'
import { fragmentOut } from './packet/fragment.ts'
import { complete, readOffload, wireLength } from './packet/offload.ts'
import { CT_UNTRACKED, type Packet } from './packet/packet.ts'
import { PARSED, parse4, readHeader4 } from './packet/parse.ts'
import { REASON } from './packet/reason.ts'
import { type FamilyParts, FamilyPipeline } from './pipeline-family.ts'
import { ROUTED, type Routing } from './route/routing.ts'
import * as type from './route/type.ts'
import { ofDevice } from './sysctl.ts'
import { update16 } from './wire/checksum.ts'
import * as icmp from './wire/icmp.ts'
import * as ip from './wire/ipv4.ts'
import { checkOptions, OPTIONS_FINE, recordRoute, SOURCE_ROUTED } from './wire/ipv4-options.ts'
import * as vnet from './wire/vnet.ts'

export class Pipeline extends FamilyPipeline<Conntrack4, Routing> {
  readonly nat: Nat4
  readonly local: Local
  readonly defrag: Defrag4
  /** By device. */
  readonly #sendRedirects: Int8Array
  /** Where the fragments of a segment go, and how long they may be. */
  #fragmentLink = 0
  #fragmentMtu = 0

  constructor(parts: FamilyParts<Conntrack4, Routing>) {
    super(parts)
    const { links } = this
    this.#sendRedirects = Int8Array.from({ length: links.size }, (_, i) =>
      ofDevice(parts.sysctl, links.name(i), 'send_redirects'),
    )
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

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  parse(p: Packet): number {
    return parse4(p)
  }

  /** A packet that a device received. */
  receive(p: Packet): void {
    let parsed = parse4(p)
    if (parsed === PARSED && vnet.isOffloaded(p.view, p.start)) parsed = readOffload(p)
    if (parsed !== PARSED) return this.drop(p, parsed)
    this.prerouting(p)
  }

  #optionsAllow(p: Packet): boolean {
    const said = checkOptions(p.view, p.start, p.headerLength)
    if (said === OPTIONS_FINE) return true
    if (said !== SOURCE_ROUTED) this.local.error(p, icmp.PARAMETER_PROBLEM, 0, said << 24)
    this.drop(p, REASON['bad-options'])
    return false
  }

  protected route(p: Packet): void {
    // What was looped back has its route still.
    if (p.inLink === LOOPBACK && p.routeType === type.LOCAL) {
      if (p.headerLength === ip.MIN_HEADER || this.#optionsAllow(p)) this.#deliver(p)
      return
    }
    const { routing } = this
    const said = routing.input(p)
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
    countDown(view, start, ttl)
    if (p.outLink === p.inLink && this.#sendRedirects[p.inLink] !== 0 && this.routing.onLink(p.inLink, p.source, 0))
      this.local.redirect(p, p.nexthop)
    if (this.passes(FORWARD, p)) this.forwarded(p)
  }

  protected goKnownWay(p: Packet, mtu: number): boolean {
    const { view, start } = p
    const ttl = view.getUint8(start + ip.TTL)
    if (ttl <= 1 || p.headerLength > ip.MIN_HEADER || wireLength(p) > mtu) return false
    countDown(view, start, ttl)
    return true
  }

  protected forwarded(p: Packet): void {
    if (p.headerLength > ip.MIN_HEADER) this.#record(p)
    this.postrouting(p)
  }

  #record(p: Packet): void {
    const address = this.routing.selectSource(p.outLink, p.nexthop)
    if (recordRoute(p.view, p.start, p.headerLength, address)) ip.writeChecksum(p.view, p.start, p.headerLength)
  }

  // ── to the router itself ────────────────────────────────────────────────────────────────────────────────────────────

  #deliver(p: Packet): void {
    if ((p.fragment & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) !== 0 && !this.#reassemble(p, USER_LOCAL)) return
    if (this.passes(INPUT, p)) this.delivered(p)
  }

  protected delivered(p: Packet): void {
    this.local.deliver(p)
    this.drop(p, REASON.delivered)
  }

  // ── from the router itself ──────────────────────────────────────────────────────────────────────────────────────────

  protected get routesByFlow(): boolean {
    return this.routing.byFlow
  }

  protected routeOutput(p: Packet): boolean {
    const { routing } = this
    if (!routing.output(routing.key.of(p, LOOPBACK))) return false
    p.outLink = routing.link
    p.nexthop = routing.nexthop
    p.mtu = routing.mtu
    p.routeType = routing.type
    return true
  }

  protected keepRoutedBy(p: Packet, kept: Packet): void {
    kept.destination = p.destination
    kept.source = p.source
    kept.mark = p.mark
    kept.routeTos = p.view.getUint8(p.start + ip.TOS)
  }

  protected isRoutedBy(p: Packet, kept: Packet): boolean {
    if (p.destination !== kept.destination || p.source !== kept.source || p.mark !== kept.mark) return false
    return p.view.getUint8(p.start + ip.TOS) === kept.routeTos
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  protected leave(p: Packet): void {
    // The loopback device takes every packet whole; others what came in fragments no larger than those were.
    if ((wireLength(p) <= p.mtu && p.fragmentMax === 0) || p.outLink === LOOPBACK) return this.transmit(p)
    if (mustStayWhole(p)) {
      this.local.error(p, icmp.DEST_UNREACHABLE, icmp.FRAGMENTATION_NEEDED, p.mtu)
      return this.drop(p, REASON['fragmentation-needed'])
    }
    if (p.gsoSize !== 0) {
      this.#fragmentLink = p.outLink
      this.#fragmentMtu = p.mtu
      return this.segmented(p, this.#emitInFragments)
    }
    if (p.partial) complete(p)
    if (fragmentOut(p, p.mtu, this.piecesTo(p.outLink)) === 0) return this.drop(p, REASON['no-slot'])
    this.free(p)
  }

  /** A segment that is longer than the MTU itself. */
  readonly #emitInFragments = (start: number, length: number): void => {
    const segment = this.ends.packet()
    segment.begin(start, length, 0)
    readHeader4(segment)
    const emit = this.piecesTo(this.#fragmentLink)
    if (fragmentOut(segment, this.#fragmentMtu, emit) === 0) this.dropped[REASON['no-slot']]++
    this.slab.give(start)
    this.ends.giveBack(segment)
  }

  // ── fragments ───────────────────────────────────────────────────────────────────────────────────────────────────────

  protected readonly defragment = (p: Packet, at: number): number => {
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
    if (this.routing.input(p) === ROUTED && this.routing.type === type.LOCAL) {
      p.routeType = type.LOCAL
      this.local.error(p, icmp.TIME_EXCEEDED, icmp.EXCEEDED_REASSEMBLY, 0)
    }
  }
}

/**
 * DF forbids to split it. A packet that came in fragments may leave in fragments again, if none of those was larger than
 * the MTU.
 */
function mustStayWhole(p: Packet): boolean {
  return (p.fragment & ip.DF) !== 0 && (p.fragmentMax === 0 || (p.fragmentMax & 0xffff) > p.mtu)
}

function countDown(view: DataView, start: number, ttl: number): void {
  view.setUint8(start + ip.TTL, ttl - 1)
  view.setUint16(start + ip.CHECKSUM, update16(view.getUint16(start + ip.CHECKSUM), ttl << 8, (ttl - 1) << 8))
}
