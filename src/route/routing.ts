// Routing: Linux's local table first, then the main one, each by longest prefix. What an input look-up finds wrong with
// addresses (martians, reverse path) follows ip_route_input and fib_validate_source. The result of a look-up is left in
// the fields of this object, valid until the next one, so that looking up allocates nothing.

import { type Link, type Links, LOOPBACK, NO_LINK } from '../device/link.ts'
import { REASON } from '../packet/reason.ts'
import type { Sysctl } from '../sysctl.ts'
import { maskOf } from '../wire/address.ts'
import * as ip from '../wire/ipv4.ts'
import { Fib, type Route } from './fib.ts'
import * as type from './type.ts'

/** What an input look-up says when the packet may go on. */
export const ROUTED = -1

export class Routing {
  // The last look-up's result.
  type = type.UNSPEC
  link = NO_LINK
  /** Next hop: the gateway, or the destination itself. */
  nexthop = 0
  mtu = 0
  /** Preferred source, 0 where the route names none. */
  source = 0

  readonly local: Fib
  readonly main: Fib
  readonly #links: Links
  /** The addresses that devices have; the loopback device has 127.0.0.1. */
  readonly #own = new Set<number>([ip.LOOPBACK_ADDRESS])
  readonly #forwarding: boolean
  readonly #rpFilter: number
  readonly #routeLocalnet: boolean

  constructor(links: Links, routes: readonly Route[], sysctl: Sysctl) {
    this.#links = links
    this.#forwarding = sysctl['net.ipv4.ip_forward'] !== 0
    this.#rpFilter = sysctl['net.ipv4.conf.all.rp_filter']
    this.#routeLocalnet = sysctl['net.ipv4.conf.all.route_localnet'] !== 0
    const local: Route[] = [at(ip.LOOPBACK_ADDRESS & maskOf(8), 8, type.LOCAL, LOOPBACK, ip.LOOPBACK_ADDRESS)]
    const connected: Route[] = []
    for (const link of links.all) {
      for (const own of link.addresses) {
        this.#own.add(own.address)
        local.push(at(own.address, 32, type.LOCAL, link.index, own.address))
        if (link.index === LOOPBACK) continue
        const network = (own.peer ?? own.address) & maskOf(own.prefixLength)
        connected.push(at(network, own.prefixLength, type.UNICAST, link.index, own.address))
        if (own.prefixLength < 31 && own.peer === undefined)
          local.push(at(network | ~maskOf(own.prefixLength), 32, type.BROADCAST, link.index, own.address))
      }
    }
    const whole = (r: Route) => (r.mtu !== 0 || r.link === NO_LINK ? r : { ...r, mtu: links.at(r.link).mtu })
    this.local = new Fib([...local, ...routes.filter((r) => r.type === type.LOCAL)].map(whole))
    this.main = new Fib([...connected, ...routes.filter((r) => r.type !== type.LOCAL)].map(whole))
  }

