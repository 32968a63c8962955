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
import { Defrag, HELD, PASS, USER_LOCAL, USER_OUTPUT, USER_PREROUTING } from './conntrack/defrag.ts'
import { CONFIRMED } from './conntrack/record.ts'
import { type Links, LOOPBACK } from './device/link.ts'
import * as hook from './hook/hook.ts'
import { ACCEPT, DROP, FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, STOLEN } from './hook/hook.ts'
import { type Step, Way } from './hook/way.ts'
import { Local, type Mouth } from './local/local.ts'
import { Nat4 } from './nat/nat4.ts'
import { fragmentOut } from './packet/fragment.ts'
import { complete, readOffload, segmentOut, wireLength } from './packet/offload.ts'
import { CT_UNTRACKED, NO_FLOW, Packet } from './packet/packet.ts'
import { PARSED, parse4, readHeader4 } from './packet/parse.ts'
import { REASON } from './packet/reason.ts'
import type { Slab } from './packet/slab.ts'
import { ROUTED, type Routing } from './route/routing.ts'
import * as type from './route/type.ts'
import { CONTINUE } from './rule/define.ts'
import { Interpreter } from './rule/interpreter.ts'
import type { TableName } from './rule/model.ts'
import type { Program } from './rule/program.ts'
import type { Sysctl } from './sysctl.ts'
import type { Time } from './time.ts'
import { update16 } from './wire/checksum.ts'
import * as icmp from './wire/icmp.ts'
import * as ip from './wire/ipv4.ts'
import { checkOptions, OPTIONS_FINE, recordRoute, SOURCE_ROUTED } from './wire/ipv4-options.ts'
import * as vnet from './wire/vnet.ts'

/** How deeply the router's own packets may cause each other. */
const DEPTH_MAX = 8
/** Looped-back packets that may wait; beyond, they are dropped as by a full backlog. */
const BACKLOG_MAX = 64

/** Where the built-in tables stand: table, hook, priority. */
const TABLES: readonly (readonly [TableName, number, number])[] = [
  ['raw', PREROUTING, hook.PRIORITY_RAW],
  ['raw', OUTPUT, hook.PRIORITY_RAW],
  ['mangle', PREROUTING, hook.PRIORITY_MANGLE],
  ['mangle', INPUT, hook.PRIORITY_MANGLE],
  ['mangle', FORWARD, hook.PRIORITY_MANGLE],
  ['mangle', OUTPUT, hook.PRIORITY_MANGLE],
  ['mangle', POSTROUTING, hook.PRIORITY_MANGLE],
  ['nat', PREROUTING, hook.PRIORITY_DNAT],
  ['nat', INPUT, hook.PRIORITY_SNAT],
  ['nat', OUTPUT, hook.PRIORITY_DNAT],
  ['nat', POSTROUTING, hook.PRIORITY_SNAT],
  ['filter', INPUT, hook.PRIORITY_FILTER],
  ['filter', FORWARD, hook.PRIORITY_FILTER],
  ['filter', OUTPUT, hook.PRIORITY_FILTER],
  ['security', INPUT, hook.PRIORITY_SECURITY],
  ['security', FORWARD, hook.PRIORITY_SECURITY],
  ['security', OUTPUT, hook.PRIORITY_SECURITY],
]

/** A hook of the user's own, at any priority. */
export interface UserHook extends Step {
  readonly hook: number
}

export interface PipelineParts {
  readonly slab: Slab
  readonly links: Links
  readonly routing: Routing
  readonly conntrack: Conntrack4
  readonly time: Time
  readonly sysctl: Sysctl
  readonly random: () => number
  /** Told what an operator should know. */
  readonly notice: (message: string) => void
}

