// The same packets through our conntrack and through the kernel's, and what they disagree on. The kernel is a router in
// an anonymous namespace, which goes away with its descriptor: device a (10.0.1.0/24, fd00:1::/64) and device b (10.0.2.0/24,
// fd00:2::/64), and rules that write the connection state of each packet into its TTL or hop limit.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Conntrack } from '../../src/conntrack/conntrack.ts'
import { Conntrack4 } from '../../src/conntrack/conntrack4.ts'
import { Conntrack6 } from '../../src/conntrack/conntrack6.ts'
import { FlowTable6 } from '../../src/conntrack/flows6.ts'
import * as f from '../../src/conntrack/record.ts'
import { stateName } from '../../src/conntrack/states.ts'
import { loadNative, POLLIN } from '../../src/device/native.ts'
import { ACCEPT } from '../../src/hook/hook.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { parse6 } from '../../src/packet/parse6.ts'
import { Slab } from '../../src/packet/slab.ts'
import { sysctls } from '../../src/sysctl.ts'
import { SystemClock, Time } from '../../src/time.ts'
import { format6, parse6 as parseAddress6 } from '../../src/wire/address6.ts'

const STATES = ['INVALID', 'NEW', 'ESTABLISHED', 'RELATED', 'UNTRACKED']
const rules = (target: string) =>
  `*mangle\n${STATES.map((state, i) => `-A FORWARD -m conntrack --ctstate ${state} -j ${target} ${100 + i}`).join('\n')}\nCOMMIT\n`

const FAMILIES = {
  4: { restore: 'iptables-legacy-restore', rules: rules('TTL --ttl-set'), at: 8, icmp: 1 },
  6: { restore: 'ip6tables-legacy-restore', rules: rules('HL --hl-set'), at: 7, icmp: 58 },
} as const

/** One flow, as both sides can tell it: tuple, then state and status; and the seconds that it has left. */
export interface Flow {
  readonly text: string
  readonly seconds: number
}

export class BesideKernel {
  readonly conntrack: Conntrack
  readonly #family: (typeof FAMILIES)[4 | 6]
  readonly #isSix: boolean
  readonly #time = new Time()
  readonly #clock = new SystemClock()
  readonly #slab = new Slab(4)
  readonly #packet = new Packet(this.#slab)
  readonly #native = loadNative()
  readonly #netns: number
  readonly #devices: readonly number[]
  /** A process inside the namespace: its /proc/PID/net is where the kernel lists its flows. */
  readonly #inside: ChildProcess
  readonly #bytes = new Uint8Array(65_536)
  readonly #descriptors = new Int32Array(2)

