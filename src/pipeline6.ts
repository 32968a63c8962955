// The packet's way for IPv6, beside IPv4's (pipeline.ts) and in the same words; the picture at the top of that file is this one's
// too. The order of checks is Linux's: ip6_rcv, ip6_route_input, ip6_forward, ip6_input, ip6_output. What differs: hop-by-hop
// options are judged before PREROUTING, routers do not fragment, and fragments for the router itself are put together behind
// INPUT (local/deliver6.ts).

import type { Conntrack6 } from './conntrack/conntrack6.ts'
import { HELD, PASS, USER_LOCAL, USER_OUTPUT, USER_PREROUTING } from './conntrack/defrag.ts'
import { Defrag6 } from './conntrack/defrag6.ts'
import { LOOPBACK, NO_LINK } from './device/link.ts'
import { ACCEPT, FORWARD, INPUT, PREROUTING, STOLEN } from './hook/hook.ts'
import { Delivery6 } from './local/deliver6.ts'
import { Local6 } from './local/local6.ts'
import { Nat6, type OwnAddresses } from './nat/nat6.ts'
import { fragmentOut6 } from './packet/fragment6.ts'
import { complete, readOffload, wireLength } from './packet/offload.ts'
import { checkOptions6, OPTIONS_FINE, OPTIONS_WRONG, type OptionBounds } from './packet/options6.ts'
import { CT_UNTRACKED, NO_PROTOCOL, type Packet } from './packet/packet.ts'
import { PARSED } from './packet/parse.ts'
import { parse6 } from './packet/parse6.ts'
import { REASON } from './packet/reason.ts'
import { type FamilyParts, FamilyPipeline } from './pipeline-family.ts'
import { ROUTED } from './route/routing.ts'
import type { Routing6 } from './route/routing6.ts'
import * as type from './route/type.ts'
import * as icmpv6 from './wire/icmpv6.ts'
import * as ip from './wire/ipv4.ts'
import * as ipv6 from './wire/ipv6.ts'
import * as extension from './wire/ipv6-extension.ts'
import * as vnet from './wire/vnet.ts'

export class Pipeline6 extends FamilyPipeline<Conntrack6, Routing6> {
  readonly nat: Nat6
  readonly local: Local6
  /** Fragments that conntrack waits for, and those for the router itself. */
  readonly defrag: Defrag6
  readonly localDefrag: Defrag6
  readonly #delivery: Delivery6
  readonly #hopByHopBounds: OptionBounds
  readonly #random: () => number

  constructor(parts: FamilyParts<Conntrack6, Routing6>) {
    super(parts)
    const { sysctl, random } = parts
    this.#random = random
    this.#hopByHopBounds = { length: sysctl['net.ipv6.max_hbh_length'], number: sysctl['net.ipv6.max_hbh_opts_number'] }
    const routing = () => this.routing
    const own: OwnAddresses = {
      source: (p) =>
        this.routing.selectSource(p.outLink, [p.destination, p.destination1, p.destination2, p.destination3]),
      of: (link) => this.routing.addressesOf(link),
    }
    this.nat = new Nat6(parts.conntrack, own, random)
    this.local = new Local6(parts.conntrack, routing, this, random, parts.time, sysctl, parts.credit)
    this.#delivery = new Delivery6(this.local, routing, sysctl)
    const defrag = (seconds: number, threshold: number) =>
      new Defrag6(this.ends.slab, parts.time, { seconds, threshold }, random(), {
        expired: (first) => this.local.error(first, icmpv6.TIME_EXCEEDED, icmpv6.EXCEEDED_REASSEMBLY, 0),
        dropped: (reason) => {
          this.ends.dropped[reason]++
        },
      })
    this.defrag = defrag(
      sysctl['net.netfilter.nf_conntrack_frag6_timeout'],
      sysctl['net.netfilter.nf_conntrack_frag6_high_thresh'],
    )
    this.localDefrag = defrag(sysctl['net.ipv6.ip6frag_time'], sysctl['net.ipv6.ip6frag_high_thresh'])
  }

  /** Packets of which fragments wait for the others. */
  get held(): number {
    return this.defrag.held + this.localDefrag.held
  }

