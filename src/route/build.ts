// From a configuration to links and routes. What Linux would refuse is refused here, by name: an address that is none, a
// next hop that no link reaches, a device that is not there.

import type { DeviceConfig, NextHopConfig, RouteConfig, RouterConfig } from '../config.ts'
import type { Device } from '../device/device.ts'
import { LINK_COUNTERS, Link, Links, LOOPBACK } from '../device/link.ts'
import { TunfilterError } from '../errors.ts'
import { deviceSysctl, type Sysctl } from '../sysctl.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { type IpProtocols, type Names, TableNames } from './command/names.ts'
import { type Family, masked, type Prefix, readAddress, readPrefix } from './command/prefix.ts'
import { readRule, ruleOf } from './command/rule-words.ts'
import { Words } from './command/words.ts'
import {
  type Words as Address,
  type Hop,
  holds,
  PROTOCOL_BOOT,
  type RouteEntry,
  SCOPE_GLOBAL,
  SCOPE_HOST,
  SCOPE_LINK,
  sameWords,
  TABLE_LOCAL,
  TABLE_MAIN,
} from './entry.ts'
import { multicastRoute6, ownRoutes, ownRoutes6 } from './own.ts'
import { PolicyRules } from './policy.ts'
import { parseLinkAddress } from './prefix.ts'
import { isIPv6, parseLinkAddress6 } from './prefix6.ts'
import { RouteTables } from './tables.ts'
import * as type from './type.ts'

const DEFAULT_MTU = 1500
const LOOPBACK_MTU = 65_535

function refuse(message: string): never {
  throw new TunfilterError('ERR_CONFIG', message)
}

/** The loopback device, then every configured one in the configuration's order. */
export function buildLinks(config: RouterConfig, devices: ReadonlyMap<string, Device>): Links {
  const links = new Links()
  const names = Object.keys(config.devices)
  const counters = new SharedArrayBuffer((names.length + 1) * LINK_COUNTERS * 8)
  const countersOf = (i: number) => new Float64Array(counters, i * LINK_COUNTERS * 8, LINK_COUNTERS)
  links.add(new Link(1, 'lo', LOOPBACK_MTU, [], undefined, countersOf(0)))
  names.forEach((name, i) => {
    const device = devices.get(name) ?? refuse(`devices: '${name}' is configured, but no such device was handed in`)
    links.add(buildLink(i + 2, name, config.devices[name], device, countersOf(i + 1)))
  })
  return links
}

function buildLink(index: number, name: string, config: DeviceConfig, device: Device, counters: Float64Array): Link {
  const { mtu = DEFAULT_MTU, addresses = [] } = config
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_535) refuse(`devices.${name}.mtu: ${mtu}: expected 68 to 65535`)
  const wrong = (text: string, example: string) => refuse(`devices.${name}.addresses: '${text}': expected ${example}`)
  const own = addresses
    .filter((text) => !isIPv6(text))
    .map((text) => parseLinkAddress(text) ?? wrong(text, '10.0.1.1/24'))
  const own6 = addresses.filter(isIPv6).map((text) => parseLinkAddress6(text) ?? wrong(text, '2001:db8::1/64'))
  if (own6.length > 0 && mtu < ipv6.MIN_MTU)
    refuse(`devices.${name}.mtu: ${mtu}: expected at least ${ipv6.MIN_MTU} for a device with an IPv6 address`)
  return new Link(index, name, mtu, own, device, counters, own6)
}

/** Settings of devices that are not there cannot be obeyed. */
export function checkDeviceSysctls(sysctl: Sysctl, links: Links): void {
  for (const name of Object.keys(sysctl)) {
    const its = deviceSysctl(name)
    if (its !== undefined && links.byName(its.device) === undefined)
      refuse(`sysctl: ${name}: there is no device '${its.device}'`)
  }
}

/** A family's tables: what the devices' addresses make, then the configured routes. */
export function buildTables(config: RouterConfig, links: Links, family: Family, sysctl: Sysctl): RouteTables {
  const tables = new RouteTables()
  const names = new TableNames(config.tables)
  const forwarding = sysctl['net.ipv6.conf.all.forwarding'] !== 0
  const own = links.all.flatMap((link) =>
    family === 4
      ? [...loopbackOf(link), ...link.addresses].flatMap((address) => ownRoutes(link, address))
      : [...loopbackOf6(link), ...link.addresses6].flatMap((address) => ownRoutes6(link, address, forwarding)),
  )
  for (const entry of own) tables.insert(entry, 'append')
  if (family === 6)
    for (const link of links.all) if (link.index !== LOOPBACK) tables.insert(multicastRoute6(link), 'append')
  for (const route of config.routes ?? []) {
    if (isRoute6(route) === (family === 6)) tables.insert(buildRoute(route, links, family, names), 'append')
  }
  return tables
}

function loopbackOf(link: Link) {
  return link.index === LOOPBACK ? [{ address: 0x7f000001, prefixLength: 8 }] : []
}

function loopbackOf6(link: Link) {
  return link.index === LOOPBACK ? [{ address: [0, 0, 0, 1], prefixLength: 128 }] : []
}

