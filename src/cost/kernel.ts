// The kernel as a router with the same devices, addresses, routes and rules, in a network namespace of its own that lives as
// long as this does. Its devices are TUN devices whose other ends are held here: what is written into one walks the kernel's
// whole path before the write returns, and lies in another one's queue afterwards.
//
// So the time of a packet is the time of its write, system call and copy with it; what was queued is read, untimed, between
// batches. The writes of a run without rules show how much of it is the device's.

import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RouterConfig } from '../config.ts'
import { loadNative, type Native } from '../device/native.ts'
import { TunfilterError } from '../errors.ts'
import { save } from '../iptables/save.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { type Arrival, establish } from './establish.ts'
import { LONGEST } from './flood.ts'
import type { Ran, Runner } from './rounds.ts'
import type { Flow } from './traffic.ts'

/** What a machine lets choose from. */
export const KERNEL_TOOLS = ['iptables-legacy', 'iptables-nft'] as const
export type KernelTool = (typeof KERNEL_TOOLS)[number]

const BATCH = 64
/** Packets that wait in a device: more than a batch can leave there, errors that the kernel says besides included. */
const QUEUE = 1000
/** A kernel that walks a hundred thousand rules for each packet is not waited for: milliseconds of a run, and of making flows. */
const RUN_MOST = 50
const MAKING_MOST = 3000
const FLOWS_LEAST = 20
/** What every packet here leaves its sender with. */
const HOPS = 64

const SYSCTLS: Readonly<Record<string, number>> = {
  'net.ipv4.ip_forward': 1,
  'net.ipv6.conf.all.forwarding': 1,
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.default.rp_filter': 0,
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv6.conf.default.accept_ra': 0,
}

export interface KernelLaneOptions {
  readonly config: RouterConfig
  readonly tool: KernelTool
  /** Of the packets. */
  readonly family: Family
  /** Undefined: without rules. */
  readonly rules: RuleSet | undefined
  /** In ipset-save form. */
  readonly sets?: string
}

interface Prepared {
  readonly bytes: Uint8Array
  /** Where each packet lies, and its length, in pairs. */
  readonly places: Int32Array
}

export class KernelLane implements Runner {
  readonly #native: Native = loadNative()
  readonly #netns: number
  readonly #lock: string
  readonly #fds = new Map<string, number>()
  readonly #prepared = new Map<string, Prepared>()
  readonly #inbox = new Uint8Array(BATCH * (LONGEST + 1))
  readonly #inboxPlaces = new Int32Array(2 * BATCH)
  readonly #family: Family
  #forgets: boolean | undefined

  /** Throws TunfilterError ERR_KERNEL with the reason where the kernel or its tools refuse. */
  constructor({ config, tool, family, rules, sets = '' }: KernelLaneOptions) {
    this.#family = family
    this.#netns = this.#native.anonymousNetns()
    // A lock of its own: otherwise every other call of iptables waits for these.
    this.#lock = join(tmpdir(), `tunfilter-bench-${process.pid}-${this.#netns}.lock`)
    try {
      this.#configure(config)
      if (sets !== '') this.#inside(['ipset', 'restore'], sets)
      if (rules !== undefined) {
        const command = family === 4 ? tool : tool.replace('iptables', 'ip6tables')
        this.#inside([`${command}-restore`], save(rules, { whole: true }))
      }
    } catch (error) {
      this.close()
      throw error instanceof TunfilterError
        ? error
        : new TunfilterError('ERR_KERNEL', (error as Error).message, { cause: error })
    }
  }

