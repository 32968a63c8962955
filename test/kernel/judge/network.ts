// A random router with the hosts around it. Small pools of addresses and ports, so that packets, rules and flows meet.

import type { RouterConfig } from '../../../src/config.ts'
import type { Chance } from './chance.ts'

export interface Host {
  readonly device: string
  readonly address: string
}

export interface Network {
  readonly config: RouterConfig
  readonly devices: readonly string[]
  readonly hosts: readonly Host[]
  /** The router's own addresses. */
  readonly own: readonly string[]
  readonly ports: readonly number[]
}

/**
 * Redirects are limited by a clock of their own and outlive a case, and so are left out here, as are timestamp requests; a
 * default route keeps errors about missing ones, which are limited too, from being sent.
 */
const SYSCTL = {
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.icmp_ratelimit': 0,
  'net.ipv4.icmp_msgs_per_sec': 1_000_000,
  'net.ipv4.icmp_msgs_burst': 1_000_000,
}

export function network(chance: Chance): Network {
  const count = chance.between(2, 3)
  const devices = Array.from({ length: count }, (_, i) => `tun${i}`)
  const hosts: Host[] = []
  const own: string[] = []
  const routes: { to: string; via: string }[] = []
  const configured = devices.map((device, i) => {
    const net = i === 0 ? '10.0.1' : i === 1 ? '203.0.113' : '192.0.2'
    own.push(`${net}.1`)
    for (const last of [2, 9, 77]) hosts.push({ device, address: `${net}.${last}` })
    const addresses = [`${net}.1/24`]
    if (chance.once(3)) {
      addresses.push(`${net}.${200 + i}/24`)
      own.push(`${net}.${200 + i}`)
    }
    if (chance.once(3)) {
      routes.push({ to: `172.${16 + i}.0.0/16`, via: `${net}.2` })
      hosts.push({ device, address: `172.${16 + i}.3.4` })
    }
    return [device, { addresses, mtu: chance.pick([1500, 1500, 1500, 1280, 576]) }] as const
  })
  routes.push({ to: 'default', via: '203.0.113.9' })
  hosts.push({ device: 'tun1', address: '198.51.100.7' })
  const sysctl = {
    ...SYSCTL,
    ...(chance.once(4) && { 'net.netfilter.nf_conntrack_tcp_be_liberal': 1 }),
    ...(chance.once(5) && { 'net.netfilter.nf_conntrack_tcp_loose': 0 }),
    ...(chance.once(5) && { 'net.netfilter.nf_conntrack_acct': 1 }),
    ...(chance.once(6) && { 'net.ipv4.conf.all.rp_filter': chance.between(1, 2) }),
    ...(chance.once(8) && { 'net.ipv4.conf.all.route_localnet': 1 }),
  }
  const ports = [22, 53, 80, 443, 600, 1000, 8080, 40_000]
  return { config: { devices: Object.fromEntries(configured), routes, sysctl }, devices, hosts, own, ports }
}
