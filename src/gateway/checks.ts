// What a schema cannot say of a configuration: names that must exist, next hops that must be reachable, and whatever
// else Linux would refuse when devices and routes are set up. It looks at data that may be of any shape, because every
// mistake in a file is to be told at once: what has the wrong shape was told already and is passed over here.

import { policyRuleWords } from '../route/build.ts'
import { TableNames } from '../route/command/names.ts'
import { readRule, ruleOf } from '../route/command/rule-words.ts'
import { Words } from '../route/command/words.ts'
import { isIPv6 } from '../route/prefix6.ts'
import { protocolName, protocolNumber } from '../rule/names.ts'
import { deviceSysctl, SYSCTLS, sysctls } from '../sysctl.ts'
import { MIN_MTU } from '../wire/ipv6.ts'
import { canonical, isLinkLocal, type OwnAddress, readDestination, readOwn } from './family.ts'
import { suggestion } from './nearest.ts'

export type Path = readonly (string | number)[]
/** `atKey`: it is the key that is wrong, not its value. */
export type Complain = (path: Path, message: string, atKey?: boolean) => void

type Mapping = Readonly<Record<string, unknown>>

const mapping = (value: unknown): Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : {}
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export function check(data: unknown, complain: Complain): void {
  const { devices, routes, sysctl, tables, policyRules } = mapping(data)
  for (const [name, device] of Object.entries(mapping(devices))) checkDevice(name, mapping(device), complain)
  const names = new TableNames(numbersIn(mapping(tables)))
  for (const [name, number] of Object.entries(mapping(tables)))
    if (['local', 'main', 'default'].includes(name) || [253, 254, 255].includes(Number(number)))
      complain(['tables', name], `tables: ${name}: every router has the tables local, main and default itself`, true)
  checkRoutes(list(routes), mapping(devices), names, complain)
  list(policyRules).forEach((rule, i) => {
    if (typeof rule === 'string') checkRule(rule, i, names, complain)
  })
  for (const [name, value] of Object.entries(mapping(sysctl))) {
    if (typeof value === 'number') checkSysctl(name, value, mapping(devices), complain)
  }
}

function checkDevice(name: string, device: Mapping, complain: Complain): void {
  // dev_valid_name() of Linux, and the device that every router has already.
  if (!/^[^\s/:]{1,15}$/.test(name) || name === '.' || name === '..' || Buffer.byteLength(name) > 15)
    complain(['devices', name], `devices: '${name}': expected 1 to 15 bytes without space, '/' and ':'`, true)
  else if (name === 'lo') complain(['devices', name], "devices: 'lo': every router has this device itself", true)
  const own = addressesOf(device)
  list(device.addresses).forEach((given, i) => {
    if (list(device.addresses).indexOf(given) < i)
      complain(['devices', name, 'addresses', i], `devices.${name}.addresses: ${String(given)} stands here twice`)
  })
  const { mtu } = device
  if (typeof mtu === 'number' && mtu < MIN_MTU && own.some(({ family }) => family === 6))
    complain(
      ['devices', name, 'mtu'],
      `devices.${name}.mtu: ${mtu}: expected at least ${MIN_MTU} for a device with an IPv6 address`,
    )
  const peer = mapping(device.peer)
  const others = addressesOf(peer)
  list(peer.addresses).forEach((given, i) => {
    const other = readOwn(text(given) ?? '')
    if (other !== undefined && own.some(({ address }) => address === other.address))
      complain(
        ['devices', name, 'peer', 'addresses', i],
        `devices.${name}.peer.addresses: ${String(given)} is the router's own address; expected that of the other end`,
      )
  })
  list(peer.routes).forEach((given, i) => {
    const path = ['devices', name, 'peer', 'routes', i]
    const route = mapping(given)
    const via = text(route.via)
    const family = familyOf(route) ?? own[0]?.family
    const gateway = via === undefined ? own.find((address) => address.family === family)?.address : canonical(via)
    if (gateway === undefined && via === undefined)
      complain(path, `devices.${name}.peer.routes: expected a 'via', because the router has no address on ${name}`)
    if (gateway !== undefined && !isLinkLocal(gateway) && !others.some((other) => other.reaches(gateway)))
      complain(
        path,
        `devices.${name}.peer.routes: no prefix of devices.${name}.peer.addresses holds the next hop ${gateway}`,
      )
  })
}

/** The family that a route's addresses say; undefined for `default` alone. */
function familyOf(route: Mapping): 4 | 6 | undefined {
  if (route.family === 4 || route.family === 6) return route.family
  const hops = list(route.nexthops).map((hop) => mapping(hop).via)
  const given = [...['to', 'via', 'src'].map((key) => route[key]), ...hops]
  const texts = given.flatMap((value) => text(value) ?? []).filter((word) => word !== 'default')
  return texts.length === 0 ? undefined : texts.some(isIPv6) ? 6 : 4
}

function numbersIn(tables: Mapping): Record<string, number> {
  return Object.fromEntries(Object.entries(tables).filter(([, number]) => typeof number === 'number')) as Record<
    string,
    number
  >
}