  /** Fragments that have waited too long. */
  tick(): void {
    this.defrag.tick()
    this.localDefrag.tick()
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  parse(p: Packet): number {
    return parse6(p)
  }

  /** A packet that a device received. */
  receive(p: Packet): void {
    let parsed = parse6(p)
    if (parsed === PARSED && vnet.isOffloaded(p.view, p.start)) parsed = readOffload(p)
    if (parsed === PARSED) parsed = impossibleAddresses(p)
    if (parsed !== PARSED) return this.drop(p, parsed)
    if ((p.headerLength > ipv6.HEADER || p.protocol === NO_PROTOCOL) && !this.#hopByHopAllows(p)) return
    this.prerouting(p)
  }

  /** Options that every router has to look at (RFC 8200, 4.3). */
  #hopByHopAllows(p: Packet): boolean {
    if (p.view.getUint8(p.start + ipv6.NEXT_HEADER) !== extension.HOP_BY_HOP) return true
    const at = p.start + ipv6.HEADER
    const whole = p.length >= ipv6.HEADER + extension.MIN_HEADER
    const said = whole ? checkOptions6(p, at, extension.HOP_BY_HOP, this.#hopByHopBounds) : OPTIONS_WRONG
    if (said === OPTIONS_FINE) return true
    this.#delivery.wrongOptions(p, said)
    this.drop(p, REASON['bad-options'])
    return false
  }

  protected route(p: Packet): void {
    // What was looped back has its route still.
    if (p.inLink === LOOPBACK && p.routeType === type.LOCAL) return this.#deliver(p)
    const said = this.routing.input(p)
    if (said !== ROUTED) return this.#unroutable(p, said)
    if (p.routeType === type.UNICAST) return this.#forward(p)
    this.#deliver(p)
  }

  #unroutable(p: Packet, reason: number): void {
    if (reason === REASON['no-route'] || (reason === REASON['unreachable-route'] && p.routeType !== type.BLACKHOLE)) {
      const code = p.routeType === type.PROHIBIT ? icmpv6.ADMIN_PROHIBITED : icmpv6.NO_ROUTE
      this.local.error(p, icmpv6.DEST_UNREACHABLE, code, 0)
    }
    this.drop(p, reason)
  }

  // ── through ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #forward(p: Packet): void {
    const { view, start } = p
    const hopLimit = view.getUint8(start + ipv6.HOP_LIMIT)
    if (hopLimit <= 1) {
      this.local.error(p, icmpv6.TIME_EXCEEDED, icmpv6.EXCEEDED_HOP_LIMIT, 0)
      return this.drop(p, REASON['ttl-exceeded'])
    }
    if (p.outLink === p.inLink) this.local.redirect(p)
    else if (!this.#mayLeaveItsLink(p)) return
    if (tooBig(p, this.routing.forwardMtu)) return this.#tooBig(p)
    view.setUint8(start + ipv6.HOP_LIMIT, hopLimit - 1)
    if (this.passes(FORWARD, p)) this.forwarded(p)
  }

  protected goKnownWay(p: Packet, mtu: number): boolean {
    const { view, start } = p
    const hopLimit = view.getUint8(start + ipv6.HOP_LIMIT)
    if (hopLimit <= 1 || wireLength(p) > Math.max(mtu, ipv6.MIN_MTU)) return false
    view.setUint8(start + ipv6.HOP_LIMIT, hopLimit - 1)
    return true
  }

  protected forwarded(p: Packet): void {
    this.postrouting(p)
  }

  /** A source that means something on its own link only stays there (RFC 4291, 2.5.6). */
  #mayLeaveItsLink(p: Packet): boolean {
    const linkLocal = ipv6.isLinkLocal(p.source)
    if (!linkLocal && !isNobody(p.source, p.source1, p.source2, p.source3)) return true
    if (linkLocal) this.local.error(p, icmpv6.DEST_UNREACHABLE, icmpv6.BEYOND_SCOPE, 0)
    this.drop(p, REASON['martian-source'])
    return false
  }