/** A family's policy rules: the default ones, and those of the configuration. */
export function buildRules(config: RouterConfig, family: Family, protocols: IpProtocols): PolicyRules {
  const rules = new PolicyRules(family)
  const names: Names = { ...protocols, tables: new TableNames(config.tables) }
  for (const text of config.policyRules ?? []) {
    const [its, words] = policyRuleWords(text)
    if (its !== family) continue
    try {
      rules.add(ruleOf(readRule(new Words(words), family, names), rules.nextPriority))
    } catch (error) {
      refuse(`policyRules: '${text}': ${(error as Error).message}`)
    }
  }
  return rules
}

/** Words of a policy rule and its family: as an address in them has it, or -6 or -4 before them; IPv4 otherwise. */
export function policyRuleWords(text: string): readonly [Family, readonly string[]] {
  const [first, ...rest] = text.trim().split(/\s+/)
  if (first === '-4' || first === '-6') return [first === '-6' ? 6 : 4, rest]
  return [isIPv6(text) ? 6 : 4, [first, ...rest]]
}

/** The family of a default route is that of its next hop or source, or what it says. */
export function isRoute6({ to, via, src, nexthops = [], family }: RouteConfig): boolean {
  if (family !== undefined) return family === 6
  return [to, via, src, ...nexthops.map((hop) => hop.via)].some((text) => text !== undefined && isIPv6(text))
}

const TYPES = {
  unicast: type.UNICAST,
  local: type.LOCAL,
  blackhole: type.BLACKHOLE,
  unreachable: type.UNREACHABLE,
  prohibit: type.PROHIBIT,
  throw: type.THROW,
}

/** Metric of IPv6 routes that have none of their own (IP6_RT_PRIO_USER). */
const USER_METRIC_6 = 1024

function buildRoute(route: RouteConfig, links: Links, family: Family, names: TableNames): RouteEntry {
  const where = `routes: ${route.to}`
  const to = destinationOf(route.to, family) ?? refuse(`${where}: expected 'default', an address or a prefix`)
  const kind = TYPES[route.type ?? 'unicast'] ?? refuse(`${where}: type '${route.type}' is not known`)
  const source = route.src === undefined ? undefined : addressOf(route.src, family, `${where}: src`)
  const given = route.nexthops ?? [{ via: route.via, dev: route.dev, onlink: route.onlink }]
  const leads = !type.leadsNowhere(kind)
  const hops = leads ? given.map((hop) => buildHop(hop, where, kind, links, family)) : []
  const { mtu = 0, metric = family === 4 ? 0 : USER_METRIC_6, advmss = 0 } = route
  const table =
    route.table === undefined
      ? kind === type.LOCAL
        ? TABLE_LOCAL
        : TABLE_MAIN
      : (names.number(String(route.table)) ?? refuse(`${where}: there is no table '${route.table}'`))
  const scope = kind === type.LOCAL ? SCOPE_HOST : leads && hops.every((hop) => !hop.via) ? SCOPE_LINK : SCOPE_GLOBAL
  return {
    table,
    network: to.network,
    prefixLength: to.length,
    type: kind,
    hops,
    source,
    mtu,
    mtuLocked: false,
    advmss,
    metric: family === 6 && metric === 0 ? USER_METRIC_6 : metric,
    protocol: PROTOCOL_BOOT,
    scope: family === 4 ? scope : SCOPE_GLOBAL,
  }
}

function buildHop(hop: NextHopConfig, where: string, kind: number, links: Links, family: Family): Hop {
  const { dev, weight = 1, onlink = false } = hop
  const via = hop.via === undefined ? undefined : addressOf(hop.via, family, `${where}: via`)
  const named = dev === undefined ? undefined : links.byName(dev)
  if (dev !== undefined && named === undefined) refuse(`${where}: there is no device '${dev}'`)
  const isLinkLocal = family === 6 && via !== undefined && ipv6.isLinkLocal(via[0])
  if (isLinkLocal && named === undefined) refuse(`${where}: expected 'dev' beside the link-local 'via' ${hop.via}`)
  const onLink = via === undefined ? undefined : links.all.find((link) => reaches(link, via))
  const link =
    (named ?? onLink)?.index ??
    (kind === type.LOCAL ? LOOPBACK : refuse(`${where}: expected 'dev', or a 'via' on a link`))
  return { link, via, weight, onLink: onlink }
}

/** Whether a device with these addresses reaches another without a router in between. */
export function reaches(link: Link, other: Address): boolean {
  if (other.length === 1) return link.addresses.some((own) => holds([own.peer ?? own.address], own.prefixLength, other))
  return link.addresses6.some(
    (own) => holds(own.peer ?? own.address, own.prefixLength, other) && !sameWords(own.address, other),
  )
}

/** A destination has no bits beyond its prefix. */
function destinationOf(text: string, family: Family): Prefix | undefined {
  const prefix = readPrefix(text, family)
  return prefix === undefined || !sameWords(prefix.network, masked(prefix)) ? undefined : prefix
}

function addressOf(text: string, family: Family, where: string): Address {
  return readAddress(text, family) ?? refuse(`${where}: '${text}' is no address`)
}
