// The packet's way for IPv6, beside IPv4's (pipeline.ts) and in the same words; the picture at the top of that file is this one's
// too. The order of checks is Linux's: ip6_rcv, ip6_route_input, ip6_forward, ip6_input, ip6_output. What differs: hop-by-hop
// options are judged before PREROUTING, routers do not fragment, and fragments for the router itself are put together behind
// INPUT (local/deliver6.ts).

import type { Conntrack6 } from './conntrack/conntrack6.ts'
import { HELD, PASS, USER_LOCAL, USER_OUTPUT, USER_PREROUTING } from './conntrack/defrag.ts'
import { Defrag6 } from './conntrack/defrag6.ts'
import { CONFIRMED } from './conntrack/record.ts'
import { LOOPBACK, NO_LINK } from './device/link.ts'
import { ACCEPT, DROP, FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, STOLEN } from './hook/hook.ts'
import { type Queued, type Step, HELD as TAKEN, Way } from './hook/way.ts'
import { Delivery6 } from './local/deliver6.ts'
import type { Mouth } from './local/local.ts'
import { Local6 } from './local/local6.ts'
import type { IcmpCredit } from './local/rate.ts'
import { Nat6, type OwnAddresses } from './nat/nat6.ts'
import type { QueuedWay, Queues } from './nfnetlink/nfqueue.ts'
import { fragmentOut6 } from './packet/fragment6.ts'
import { complete, readOffload, segmentOut, wireLength } from './packet/offload.ts'
import { checkOptions6, OPTIONS_FINE, OPTIONS_WRONG, type OptionBounds } from './packet/options6.ts'
import { CT_UNTRACKED, NO_FLOW, NO_PROTOCOL, type Packet } from './packet/packet.ts'
import { PARSED } from './packet/parse.ts'
import { parse6 } from './packet/parse6.ts'
import { REASON } from './packet/reason.ts'
import type { Ends } from './pipeline-ends.ts'
import { registered, type UserHook } from './pipeline-register.ts'
import { ROUTED } from './route/routing.ts'
import type { Routing6 } from './route/routing6.ts'
import * as type from './route/type.ts'
import type { Program } from './rule/program.ts'
import type { Sysctl } from './sysctl.ts'
import type { Time } from './time.ts'
import * as icmpv6 from './wire/icmpv6.ts'
import * as ip from './wire/ipv4.ts'
import * as ipv6 from './wire/ipv6.ts'
import * as extension from './wire/ipv6-extension.ts'
import * as vnet from './wire/vnet.ts'

export interface Pipeline6Parts {
  readonly ends: Ends
  readonly queues: Queues
  readonly routing: Routing6
  readonly conntrack: Conntrack6
  readonly credit: IcmpCredit
  readonly time: Time
  readonly sysctl: Sysctl
  readonly random: () => number
  /** Told what an operator should know. */
  readonly notice: (message: string) => void
}

export class Pipeline6 implements Mouth, QueuedWay {
  readonly ends: Ends
  readonly queues: Queues
  readonly conntrack: Conntrack6
  readonly nat: Nat6
  readonly local: Local6
  /** Fragments that conntrack waits for, and those for the router itself. */
  readonly defrag: Defrag6
  readonly localDefrag: Defrag6
  routing: Routing6
  readonly #delivery: Delivery6
  readonly #hopByHopBounds: OptionBounds
  readonly #random: () => number
  readonly #notice: (message: string) => void
  /** What the route of the packet that walks OUTPUT was chosen by: addresses and mark. */
  #before: Packet
  #way: Way
  /** Where the fragments or segments go that #emit is called for. */
  #outLink = 0