  #tooBig(p: Packet): void {
    this.local.error(p, icmpv6.PACKET_TOO_BIG, 0, Math.max(p.mtu, ipv6.MIN_MTU))
    this.drop(p, REASON['fragmentation-needed'])
  }

  // ── to the router itself ────────────────────────────────────────────────────────────────────────────────────────────

  #deliver(p: Packet): void {
    // Its route named the device that has the address, and it leaves by none.
    p.outLink = NO_LINK
    if (this.passes(INPUT, p)) this.delivered(p)
  }

  protected delivered(p: Packet): void {
    if (this.#delivery.deliver(p, this.#reassembleLocal)) this.drop(p, REASON.delivered)
  }

  // ── from the router itself ──────────────────────────────────────────────────────────────────────────────────────────

  protected get routesByFlow(): boolean {
    return this.routing.byFlow
  }

  protected routeOutput(p: Packet): boolean {
    const key = this.routing.key.of(p, LOOPBACK)
    // What means something on one link only stays on that.
    if (ipv6.isLinkLocal(p.destination) || ipv6.isMulticast(p.destination)) key.outLink = p.outLink
    return this.routing.output(p, key)
  }

  protected keepRoutedBy(p: Packet, kept: Packet): void {
    kept.destination = p.destination
    kept.destination1 = p.destination1
    kept.destination2 = p.destination2
    kept.destination3 = p.destination3
    kept.source = p.source
    kept.source1 = p.source1
    kept.source2 = p.source2
    kept.source3 = p.source3
    kept.mark = p.mark
    kept.routeTos = ipv6.trafficClass(p.view, p.start)
  }

  protected isRoutedBy(p: Packet, kept: Packet): boolean {
    return (
      p.destination3 === kept.destination3 &&
      p.destination2 === kept.destination2 &&
      p.destination1 === kept.destination1 &&
      p.destination === kept.destination &&
      p.source3 === kept.source3 &&
      p.source2 === kept.source2 &&
      p.source1 === kept.source1 &&
      p.source === kept.source &&
      p.mark === kept.mark &&
      ipv6.trafficClass(p.view, p.start) === kept.routeTos
    )
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  protected leave(p: Packet): void {
    // What was put together is split again only where it is longer than its largest fragment was: an atomic one is not.
    const together = p.fragmentMax !== 0 && p.length > (p.fragmentMax & 0xffff)
    const fits = wireLength(p) <= Math.max(p.mtu, ipv6.MIN_MTU) && !together
    if (fits || p.outLink === LOOPBACK) return this.transmit(p)
    this.#fragment(p)
  }

  /**
   * Only the router's own packets, and those that it put together, leave in fragments: those no larger than the largest that
   * they came in.
   */
  #fragment(p: Packet): void {
    const mtu = Math.max(p.mtu, ipv6.MIN_MTU)
    const largest = p.fragmentMax & 0xffff
    const stays = p.inLink !== NO_LINK || (p.fragment & ip.DF) !== 0
    if ((stays && largest === 0) || largest > mtu) return this.#tooBig(p)
    if (p.partial && p.gsoSize === 0) complete(p)
    if (fragmentOut6(p, mtu, this.#random(), this.piecesTo(p.outLink)) === 0) return this.drop(p, REASON['no-slot'])
    this.free(p)
  }

  // ── fragments ───────────────────────────────────────────────────────────────────────────────────────────────────────

  protected readonly defragment = (p: Packet, at: number): number => {
    if ((p.fragment === 0 && p.protocol !== NO_PROTOCOL) || p.ctinfo === CT_UNTRACKED) return ACCEPT
    return this.#reassemble(this.defrag, p, at === PREROUTING ? USER_PREROUTING : USER_OUTPUT) ? ACCEPT : STOLEN
  }

  readonly #reassembleLocal = (p: Packet): boolean => this.#reassemble(this.localDefrag, p, USER_LOCAL)

  /** True when `p` is a whole packet now, or none that is put together; false when it is held or was dropped. */
  #reassemble(defrag: Defrag6, p: Packet, user: number): boolean {
    const said = defrag.input(p, user)
    if (said === PASS) return true
    if (said !== HELD) this.drop(p, said)
    return false
  }
}

/** PARSED, or the reason number of addresses that no packet on a wire has. */
function impossibleAddresses(p: Packet): number {
  if (ipv6.isMulticast(p.source)) return REASON['martian-source']
  if (p.inLink !== LOOPBACK) {
    if (ipv6.isLoopback(p.source, p.source1, p.source2, p.source3)) return REASON['martian-source']
    if (ipv6.isLoopback(p.destination, p.destination1, p.destination2, p.destination3))
      return REASON['martian-destination']
  }
  if (!ipv6.isMulticast(p.destination)) return PARSED
  const scope = ipv6.multicastScope(p.destination)
  const stays = scope === 0 || (scope === ipv6.SCOPE_INTERFACE && p.inLink !== LOOPBACK)
  return stays ? REASON['martian-destination'] : PARSED
}

function isNobody(word0: number, word1: number, word2: number, word3: number): boolean {
  return ipv6.isUnspecified(word0, word1, word2, word3) || ipv6.isLoopback(word0, word1, word2, word3)
}

/** What came in fragments and is whole now may leave in fragments again, if none of those was larger than the MTU. */
function tooBig(p: Packet, least: number): boolean {
  const mtu = Math.max(least, ipv6.MIN_MTU)
  // Without its fragment header an atomic fragment may fit where it would not have fitted as it came.
  if (p.fragmentMax !== 0) return p.length > mtu && (p.fragmentMax & 0xffff) > mtu
  return wireLength(p) > mtu
}
