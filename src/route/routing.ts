// Routing: policy rules choose tables, tables the longest prefix. What an input look-up finds wrong with addresses (martians,
// reverse path) follows ip_route_input and fib_validate_source. The result of a look-up is left in the fields of this object,
// valid until the next one, so that looking up allocates nothing.
//
// While there is nothing but the default rules and one way a route, only the destination counts: local table, main table. Rules and
// tables may be changed between packets; renew() makes the changes count.

import { type Links, LOOPBACK, NO_LINK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import { REASON } from '../packet/reason.ts'
import { type DeviceSysctl, ofDevice, type Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import { maskOf } from '../wire/address.ts'
import * as ip from '../wire/ipv4.ts'
import { PROTOCOL_KERNEL, type RouteEntry, TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN } from './entry.ts'
import { Fib, leavesBy, type Path, type Route } from './fib.ts'
import { FlowKey } from './key.ts'
import { boundsOf, choose, type HashPolicy } from './multipath.ts'
import { primaryOf } from './own.ts'
import { PathMtus } from './path-mtu.ts'
import { decide, ends, type PolicyRules, type ReadyRule } from './policy.ts'
import type { RouteTables } from './tables.ts'
import * as type from './type.ts'

/** What an input look-up says when the packet may go on. */
export const ROUTED = -1

/** net.ipv4.route.min_pmtu */
const MIN_PATH_MTU = 552

/** Of so many places for addresses whose type was asked for. */
const FOUND_BITS = 8

export class Routing {
  // The last look-up's result.
  type = type.UNSPEC
  link = NO_LINK
  /** Next hop: the gateway, or the destination itself. */
  nexthop = 0
  mtu = 0
  /** Preferred source, 0 where the route names none. */
  source = 0

  /** How often something has been changed. */
  revision = 0
  /** For who asks: what an output look-up depends on. */
  readonly key = new FlowKey()
  readonly rules: PolicyRules
  readonly tables: RouteTables
  /** What was learned of paths. */
  readonly paths: PathMtus
  readonly #links: Links
  // By device, as sysctls say.
  readonly #forwarding: Int8Array
  readonly #rpFilter: Int8Array
  readonly #acceptLocal: Int8Array
  readonly #routeLocalnet: Int8Array
  readonly #marksCountBack: Int8Array
  readonly #hash: HashPolicy
  /** For look-ups of this class's own. */
  readonly #key = new FlowKey()
  /** The addresses that devices have; the loopback device has 127.0.0.1. */
  #own = new Set<number>()
  #local = new Fib([])
  /** Addresses that were looked up there for their type, none of them 0, and what was found. */
  readonly #foundOf = new Int32Array(1 << FOUND_BITS)
  readonly #found = new Int32Array(1 << FOUND_BITS)
  #main = new Fib([])
  #fibs = new Map<number, Fib>()
  #ready: readonly ReadyRule[] = []
  /** Only the destination counts. */
  #plain = true
  /** All packets of a flow, in one direction, go the same way: nothing that may differ between them counts. */
  byFlow = true
  /** Sources are judged by what the rules and tables say of them, and not only by whether they are the router's own. */
  #judged = false

  constructor(links: Links, tables: RouteTables, rules: PolicyRules, sysctl: Sysctl, time: Time, seed: number) {
    this.paths = new PathMtus(time)
    this.#links = links
    this.tables = tables
    this.rules = rules
    const byLink = (setting: DeviceSysctl) =>
      Int8Array.from({ length: links.size }, (_, i) => ofDevice(sysctl, links.name(i), setting))
    this.#forwarding = byLink('forwarding')
    this.#rpFilter = byLink('rp_filter')
    this.#acceptLocal = byLink('accept_local')
    this.#routeLocalnet = byLink('route_localnet')
    this.#marksCountBack = byLink('src_valid_mark')
    this.#hash = {
      policy: sysctl['net.ipv4.fib_multipath_hash_policy'],
      fields: sysctl['net.ipv4.fib_multipath_hash_fields'],
      seed,
    }
    this.renew()
  }

  /** Makes what was changed in rules, tables and the devices' addresses count. */
  renew(): void {
    this.revision++
    const { tables, rules } = this
    this.#own = new Set([ip.LOOPBACK_ADDRESS])
    for (const link of this.#links.all) for (const own of link.addresses) this.#own.add(own.address)
    this.#fibs = new Map(tables.numbers.map((number) => [number, this.#compiled(tables.entries(number))]))
    this.#local = this.#fibs.get(TABLE_LOCAL) ?? new Fib([])
    this.#foundOf.fill(0)
    this.#main = this.#fibs.get(TABLE_MAIN) ?? new Fib([])
    this.#ready = rules.ready((name) => this.#links.byName(name)?.index ?? NO_LINK)
    const special = (route: Route) => route.paths !== undefined || route.type === type.THROW
    const simple = !this.#local.routes.some(special) && !this.#main.routes.some(special)
    this.#plain = rules.isDefault && simple && tables.entries(TABLE_DEFAULT).length === 0
    const several = tables.all.some(({ hops }) => hops.length > 1)
    this.byFlow = this.#plain || !(rules.askTos || (several && this.#hash.policy > 1))
    const isGiven = ({ type: kind, protocol }: RouteEntry) => kind === type.LOCAL && protocol !== PROTOCOL_KERNEL
    this.#judged = rules.touched || tables.all.some(isGiven)
  }

  #compiled(entries: readonly RouteEntry[]): Fib {
    return new Fib(entries.map((entry) => this.#route(entry)))
  }

  #route(entry: RouteEntry): Route {
    const { network, prefixLength, type: kind, hops, source, mtu, metric } = entry
    const pathOf = (i: number, bound: number): Path => {
      const { link, via } = hops[i]
      const gateway = via?.[0] ?? 0
      const own = this.selectSource(link, gateway === 0 ? network[0] : gateway)
      return { link, gateway, mtu: mtu || this.#links.at(link).mtu, source: own, bound }
    }
    const route = { network: network[0], prefixLength, type: kind, source: source?.[0] ?? 0, metric, entry }
    if (hops.length === 0) return { ...route, link: NO_LINK, gateway: 0, mtu }
    const { link, gateway, mtu: whole } = pathOf(0, 0)
    const one = { ...route, link, gateway, mtu: whole }
    return hops.length === 1 ? one : { ...one, paths: boundsOf(hops).map((bound, i) => pathOf(i, bound)) }
  }

  // ── look-ups ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** By the destination alone. */
  #plainly(destination: number): Route | undefined {
    const { routes } = this.#local
    const local = this.#local.find(destination)
    if (local >= 0) return routes[local]
    const found = this.#main.find(destination)
    return found < 0 ? undefined : this.#main.routes[found]
  }

  /** As the rules say; one that ends a look-up stands for a route that leads nowhere. */
  #byRules(key: FlowKey): Route | undefined {
    return decide(this.#ready, key, this.#inTable, END)
  }

  readonly #inTable = (table: number, key: FlowKey): Route | undefined => {
    const fib = this.#fibs.get(table)
    if (fib === undefined) return undefined
    const { destination, outLink } = key
    return fib.routes[outLink === NO_LINK ? fib.find(destination) : fib.findBy(destination, outLink)]
  }

  #take(route: Route, destination: number, key: FlowKey): void {
    this.type = route.type
    this.source = route.source
    if (route.paths !== undefined) return this.#takePath(route.paths, destination, key)
    this.link = route.link
    this.nexthop = route.gateway === 0 ? destination : route.gateway
    this.mtu = route.mtu
  }

  #takePath(paths: readonly Path[], destination: number, key: FlowKey): void {
    const path = choose(paths, key, this.#hash)
    this.link = path.link
    this.nexthop = path.gateway === 0 ? destination : path.gateway
    this.mtu = path.mtu
    if (this.source === 0) this.source = path.source
  }

  #takeNone(): void {
    this.type = type.UNSPEC
    this.link = NO_LINK
  }

  #takeLocal(found: number, link: number): number {
    this.type = found
    this.link = link
    this.nexthop = 0
    this.mtu = 0
    this.source = 0
    return ROUTED
  }

  // ── received packets ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Where a received packet goes. On ROUTED, `type` is LOCAL, BROADCAST, MULTICAST or UNICAST and the other fields say
   * where to; otherwise the reason number for which it goes no further.
   */
  input(p: Packet): number {
    const { destination, source, inLink } = p
    if (ip.isMulticast(source) || source === ip.BROADCAST_ADDRESS) return REASON['martian-source']
    if (destination === ip.BROADCAST_ADDRESS || (source === 0 && destination === 0)) {
      // Who has no address yet (DHCP) has none to be judged.
      const wrong = source === 0 ? ROUTED : this.#checkSource(p, NO_LINK)
      return wrong === ROUTED ? this.#takeLocal(type.BROADCAST, inLink) : wrong
    }
    if (source === 0) return REASON['martian-source']
    if (destination === 0) return REASON['martian-destination']
    if (inLink !== LOOPBACK && this.#routeLocalnet[inLink] === 0) {
      if (ip.isLoopback(destination)) return REASON['martian-destination']
      if (ip.isLoopback(source)) return REASON['martian-source']
    }
    if (ip.isMulticast(destination)) {
      // Nobody joins groups here but the kernel's own membership in "all hosts" (RFC 1112, 4).
      if (destination !== ip.ALL_HOSTS) return REASON.broadcast
      const wrong = this.#checkSource(p, NO_LINK)
      return wrong === ROUTED ? this.#takeLocal(type.MULTICAST, inLink) : wrong
    }
    const key = this.#key
    const forwarding = this.#forwarding[inLink] !== 0
    const route = this.#plain ? this.#plainly(destination) : this.#byRules(key.of(p, inLink))
    // A route that is missing wins over a source that is wrong.
    if (route === undefined) {
      this.#takeNone()
      return forwarding ? REASON['no-route'] : REASON['not-forwarding']
    }
    this.#take(route, destination, key)
    switch (route.type) {
      case type.LOCAL:
      case type.BROADCAST:
        return this.#checkSource(p, NO_LINK)
      case type.UNICAST:
        if (!this.paths.isEmpty) this.#takeLocked(route, destination)
        return forwarding ? this.#checkSource(p, this.link) : REASON['not-forwarding']
      default:
        return forwarding ? REASON['unreachable-route'] : REASON['not-forwarding']
    }
  }

  /**
   * fib_validate_source: an own address never comes from outside; rp_filter 1 wants the best way back, 2 any way.
   * @param outLink by which it is forwarded, NO_LINK where it is not
   */
  #checkSource(p: Packet, outLink: number): number {
    const { source, inLink } = p
    if (inLink === LOOPBACK) return ROUTED
    if (this.#rpFilter[inLink] === 0 && this.#acceptLocal[inLink] !== 0) return ROUTED
    if (this.#rpFilter[inLink] === 0 && !this.#judged) {
      // The table is asked first: it says no with one read, where the set takes 20 ns.
      return this.#local.find(source) >= 0 && this.#own.has(source) ? REASON['martian-source'] : ROUTED
    }
    return this.#checkWayBack(p, outLink)
  }

  #checkWayBack(p: Packet, outLink: number): number {
    const { source, inLink } = p
    const key = this.#key
    if (!this.#plain) {
      key.back(p, outLink === NO_LINK ? LOOPBACK : outLink)
      if (this.#marksCountBack[inLink] === 0) key.mark = 0
    }
    const route = this.#plain ? this.#plainly(source) : this.#byRules(key)
    const filter = this.#rpFilter[inLink]
    const unknown = filter === 0 ? ROUTED : REASON['reverse-path']
    if (route === undefined || type.leadsNowhere(route.type)) return unknown
    if (route.type !== type.UNICAST && (route.type !== type.LOCAL || this.#acceptLocal[inLink] === 0))
      return REASON['martian-source']
    if (leavesBy(route, inLink)) return ROUTED
    // Loose means: any way back, but for a device that has no address of its own.
    if (this.#links.at(inLink).addresses.length === 0) return unknown
    return filter === 1 ? REASON['reverse-path'] : ROUTED
  }

  /** What is forwarded does not depend on what was learned, unless that is locked. */
  #takeLocked(route: Route, destination: number): void {
    const known = this.paths.find([destination], route.entry)
    if (known?.locked) this.mtu = known.mtu
  }

  // ── the router's own packets ────────────────────────────────────────────────────────────────────────────────────────

  /** Where a packet of the router's own goes; false when nowhere. Local destinations go by the loopback device. */
  output(key: FlowKey): boolean {
    const { destination } = key
    const toMany = destination === ip.BROADCAST_ADDRESS || ip.isMulticast(destination)
    const route = this.#plain && key.outLink === NO_LINK ? this.#plainly(destination) : this.#byRules(key)
    if (route === undefined) {
      this.#takeNone()
      return false
    }
    this.#take(route, destination, key)
    if (!this.paths.isEmpty) this.mtu = this.paths.find([destination], route.entry)?.mtu ?? this.mtu
    if (toMany) this.type = destination === ip.BROADCAST_ADDRESS ? type.BROADCAST : type.MULTICAST
    if (this.type === type.LOCAL) {
      this.link = LOOPBACK
      this.mtu = this.#links.at(LOOPBACK).mtu
      return true
    }
    return !type.leadsNowhere(route.type)
  }

  /** The path's MTU for a packet that is routed. */
  pathMtu(p: Packet): number {
    if (this.paths.isEmpty) return p.mtu
    const key = this.#key.of(p, p.inLink === NO_LINK ? LOOPBACK : p.inLink)
    const route = this.#plain ? this.#plainly(p.destination) : this.#byRules(key)
    const known = this.paths.find([p.destination], route?.entry)
    return Math.min(p.mtu, known?.mtu ?? p.mtu)
  }

  /**
   * An error says that the path of a packet of the router's own has this MTU (__ip_rt_update_pmtu): a larger one is no news, and one
   * below 552 is not believed, but locked.
   * @param key the look-up of that packet
   */
  learnMtu(key: FlowKey, mtu: number): void {
    if (!this.isOwn(key.source) || !this.output(key) || this.type !== type.UNICAST) return
    const { destination } = key
    const route = this.#plain ? this.#plainly(destination) : this.#byRules(key)
    if (route?.entry?.mtuLocked || this.paths.find([destination], route?.entry)?.locked || this.mtu < mtu) return
    const locked = mtu < MIN_PATH_MTU
    this.paths.learn([destination], route?.entry, locked ? Math.min(this.mtu, MIN_PATH_MTU) : mtu, locked)
  }

  /** The source that the router's own packets by the last look-up's route carry; 0 when it has no address. */
  get preferredSource(): number {
    return this.source !== 0 ? this.source : this.selectSource(this.link, this.nexthop)
  }

  /** The route that a look-up finds, whatever comes of it. */
  find(key: FlowKey): Route | undefined {
    return this.#byRules(key)
  }

  // ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The address of a link that fits a next hop: the first primary address whose prefix holds it, else the first one,
   * else that of another link (inet_select_addr). 0 when there is none.
   */
  selectSource(link: number, nexthop: number): number {
    let first = 0
    if (link !== NO_LINK) {
      const own = this.#links.at(link)
      for (const candidate of own.addresses) {
        if (primaryOf(own, candidate) !== candidate) continue
        if ((((candidate.peer ?? candidate.address) ^ nexthop) & maskOf(candidate.prefixLength)) === 0)
          return candidate.address
        if (first === 0) first = candidate.address
      }
    }
    if (first !== 0) return first
    for (const other of this.#links.all) {
      if (other.addresses.length > 0) return other.addresses[0].address
    }
    return 0
  }

  /** Type of an address as the local table sees it (what addrtype asks); `link` 0 for any. */
  addressType(address: number, link: number): number {
    if (address === 0 || address === ip.BROADCAST_ADDRESS) return type.BROADCAST
    if (ip.isMulticast(address)) return type.MULTICAST
    // New flows go to the same addresses again and again.
    const place = Math.imul(address, 0x9e3779b1) >>> (32 - FOUND_BITS)
    let found = this.#found[place]
    if (this.#foundOf[place] !== address) {
      found = this.#local.find(address)
      this.#foundOf[place] = address
      this.#found[place] = found
    }
    if (found < 0) return type.UNICAST
    const route = this.#local.routes[found]
    return link === NO_LINK || route.link === link ? route.type : type.UNICAST
  }

  /** Whether the router itself has this address. */
  isOwn(address: number): boolean {
    return this.#own.has(address) || ip.isLoopback(address)
  }

  /** Whether one of the link's prefixes holds both addresses (inet_addr_onlink). */
  onLink(link: number, a: number, b: number): boolean {
    for (const own of this.#links.at(link).addresses) {
      const mask = maskOf(own.prefixLength)
      const network = (own.peer ?? own.address) & mask
      if ((a & mask) === network && (b === 0 || (b & mask) === network)) return true
    }
    return false
  }
}

const END = ends<Route>({ network: 0, prefixLength: 0, link: NO_LINK, gateway: 0, source: 0, mtu: 0, metric: 0 })
