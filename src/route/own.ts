// The routes that the kernel makes of a device's addresses (fib_add_ifaddr, addrconf): to the address itself, to the prefix on the
// link, and to what goes to all on it.

import { type Link, type LinkAddress, type LinkAddress6, LOOPBACK } from '../device/link.ts'
import { maskOf } from '../wire/address.ts'
import { maskWords6 } from '../wire/address6.ts'
import {
  PROTOCOL_KERNEL,
  type RouteEntry,
  SCOPE_GLOBAL,
  SCOPE_HOST,
  SCOPE_LINK,
  TABLE_LOCAL,
  TABLE_MAIN,
  type Words,
} from './entry.ts'
import * as type from './type.ts'

/** Prefixes with fewer host bits have no subnet-router anycast address (RFC 6164). */
const ANYCAST_MAX = 126
/** Metric of a connected prefix in IPv6 (IP6_RT_PRIO_ADDRCONF). */
const CONNECTED_METRIC = 256

/** An address in the same prefix as an earlier one of the link is a secondary one; this is the earlier one. */
export function primaryOf(link: Link, own: LinkAddress): LinkAddress {
  const mask = maskOf(own.prefixLength)
  const isBeside = (other: LinkAddress) =>
    other.prefixLength === own.prefixLength &&
    (((other.peer ?? other.address) ^ (own.peer ?? own.address)) & mask) === 0
  for (const other of link.addresses) {
    if (other === own) return own
    if (isBeside(other)) return other
  }
  return own
}

/** @param link has the address */
export function ownRoutes(link: Link, own: LinkAddress): RouteEntry[] {
  const primary = primaryOf(link, own)
  const source = [primary.address]
  const made = [route(link, [own.address], 32, type.LOCAL, source)]
  const mask = maskOf(own.prefixLength)
  const network = (own.peer ?? own.address) & mask
  if (primary !== own || network >>> 24 === 0 || (own.prefixLength === 32 && network === own.address)) return made
  const prefix = link.index === LOOPBACK ? type.LOCAL : type.UNICAST
  made.push(route(link, [network], own.prefixLength, prefix, source))
  if (own.prefixLength < 31) made.push(route(link, [network | ~mask], 32, type.BROADCAST, source))
  return made
}

/** @param forwarding a router is one of those that the subnet-router anycast address means (RFC 4291, 2.6.1) */
export function ownRoutes6(link: Link, own: LinkAddress6, forwarding: boolean): RouteEntry[] {
  const { address, prefixLength, peer } = own
  const made = [route(link, address, 128, type.LOCAL)]
  if (link.index === LOOPBACK) return made
  made.push(route(link, masked(peer ?? address, prefixLength), prefixLength, type.UNICAST))
  if (forwarding && prefixLength <= ANYCAST_MAX && peer === undefined)
    made.push(route(link, masked(address, prefixLength), 128, type.ANYCAST))
  return made
}

/** ff00::/8, on a device that speaks IPv6. */
export function multicastRoute6(link: Link): RouteEntry {
  return route(link, [0xff000000 | 0, 0, 0, 0], 8, type.MULTICAST)
}

function masked(address: Words, prefixLength: number): Words {
  const mask = maskWords6(prefixLength)
  return address.map((word, i) => word & mask[i])
}

function route(link: Link, network: Words, prefixLength: number, kind: number, source?: Words): RouteEntry {
  const six = network.length === 4
  return {
    table: kind === type.UNICAST ? TABLE_MAIN : TABLE_LOCAL,
    network,
    prefixLength,
    type: kind,
    hops: [{ link: link.index, weight: 1, onLink: false }],
    source,
    mtu: 0,
    mtuLocked: false,
    advmss: 0,
    metric: six && (kind === type.UNICAST || kind === type.MULTICAST) ? CONNECTED_METRIC : 0,
    protocol: PROTOCOL_KERNEL,
    scope: six ? SCOPE_GLOBAL : kind === type.LOCAL ? SCOPE_HOST : SCOPE_LINK,
  }
}