  /** Local table, then main; false when there is no route at all. */
  #find(destination: number): boolean {
    let route = this.local.find(destination)
    if (route >= 0) return this.#take(this.local.routes[route], destination)
    route = this.main.find(destination)
    if (route >= 0) return this.#take(this.main.routes[route], destination)
    this.type = type.UNSPEC
    this.link = NO_LINK
    return false
  }

  #take(route: Route, destination: number): boolean {
    this.type = route.type
    this.link = route.link
    this.nexthop = route.gateway === 0 ? destination : route.gateway
    this.source = route.source
    this.mtu = route.mtu
    return true
  }

  #takeLocal(found: number, link: number): number {
    this.type = found
    this.link = link
    this.nexthop = 0
    this.mtu = 0
    this.source = 0
    return ROUTED
  }

  /**
   * Where a received packet goes. On ROUTED, `type` is LOCAL, BROADCAST, MULTICAST or UNICAST and the other fields say
   * where to; otherwise the reason number for which it goes no further.
   */
  input(destination: number, source: number, inLink: number): number {
    if (ip.isMulticast(source) || source === ip.BROADCAST_ADDRESS) return REASON['martian-source']
    if (destination === ip.BROADCAST_ADDRESS || (source === 0 && destination === 0)) {
      // Who has no address yet (DHCP) has none to be judged.
      const wrong = source === 0 ? ROUTED : this.#checkSource(source, inLink)
      return wrong === ROUTED ? this.#takeLocal(type.BROADCAST, inLink) : wrong
    }
    if (source === 0) return REASON['martian-source']
    if (destination === 0) return REASON['martian-destination']
    if (inLink !== LOOPBACK && !this.#routeLocalnet) {
      if (ip.isLoopback(destination)) return REASON['martian-destination']
      if (ip.isLoopback(source)) return REASON['martian-source']
    }
    if (ip.isMulticast(destination)) {
      // Nobody joins groups here but the kernel's own membership in "all hosts" (RFC 1112, 4).
      if (destination !== ip.ALL_HOSTS) return REASON.broadcast
      const wrong = this.#checkSource(source, inLink)
      return wrong === ROUTED ? this.#takeLocal(type.MULTICAST, inLink) : wrong
    }
    // The source is judged first, so that the result fields are the destination's in the end; a route that is missing
    // wins over a source that is wrong, as in Linux.
    const wrong = this.#checkSource(source, inLink)
    if (!this.#find(destination)) return this.#forwarding ? REASON['no-route'] : REASON['not-forwarding']
    switch (this.type) {
      case type.LOCAL:
      case type.BROADCAST:
        return wrong
      case type.UNICAST:
        return this.#forwarding ? wrong : REASON['not-forwarding']
      default:
        return this.#forwarding ? REASON['unreachable-route'] : REASON['not-forwarding']
    }
  }

  /** fib_validate_source: an own address never comes from outside; rp_filter 1 wants the best way back, 2 any way. */
  #checkSource(source: number, inLink: number): number {
    if (inLink === LOOPBACK) return ROUTED
    // The table is asked first: it says no with one read, where the set takes 20 ns.
    if (this.local.find(source) >= 0 && this.#own.has(source)) return REASON['martian-source']
    if (this.#rpFilter === 0) return ROUTED
    if (!this.#find(source)) return REASON['reverse-path']
    if (this.type !== type.UNICAST) return REASON['martian-source']
    // Loose means: any way back, but for a device that has no address of its own.
    const strict = this.#rpFilter === 1 || this.#links.at(inLink).addresses.length === 0
    return strict && this.link !== inLink ? REASON['reverse-path'] : ROUTED
  }

  /** Where a packet of the router's own goes; false when nowhere. Local destinations go by the loopback device. */
  output(destination: number): boolean {
    if (destination === ip.BROADCAST_ADDRESS || ip.isMulticast(destination)) {
      // Without a socket that names a device there is only the default route to choose one.
      const route = this.main.find(destination)
      if (route < 0) return false
      this.#take(this.main.routes[route], destination)
      this.type = destination === ip.BROADCAST_ADDRESS ? type.BROADCAST : type.MULTICAST
      return true
    }
    if (!this.#find(destination)) return false
    if (this.type === type.LOCAL) {
      this.link = LOOPBACK
      this.mtu = this.#links.at(LOOPBACK).mtu
      return true
    }
    return this.type === type.UNICAST || this.type === type.BROADCAST
  }

  /** The source that the router's own packets by the last look-up's route carry; 0 when it has no address. */
  get preferredSource(): number {
    return this.source !== 0 ? this.source : this.selectSource(this.link, this.nexthop)
  }

  /**
   * The address of a link that fits a next hop: the first primary address whose prefix holds it, else the first one,
   * else that of another link (inet_select_addr). 0 when there is none.
   */
  selectSource(link: number, nexthop: number): number {
    let first = 0
    if (link !== NO_LINK) {
      for (const own of this.#links.at(link).addresses) {
        const mask = maskOf(own.prefixLength)
        if (isSecondary(this.#links.at(link), own.address, mask)) continue
        if ((((own.peer ?? own.address) ^ nexthop) & mask) === 0) return own.address
        if (first === 0) first = own.address
      }
    }
    if (first !== 0) return first
    for (const other of this.#links.all) {
      if (other.index !== LOOPBACK && other.addresses.length > 0) return other.addresses[0].address
    }
    return 0
  }

  /** Type of an address as the local table sees it (what addrtype asks); `link` 0 for any. */
  addressType(address: number, link: number): number {
    if (address === 0 || address === ip.BROADCAST_ADDRESS) return type.BROADCAST
    if (ip.isMulticast(address)) return type.MULTICAST
    const found = this.local.find(address)
    if (found < 0) return type.UNICAST
    const route = this.local.routes[found]
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

function at(network: number, prefixLength: number, kind: number, link: number, source: number): Route {
  return { network, prefixLength, type: kind, link, gateway: 0, source, mtu: 0, metric: 0 }
}

/** An address in the same prefix as an earlier one of the link is a secondary one. */
function isSecondary(link: Link, address: number, mask: number): boolean {
  for (const own of link.addresses) {
    if (own.address === address) return false
    if (maskOf(own.prefixLength) === mask && ((own.address ^ address) & mask) === 0) return true
  }
  return false
}
