// A random router with the hosts around it, of one family or of both. Small pools of addresses and ports, so that packets, rules and
// flows meet.

import type { RouterConfig } from '../../../src/config.ts'
import type { Family } from '../../../src/rule/model.ts'
import type { Chance } from './chance.ts'

export interface Host {
  readonly device: string
  readonly address: string
}

/** What one family has of a network. */
export interface World {
  readonly family: Family
  readonly devices: readonly string[]
  readonly hosts: readonly Host[]
  /** The router's own addresses. */
  readonly own: readonly string[]
  readonly ports: readonly number[]
  /** Networks of the devices, then those behind a router: `10.0.1.0/24`. */
  readonly networks: readonly string[]
  /** Addresses of the second device's network that nobody has, to be NATed to. */
  readonly spare: readonly string[]
  /** Where packets to nobody in particular go: groups, broadcasts, loopback. */
  readonly others: readonly string[]
}

export interface Network {
  readonly config: RouterConfig
  readonly worlds: readonly World[]
}

/** Which families the networks of a run have; `both` is a mixture of all three kinds. */
export type Families = Family | 'both'

export const isFamilies = (text: string) => ['4', '6', 'both'].includes(text)
export const familiesOf = (text: string): Families => (text === 'both' ? 'both' : text === '6' ? 6 : 4)

export const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4)

/**
 * Redirects are limited by a clock of their own and outlive a case, and so are left out here, as are timestamp requests; a
 * default route keeps errors about missing ones, which are limited too, from being sent. For IPv6 it is enough that no device has a
 * link-local address: there are no redirects without.
 */
const SYSCTL = {
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.icmp_ratelimit': 0,
  'net.ipv4.icmp_msgs_per_sec': 1_000_000,
  'net.ipv4.icmp_msgs_burst': 1_000_000,
}
const SYSCTL6 = { 'net.ipv6.icmp.ratelimit': 0 }

const PORTS = [22, 53, 80, 443, 600, 1000, 8080, 40_000]

export function network(chance: Chance, families: Families): Network {
  const of: readonly Family[] =
    families !== 'both' ? [families] : chance.pick([[4], [4], [6], [6], [4, 6]] as const satisfies readonly Family[][])
  const devices = Array.from({ length: chance.between(2, 3) }, (_, i) => `tun${i}`)
  const parts = of.map((family) => (family === 4 ? four(chance, devices) : six(chance, devices)))
  const mtus = of.includes(6) ? [1500, 1500, 1500, 1400, 1280] : [1500, 1500, 1500, 1280, 576]
  const configured = devices.map(
    (device, i) =>
      [device, { addresses: parts.flatMap(({ addresses }) => addresses[i]!), mtu: chance.pick(mtus) }] as const,
  )
  const sysctl = {
    ...SYSCTL,
    ...(of.includes(6) && SYSCTL6),
    ...(chance.once(4) && { 'net.netfilter.nf_conntrack_tcp_be_liberal': 1 }),
    ...(chance.once(5) && { 'net.netfilter.nf_conntrack_tcp_loose': 0 }),
    ...(chance.once(5) && { 'net.netfilter.nf_conntrack_acct': 1 }),
    ...(of.includes(4) && chance.once(6) && { 'net.ipv4.conf.all.rp_filter': chance.between(1, 2) }),
    ...(of.includes(4) && chance.once(8) && { 'net.ipv4.conf.all.route_localnet': 1 }),
  }
  const routes = parts.flatMap((part) => part.routes)
  return {
    config: { devices: Object.fromEntries(configured), routes, sysctl },
    worlds: parts.map(({ world }) => world),
  }
}

interface Part {
  readonly world: World
  readonly addresses: readonly (readonly string[])[]
  readonly routes: readonly { readonly to: string; readonly via: string }[]
}

/** How one family writes the addresses of this network. */
interface Writing {
  readonly family: Family
  /** A device's network. */
  net(device: number): string
  /** The host with this number in it. */
  host(device: number, last: number): string
  readonly length: number
  /** A network behind a host of the device, and a host there. */
  far(device: number): readonly [net: string, host: string]
  readonly outside: string
  readonly others: readonly string[]
}

const four = (chance: Chance, devices: readonly string[]) => part(chance, devices, WRITING4)
const six = (chance: Chance, devices: readonly string[]) => part(chance, devices, WRITING6)

const NETS4 = ['10.0.1', '203.0.113', '192.0.2']
const WRITING4: Writing = {
  family: 4,
  net: (i) => `${NETS4[i]}.0/24`,
  host: (i, last) => `${NETS4[i]}.${last}`,
  length: 24,
  far: (i) => [`172.${16 + i}.0.0/16`, `172.${16 + i}.3.4`],
  outside: '198.51.100.7',
  others: ['255.255.255.255', '224.0.0.5', '127.0.0.1', '203.0.113.255'],
}

const WRITING6: Writing = {
  family: 6,
  net: (i) => `2001:db8:${i + 1}::/64`,
  host: (i, last) => `2001:db8:${i + 1}::${last.toString(16)}`,
  length: 64,
  far: (i) => [`2001:db8:1${i}::/48`, `2001:db8:1${i}:3::4`],
  outside: '2001:db8:ffff::7',
  others: ['ff02::1', 'ff02::2', 'ff05::2', '::1', '2001:db8:2::', 'ff0e::77'],
}

function part(chance: Chance, devices: readonly string[], writing: Writing): Part {
  const { family, host, net, length, far, outside, others } = writing
  const hosts: Host[] = []
  const own: string[] = []
  const networks: string[] = []
  const routes: { to: string; via: string }[] = []
  const addresses = devices.map((device, i) => {
    own.push(host(i, 1))
    networks.push(net(i))
    for (const last of [2, 9, 77]) hosts.push({ device, address: host(i, last) })
    const given = [`${host(i, 1)}/${length}`]
    if (chance.once(3)) {
      given.push(`${host(i, 200 + i)}/${length}`)
      own.push(host(i, 200 + i))
    }
    if (chance.once(3)) {
      const [to, address] = far(i)
      routes.push({ to, via: host(i, 2) })
      networks.push(to)
      hosts.push({ device, address })
    }
    return given
  })
  routes.push({ to: 'default', via: host(1, 9) })
  hosts.push({ device: 'tun1', address: outside })
  const spare = [50, 51, 52, 53].map((last) => host(1, last))
  return { world: { family, devices, hosts, own, ports: PORTS, networks, spare, others }, addresses, routes }
}