  constructor(settings: Record<string, number> = {}, family: 4 | 6 = 4) {
    this.#family = FAMILIES[family]
    this.#isSix = family === 6
    const native = this.#native
    const sysctl = sysctls({ 'net.netfilter.nf_conntrack_max': 1000, ...settings })
    this.#tick()
    this.conntrack = new (family === 4 ? Conntrack4 : Conntrack6)({ time: this.#time, sysctl }, 1)
    this.#netns = native.anonymousNetns()
    const netns = `/proc/self/fd/${this.#netns}`
    const path = `/proc/${process.pid}/fd/${this.#netns}`
    const write = (name: string, value: number) => native.writeSysctl(netns, name, String(value))
    write('net.ipv6.conf.default.disable_ipv6', this.#isSix ? 0 : 1)
    write('net.ipv6.conf.default.addr_gen_mode', 1)
    write('net.ipv6.conf.default.accept_dad', 0)
    write('net.ipv6.conf.all.forwarding', 1)
    write('net.ipv4.ip_forward', 1)
    native.setLink(netns, { name: 'lo', up: true })
    this.#devices = ['a', 'b'].map((name, i) => {
      const { fd } = native.openTun({ name, netns })
      native.setLink(netns, { name, up: true, mtu: 65_535 })
      native.addAddress(netns, { name, address: `10.0.${i + 1}.1`, prefixLength: 24 })
      if (this.#isSix) native.addAddress(netns, { name, address: `fd00:${i + 1}::1`, prefixLength: 64 })
      write(`net.ipv4.conf.${name}.rp_filter`, 0)
      return fd
    })
    const lock = join(tmpdir(), `tunfilter-beside-${process.pid}-${this.#netns}`)
    execFileSync('nsenter', [`--net=${path}`, this.#family.restore, '-w'], {
      input: this.#family.rules,
      env: { ...process.env, XTABLES_LOCKFILE: lock },
    })
    rmSync(lock, { force: true })
    this.#inside = spawn('nsenter', [`--net=${path}`, 'sleep', '600'], { stdio: 'ignore' })
    // Until nsenter has become sleep, it is still outside.
    const command = `/proc/${this.#inside.pid}/comm`
    while (readFileSync(command, 'latin1').trim() !== 'sleep') native.poll(new Int32Array(3), 0, 5)
    for (const [name, value] of Object.entries(settings))
      if (name !== 'net.netfilter.nf_conntrack_max') write(name, value)
  }

  close(): void {
    this.#inside.kill('SIGKILL')
    for (const fd of this.#devices) this.#native.close(fd)
    this.#native.close(this.#netns)
  }

  #tick(): void {
    this.#time.set(this.#clock.now())
  }

  /** What the kernel makes of a packet that comes in by device 0 or 1: its state, or 'dropped'. */
  kernel(device: number, bytes: Uint8Array): string {
    const native = this.#native
    this.#bytes.set(bytes)
    this.#descriptors[0] = 0
    this.#descriptors[1] = bytes.length
    native.writeBatch(this.#devices[device]!, this.#bytes, this.#descriptors, 1, false)
    const out = this.#devices[device ^ 1]!
    for (;;) {
      if (native.poll(Int32Array.of(out, POLLIN, 0), 1, 20) !== 1) return 'dropped'
      native.readBatch(out, this.#bytes, this.#descriptors, 1, 65_536, false)
      if (this.#isHousekeeping()) continue
      const limit = this.#bytes[this.#family.at]!
      return STATES[limit - 100] ?? `TTL ${limit}`
    }
  }

  /** What the kernel says to groups of its own accord (multicast listener reports, router solicitations). */
  #isHousekeeping(): boolean {
    return this.#isSix && this.#bytes[24] === 0xff
  }

  /** All packets that the kernel sends on when this one comes in. */
  kernelForwards(device: number, bytes: Uint8Array): Uint8Array[] {
    const native = this.#native
    this.#bytes.set(bytes)
    this.#descriptors[0] = 0
    this.#descriptors[1] = bytes.length
    native.writeBatch(this.#devices[device]!, this.#bytes, this.#descriptors, 1, false)
    const out = this.#devices[device ^ 1]!
    const found: Uint8Array[] = []
    while (native.readBatch(out, this.#bytes, this.#descriptors, 1, 65_536, false) === 1)
      if (!this.#isHousekeeping()) found.push(this.#bytes.slice(0, this.#descriptors[1]))
    return found
  }

  sysctl(name: string, value: number): void {
    this.#native.writeSysctl(`/proc/self/fd/${this.#netns}`, name, String(value))
  }

  /** What we make of it. */
  ours(bytes: Uint8Array): string {
    this.#tick()
    const start = this.#slab.take()
    this.#slab.bytes.set(bytes, start)
    const p = this.#packet
    p.begin(start, bytes.length, 1)
    try {
      if ((this.#isSix ? parse6(p) : parse4(p)) !== PARSED) return 'dropped'
      if (this.conntrack.input(p) !== ACCEPT) return 'dropped'
      const state = STATES[p.ctinfo]!
      if (this.conntrack.confirm(p) !== ACCEPT) return 'dropped'
      return state
    } finally {
      this.conntrack.forget(p)
      this.#slab.give(start)
    }
  }

  kernelFlows(): Flow[] {
    const text = readFileSync(`/proc/${this.#inside.pid}/net/nf_conntrack`, 'latin1')
    return text.split('\n').filter(Boolean).map(parseLine)
  }

  ourFlows(): Flow[] {
    this.#tick()
    const { flows } = this.conntrack
    const found: Flow[] = []
    for (let ct = 0; ct < flows.used; ct++) {
      const left = (flows.expires(ct) - this.#time.now) | 0
      if (flows.inUse(ct) && left > 0) found.push({ text: this.#describe(ct), seconds: left / 1000 })
    }
    return found
  }

  #describe(ct: number): string {
    const { flows } = this.conntrack
    const protocol = flows.protocol(ct)
    const words = [String(protocol), stateName(protocol, flows.words[ct * f.WORDS + f.TRACKER]!)]
    for (const direction of [0, 1]) {
      if (flows instanceof FlowTable6)
        words.push(format6(flows.sourceWords(ct, direction)), format6(flows.destinationWords(ct, direction)))
      else words.push(text(flows.source(ct, direction)), text(flows.destination(ct, direction)))
      const [sport, dport] = [flows.sport(ct, direction), flows.dport(ct, direction)]
      if (protocol === this.#family.icmp) words.push(String(dport >> 8), String(dport & 255), String(sport))
      else if (protocol === 6 || protocol === 17 || protocol === 136 || protocol === 132)
        words.push(String(sport), String(dport))
      const { extensions } = flows
      if (!Number.isNaN(extensions.packets(ct, direction)))
        words.push(String(extensions.packets(ct, direction)), String(extensions.bytes(ct, direction)))
    }
    const status = flows.status(ct)
    if ((status & 2) === 0) words.push('[UNREPLIED]')
    if ((status & 4) !== 0) words.push('[ASSURED]')
    return words.filter(Boolean).join(' ')
  }

  /** Lines for every flow that only one side has or that differ; '' where the two agree. */
  differences(): string {
    const theirs = this.kernelFlows()
    const ours = this.ourFlows()
    const lines: string[] = []
    for (const flow of theirs) {
      const same = ours.find(({ text }) => text === flow.text)
      if (same === undefined) lines.push(`kernel only: ${flow.seconds} ${flow.text}`)
      // The kernel prints whole seconds, rounded down.
      else if (Math.abs(same.seconds - flow.seconds - 0.5) > 1)
        lines.push(`kernel ${flow.seconds}, ours ${same.seconds}: ${flow.text}`)
    }
    for (const flow of ours)
      if (!theirs.some(({ text }) => text === flow.text)) lines.push(`ours only: ${flow.seconds} ${flow.text}`)
    return lines.join('\n')
  }
}

function text(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** A line of /proc/net/nf_conntrack: `ipv4 2 tcp 6 431999 ESTABLISHED src=10.0.1.2 ... [ASSURED] mark=0 ...`. */
function parseLine(line: string): Flow {
  const words = line.trim().split(/\s+/)
  const kept: string[] = [words[3]!]
  for (const word of words.slice(5)) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(word) ?? []
    if (name === undefined) {
      if (word !== '[UNREPLIED]' && word !== '[ASSURED]') kept.push(word)
    } else if (['src', 'dst', 'sport', 'dport', 'type', 'code', 'id', 'packets', 'bytes'].includes(name))
      kept.push(value!.includes(':') ? format6(parseAddress6(value!)!) : value!)
  }
  for (const word of ['[UNREPLIED]', '[ASSURED]']) if (line.includes(word)) kept.push(word)
  return { text: kept.join(' '), seconds: Number(words[4]) }
}
