// The gateways that are compared, each between a client's and a server's network namespace of its own:
//
//   tunfilter   client ns ── TUN lan ── tunfilter up ── TUN wan ── server ns
//   bare C      the same devices and the same I/O (bench/peers/forward.c), one fixed address rewritten, no flows, no rules
//   kernel      client ns ── veth lan ── router ns (ip_forward, iptables) ── veth wan ── server ns
//
// Addresses are the same in all, rules in tunfilter and the kernel.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RouterConfig } from '../../src/config.ts'
import { loadNative } from '../../src/device/native.ts'
import { ROOT } from '../root.ts'
import { CONFIG, RULES_FILE } from './config.ts'
import { FORWARD, inside, type Lab } from './lab.ts'
import { processorTime, type Running, run, start, until } from './programs.ts'

const CLIENT = '10.0.0.2'
export const SERVER = '203.0.113.2'
export const LAN_ROUTER = '10.0.0.1'
export const WAN_ROUTER = '203.0.113.1'

export interface Gateway {
  /** `tunfilter`, `bare C`, `kernel`; behind a comma what is not the default: `tunfilter, read`. */
  readonly name: string
  readonly client: string
  readonly server: string
  /** What the client calls the server; of IPv4 or IPv6. */
  readonly address: string
  /** What the server can ping while a client floods; undefined: nothing. */
  readonly bystander?: string
  /** Processor time of the gateway's processes so far; undefined for the kernel, which forwards in the sender's time. */
  readonly processorTime: () => number | undefined
}

/** One way of moving packets, of tunfilter and of the bare forwarder alike. */
export interface Way {
  readonly name: string
  readonly io: 'uring' | 'read'
  readonly offload: boolean
}

export const DEFAULT_WAY: Way = { name: '', io: 'uring', offload: true }

export interface OurOptions extends Way {
  /** A file in iptables-save form; RULES_FILE when left out. */
  readonly rules?: string
  /** More arguments of `tunfilter up`, and of node. */
  readonly more?: readonly string[]
  readonly node?: readonly string[]
  readonly sysctl?: RouterConfig['sysctl']
}

export interface OurGateway extends Gateway {
  readonly up: Running
}

/** @param role tells this gateway's namespaces from others' of the lab */
export async function ourGateway(lab: Lab, role: string, options: OurOptions): Promise<OurGateway> {
  const [client, server] = [await lab.namespace(`${role}c`), await lab.namespace(`${role}s`)]
  const { name, io, offload, rules = RULES_FILE, more = [], node = [], sysctl } = options
  const config = join(lab.directory, `${client}.json`)
  const [lan, wan] = [CONFIG.devices.lan, CONFIG.devices.wan].map((each) => ({ ...each, offload }))
  const devices = {
    lan: { ...lan, netns: client, peer: { addresses: [`${CLIENT}/24`], routes: ['default'] } },
    wan: { ...wan, netns: server, peer: { addresses: [`${SERVER}/24`] } },
  }
  writeFileSync(config, JSON.stringify({ ...CONFIG, devices, sysctl }))
  const args = [
    ...node,
    join(ROOT, 'dist/cli/main.js'),
    'up',
    '--config',
    config,
    '--rules',
    rules,
    '--io',
    io,
    ...more,
  ]
  const up: Running = start(process.execPath, ...args)
  await until(
    () => up.ended() || up.errors().includes('started'),
    10,
    () => `tunfilter up does not start: ${up.errors()}`,
  )
  if (up.ended()) throw new Error(`tunfilter up ended at once: ${up.errors()}`)
  return {
    name: `tunfilter${name}`,
    client,
    server,
    address: SERVER,
    bystander: WAN_ROUTER,
    processorTime: () => processorTime(up.pid),
    up,
  }
}

/** @param queues of each device, and processes */
export async function bareGateway(
  lab: Lab,
  role: string,
  way: Way,
  queues = 1,
): Promise<Gateway & { readonly pid: number }> {
  const [client, server] = [await lab.namespace(`${role}c`), await lab.namespace(`${role}s`)]
  const offload = way.offload ? 'offload' : 'plain'
  const forward = start(FORWARD, client, server, way.io, offload, CLIENT, WAN_ROUTER, String(queues))
  for (const [device, end, address] of [
    ['lan', client, `${CLIENT}/24`],
    ['wan', server, `${SERVER}/24`],
  ]) {
    await until(
      () =>
        forward.ended() ||
        run('ip', '-n', end, 'link', 'show', device).then(
          () => true,
          () => false,
        ),
      5,
      () => `${FORWARD} opens no ${device}: ${forward.errors()}`,
    )
    if (forward.ended()) throw new Error(`${FORWARD} ended at once: ${forward.errors()}`)
    loadNative().writeSysctl(end, `net/ipv6/conf/${device}/disable_ipv6`, '1')
    await run('ip', '-n', end, 'address', 'add', address, 'dev', device)
    await run('ip', '-n', end, 'link', 'set', device, 'up', 'txqueuelen', '1000')
  }
  await run('ip', '-n', client, 'route', 'add', 'default', 'via', LAN_ROUTER)
  const used = () => processorTime(forward.pid)
  return { name: `bare C${way.name}`, client, server, address: SERVER, processorTime: used, pid: forward.pid }
}

/** @param tool `iptables-legacy` or `iptables-nft` */
export async function kernelGateway(
  lab: Lab,
  role: string,
  name: string,
  tool: string,
  rules: string,
): Promise<Gateway> {
  const [client, router, server] = [
    await lab.namespace(`${role}c`),
    await lab.namespace(`${role}r`),
    await lab.namespace(`${role}s`),
  ]
  await joinByVeth(router, client, 'lan', `${LAN_ROUTER}/24`, `${CLIENT}/24`)
  await joinByVeth(router, server, 'wan', `${WAN_ROUTER}/24`, `${SERVER}/24`)
  await run('ip', '-n', client, 'route', 'add', 'default', 'via', LAN_ROUTER)
  loadNative().writeSysctl(router, 'net.ipv4.ip_forward', '1')
  await inside(router, `${tool}-restore`, rules)
  return { name, client, server, address: SERVER, bystander: WAN_ROUTER, processorTime: () => undefined }
}

/** A pair of veth devices of one name, from a namespace to another. */
export async function joinByVeth(
  from: string,
  to: string,
  device: string,
  own: string,
  address: string,
): Promise<void> {
  await run('ip', '-n', from, 'link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', to)
  for (const [namespace, text] of [
    [from, own],
    [to, address],
  ]) {
    const family = text.includes(':') ? ['-6'] : []
    const now = text.includes(':') ? ['nodad'] : []
    await run('ip', ...family, '-n', namespace, 'address', 'add', text, 'dev', device, ...now)
    await run('ip', '-n', namespace, 'link', 'set', device, 'up')
  }
}