function checkRule(rule: string, i: number, tables: TableNames, complain: Complain): void {
  const [family, words] = policyRuleWords(rule)
  try {
    ruleOf(readRule(new Words(words), family, { protocolNumber, protocolName, tables }), 0)
  } catch (error) {
    complain(['policyRules', i], `policyRules: '${rule}': ${(error as Error).message.replace(/^Error: /, '')}`)
  }
}

function checkRoutes(routes: readonly unknown[], devices: Mapping, tables: TableNames, complain: Complain): void {
  const seen = new Map<string, number>()
  routes.forEach((given, i) => {
    if (typeof given !== 'object') return
    const route = mapping(given)
    const dev = text(route.dev)
    const known = dev === undefined || dev === 'lo' || Object.hasOwn(devices, dev)
    if (!known)
      complain(['routes', i, 'dev'], `routes: there is no device '${dev}'${suggestion(dev, Object.keys(devices))}`)
    const kind = route.type ?? 'unicast'
    const family = familyOf(route) ?? 4
    for (const key of ['to', 'via', 'src']) {
      const word = text(route[key])
      if (word !== undefined && word !== 'default' && canonical(word) !== undefined && isIPv6(word) !== (family === 6))
        complain(['routes', i, key], `routes: ${word} is no IPv6 address, and others of this route are`)
    }
    if (route.table !== undefined && tables.number(String(route.table)) === undefined)
      complain(
        ['routes', i, 'table'],
        `routes: there is no table '${String(route.table)}'; expected a number, or a name of 'tables'`,
      )
    if (route.nexthops !== undefined && (route.via ?? route.dev ?? route.onlink) !== undefined)
      complain(['routes', i, 'nexthops'], "routes: expected 'nexthops', or 'via' and 'dev', not both")
    if (kind === 'unicast' && route.via === undefined && route.dev === undefined && list(route.nexthops).length === 0)
      complain(['routes', i], "routes: expected 'via', 'dev' or both for a route of type unicast")
    if (kind === 'blackhole' || kind === 'unreachable' || kind === 'prohibit' || kind === 'throw') {
      for (const key of ['via', 'dev', 'src', 'nexthops'])
        if (route[key] !== undefined)
          complain(['routes', i, key], `routes: a route of type ${kind} has no '${key}'`, true)
    } else if (known) {
      checkNextHop(route, ['routes', i], devices, complain)
      list(route.nexthops).forEach((hop, j) => {
        checkNextHop(mapping(hop), ['routes', i, 'nexthops', j], devices, complain)
      })
    }
    const to = readDestination(text(route.to) ?? '', family)
    if (to === undefined) return
    const table = route.table === undefined ? (kind === 'local' ? 255 : 254) : tables.number(String(route.table))
    const key = `${to} ${table} ${route.metric ?? 0}`
    const earlier = seen.get(key)
    if (earlier === undefined) seen.set(key, i)
    else
      complain(
        ['routes', i, 'to'],
        `routes: there is a route to ${String(route.to)} already (routes[${earlier}]); expected another 'metric'`,
      )
  })
}

/** Of a route, or of one of its ways; `path` is where it stands. */
function checkNextHop(route: Mapping, path: Path, devices: Mapping, complain: Complain): void {
  const dev = text(route.dev)
  if (path.length > 2 && dev !== undefined && dev !== 'lo' && !Object.hasOwn(devices, dev))
    return complain([...path, 'dev'], `routes: there is no device '${dev}'${suggestion(dev, Object.keys(devices))}`)
  const candidates = (dev === undefined ? Object.values(devices) : [devices[dev]]).flatMap(addressesOf)
  const all = Object.values(devices).flatMap(addressesOf)
  const via = canonical(text(route.via) ?? '')
  if (via !== undefined && isLinkLocal(via)) {
    if (dev === undefined)
      complain([...path, 'via'], `routes: the next hop ${via} means something on one device only: expected 'dev'`)
  } else if (via !== undefined) {
    if (all.some(({ address }) => address === via))
      complain([...path, 'via'], `routes: ${text(route.via)} is the router's own address; expected a next hop`)
    else if (route.onlink !== true && !candidates.some((own) => own.reaches(via)))
      complain(
        [...path, 'via'],
        `routes: no address of ${dev ?? 'any device'} has a prefix that holds the next hop ${text(route.via)}`,
      )
  }
  const src = canonical(text(route.src) ?? '')
  if (src !== undefined && !all.some(({ address }) => address === src))
    complain([...path, 'src'], `routes: ${text(route.src)} is no address of the router's; expected one that is`)
}

function checkSysctl(name: string, value: number, devices: Mapping, complain: Complain): void {
  const its = deviceSysctl(name)
  if (its !== undefined && !Object.hasOwn(devices, its.device))
    complain(
      ['sysctl', name],
      `sysctl: ${name}: there is no device '${its.device}'${suggestion(its.device, Object.keys(devices))}`,
      true,
    )
  try {
    sysctls({ [name]: value })
  } catch (error) {
    const known = Object.keys(SYSCTLS)
    const unknown = !known.includes(name)
    const message = (error as Error).message + (unknown ? suggestion(name, known) : '')
    complain(['sysctl', name], `sysctl: ${message}`, unknown)
  }
}

function addressesOf(device: unknown): OwnAddress[] {
  return list(mapping(device).addresses).flatMap((given) => readOwn(text(given) ?? '') ?? [])
}