export class Pipeline implements Mouth {
  readonly slab: Slab
  readonly links: Links
  readonly conntrack: Conntrack4
  readonly nat: Nat4
  readonly local: Local
  readonly defrag: Defrag
  /** Packets dropped, by REASON. */
  readonly dropped: Float64Array
  routing: Routing
  readonly #interpreter = new Interpreter()
  readonly #spare: Packet[] = []
  readonly #backlog: Packet[] = []
  readonly #sendRedirects: boolean
  readonly #notice: (message: string) => void
  #way = new Way()
  /** Where the fragments or segments go that #emit is called for, and how long they may be. */
  #outLink = 0
  #outMtu = 0

  constructor(parts: PipelineParts, dropped: Float64Array) {
    this.slab = parts.slab
    this.links = parts.links
    this.routing = parts.routing
    this.conntrack = parts.conntrack
    this.dropped = dropped
    this.#notice = parts.notice
    this.#sendRedirects = parts.sysctl['net.ipv4.conf.all.send_redirects'] !== 0
    const routing = () => this.routing
    this.nat = new Nat4(parts.conntrack, routing, parts.links, parts.random)
    this.local = new Local(parts.conntrack, routing, this, parts.random, parts.time, parts.sysctl)
    this.defrag = new Defrag(parts.slab, parts.time, parts.sysctl, parts.random(), {
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
    const way = new Way()
    if (tracking || defragmenting) {
      const defrag = { name: 'defrag', reason: REASON['fragment-bad'], run: this.#defragment }
      for (const at of [PREROUTING, OUTPUT]) way.add(at, { ...defrag, priority: hook.PRIORITY_DEFRAG })
    }
    if (tracking) {
      const input = { name: 'conntrack', reason: REASON.conntrack, run: (p: Packet) => this.conntrack.input(p) }
      const confirm = {
        name: 'confirm',
        reason: REASON['confirm-clash'],
        run: (p: Packet) => this.conntrack.confirm(p),
      }
      for (const at of [PREROUTING, OUTPUT]) way.add(at, { ...input, priority: hook.PRIORITY_CONNTRACK })
      for (const at of [INPUT, POSTROUTING]) way.add(at, { ...confirm, priority: hook.PRIORITY_CONFIRM })
    }
    for (const [table, at, priority] of TABLES) {
      const chain = program.base(table, at)
      if (chain === undefined) continue
      const { counters } = program
      const rules = (p: Packet) => this.#interpreter.run(chain, counters, p, at)
      if (table !== 'nat') way.add(at, { name: table, priority, reason: REASON.netfilter, run: rules })
      else way.add(at, { name: 'nat', priority, reason: REASON.nat, run: (p) => this.nat.input(p, at, rules) })
    }
    for (const user of users) way.add(user.hook, { ...user, run: (p, at) => this.#runUser(user, p, at) })
    this.#way = way
  }

  /**
   * CONTINUE is what rules' targets say for ACCEPT; of a packet that the hook took over only the slot is still here. A hook
   * that throws costs its packet, and no other.
   */
  #runUser(user: UserHook, p: Packet, at: number): number {
    let verdict = DROP
    try {
      verdict = user.run(p, at)
    } catch (error) {
      this.#notice(`hook ${user.name} at ${hook.HOOK_NAMES[at]} threw, and its packet is dropped: ${error}`)
    }
    if (verdict === STOLEN) this.drop(p, REASON.stolen)
    return verdict === CONTINUE ? ACCEPT : verdict
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
    this.local.deliver(p)
    this.drop(p, REASON.delivered)
  }

  // ── from the router itself ──────────────────────────────────────────────────────────────────────────────────────────

  /** A packet of the router's own, header read and routed (outLink, nexthop, mtu); it is used up. */
  output(p: Packet): void {
    const { destination, source, mark } = p
    const verdict = this.#way.walk(OUTPUT, p)
    if (verdict !== ACCEPT) this.#end(p, verdict)
    else if ((p.destination === destination && p.source === source && p.mark === mark) || this.#reroute(p))
      this.#postrouting(p)
    this.#spare.push(p)
  }

  /** A packet of the router's own, handed in as bytes; false when it is no whole IPv4 packet, or has no way. */
  originate(bytes: Uint8Array): boolean {
    const start = this.slab.take()
    if (start < 0) {
      this.dropped[REASON['no-slot']]++
      return false
    }
    const p = this.#packet()
    p.begin(start, bytes.length, 0)
    if (bytes.length <= ip.MAX_PACKET) this.slab.bytes.set(bytes, start)
    const parsed = parse4(p)
    if (parsed !== PARSED || !this.routing.output(p.destination)) {
      this.drop(p, parsed !== PARSED ? parsed : REASON['no-route'])
      this.#spare.push(p)
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
    this.#enqueue(p.outLink, p.start, p.length)
  }

  /** The segments that p stands for leave one by one; p itself is at its end. */
  #segmented(p: Packet, emit: (start: number, length: number) => void): void {
    const link = this.links.at(p.outLink)
    // What waits there gives its slots back, and so do the segments with every batch.
    link.flush(this.slab, this.dropped)
    if (!segmentOut(p, emit)) this.dropped[REASON['no-slot']]++
    this.#free(p)
  }

  readonly #emit = (start: number, length: number): void => this.#enqueue(this.#outLink, start, length)

  /** A segment that is longer than the MTU itself. */
  readonly #emitInFragments = (start: number, length: number): void => {
    const segment = this.#packet()
    segment.begin(start, length, 0)
    readHeader4(segment)
    if (fragmentOut(segment, this.#outMtu, this.#emit) === 0) this.dropped[REASON['no-slot']]++
    this.slab.give(start)
    this.#spare.push(segment)
  }

  #enqueue(outLink: number, start: number, length: number): void {
    const link = this.links.at(outLink)
    if (link.tx.full) link.flush(this.slab, this.dropped)
    link.tx.push(start, length)
  }

  /** The loopback device: what leaves comes in again, with the flow that it has. */
  #loop(p: Packet): void {
    const looped = this.#backlog.length < BACKLOG_MAX ? this.#packet() : undefined
    if (looped === undefined) return this.drop(p, REASON['device-queue-full'])
    // An answer's flow that is not confirmed ends with the packet that is answered, before this one comes in again.
    if (p.ct !== NO_FLOW && (this.conntrack.flows.status(p.ct) & CONFIRMED) === 0) this.conntrack.forget(p)
    const { ct, ctinfo, direction, zone, mark, depth } = p
    looped.begin(p.start, p.length, LOOPBACK)
    Object.assign(looped, { ct, ctinfo, direction, zone, mark, depth })
    this.#backlog.push(looped)
  }

  /** Receives what was looped back, until nothing more comes; called once a packet or batch is done. */
  drainBacklog(): void {
    while (this.#backlog.length > 0) {
      const p = this.#backlog.shift() as Packet
      this.receive(p)
      this.#spare.push(p)
    }
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

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #end(p: Packet, verdict: number): void {
    if (verdict === DROP) return this.drop(p, this.#way.reason)
    // STOLEN: whoever said so has seen to the packet.
    if (verdict !== STOLEN) this.drop(p, REASON['queue-unbound'])
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
    const p = this.#packet()
    p.begin(start, 0, 0)
    p.depth = cause.depth + 1
    return p
  }

  discard(p: Packet): void {
    this.slab.give(p.start)
    this.#spare.push(p)
  }

  #packet(): Packet {
    return this.#spare.pop() ?? new Packet(this.slab)
  }
}

/**
 * DF forbids to split it. A packet that came in fragments may leave in fragments again, if none of those was larger than
 * the MTU.
 */
function mustStayWhole(p: Packet): boolean {
  return (p.fragment & ip.DF) !== 0 && (p.fragmentMax === 0 || (p.fragmentMax & 0xffff) > p.mtu)
}
