// `ip route`: the routes of a router, shown and changed. What is refused is refused in Linux's words.

import { LOOPBACK } from '../../device/link.ts'
import {
  type Words as Address,
  type Hop,
  holds,
  PROTOCOL_BOOT,
  type RouteEntry,
  SCOPE_GLOBAL,
  SCOPE_HOST,
  SCOPE_LINK,
  sameKey,
  sameWords,
  TABLE_LOCAL,
  TABLE_MAIN,
} from '../entry.ts'
import type { Insertion } from '../tables.ts'
import * as type from '../type.ts'
import { type Family, masked, readPrefix } from './prefix.ts'
import { getRoute } from './route-get.ts'
import { listRoutes, selected } from './route-list.ts'
import { type HopWords, type RouteWords, readRoute } from './route-words.ts'
import { type How, type IpRouter, linkOf, planeOf } from './router.ts'
import { answered, IpFault, refused, USAGE, Words } from './words.ts'

/** Metric of IPv6 routes that have none of their own (IP6_RT_PRIO_USER). */
const USER_METRIC_6 = 1024

const CHANGES: Readonly<Record<string, Insertion>> = {
  add: 'add',
  a: 'add',
  change: 'change',
  chg: 'change',
  replace: 'replace',
  append: 'append',
  prepend: 'prepend',
}

export function routeCommand(router: IpRouter, args: readonly string[], how: How): string {
  const [command = 'list', ...rest] = args
  const isSix = rest.some((word) => word.includes(':') && readPrefix(word, 6) !== undefined)
  const family = how.family ?? (isSix ? 6 : 4)
  const change = CHANGES[command]
  if (change !== undefined) {
    if (rest.length === 0) throw new IpFault('Usage: ip route { add | del | change | append | replace } ROUTE\n', USAGE)
    insert(router, family, readRoute(new Words(rest), family, router.names), change)
    return ''
  }
  switch (command) {
    case 'delete':
    case 'del':
    case 'd':
      remove(router, family, readRoute(new Words(rest), family, router.names))
      return ''
    case 'flush': {
      if (rest.length === 0) throw new IpFault('"ip route flush" requires arguments.\n', 1)
      const gone = new Set(selected(router, rest, family).entries)
      planeOf(router, family).tables.drop((entry) => gone.has(entry))
      planeOf(router, family).renew()
      return ''
    }
    case 'get':
    case 'g':
      return getRoute(router, rest, family, how)
    case 'list':
    case 'lst':
    case 'show':
    case 'sh':
    case 's':
    case 'l':
    case 'ls':
      return listRoutes(router, rest, family, how)
    default:
      throw new IpFault(`Command "${command}" is unknown, try "ip route help".\n`, USAGE)
  }
}

// ── added ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function insert(router: IpRouter, family: Family, said: RouteWords, how: Insertion): void {
  const plane = planeOf(router, family)
  const entry = entryOf(router, family, said)
  const before = plane.tables.entries(entry.table).find((other) => sameKey(other, entry))
  // IPv6's routes by gateways to the same prefix are ways of one route.
  const joins = family === 6 && (how === 'append' || how === 'prepend') && before !== undefined
  const refusal =
    joins && [...before.hops, ...entry.hops].every(({ via }) => via !== undefined)
      ? plane.tables.insert({ ...before, hops: [...before.hops, ...entry.hops] }, 'replace')
      : plane.tables.insert(entry, how)
  if (refusal !== undefined) throw answered(refusal)
  plane.renew()
}

function entryOf(router: IpRouter, family: Family, said: RouteWords): RouteEntry {
  const kind = said.type ?? type.UNICAST
  const own = kind === type.LOCAL || kind === type.BROADCAST || kind === type.ANYCAST
  const table = said.table ?? (own ? TABLE_LOCAL : TABLE_MAIN)
  if (family === 4 && !sameWords(said.to.network, masked(said.to)))
    throw refused('Invalid prefix for given prefix length.')
  const given = said.nexthops.length > 0 ? said.nexthops : [said.hop]
  const leads = !type.leadsNowhere(kind)
  const hops = leads ? given.map((hop) => hopOf(router, family, hop, table, kind)) : []
  const bare = said.nexthops.length === 0 && said.hop.via === undefined
  const near = kind === type.LOCAL ? SCOPE_HOST : own || (kind === type.UNICAST && bare) ? SCOPE_LINK : SCOPE_GLOBAL
  const { source } = said
  if (source !== undefined && !isOwn(router, source))
    throw refused(family === 4 ? 'Invalid prefsrc address.' : 'Invalid source address.')
  return {
    table,
    network: masked(said.to),
    prefixLength: said.to.length,
    type: kind,
    hops,
    source,
    mtu: said.mtu ?? 0,
    mtuLocked: said.mtuLocked ?? false,
    advmss: said.advmss ?? 0,
    metric: family === 6 ? said.metric || USER_METRIC_6 : (said.metric ?? 0),
    protocol: said.protocol ?? PROTOCOL_BOOT,
    scope: family === 6 ? SCOPE_GLOBAL : (said.scope ?? near),
  }
}