  get #path(): string {
    return `/proc/self/fd/${this.#netns}`
  }

  #configure({ devices, routes = [], sysctl = {} }: RouterConfig): void {
    const native = this.#native
    const netns = this.#path
    for (const [name, value] of Object.entries({ ...SYSCTLS, ...sysctl })) {
      // What belongs to the machine as a whole can only be read here.
      if (Number(native.readSysctl(netns, name)) !== value) native.writeSysctl(netns, name, String(value))
    }
    native.setLink(netns, { name: 'lo', up: true })
    for (const [name, { addresses = [], mtu = 1500 }] of Object.entries(devices)) {
      this.#fds.set(name, native.openTun({ name, netns }).fd)
      native.setLink(netns, { name, up: true, mtu, txQueueLength: QUEUE })
      for (const text of addresses) {
        const [, address, peer, length] = /^(\S+?)(?: peer (\S+))?\/(\d+)$/.exec(text) ?? []
        native.addAddress(netns, { name, address, prefixLength: Number(length), ...(peer && { peer }) })
      }
    }
    for (const { to, via, dev, src, mtu, metric, type = 'unicast' } of routes) {
      if (type !== 'unicast')
        throw new TunfilterError('ERR_KERNEL', `route to ${to} is of type ${type}, which is not set up here`)
      native.addRoute(netns, { destination: to, via, dev, source: src, mtu, metric })
    }
  }

  /** Runs a program in the namespace; what it complains of is the error's message. */
  #inside([program, ...args]: readonly string[], input = ''): void {
    const netns = `/proc/${process.pid}/fd/${this.#netns}`
    try {
      execFileSync('nsenter', [`--net=${netns}`, program, ...args], {
        input,
        stdio: ['pipe', 'ignore', 'pipe'],
        env: { ...process.env, XTABLES_LOCKFILE: this.#lock },
      })
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: Buffer }
      const said = stderr?.toString().trim().split('\n')[0]
      throw new TunfilterError('ERR_KERNEL', `${program}: ${said || message}`, { cause: error })
    }
  }

  establish(flows: readonly Flow[]): Arrival[] {
    const end = performance.now() + MAKING_MOST
    const all: Arrival[] = []
    for (const [i, flow] of flows.entries()) {
      if (i >= FLOWS_LEAST && performance.now() > end) break
      all.push(...establish(flow, (arrival) => this.#through(arrival)))
    }
    return all
  }

  play(arrivals: readonly Arrival[]): void {
    const end = performance.now() + MAKING_MOST
    for (const [i, arrival] of arrivals.entries()) {
      if (i >= FLOWS_LEAST && performance.now() > end) break
      this.#through(arrival)
    }
  }

  #through({ device, bytes }: Arrival): { left: readonly Arrival[]; forwarded: boolean } {
    const fd = this.#fds.get(device)
    if (fd === undefined) return { left: [], forwarded: false }
    this.#native.writeBatch(fd, bytes, Int32Array.of(0, bytes.length), 1, false)
    const left: Arrival[] = []
    this.#drain((name, packet) => left.push({ device: name, bytes: packet }))
    // What it forwards has one hop less; what it says itself begins with all of them.
    return { left, forwarded: left.some((packet) => hopsOf(packet.bytes) === HOPS - 1) }
  }

  /** Reads what waits in all devices; packets of the other family are the kernel's own business. */
  #drain(take?: (device: string, packet: Uint8Array) => void): void {
    for (const [name, fd] of this.#fds)
      for (;;) {
        for (let i = 0; i < BATCH; i++) this.#inboxPlaces[2 * i] = i * (LONGEST + 1)
        const n = this.#native.readBatch(fd, this.#inbox, this.#inboxPlaces, BATCH, LONGEST, false)
        for (let i = 0; take !== undefined && i < n; i++) {
          const start = this.#inboxPlaces[2 * i]
          const packet = this.#inbox.slice(start, start + this.#inboxPlaces[2 * i + 1])
          if (packet[0] >>> 4 === this.#family) take(name, packet)
        }
        if (n < BATCH) break
      }
  }

  prepare(arrivals: readonly Arrival[]): void {
    this.#prepared.clear()
    for (const device of this.#fds.keys()) {
      const own = arrivals.filter((arrival) => arrival.device === device)
      const bytes = Buffer.concat(own.map((arrival) => arrival.bytes))
      const places = new Int32Array(2 * own.length)
      let at = 0
      for (const [i, arrival] of own.entries()) {
        places[2 * i] = at
        places[2 * i + 1] = arrival.bytes.length
        at += arrival.bytes.length
      }
      this.#prepared.set(device, { bytes, places })
    }
  }

  run(times: number): Ran {
    let nanoseconds = 0
    let packets = 0
    for (let time = 0; time < times; time++)
      for (let from = 0, more = true; more; from += BATCH) {
        more = false
        // A batch from each device in turn, as they would come.
        for (const [device, { bytes, places }] of this.#prepared) {
          const count = Math.min(BATCH, (places.length >> 1) - from)
          if (count <= 0) continue
          more = true
          // Of a packet that is refused the length becomes an error.
          const batch = places.slice(2 * from, 2 * (from + count))
          const fd = this.#fds.get(device)!
          const begin = performance.now()
          this.#native.writeBatch(fd, bytes, batch, count, false)
          nanoseconds += (performance.now() - begin) * 1e6
          packets += count
          this.#drain()
          if (nanoseconds > RUN_MOST * 1e6) return { nanoseconds, packets }
        }
      }
    return { nanoseconds, packets }
  }

  /** Needs conntrack, the program: without it flows stay as long as they do. */
  clear(): boolean {
    if (this.#forgets === false) return false
    try {
      this.#inside(['conntrack', '-F'])
      this.#forgets = true
    } catch {
      this.#forgets = false
    }
    return this.#forgets
  }

  close(): void {
    for (const fd of this.#fds.values()) this.#native.close(fd)
    this.#fds.clear()
    this.#native.close(this.#netns)
    rmSync(this.#lock, { force: true })
  }
}

function hopsOf(bytes: Uint8Array): number {
  return bytes[0] >>> 4 === 6 ? bytes[ipv6.HOP_LIMIT] : bytes[ip.TTL]
}
