// The gateways that are compared, each between a client's and a server's network namespace of its own:
//
//   tunfilter   client ns ── TUN lan ── tunfilter up ── TUN wan ── server ns
//   bare C      the same devices and the same I/O (bench/peers/forward.c), one fixed address rewritten, no flows, no rules
//   kernel      client ns ── veth lan ── router ns (ip_forward, iptables) ── veth wan ── server ns
//
// Addresses are the same in all, rules in tunfilter and the kernel. The namespaces' names hold our process id; those that a killed run left
// behind are removed by the next one.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadNative } from '../../src/device/native.ts'
import { ROOT } from '../root.ts'
import { CONFIG, RULES_FILE } from './config.ts'
import { isInPath, processorTime, type Running, run, start, stopAll, until } from './programs.ts'

const PREFIX = 'tfbench'
const FORWARD = `${ROOT}bench/build/forward`
const CLIENT = '10.0.0.2'
export const SERVER = '203.0.113.2'
const LAN_ROUTER = '10.0.0.1'
export const WAN_ROUTER = '203.0.113.1'

export interface Gateway {
  /** `tunfilter`, `bare C`, `kernel`; behind a comma what is not the default: `tunfilter, read`. */
  readonly name: string
  readonly client: string
  readonly server: string
  /** Processor time of the gateway's process so far; undefined for the kernel, which forwards in the sender's time. */
  readonly processorTime: () => number | undefined
}

/** One way of moving packets, of tunfilter and of the bare forwarder alike. */
export interface Way {
  readonly name: string
  readonly io: 'uring' | 'read'
  readonly offload: boolean
}

/** Makes what is measured, hands it to `use`, and takes it away again, on a signal too. */
export async function withLab<T>(ways: readonly Way[], use: (gateways: readonly Gateway[]) => Promise<T>): Promise<T> {
  await removeLeftovers()
  const made: string[] = []
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}-`))
  const end = async () => {
    await stopAll()
    for (const namespace of made.splice(0)) await run('ip', 'netns', 'delete', namespace).catch(() => undefined)
    rmSync(directory, { recursive: true, force: true })
  }
  const interrupted = (signal: NodeJS.Signals) => void end().finally(() => process.kill(process.pid, signal))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.once(signal, interrupted)
  const namespace = async (role: string) => {
    const name = `${PREFIX}-${process.pid}-${role}`
    await run('ip', 'netns', 'add', name)
    made.push(name)
    await run('ip', '-n', name, 'link', 'set', 'lo', 'up')
    return name
  }
  try {
    const kernel = await kernelGateway(await namespace('kc'), await namespace('kr'), await namespace('ks'))
    const all: Gateway[] = []
    for (const [i, way] of ways.entries()) {
      all.push(await ourGateway(await namespace(`t${i}c`), await namespace(`t${i}s`), directory, way))
      all.push(await bareGateway(await namespace(`c${i}c`), await namespace(`c${i}s`), way))
    }
    return await use([...all, kernel])
  } finally {
    for (const signal of signals) process.off(signal, interrupted)
    await end()
  }
}

async function removeLeftovers(): Promise<void> {
  for (const line of (await run('ip', 'netns', 'list')).split('\n')) {
    const found = new RegExp(`^(${PREFIX}-(\\d+)-\\w+)`).exec(line)
    if (found !== null && !isAlive(Number(found[2]))) await run('ip', 'netns', 'delete', found[1])
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function ourGateway(client: string, server: string, directory: string, way: Way): Promise<Gateway> {
  const config = join(directory, `${client}.json`)
  const [lan, wan] = [CONFIG.devices.lan, CONFIG.devices.wan].map((each) => ({ ...each, offload: way.offload }))
  const devices = {
    lan: { ...lan, netns: client, peer: { addresses: [`${CLIENT}/24`], routes: ['default'] } },
    wan: { ...wan, netns: server, peer: { addresses: [`${SERVER}/24`] } },
  }
  writeFileSync(config, JSON.stringify({ ...CONFIG, devices }))
  const args = [join(ROOT, 'dist/cli/main.js'), 'up', '--config', config, '--rules', RULES_FILE, '--io', way.io]
  const up: Running = start(process.execPath, ...args)
  let ended = false
  up.output
    .finally(() => {
      ended = true
    })
    .catch(() => undefined)
  await until(
    () => ended || up.errors().includes('started'),
    10,
    () => `tunfilter up does not start: ${up.errors()}`,
  )
  if (ended) throw new Error(`tunfilter up ended at once: ${up.errors()}`)
  return { name: `tunfilter${way.name}`, client, server, processorTime: () => processorTime(up.pid) }
}

async function bareGateway(client: string, server: string, way: Way): Promise<Gateway> {
  const offload = way.offload ? 'offload' : 'plain'
  const forward = start(FORWARD, client, server, way.io, offload, CLIENT, WAN_ROUTER)
  let up: boolean | undefined
  forward.output.then(
    () => {
      up = false
    },
    () => {
      up = false
    },
  )
  for (const [device, end, address] of [
    ['lan', client, `${CLIENT}/24`],
    ['wan', server, `${SERVER}/24`],
  ]) {
    await until(
      () =>
        up === false ||
        run('ip', '-n', end, 'link', 'show', device).then(
          () => true,
          () => false,
        ),
      5,
      () => `${FORWARD} opens no ${device}: ${forward.errors()}`,
    )
    if (up === false) throw new Error(`${FORWARD} ended at once: ${forward.errors()}`)
    loadNative().writeSysctl(end, `net/ipv6/conf/${device}/disable_ipv6`, '1')
    await run('ip', '-n', end, 'address', 'add', address, 'dev', device)
    await run('ip', '-n', end, 'link', 'set', device, 'up', 'txqueuelen', '1000')
  }
  await run('ip', '-n', client, 'route', 'add', 'default', 'via', LAN_ROUTER)
  return { name: `bare C${way.name}`, client, server, processorTime: () => processorTime(forward.pid) }
}

async function kernelGateway(client: string, router: string, server: string): Promise<Gateway> {
  for (const [device, end, own, address] of [
    ['lan', client, `${LAN_ROUTER}/24`, `${CLIENT}/24`],
    ['wan', server, `${WAN_ROUTER}/24`, `${SERVER}/24`],
  ]) {
    await run('ip', '-n', router, 'link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', end)
    for (const [namespace, text] of [
      [router, own],
      [end, address],
    ]) {
      await run('ip', '-n', namespace, 'address', 'add', text, 'dev', device)
      await run('ip', '-n', namespace, 'link', 'set', device, 'up')
    }
  }
  await run('ip', '-n', client, 'route', 'add', 'default', 'via', LAN_ROUTER)
  loadNative().writeSysctl(router, 'net.ipv4.ip_forward', '1')
  await inside(router, 'iptables-restore', RULES_FILE)
  return { name: 'kernel', client, server, processorTime: () => undefined }
}

/** Runs a program to its end inside a namespace. */
export function inside(namespace: string, program: string, ...args: readonly string[]): Promise<string> {
  return run('ip', 'netns', 'exec', namespace, program, ...args)
}

/** Starts a program inside a namespace. */
export function startInside(namespace: string, program: string, ...args: readonly string[]): Running {
  return start('ip', 'netns', 'exec', namespace, program, ...args)
}

/** What of the machine is missing to make a lab; empty when nothing is. */
export function missing(): string[] {
  const all: string[] = []
  if (process.getuid?.() !== 0) all.push('root')
  for (const program of ['ip', 'ss', 'iptables-restore', 'gcc']) if (!isInPath(program)) all.push(program)
  return all
}
