// Routing for IPv6: Linux's local table first, then the main one, each by longest prefix. An address on a link only
// (fe80::/10, multicast) is looked for on the device that the packet came in by, as a look-up with a strict device does. There are
// neither martian sources nor a reverse path filter in IPv6.
//
// The local table holds the router's own addresses, and for each prefix with room the subnet-router anycast address (RFC 4291,
// 2.6.1) while the router forwards.

import { type Link, type Links, LOOPBACK, NO_LINK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import { REASON } from '../packet/reason.ts'
import type { Sysctl } from '../sysctl.ts'
import { commonBits6, equal6, maskWords6 } from '../wire/address6.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { Fib6, type Route6 } from './fib6.ts'
import { ROUTED } from './routing.ts'
import { bestSource, type Candidate } from './source6.ts'
import * as type from './type.ts'

/** Metrics of routes that have none of their own (IP6_RT_PRIO_USER) and of connected prefixes (IP6_RT_PRIO_ADDRCONF). */
const USER_METRIC = 1024
const CONNECTED_METRIC = 256
const LOOPBACK_ADDRESS: readonly number[] = [0, 0, 0, 1]
/** Prefixes with fewer host bits have no subnet-router anycast address (RFC 6164). */
const ANYCAST_MAX = 126

export class Routing6 {
  /** Preferred source of the last output look-up's route. */
  source: readonly number[] | undefined
  readonly local: Fib6
  readonly main: Fib6
  /** Both tables, the local one first. */
  readonly #tables: Fib6
  readonly #links: Links
  readonly #forwarding: boolean
  readonly #candidates: readonly Candidate[]

  constructor(links: Links, routes: readonly Route6[], sysctl: Sysctl) {
    this.#links = links
    this.#forwarding = sysctl['net.ipv6.conf.all.forwarding'] !== 0
    const local: Route6[] = [at(LOOPBACK_ADDRESS, 128, type.LOCAL, LOOPBACK)]
    const connected: Route6[] = []
    for (const link of links.all) {
      for (const own of link.addresses6) {
        const { address, prefixLength, peer } = own
        local.push(at(address, 128, type.LOCAL, link.index))
        connected.push(at(peer ?? address, prefixLength, type.UNICAST, link.index))
        if (peer !== undefined && prefixLength < 128) continue
        if (this.#forwarding && prefixLength <= ANYCAST_MAX)
          local.push(at(masked(address, prefixLength), 128, type.ANYCAST, link.index))
      }
    }
    const given = routes.map((r) => (r.metric === 0 ? { ...r, metric: USER_METRIC } : r))
    const whole = (r: Route6) => (r.mtu !== 0 || r.link === NO_LINK ? r : { ...r, mtu: links.at(r.link).mtu })
    const localTable = [...local, ...given.filter((r) => r.type === type.LOCAL)].map(whole)
    const mainTable = [...connected, ...given.filter((r) => r.type !== type.LOCAL)].map(whole)
    this.local = new Fib6(localTable)
    this.main = new Fib6(mainTable)
    this.#tables = new Fib6(localTable, mainTable)
    this.#candidates = links.all.flatMap(candidatesOf)
  }

  /**
   * Where a received packet goes. On ROUTED, p.routeType is LOCAL, ANYCAST, MULTICAST or UNICAST and p says where to;
   * otherwise the reason number for which it goes no further.
   */
  input(p: Packet): number {
    if (ipv6.isMulticast(p.destination)) return this.#inputMulticast(p)
    const route = ipv6.isLinkLocal(p.destination)
      ? this.#onLink(p.inLink, p.destination, p.destination1, p.destination2, p.destination3)
      : this.#at(this.#tables.find(p.destination, p.destination1, p.destination2, p.destination3))
    if (route === undefined) {
      p.routeType = type.UNSPEC
      return REASON['no-route']
    }
    take(p, route)
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

  /** Nobody joins groups here but the kernel itself: all nodes, and all routers while it is one (RFC 4291, 2.8). */
  #inputMulticast(p: Packet): number {
    if (ipv6.multicastScope(p.destination) > ipv6.SCOPE_LINK) return REASON.broadcast
    const group = (p.destination1 | p.destination2) === 0 ? p.destination3 : 0
    if (p.destination !== LINK_GROUP || !(group === 1 || (group === 2 && this.#forwarding))) return REASON.broadcast
    p.routeType = type.MULTICAST
    return ROUTED
  }

  #at(found: number): Route6 | undefined {
    return found < 0 ? undefined : this.#tables.routes[found]
  }

  /** The route to an address that means something on one device only. */
  #onLink(link: number, word0: number, word1: number, word2: number, word3: number): Route6 | undefined {
    const address = [word0, word1, word2, word3]
    for (const table of [this.local, this.main]) {
      let best: Route6 | undefined
      for (const route of table.routes) {
        if (route.link !== link || commonBits6(route.network, address) < route.prefixLength) continue
        const longer = best === undefined || route.prefixLength > best.prefixLength
        if (longer || (route.prefixLength === best?.prefixLength && route.metric < best.metric)) best = route
      }
      if (best !== undefined) return best
    }
    return undefined
  }

  /**
   * The route back to a packet's source: of equally long ones that of the device that the packet came in by, and for
   * addresses that mean something on one device only no other device's.
   */
  back(word0: number, word1: number, word2: number, word3: number, link: number): Route6 | undefined {
    if (ipv6.isLinkLocal(word0)) return this.#onLink(link, word0, word1, word2, word3)
    const found = this.#at(this.#tables.find(word0, word1, word2, word3))
    if (found === undefined || found.link === link || found.type === type.LOCAL) return found
    const beside = ({ network, prefixLength, link: its }: Route6) =>
      its === link && prefixLength === found.prefixLength && equal6(network, found.network)
    return this.main.routes.find(beside) ?? found
  }

  /**
   * Where a packet of the router's own to p's destination goes: outLink, nexthop, mtu and routeType of p. Local destinations go
   * by the loopback device.
   * @param link the device for destinations that mean something on one device only; otherwise any is right
   * @returns false when it goes nowhere
   */
  output(p: Packet, link: number): boolean {
    const { destination, destination1, destination2, destination3 } = p
    if (ipv6.isLinkLocal(destination) && link !== NO_LINK) return this.outputBy(p, link)
    this.source = undefined
    if (ipv6.isMulticast(destination)) {
      if (link === NO_LINK) return false
      p.routeType = type.MULTICAST
      p.outLink = link
      p.mtu = this.#links.at(link).mtu
      setNexthop(p, destination, destination1, destination2, destination3)
      return true
    }
    return this.#takeOutput(p, this.#at(this.#tables.find(destination, destination1, destination2, destination3)))
  }

  /** The same by routes of one device alone. */
  outputBy(p: Packet, link: number): boolean {
    return this.#takeOutput(p, this.#onLink(link, p.destination, p.destination1, p.destination2, p.destination3))
  }

  #takeOutput(p: Packet, route: Route6 | undefined): boolean {
    this.source = undefined
    if (route === undefined) return false
    take(p, route)
    this.source = route.source
    if (route.type === type.LOCAL || route.type === type.ANYCAST) {
      p.outLink = LOOPBACK
      p.mtu = this.#links.at(LOOPBACK).mtu
      return true
    }
    return route.type === type.UNICAST
  }

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
    const found = this.local.find(word0, word1, word2, word3)
    if (found < 0) return type.UNICAST
    const route = this.local.routes[found]
    return link === NO_LINK || route.link === link ? route.type : type.UNICAST
  }
}

/** ff02::/16, the groups of a link. */
const LINK_GROUP = 0xff020000 | 0

function at(address: readonly number[], prefixLength: number, kind: number, link: number): Route6 {
  const network = masked(address, prefixLength)
  return {
    network,
    prefixLength,
    type: kind,
    link,
    gateway: undefined,
    source: undefined,
    mtu: 0,
    metric: CONNECTED_METRIC,
  }
}

function masked(address: readonly number[], prefixLength: number): readonly number[] {
  const mask = maskWords6(prefixLength)
  return address.map((word, i) => word & mask[i])
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

function take(p: Packet, route: Route6): void {
  p.routeType = route.type
  p.outLink = route.link
  p.mtu = route.mtu
  const { gateway } = route
  if (gateway === undefined) setNexthop(p, p.destination, p.destination1, p.destination2, p.destination3)
  else setNexthop(p, gateway[0], gateway[1], gateway[2], gateway[3])
}

function setNexthop(p: Packet, word0: number, word1: number, word2: number, word3: number): void {
  p.nexthop = word0
  p.nexthop1 = word1
  p.nexthop2 = word2
  p.nexthop3 = word3
}
