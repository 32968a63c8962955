// A router in memory for tests: an engine with two memory devices, a clock that stands still until it is told, and a seed.

import type { RouterConfig } from '../../src/config.ts'
import * as f from '../../src/conntrack/record.ts'
import type { Device } from '../../src/device/device.ts'
import { MemoryDevice } from '../../src/device/memory.ts'
import { Engine } from '../../src/engine.ts'
import type { Watch } from '../../src/hook/way.ts'
import { seededRandom } from '../../src/random.ts'
import { VirtualClock } from '../../src/time.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { bytesOf, lineOf, type Written } from '../support/packets.ts'

export const CONFIG: RouterConfig = {
  devices: {
    lan: { addresses: ['10.0.1.1/24'] },
    wan: { addresses: ['203.0.113.1/24'] },
  },
  routes: [{ to: 'default', via: '203.0.113.254' }],
}

export interface RouterOptions {
  readonly config?: RouterConfig
  readonly sysctl?: Readonly<Record<string, number>>
  readonly slots?: number
  readonly seed?: number
  readonly interpretRules?: boolean
  readonly watch?: Watch
  /** Instead of memory devices, by name. */
  readonly devices?: Readonly<Record<string, Device>>
}

export class Router {
  readonly engine: Engine
  readonly clock = new VirtualClock(1_700_000_000_000)
  readonly log: string[] = []
  readonly notices: string[] = []
  readonly #devices = new Map<string, Device>()

  constructor(rules = '', options: RouterOptions = {}) {
    const config = options.config ?? CONFIG
    for (const name of Object.keys(config.devices))
      this.#devices.set(name, options.devices?.[name] ?? new MemoryDevice(name))
    this.engine = Engine.open({
      // Small, so that a test may make hundreds of routers.
      config: { ...config, sysctl: { 'net.netfilter.nf_conntrack_max': 1024, ...config.sysctl, ...options.sysctl } },
      devices: this.#devices,
      clock: this.clock,
      random: seededRandom(options.seed ?? 1),
      slots: options.slots ?? 64,
      interpretRules: options.interpretRules,
      watch: options.watch,
      log: (_level, line) => this.log.push(line),
      notice: (message) => this.notices.push(message),
    })
    this.engine.load(rules)
  }

  device(name: string): MemoryDevice {
    return this.#devices.get(name) as MemoryDevice
  }

  /** Hands packets in and lets the engine run until nothing waits. */
  inject(device: string, ...packets: readonly Written[]): void {
    const memory = this.device(device)
    for (const packet of packets) memory.inject(bytesOf(packet))
    while (this.engine.step() > 0);
  }

  /** What left since the last call, one line each: the device and the packet, without identifiers that are random. */
  taken(): string[] {
    const lines: string[] = []
    for (const [name, device] of this.#devices)
      if (device instanceof MemoryDevice)
        for (const bytes of device.take()) lines.push(`${name}: ${lineOf(bytes).replace(/ ipid \d+$/, '')}`)
    return lines
  }

  /** Hands packets in and returns what left for them. */
  send(device: string, ...packets: readonly Written[]): string[] {
    this.inject(device, ...packets)
    return this.taken()
  }

  pause(milliseconds: number): void {
    this.clock.advance(milliseconds)
    this.engine.step()
  }

  /** The reasons under which packets were dropped, with how many; what was delivered to the router itself left out. */
  dropped(): Record<string, number> {
    const all = Object.entries(this.engine.counters().dropped)
    return Object.fromEntries(all.filter(([reason, n]) => n > 0 && reason !== 'delivered'))
  }

  /** Slots that are not free. */
  get slotsOut(): number {
    return this.engine.slab.slots - this.engine.slab.free
  }

  get flows(): number {
    return this.engine.conntrack.flows.count
  }

  /**
   * Walks NAT's chains by source: of these, given as address, port and protocol, and of every flow that stands in one; and
   * sees that nobody writes to a record that was given back.
   */
  checkFlows(sources: readonly (readonly [address: string, port: number, protocol: number])[]): void {
    const { flows } = this.engine.conntrack
    const chained = (ct: number) => flows.inUse(ct) && (flows.words[ct * f.WORDS + f.STATUS]! & f.BY_SOURCE) !== 0
    const chain = (source: number, port: number, key: number): Set<number> => {
      const seen = new Set<number>()
      for (let ct = flows.firstBySource(source, port, key); ct >= 0; ct = flows.nextBySource(ct)) {
        if (seen.has(ct) || !chained(ct)) throw new Error(`record ${ct} does not belong into its chain`)
        seen.add(ct)
      }
      return seen
    }
    for (const [address, port, protocol] of sources) chain(parseAddress(address)!, port, protocol)
    for (let ct = 0; ct < flows.used; ct++) {
      if (!flows.inUse(ct) && flows.words[ct * f.WORDS + f.STATUS] !== 0)
        throw new Error(`record ${ct} is free and was written to`)
      if (!chained(ct)) continue
      const found = chain(flows.source(ct, 0), flows.sport(ct, 0), flows.words[ct * f.WORDS + f.KEY]!)
      if (!found.has(ct)) throw new Error(`record ${ct} is missing in its chain`)
    }
  }
}
