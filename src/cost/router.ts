// A router for rules of which nothing else is known: the devices that they name, at least two, with addresses; networks
// that they name together with a device are routed to it; the default route goes by the last. The device that a rule
// masquerades on is that one.

import type { DeviceConfig, RouteConfig, RouterConfig } from '../config.ts'
import { formatAny, maskLength } from '../rule/address.ts'
import type { InterfaceName, Network, RuleSet } from '../rule/model.ts'
import { isHost } from './host.ts'
import { type Named, namedIn } from './named.ts'

/** Routes and addresses that are made of what rules name; what is more is reached by the default route. */
const MOST = 256
const DEVICES_MOST = 200
const INVENTED = ['eth0', 'eth1']

export function inventRouter(ruleSets: readonly RuleSet[]): RouterConfig {
  const named = ruleSets.flatMap(namedIn)
  const names = deviceNames(named)
  const outside = masqueradesOn(ruleSets)
  const last = outside === undefined ? undefined : deviceOf(outside, names)
  const ordered = last === undefined ? names : [...names.filter((name) => name !== last), last]
  const family = ruleSets[0]?.family ?? 4
  const addressOf = (i: number) => (family === 4 ? `10.201.${i}.1/24` : `fd00:201:${i.toString(16)}::1/64`)
  const addresses = new Map<string, string[]>(ordered.map((name, i) => [name, [addressOf(i)]]))
  const routes = new Map<string, RouteConfig>()
  const own = new Set<string>()
  const route = (network: Network | undefined, by: InterfaceName | undefined) => {
    const dev = by === undefined ? undefined : deviceOf(by, ordered)
    const to = network === undefined ? undefined : unicast(network)
    if (dev !== undefined && to !== undefined && !to.endsWith('/0') && routes.size < MOST && !routes.has(to))
      routes.set(to, { to, dev })
  }
  for (const { root, in: by, out, source, destination } of named) {
    route(source, by)
    if (root !== 'INPUT') route(destination, out)
    const host = root === 'INPUT' && destination !== undefined ? unicast(destination) : undefined
    const whole = family === 4 ? '/32' : '/128'
    const at = by === undefined ? ordered[ordered.length - 1] : deviceOf(by, ordered)
    if (host?.endsWith(whole) && at !== undefined && own.size < MOST && !own.has(host)) {
      own.add(host)
      addresses.get(at)?.push(host)
    }
  }
  for (const to of own) routes.delete(to)
  const devices: Record<string, DeviceConfig> = {}
  for (const [name, of] of addresses) devices[name] = { addresses: of }
  return {
    devices,
    routes: [...routes.values(), { to: family === 4 ? 'default' : '::/0', dev: ordered[ordered.length - 1] }],
  }
}

/** The device that a rule's name means: the first that a wildcard fits. */
export function deviceOf({ name, wildcard }: InterfaceName, devices: readonly string[]): string | undefined {
  return devices.find((device) => (wildcard ? device.startsWith(name) : device === name))
}

function deviceNames(named: readonly Named[]): string[] {
  const names = new Set<string>()
  const wildcards: InterfaceName[] = []
  for (const rule of named)
    for (const device of [rule.in, rule.out]) {
      if (device === undefined || device.name === 'lo' || names.size >= DEVICES_MOST) continue
      if (device.wildcard) wildcards.push(device)
      else names.add(device.name)
    }
  for (const device of wildcards)
    if (device.name !== '' && deviceOf(device, [...names]) === undefined) names.add(`${device.name}0`)
  for (const name of INVENTED) if (names.size < 2) names.add(name)
  return [...names]
}

function masqueradesOn(ruleSets: readonly RuleSet[]): InterfaceName | undefined {
  for (const { tables } of ruleSets)
    for (const { action, outInterface } of tables.get('nat')?.chains.get('POSTROUTING')?.rules ?? [])
      if (
        action?.kind === 'target' &&
        /^(MASQUERADE|SNAT)$/.test(action.declaration.name) &&
        outInterface?.not === false
      )
        return outInterface.value
  return undefined
}

/** `10.0.0.0/8`, `2001:db8::/32`; undefined for a mask that is no prefix, and for what is never a host's network. */
function unicast({ address, mask }: Network): string | undefined {
  const length = maskLength(mask)
  return length === undefined || !isHost(address) ? undefined : `${formatAny(address)}/${length}`
}
