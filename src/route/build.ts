// From a configuration to links and routes. What Linux would refuse is refused here, by name: an address that is none, a
// next hop that no link reaches, a device that is not there.

import type { DeviceConfig, RouteConfig, RouterConfig } from '../config.ts'
import type { Device } from '../device/device.ts'
import { LINK_COUNTERS, Link, Links } from '../device/link.ts'
import { TunfilterError } from '../errors.ts'
import { parseAddress } from '../wire/address.ts'
import { parse6 } from '../wire/address6.ts'
import * as ipv6 from '../wire/ipv6.ts'
import type { Route } from './fib.ts'
import type { Route6 } from './fib6.ts'
import { isOnLink, parseDestination, parseLinkAddress } from './prefix.ts'
import { isIPv6, isOnLink6, parseDestination6, parseLinkAddress6 } from './prefix6.ts'
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

/** IPv4's configured routes; those of the links' own prefixes are Routing's business. */
export function buildRoutes(config: RouterConfig, links: Links): Route[] {
  return (config.routes ?? []).filter((route) => !isRoute6(route)).map((route) => buildRoute(route, links))
}

/** The same for IPv6. */
export function buildRoutes6(config: RouterConfig, links: Links): Route6[] {
  return (config.routes ?? []).filter(isRoute6).map((route) => buildRoute6(route, links))
}

/** The family of a default route is that of its next hop or source. */
export function isRoute6({ to, via, src }: RouteConfig): boolean {
  return [to, via, src].some((text) => text !== undefined && isIPv6(text))
}

const TYPES = {
  unicast: type.UNICAST,
  local: type.LOCAL,
  blackhole: type.BLACKHOLE,
  unreachable: type.UNREACHABLE,
  prohibit: type.PROHIBIT,
}

function buildRoute(route: RouteConfig, links: Links): Route {
  const where = `routes: ${route.to}`
  const to = parseDestination(route.to) ?? refuse(`${where}: expected 'default', an address or a prefix`)
  const kind = TYPES[route.type ?? 'unicast'] ?? refuse(`${where}: type '${route.type}' is not known`)
  const gateway = route.via === undefined ? 0 : addressOf(route.via, `${where}: via`)
  const source = route.src === undefined ? 0 : addressOf(route.src, `${where}: src`)
  let link = 0
  if (kind === type.UNICAST || kind === type.LOCAL) {
    const named = route.dev === undefined ? undefined : links.byName(route.dev)
    if (route.dev !== undefined && named === undefined) refuse(`${where}: there is no device '${route.dev}'`)
    const onLink = links.all.find((l) => l.addresses.some((own) => isOnLink(own, gateway)))
    link =
      (named ?? onLink)?.index ?? (kind === type.LOCAL ? 1 : refuse(`${where}: expected 'dev', or a 'via' on a link`))
  }
  const { mtu = 0, metric = 0 } = route
  return { network: to.address, prefixLength: to.length, type: kind, link, gateway, source, mtu, metric }
}

function buildRoute6(route: RouteConfig, links: Links): Route6 {
  const where = `routes: ${route.to}`
  const to =
    route.to === 'default'
      ? { address: [0, 0, 0, 0], length: 0 }
      : (parseDestination6(route.to) ?? refuse(`${where}: expected 'default', an address or a prefix`))
  const kind = TYPES[route.type ?? 'unicast'] ?? refuse(`${where}: type '${route.type}' is not known`)
  const gateway = route.via === undefined ? undefined : addressOf6(route.via, `${where}: via`)
  const source = route.src === undefined ? undefined : addressOf6(route.src, `${where}: src`)
  let link = 0
  if (kind === type.UNICAST || kind === type.LOCAL) {
    const named = route.dev === undefined ? undefined : links.byName(route.dev)
    if (route.dev !== undefined && named === undefined) refuse(`${where}: there is no device '${route.dev}'`)
    const onLink = gateway && links.all.find((l) => l.addresses6.some((own) => isOnLink6(own, gateway)))
    const linkLocal = gateway !== undefined && ipv6.isLinkLocal(gateway[0])
    if (linkLocal && named === undefined) refuse(`${where}: expected 'dev' beside the link-local 'via' ${route.via}`)
    link =
      (named ?? onLink)?.index ?? (kind === type.LOCAL ? 1 : refuse(`${where}: expected 'dev', or a 'via' on a link`))
  }
  const { mtu = 0, metric = 0 } = route
  return { network: to.address, prefixLength: to.length, type: kind, link, gateway, source, mtu, metric }
}

function addressOf6(text: string, where: string): readonly number[] {
  return parse6(text) ?? refuse(`${where}: '${text}': expected an IPv6 address`)
}

function addressOf(text: string, where: string): number {
  return parseAddress(text) ?? refuse(`${where}: '${text}': expected an IPv4 address`)
}