  constructor(parts: Pipeline6Parts) {
    const { sysctl, random } = parts
    this.ends = parts.ends
    this.queues = parts.queues
    this.#before = parts.ends.packet()
    this.#way = new Way(this.#queued)
    this.routing = parts.routing
    this.conntrack = parts.conntrack
    this.#random = random
    this.#notice = parts.notice
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

  /** As in pipeline.ts. */
  register(program: Program, tracking: boolean, defragmenting: boolean, users: readonly UserHook[]): void {
    const { nat } = this
    this.#way = registered(program, users, {
      queued: this.#queued,
      drop: (p, reason) => this.drop(p, reason),
      notice: this.#notice,
      nat: (p, at, table) => nat.input(p, at, table),
      defragment: tracking || defragmenting ? this.#defragment : undefined,
      conntrack: tracking ? this.conntrack : undefined,
    })
  }

  /** The steps that are registered at a hook, in their order. */
  steps(at: number): readonly Step[] {
    return this.#way.steps(at)
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A packet that a device received. */
  receive(p: Packet): void {
    let parsed = parse6(p)
    if (parsed === PARSED && vnet.isOffloaded(p.view, p.start)) parsed = readOffload(p)
    if (parsed === PARSED) parsed = impossibleAddresses(p)
    if (parsed !== PARSED) return this.drop(p, parsed)
    if ((p.headerLength > ipv6.HEADER || p.protocol === NO_PROTOCOL) && !this.#hopByHopAllows(p)) return
    const verdict = this.#way.walk(PREROUTING, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#route(p)
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

  #route(p: Packet): void {
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
    if (tooBig(p)) return this.#tooBig(p)
    view.setUint8(start + ipv6.HOP_LIMIT, hopLimit - 1)
    const verdict = this.#way.walk(FORWARD, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#postrouting(p)
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
    const verdict = this.#way.walk(INPUT, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#delivered(p)
  }

  #delivered(p: Packet): void {
    if (this.#delivery.deliver(p, this.#reassembleLocal)) this.drop(p, REASON.delivered)
  }

  // ── from the router itself ──────────────────────────────────────────────────────────────────────────────────────────

  /** A packet of the router's own, header read and routed (outLink, nexthop, mtu); it is used up. */
  output(p: Packet): void {
    const outer = this.#before
    const before = this.ends.packet()
    copyRoutedBy(p, before)
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

  /** DNAT or MARK in OUTPUT: the way is looked up again, the source address stays. */
  #reroute(p: Packet): boolean {
    if (this.routing.output(p, NO_LINK)) return true
    this.drop(p, REASON['no-route'])
    return false
  }

  /** A packet of the router's own, handed in as bytes; false when it is no whole IPv6 packet, or has no way. */
  originate(bytes: Uint8Array): boolean {
    const { slab } = this.ends
    const start = slab.take()
    if (start < 0) {
      this.ends.dropped[REASON['no-slot']]++
      return false
    }
    const p = this.ends.packet()
    p.begin(start, bytes.length, 0)
    if (bytes.length <= ip.MAX_PACKET) slab.bytes.set(bytes, start)
    const parsed = parse6(p)
    if (parsed !== PARSED || !this.routing.output(p, NO_LINK)) {
      this.drop(p, parsed !== PARSED ? parsed : REASON['no-route'])
      this.ends.giveBack(p)
      return false
    }
    vnet.clear(slab.view, start)
    this.output(p)
    return true
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #postrouting(p: Packet): void {
    const verdict = this.#way.walk(POSTROUTING, p)
    if (verdict !== ACCEPT) return this.#end(p, verdict)
    this.#leave(p)
  }

  #leave(p: Packet): void {
    // What was put together is split again only where it is longer than its largest fragment was: an atomic one is not.
    const together = p.fragmentMax !== 0 && p.length > (p.fragmentMax & 0xffff)
    const fits = wireLength(p) <= Math.max(p.mtu, ipv6.MIN_MTU) && !together
    if (fits || p.outLink === LOOPBACK) return this.#transmit(p)
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
    this.#outLink = p.outLink
    if (fragmentOut6(p, mtu, this.#random(), this.#emit) === 0) return this.drop(p, REASON['no-slot'])
    this.#free(p)
  }

  #transmit(p: Packet): void {
    if (p.outLink === LOOPBACK) return this.#loop(p)
    if (p.partial && !this.ends.links.at(p.outLink).offload) {
      this.#outLink = p.outLink
      if (p.gsoSize !== 0) return this.#segmented(p)
      complete(p)
    }
    this.conntrack.forget(p)
    this.ends.enqueue(p.outLink, p.start, p.length)
  }

  /** The segments that p stands for leave one by one; p itself is at its end. */
  #segmented(p: Packet): void {
    // What waits there gives its slots back, and so do the segments with every batch.
    this.ends.links.at(p.outLink).flush(this.ends.slab, this.ends.dropped)
    if (!segmentOut(p, this.#emit)) this.ends.dropped[REASON['no-slot']]++
    this.#free(p)
  }

  readonly #emit = (start: number, length: number): void => this.ends.enqueue(this.#outLink, start, length)

  /** The loopback device: what leaves comes in again, with the flow that it has. */
  #loop(p: Packet): void {
    if (this.ends.backlogFull) return this.drop(p, REASON['device-queue-full'])
    // An answer's flow that is not confirmed ends with the packet that is answered, before this one comes in again.
    if (p.ct !== NO_FLOW && (this.conntrack.flows.status(p.ct) & CONFIRMED) === 0) this.conntrack.forget(p)
    this.ends.loop(p)
  }

  // ── fragments ───────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #defragment = (p: Packet, at: number): number => {
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

  // ── packets that a listener judges (NFQUEUE) ────────────────────────────────────────────────────────────────────────

  readonly #queued: Queued = (p, at, step, verdict) => {
    // Its listener sees the route that it has by now.
    if (at === OUTPUT && !isRoutedBy(p, this.#before) && !this.#reroute(p)) return TAKEN
    return this.queues.hold(p, at, step, verdict, this)
  }

  parse(p: Packet): number {
    return parse6(p)
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
        return this.#postrouting(p)
      case OUTPUT:
        return this.#sent(p, before)
      default:
        return this.#leave(p)
    }
  }

  abandon(p: Packet, reason: number): void {
    this.ends.dropped[reason]++
    this.conntrack.forget(p)
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #end(p: Packet, verdict: number): void {
    // STOLEN: whoever said so has seen to the packet.
    if (verdict === DROP) this.drop(p, this.#way.reason)
  }

  /** The packet goes no further: counted under one reason, its slot given back. */
  drop(p: Packet, reason: number): void {
    this.ends.dropped[reason]++
    this.#free(p)
  }

  #free(p: Packet): void {
    this.conntrack.forget(p)
    this.ends.slab.give(p.start)
  }

  // ── packets of the router's own ─────────────────────────────────────────────────────────────────────────────────────

  take(cause: Packet): Packet | undefined {
    return this.ends.take(cause)
  }

  discard(p: Packet): void {
    this.ends.discard(p)
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
function tooBig(p: Packet): boolean {
  const mtu = Math.max(p.mtu, ipv6.MIN_MTU)
  if (p.fragmentMax !== 0) return (p.fragmentMax & 0xffff) > mtu
  return wireLength(p) > mtu
}

function isRoutedBy(p: Packet, before: Packet): boolean {
  return (
    p.destination3 === before.destination3 &&
    p.destination2 === before.destination2 &&
    p.destination1 === before.destination1 &&
    p.destination === before.destination &&
    p.source3 === before.source3 &&
    p.source2 === before.source2 &&
    p.source1 === before.source1 &&
    p.source === before.source &&
    p.mark === before.mark
  )
}

function copyRoutedBy(p: Packet, before: Packet): void {
  before.destination = p.destination
  before.destination1 = p.destination1
  before.destination2 = p.destination2
  before.destination3 = p.destination3
  before.source = p.source
  before.source1 = p.source1
  before.source2 = p.source2
  before.source3 = p.source3
  before.mark = p.mark
}
