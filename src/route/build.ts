// From a configuration to links and routes. What Linux would refuse is refused here, by name: an address that is none, a
// next hop that no link reaches, a device that is not there.

import type { DeviceConfig, RouteConfig, RouterConfig } from '../config.ts'
import type { Device } from '../device/device.ts'
import { LINK_COUNTERS, Link, Links } from '../device/link.ts'
import { TunfilterError } from '../errors.ts'
import { parseAddress } from '../wire/address.ts'
import type { Route } from './fib.ts'
import { isOnLink, parseDestination, parseLinkAddress } from './prefix.ts'
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
  const own = addresses.map(
    (text) => parseLinkAddress(text) ?? refuse(`devices.${name}.addresses: '${text}': expected 10.0.1.1/24`),
  )
  return new Link(index, name, mtu, own, device, counters)
}

/** The configured routes; those of the links' own prefixes are Routing's business. */
export function buildRoutes(config: RouterConfig, links: Links): Route[] {
  return (config.routes ?? []).map((route) => buildRoute(route, links))
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

function addressOf(text: string, where: string): number {
  return parseAddress(text) ?? refuse(`${where}: '${text}': expected an IPv4 address`)
}
