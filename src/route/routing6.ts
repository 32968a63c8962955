// Routing for IPv6: policy rules choose tables, tables the longest prefix; by default the local table comes first, then the main one. An address on a link only
// (fe80::/10, multicast) is looked for on the device that the packet came in by, as a look-up with a strict device does. There are
// neither martian sources nor a reverse path filter in IPv6.
//
// The local table holds the router's own addresses, and for each prefix with room the subnet-router anycast address (RFC 4291,
// 2.6.1) while the router forwards.

import { type Link, type Links, LOOPBACK, NO_LINK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import { REASON } from '../packet/reason.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import { equal6 } from '../wire/address6.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { type RouteEntry, TABLE_LOCAL, TABLE_MAIN } from './entry.ts'
import { Fib6, type Path6, type Route6 } from './fib6.ts'
import { FlowKey } from './key.ts'
import { boundsOf, choose, type HashPolicy } from './multipath.ts'
import { PathMtus } from './path-mtu.ts'
import { decide, ends, type PolicyRules, type ReadyRule } from './policy.ts'
import { ROUTED } from './routing.ts'
import { bestSource, type Candidate } from './source6.ts'
import type { RouteTables } from './tables.ts'
import * as type from './type.ts'

export class Routing6 {
  /** Preferred source of the last output look-up's route. */
  source: readonly number[] | undefined
  /** How long a packet may be that the last input look-up's route forwards; that it leaves, p.mtu says. */
  forwardMtu = 0
  /** How often something has been changed. */
  revision = 0
  /** For who asks: what an output look-up depends on. */
  readonly key = new FlowKey()
  readonly rules: PolicyRules
  readonly tables: RouteTables
  /** What was learned of paths. */
  readonly paths: PathMtus
  readonly #links: Links
  readonly #forwarding: boolean
  readonly #hash: HashPolicy
  /** For look-ups of this class's own. */
  readonly #key = new FlowKey()
  #fibs = new Map<number, Fib6>()
  #local = new Fib6([])
  /** The tables local and main as one, the local one first. */
  #both = new Fib6([])
  #ready: readonly ReadyRule[] = []
  /** Only the destination counts, and a device where that means something on one only. */
  #plain = true
  /** All packets of a flow, in one direction, go the same way: nothing that may differ between them counts. */
  byFlow = true
  #candidates: readonly Candidate[] = []

  constructor(links: Links, tables: RouteTables, rules: PolicyRules, sysctl: Sysctl, time: Time, seed: number) {
    this.paths = new PathMtus(time)
    this.#links = links
    this.tables = tables
    this.rules = rules
    this.#forwarding = sysctl['net.ipv6.conf.all.forwarding'] !== 0
    this.#hash = {
      policy: sysctl['net.ipv6.fib_multipath_hash_policy'],
      fields: sysctl['net.ipv6.fib_multipath_hash_fields'],
      seed,
    }
    this.renew()
  }

  /** Makes what was changed in rules, tables and the devices' addresses count. */
  renew(): void {
    this.revision++
    const { tables, rules } = this
    const compiled = new Map(tables.numbers.map((table) => [table, tables.entries(table).map((e) => this.#route(e))]))
    const [local, main] = [compiled.get(TABLE_LOCAL) ?? [], compiled.get(TABLE_MAIN) ?? []]
    const special = (route: Route6) => route.paths !== undefined || route.type === type.THROW
    this.#fibs = new Map([...compiled].map(([table, routes]) => [table, new Fib6(routes)]))
    this.#local = this.#fibs.get(TABLE_LOCAL) ?? new Fib6([])
    this.#both = new Fib6(local, main)
    this.#ready = rules.ready((name) => this.#links.byName(name)?.index ?? NO_LINK)
    this.#plain = rules.isDefault && !local.some(special) && !main.some(special)
    // Flow labels count between several ways.
    const several = [...compiled.values()].some((routes) => routes.some(({ paths }) => paths !== undefined))
    this.byFlow = this.#plain || !(rules.askTos || several)
    this.#candidates = this.#links.all.flatMap(candidatesOf)
  }

  #route(entry: RouteEntry): Route6 {
    const { network, prefixLength, type: kind, hops, source, mtu, mtuLocked, metric } = entry
    const route = { network, prefixLength, type: kind, source, metric, entry }
    if (hops.length === 0) return { ...route, link: NO_LINK, gateway: undefined, mtu }
    const bounds = boundsOf(hops)
    const paths = hops.map(({ link, via }, i): Path6 => {
      const own = this.#links.at(link).mtu
      return { link, gateway: via, mtu: mtu || own, forwardMtu: mtuLocked ? mtu : own, bound: bounds[i] }
    })
    const [{ bound: _, ...first }] = paths
    return paths.length === 1 ? { ...route, ...first } : { ...route, ...first, paths }
  }

  // ── look-ups ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #find(key: FlowKey): Route6 | undefined {
    if (!this.#plain) return this.#byRules(key)
    const { destination, destination1, destination2, destination3, strict } = key
    if (strict === NO_LINK) return this.#at(this.#both.find(destination, destination1, destination2, destination3))
    return this.#onLink(strict, destination, destination1, destination2, destination3)
  }

  /** As the rules say; one that ends a look-up stands for a route that leads nowhere. */
  #byRules(key: FlowKey): Route6 | undefined {
    return decide(this.#ready, key, this.#inTable, END)
  }

  readonly #inTable = (table: number, key: FlowKey): Route6 | undefined => {
    const fib = this.#fibs.get(table)
    return fib && findIn(fib, key)
  }

  #at(found: number): Route6 | undefined {
    return found < 0 ? undefined : this.#both.routes[found]
  }

  /** The route to an address that means something on one device only. */
  #onLink(link: number, word0: number, word1: number, word2: number, word3: number): Route6 | undefined {
    const address = [word0, word1, word2, word3]
    for (const number of [TABLE_LOCAL, TABLE_MAIN]) {
      const fib = this.#fibs.get(number)
      const found = fib === undefined ? -1 : fib.findBy(address, link)
      if (found >= 0) return fib?.routes[found]
    }
    return undefined
  }

  #take(p: Packet, route: Route6, key: FlowKey): void {
    p.routeType = route.type
    const way = route.paths === undefined ? route : choose(route.paths, key, this.#hash)
    this.forwardMtu = way.forwardMtu ?? way.mtu
    takeWay(p, way)
    if (!this.paths.isEmpty) this.#takeLearned(p, route)
  }

  #takeLearned(p: Packet, route: Route6): void {
    p.mtu = this.paths.find(wordsOf(p), route.entry)?.mtu ?? p.mtu
  }

  // ── received packets ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Where a received packet goes. On ROUTED, p.routeType is LOCAL, ANYCAST, MULTICAST or UNICAST and p says where to;
   * otherwise the reason number for which it goes no further.
   */
  input(p: Packet): number {
    if (ipv6.isMulticast(p.destination)) return this.#inputMulticast(p)
    const route = this.#inputRoute(p)
    if (route === undefined) {
      p.routeType = type.UNSPEC
      return REASON['no-route']
    }
    this.#take(p, route, this.#key)
    switch (route.type) {
      case type.LOCAL:
      case type.ANYCAST:
        return ROUTED
      case type.UNICAST:
        return this.#forwarding ? ROUTED : REASON['not-forwarding']
      default:
        return REASON['unreachable-route']
    }
  }

  #inputRoute(p: Packet): Route6 | undefined {
    const { destination, destination1, destination2, destination3, inLink } = p
    // The loopback address too is that of a device, which nothing from outside comes in by.
    const strict =
      ipv6.isLinkLocal(destination) || ipv6.isLoopback(destination, destination1, destination2, destination3)
    if (this.#plain)
      return strict
        ? this.#onLink(inLink, destination, destination1, destination2, destination3)
        : this.#at(this.#both.find(destination, destination1, destination2, destination3))
    const key = this.#key.of(p, inLink)
    if (strict) key.strict = inLink
    return this.#byRules(key)
  }

  /** Nobody joins groups here but the kernel itself: all nodes, and all routers while it is one (RFC 4291, 2.8). */
  #inputMulticast(p: Packet): number {
    if (ipv6.multicastScope(p.destination) > ipv6.SCOPE_LINK) return REASON.broadcast
    const group = (p.destination1 | p.destination2) === 0 ? p.destination3 : 0
    if (p.destination !== LINK_GROUP || !(group === 1 || (group === 2 && this.#forwarding))) return REASON.broadcast
    p.routeType = type.MULTICAST
    return ROUTED
  }

  // ── the router's own packets ────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Where a packet of the router's own goes: outLink, nexthop, mtu and routeType of p, whose destination is the key's. Local
   * destinations go by the loopback device. An address on a link only is looked for on the device `key.outLink`.
   * @returns false when it goes nowhere
   */
  output(p: Packet, key: FlowKey): boolean {
    const { destination, destination1, destination2, destination3, outLink } = key
    this.source = undefined
    if (ipv6.isLinkLocal(destination)) key.strict = outLink
    else if (ipv6.isMulticast(destination)) {
      if (outLink === NO_LINK) return false
      p.routeType = type.MULTICAST
      p.outLink = outLink
      p.mtu = this.#links.at(outLink).mtu
      setNexthop(p, destination, destination1, destination2, destination3)
      return true
    }
    const route = this.#find(key)
    if (route === undefined) return false
    this.#take(p, route, key)
    this.source = route.source
    if (route.type === type.LOCAL || route.type === type.ANYCAST) {
      p.outLink = LOOPBACK
      p.mtu = this.#links.at(LOOPBACK).mtu
      return true
    }
    return route.type === type.UNICAST
  }

  /**
   * An error says that the path of a packet of the router's own has this MTU (__ip6_rt_update_pmtu): a larger one is no news, and one
   * below 1280 is not believed.
   * @param p takes the look-up's result
   * @param key the look-up of that packet
   */
  learnMtu(p: Packet, key: FlowKey, mtu: number): void {
    if (mtu < ipv6.MIN_MTU || !this.output(p, key) || p.routeType !== type.UNICAST || mtu >= p.mtu) return
    const route = this.#find(key)
    if (!route?.entry?.mtuLocked) this.paths.learn(wordsOf(key), route?.entry, mtu, false)
  }

  /** The route that a look-up finds, whatever comes of it; of equal ones that of the device `key.outLink`. */
  find(key: FlowKey): Route6 | undefined {
    return this.#byRules(key)
  }

  // ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The source address that fits a destination best (RFC 6724, 5), out of a device; undefined when the router has none. Link-local
   * and multicast destinations are spoken to by addresses of that device only.
   */
  selectSource(link: number, destination: readonly number[]): readonly number[] | undefined {
    const here = ipv6.isLinkLocal(destination[0]) || ipv6.isMulticast(destination[0])
    return bestSource(here ? this.#candidates.filter((own) => own.link === link) : this.#candidates, link, destination)
  }

  /** A device's addresses in the order in which Linux keeps them: the widest scope first, the newest of equals first. */
  addressesOf(link: number): readonly (readonly number[])[] {
    return this.#candidates.filter((own) => own.link === link).map(({ address }) => address)
  }

  /** The link-local address of a device, by which it speaks to neighbours. */
  linkLocalOf(link: number): readonly number[] | undefined {
    return this.addressesOf(link).find(([word0]) => ipv6.isLinkLocal(word0))
  }

  /** Whether a device has this very address. */
  hasAddress(link: number, address: readonly number[]): boolean {
    return this.#links.at(link).addresses6.some((own) => equal6(own.address, address))
  }

  /**
   * Type of an address as the local table sees it (what addrtype asks): LOCAL, ANYCAST, MULTICAST, UNSPEC or UNICAST.
   * @param link the address has to be that device's; 0 for any
   */
  addressType(word0: number, word1: number, word2: number, word3: number, link: number): number {
    if (ipv6.isMulticast(word0)) return type.MULTICAST
    if (ipv6.isUnspecified(word0, word1, word2, word3)) return type.UNSPEC
    const found = this.#local.find(word0, word1, word2, word3)
    if (found < 0) return type.UNICAST
    const route = this.#local.routes[found]
    return link === NO_LINK || route.link === link ? route.type : type.UNICAST
  }

  /**
   * Whether no route leads to an address, or one that says so.
   * @param link only that device's routes count; all where it is 0
   */
  isUnreachable(word0: number, word1: number, word2: number, word3: number, link: number): boolean {
    if (ipv6.isMulticast(word0)) return false
    const key = this.#key.to6(word0, word1, word2, word3)
    key.outLink = link
    key.strict = link
    const route = this.#find(key)
    return route === undefined || route.type > type.MULTICAST
  }
}

/** ff02::/16, the groups of a link. */
const LINK_GROUP = 0xff020000 | 0

const END = ends<Route6>({
  network: [0, 0, 0, 0],
  prefixLength: 0,
  link: NO_LINK,
  gateway: undefined,
  source: undefined,
  mtu: 0,
  metric: 0,
})

function findIn(fib: Fib6, key: FlowKey): Route6 | undefined {
  const { destination, destination1, destination2, destination3, strict, outLink } = key
  const address = () => [destination, destination1, destination2, destination3]
  if (strict !== NO_LINK) return fib.routes[fib.findBy(address(), strict)]
  const found = fib.routes[fib.find(destination, destination1, destination2, destination3)]
  if (outLink === NO_LINK || found === undefined || found.link === outLink) return found
  // Of routes that are equal but for their devices that by the one that is asked for.
  const beside = fib.routes[fib.findBy(address(), outLink)]
  return beside?.link === outLink && beside.prefixLength === found.prefixLength ? beside : found
}

function candidatesOf(link: Link): Candidate[] {
  const own: Candidate[] = []
  for (const { address, prefixLength } of link.addresses6) {
    const wide = !ipv6.isLinkLocal(address[0])
    const before = wide ? 0 : own.findIndex((other) => ipv6.isLinkLocal(other.address[0]))
    own.splice(before < 0 ? own.length : before, 0, { address, prefixLength, link: link.index })
  }
  return own
}

function wordsOf({ destination, destination1, destination2, destination3 }: FlowKey | Packet): readonly number[] {
  return [destination, destination1, destination2, destination3]
}

function takeWay(p: Packet, { link, gateway, mtu }: Path6 | Route6): void {
  p.outLink = link
  p.mtu = mtu
  if (gateway === undefined) setNexthop(p, p.destination, p.destination1, p.destination2, p.destination3)
  else setNexthop(p, gateway[0], gateway[1], gateway[2], gateway[3])
}

function setNexthop(p: Packet, word0: number, word1: number, word2: number, word3: number): void {
  p.nexthop = word0
  p.nexthop1 = word1
  p.nexthop2 = word2
  p.nexthop3 = word3
}
