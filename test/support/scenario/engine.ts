// The engine as the subject of a scenario: devices in memory, a clock that moves only at a pause, and a fixed seed.

import { stringify } from 'yaml'
import type { RouterConfig } from '../../../src/config.ts'
import { formatFlows } from '../../../src/conntrack/command/line.ts'
import { MemoryDevice } from '../../../src/device/memory.ts'
import { Engine } from '../../../src/engine.ts'
import { parseConfig } from '../../../src/gateway/config.ts'
import { seededRandom } from '../../../src/random.ts'
import { VirtualClock } from '../../../src/time.ts'
import type { Subject } from './subject.ts'

/** Any moment does. It is no multiple of a second, so that rounding shows. */
const START = 1_700_000_000_123
/** As the kernel's rig has it. */
const BASELINE = { 'net.ipv6.auto_flowlabels': 0 }

/** Room for less than an engine has by itself: for thousands of engines of which none sees much. */
export interface Room {
  /** Packets at a time, in fragments too. */
  readonly slots: number
  readonly flows: number
}

let parsed: readonly [text: string, config: RouterConfig] | undefined

/** Thousands of cases have the configuration of the one before. */
function parsedOnce(text: string): RouterConfig {
  if (parsed?.[0] !== text) parsed = [text, parseConfig(text, 'scenario')]
  return parsed[1]
}

export class EngineSubject implements Subject {
  readonly slack = 0
  readonly engine: Engine
  readonly clock = new VirtualClock(START)
  private readonly devices: Map<string, MemoryDevice>
  private lines: string[] = []

  constructor(config: RouterConfig, seed = 1, room?: Room) {
    // Through the program's own parser: a scenario's configuration is one that `up` and `replay` take.
    const sysctl = { ...BASELINE, ...(room && { 'net.netfilter.nf_conntrack_max': room.flows }), ...config.sysctl }
    const parsed = parsedOnce(stringify({ ...config, sysctl }))
    this.devices = new Map(Object.keys(parsed.devices).map((name) => [name, new MemoryDevice(name)]))
    this.engine = Engine.open({
      config: parsed,
      devices: this.devices,
      clock: this.clock,
      random: seededRandom(seed),
      ...(room && { slots: room.slots }),
      log: (_level, line) => this.lines.push(line),
    })
  }

  load(rules: string, family: 4 | 6 = 4): void {
    this.engine.load(rules, { family })
  }

  ip(command: string): void {
    const { status, stderr } = this.engine.ip(command.split(/\s+/))
    if (status !== 0) throw new Error(`ip ${command}: status ${status}: ${stderr}`)
  }

  exchange(device: string, packets: readonly Uint8Array[]): Map<string, Uint8Array[]> {
    for (const packet of packets) this.devices.get(device)!.inject(packet)
    while (this.engine.step() > 0);
    const sent = new Map<string, Uint8Array[]>()
    for (const [name, memory] of this.devices) {
      const out = memory.take()
      if (out.length > 0) sent.set(name, out)
    }
    return sent
  }

  pause(milliseconds: number): void {
    this.clock.advance(milliseconds)
    this.engine.step()
  }

  counters(family: 4 | 6 = 4): string {
    return this.engine.saveRules({ counters: true, family })
  }

  conntrack(): string {
    const { conntrack, conntrack6, time } = this.engine
    return [...formatFlows(conntrack.flows, time), ...formatFlows(conntrack6.flows, time)].join('\n')
  }

  log(): string[] {
    const lines = this.lines
    this.lines = []
    return lines
  }

  close(): void {
    this.engine.close()
  }
}
