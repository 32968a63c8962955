// Other programs that carry packets in user space, each for what it can do, between a client's and a server's namespace:
//
//   slirp4netns, pasta   client ns ── TAP ── the program's sockets in a host's ns ── veth ── server ns
//   tayga                client ns ── veth (IPv6) ── router ns with TUN and tayga (NAT64) ── veth (IPv4) ── server ns
//   wireguard-go         client ns ── TUN, encryption ── veth ── decryption, TUN ── server ns
//   Node streams         client ns ── TUN lan ── bench/peers/streams.js ── TUN wan ── server ns

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadNative } from '../../src/device/native.ts'
import { ROOT } from '../root.ts'
import { type Gateway, joinByVeth, LAN_ROUTER, SERVER, WAN_ROUTER } from './gateways.ts'
import { inside, type Lab, startInside } from './lab.ts'
import { isInPath, processorTime, type Running, run, startOn, until } from './programs.ts'

export interface Other {
  readonly name: string
  /** What it needs, and Debian's packages that have it. */
  readonly programs: readonly string[]
  readonly packages: string
  open(lab: Lab): Promise<Gateway>
}

export const OTHERS: readonly Other[] = [
  { name: 'slirp4netns', programs: ['slirp4netns'], packages: 'slirp4netns', open: slirp },
  { name: 'pasta', programs: ['pasta'], packages: 'passt', open: pasta },
  { name: 'tayga (NAT64)', programs: ['tayga'], packages: 'tayga', open: tayga },
  {
    name: 'wireguard-go (encrypts)',
    programs: ['wireguard-go', 'wg'],
    packages: 'wireguard-go wireguard-tools',
    open: wireguard,
  },
  { name: 'Node streams', programs: [], packages: '', open: streams },
]

/** What of a peer's is not there; undefined when everything is. */
export function lackingOf({ programs, packages }: Other): string | undefined {
  const lacking = programs.filter((program) => !isInPath(program))
  return lacking.length === 0
    ? undefined
    : `not run, because there is no ${lacking.join(', no ')} (Debian: apt-get install ${packages})`
}

const LONGEST_MTU = 65_520

function used(...of: readonly Running[]): () => number {
  return () => of.reduce((sum, { pid }) => sum + processorTime(pid), 0)
}

/** A host whose sockets stand for the client's, and the server that it reaches. */
async function host(lab: Lab, role: string) {
  const [client, own, server] = [
    await lab.namespace(`${role}c`),
    await lab.namespace(`${role}h`),
    await lab.namespace(`${role}s`),
  ]
  await joinByVeth(own, server, 'wan', `${WAN_ROUTER}/24`, `${SERVER}/24`)
  await run('ip', '-n', own, 'route', 'add', 'default', 'via', SERVER)
  return { client, own, server }
}

/** Until a device is up in the client's namespace, with an address; or until the program has given up. */
async function deviceThere(program: Running, client: string, address: string): Promise<void> {
  await until(
    async () => program.ended() || (await run('ip', '-n', client, 'address')).includes(`inet ${address}`),
    5,
    () => `no device with ${address} appears: ${program.errors()}`,
  )
  if (program.ended()) throw new Error(`it ended at once: ${program.errors()}`)
}

async function slirp(lab: Lab): Promise<Gateway> {
  const { client, own, server } = await host(lab, 'sl')
  const args = ['--configure', `--mtu=${LONGEST_MTU}`, '--netns-type=path', `/run/netns/${client}`, 'tap0']
  const program = startInside(own, 'slirp4netns', ...args)
  await deviceThere(program, client, '10.0.2.100')
  return { name: 'slirp4netns', client, server, address: SERVER, processorTime: used(program) }
}

async function pasta(lab: Lab): Promise<Gateway> {
  const { client, own, server } = await host(lab, 'pa')
  // Without ports of its own, and with a gateway that does not stand for the host.
  const closed = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw']
  const args = ['--config-net', '-f', '-q', '-e', '--runas', '0', ...closed, '--netns', `/run/netns/${client}`]
  const program = startInside(own, 'pasta', ...args)
  await deviceThere(program, client, WAN_ROUTER)
  return { name: 'pasta', client, server, address: SERVER, processorTime: used(program) }
}

/** RFC 6052: the server's address in the prefix of the translator. */
const TRANSLATED = '2001:db8:64::/96'
const TRANSLATED_SERVER = '2001:db8:64::cb00:7102'
const POOL = '192.168.255.0/24'