function isOwn({ routing, routing6 }: IpRouter, address: Address): boolean {
  return address.length === 1
    ? routing.addressType(address[0], 0) === type.LOCAL
    : routing6.addressType(address[0], address[1], address[2], address[3], 0) === type.LOCAL
}

function hopOf(router: IpRouter, family: Family, hop: HopWords, table: number, kind: number): Hop {
  const { via, dev, weight = 1, onLink = false } = hop
  const device = dev === undefined ? 0 : linkOf(router, dev)
  if (via === undefined) {
    if (device === 0) throw answered('ENODEV')
    // What is the router's own in IPv6 goes by the loopback device, whatever is said.
    return { link: family === 6 && kind === type.LOCAL ? LOOPBACK : device, weight, onLink: false }
  }
  if (onLink) {
    if (device === 0) throw refused('Nexthop device required for onlink.')
    return { link: device, via, weight, onLink }
  }
  const link = family === 4 ? gatewayLink(router, via, device, table) : gatewayLink6(router, via, device, table)
  return { link, via, weight, onLink }
}

/** The device by which a gateway is reached: by a route that needs no other gateway. */
function gatewayLink({ routing }: IpRouter, via: Address, device: number, table: number): number {
  const near = (entry: RouteEntry) => entry.scope >= SCOPE_LINK
  const found = nearest(routing.tables.entries.bind(routing.tables), table, via, device, near)
  if (found === undefined || (found.type !== type.UNICAST && found.type !== type.LOCAL))
    throw refused('Nexthop has invalid gateway.')
  return found.hops[0].link
}

function gatewayLink6({ routing6 }: IpRouter, via: Address, device: number, table: number): number {
  if (isLinkLocal(via)) {
    if (device === 0) throw refused('Egress device not specified.')
    return device
  }
  const found = nearest(routing6.tables.entries.bind(routing6.tables), table, via, device, () => true)
  if (found?.type === type.LOCAL) throw refused('Gateway can not be a local address.')
  if (found?.type !== type.UNICAST || found.hops[0].via !== undefined) throw answered('EHOSTUNREACH')
  return found.hops[0].link
}

function isLinkLocal([word0]: Address): boolean {
  return word0 >>> 22 === 0xfe80 >>> 6
}

/** The longest prefix that holds an address in the first of the tables that has one. */
function nearest(
  entries: (table: number) => readonly RouteEntry[],
  table: number,
  address: Address,
  device: number,
  counts: (entry: RouteEntry) => boolean,
): RouteEntry | undefined {
  const tables = table === TABLE_MAIN || table === TABLE_LOCAL ? [] : [table]
  for (const number of [...tables, TABLE_LOCAL, TABLE_MAIN]) {
    let best: RouteEntry | undefined
    for (const entry of entries(number)) {
      if (!holds(entry.network, entry.prefixLength, address) || !counts(entry)) continue
      if (device !== 0 && !entry.hops.some(({ link }) => link === device)) continue
      if (best === undefined || entry.prefixLength > best.prefixLength) best = entry
    }
    if (best !== undefined) return best
  }
  return undefined
}

// ── taken away ────────────────────────────────────────────────────────────────────────────────────────────────────────

function remove(router: IpRouter, family: Family, said: RouteWords): void {
  const plane = planeOf(router, family)
  const own = said.type === type.LOCAL || said.type === type.BROADCAST || said.type === type.ANYCAST
  const table = said.table ?? (own ? TABLE_LOCAL : TABLE_MAIN)
  const ways = said.nexthops.length > 0 ? said.nexthops : [said.hop]
  const way = (hop: Hop, wanted: HopWords) =>
    (wanted.via === undefined || (hop.via !== undefined && sameWords(hop.via, wanted.via))) &&
    (wanted.dev === undefined || hop.link === linkOf(router, wanted.dev))
  const some = ways.some(({ via, dev }) => via !== undefined || dev !== undefined)
  const fits = (entry: RouteEntry) =>
    entry.prefixLength === said.to.length &&
    sameWords(entry.network, masked(said.to)) &&
    (said.type === undefined || said.type === entry.type) &&
    (said.metric === undefined || said.metric === 0 || said.metric === entry.metric) &&
    (said.protocol === undefined || said.protocol === entry.protocol) &&
    (said.scope === undefined || said.scope === entry.scope) &&
    (said.source === undefined || (entry.source !== undefined && sameWords(said.source, entry.source))) &&
    (!some || ways.every((wanted) => entry.hops.some((hop) => way(hop, wanted))))
  // Of an IPv6 route one way alone may go.
  const shared = plane.tables.entries(table).find((entry) => fits(entry) && entry.hops.length > 1)
  let refusal: string | undefined
  if (family === 6 && shared !== undefined && said.nexthops.length === 0 && said.hop.via !== undefined)
    refusal = plane.tables.insert({ ...shared, hops: shared.hops.filter((hop) => !way(hop, said.hop)) }, 'replace')
  else refusal = plane.tables.remove(table, fits)
  if (refusal !== undefined) throw answered(refusal)
  plane.renew()
}