async function tayga(lab: Lab): Promise<Gateway> {
  const [client, router, server] = [await lab.namespace('tyc'), await lab.namespace('tyr'), await lab.namespace('tys')]
  await joinByVeth(router, client, 'lan', 'fd00:0:1::1/64', 'fd00:0:1::2/64')
  await joinByVeth(router, server, 'wan', `${WAN_ROUTER}/24`, `${SERVER}/24`)
  await run('ip', '-6', '-n', client, 'route', 'add', 'default', 'via', 'fd00:0:1::1')
  await run('ip', '-n', server, 'route', 'add', POOL, 'via', WAN_ROUTER)
  const native = loadNative()
  native.writeSysctl(router, 'net.ipv4.ip_forward', '1')
  native.writeSysctl(router, 'net.ipv6.conf.all.forwarding', '1')
  const config = join(lab.directory, 'tayga.conf')
  writeFileSync(
    config,
    `tun-device nat64\nipv4-addr 192.168.255.1\nprefix ${TRANSLATED}\ndynamic-pool ${POOL}\ndata-dir ${lab.directory}\n`,
  )
  const program = startInside(router, 'tayga', '--config', config, '--nodetach')
  await until(
    () =>
      program.ended() ||
      run('ip', '-n', router, 'link', 'set', 'nat64', 'up').then(
        () => true,
        () => false,
      ),
    5,
    () => `tayga opens no device: ${program.errors()}`,
  )
  if (program.ended()) throw new Error(`tayga ended at once: ${program.errors()}`)
  await run('ip', '-n', router, 'route', 'add', POOL, 'dev', 'nat64')
  await run('ip', '-6', '-n', router, 'route', 'add', TRANSLATED, 'dev', 'nat64')
  return { name: 'tayga (NAT64)', client, server, address: TRANSLATED_SERVER, processorTime: used(program) }
}

async function wireguard(lab: Lab): Promise<Gateway> {
  const [client, server] = [await lab.namespace('wgc'), await lab.namespace('wgs')]
  await joinByVeth(client, server, 'eth', '198.18.0.1/24', '198.18.0.2/24')
  const ends = [
    { namespace: client, device: `tfa${process.pid}`, address: '10.0.0.2', outer: '198.18.0.1' },
    { namespace: server, device: `tfb${process.pid}`, address: SERVER, outer: '198.18.0.2' },
  ].map((end) => ({ ...end, key: execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim() }))
  const programs: Running[] = []
  for (const [i, { namespace, device, address, key }] of ends.entries()) {
    const program = startInside(namespace, 'wireguard-go', '-f', device)
    programs.push(program)
    const other = ends[1 - i]
    const file = join(lab.directory, `wireguard-${i}`)
    writeFileSync(file, `${key}\n`, { mode: 0o600 })
    const theirs = execFileSync('wg', ['pubkey'], { input: `${other.key}\n`, encoding: 'utf8' }).trim()
    const peer = ['peer', theirs, 'endpoint', `${other.outer}:51820`, 'allowed-ips', '0.0.0.0/0']
    await until(
      () =>
        program.ended() ||
        inside(namespace, 'wg', 'set', device, 'listen-port', '51820', 'private-key', file, ...peer).then(
          () => true,
          () => false,
        ),
      5,
      () => `wireguard-go opens no device: ${program.errors()}`,
    )
    if (program.ended()) throw new Error(`wireguard-go ended at once: ${program.errors()}`)
    await run('ip', '-n', namespace, 'address', 'add', `${address}/24`, 'dev', device)
    await run('ip', '-n', namespace, 'link', 'set', device, 'up')
    await run('ip', '-n', namespace, 'route', 'add', 'default', 'dev', device)
  }
  return { name: 'wireguard-go (encrypts)', client, server, address: SERVER, processorTime: used(...programs) }
}

async function streams(lab: Lab): Promise<Gateway> {
  const [client, server] = [await lab.namespace('nsc'), await lab.namespace('nss')]
  const native = loadNative()
  const ends = [
    { netns: client, name: 'lan', address: '10.0.0.2/24' },
    { netns: server, name: 'wan', address: `${SERVER}/24` },
  ]
  const tuns = ends.map(({ netns, name }) => native.openTun({ netns, name }))
  // Descriptors that a process is born with block, as those that a program opens for itself do.
  const args = [`${ROOT}bench/peers/streams.js`, WAN_ROUTER]
  const program = startOn({ in: tuns[0].fd, out: tuns[1].fd }, process.execPath, ...args)
  for (const { fd } of tuns) native.close(fd)
  for (const { netns, name, address } of ends) {
    native.writeSysctl(netns, `net/ipv6/conf/${name}/disable_ipv6`, '1')
    await run('ip', '-n', netns, 'address', 'add', address, 'dev', name)
    await run('ip', '-n', netns, 'link', 'set', name, 'up', 'txqueuelen', '1000')
  }
  await run('ip', '-n', client, 'route', 'add', 'default', 'via', LAN_ROUTER)
  return { name: 'Node streams', client, server, address: SERVER, processorTime: used(program) }
}
