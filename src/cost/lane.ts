// A rule set in an engine of its own, in memory, with devices that hand in what was prepared. Flows are made here packet by
// packet, and what became of each is told; then the same packets can be run through as fast as they go.
//
// The clock is turned by hand, 10,000 packets to a second of it, so that limits and timeouts mean the same in every run.
// What is expected to be there while it is measured does not time out, unless the configuration says when.

import type { RouterConfig } from '../config.ts'
import { Engine } from '../engine.ts'
import type { Watch } from '../hook/way.ts'
import { REASON, REASONS, type ReasonName } from '../packet/reason.ts'
import { seededRandom } from '../random.ts'
import type { RuleSet } from '../rule/model.ts'
import { VirtualClock } from '../time.ts'
import { type Arrival, establish } from './establish.ts'
import { FloodDevice } from './flood.ts'
import type { Ran, Runner } from './rounds.ts'
import type { Flow } from './traffic.ts'

/** Milliseconds of the engine's clock for a packet, and for a round of the engine in which many come. */
const A_PACKET = 0.1
const A_ROUND = 6.4
const HOUR = 3600
const SEED = 1

/** What became of packets; each is counted once. */
export interface Outcome {
  packets: number
  forwarded: number
  /** The router answered: by itself (echo, closed port), by REJECT, or with another error. */
  answered: number
  /** Came to the router, which had nothing to say. */
  delivered: number
  dropped: number
  /** Neither: held back for the rest of its fragments. */
  held: number
  /** Of those that were dropped or answered, why they went no further. */
  readonly reasons: Partial<Record<ReasonName, number>>
}

export interface LaneOptions {
  readonly config: RouterConfig
  /** Undefined: without rules. */
  readonly rules: RuleSet | undefined
  /** In ipset-save form. */
  readonly sets?: string
  readonly flows: number
  readonly interpreted?: boolean
  /** Told of every step of the hooks. */
  readonly watch?: Watch
}

export class Lane implements Runner {
  readonly engine: Engine
  readonly outcome: Outcome = { packets: 0, forwarded: 0, answered: 0, delivered: 0, dropped: 0, held: 0, reasons: {} }
  readonly #clock = new VirtualClock(Date.UTC(2026, 0, 1))
  readonly #devices: ReadonlyMap<string, FloodDevice>
  /** What left while it was watched, by device in the order in which they transmit. */
  #left: Arrival[] = []
  readonly #droppedBefore = new Float64Array(REASONS.length)

  constructor({ config, rules, sets = '', flows, interpreted, watch }: LaneOptions) {
    this.#devices = new Map(Object.keys(config.devices).map((name) => [name, new FloodDevice(name)]))
    const sysctl = {
      // Tables that are nearly full let go of flows that are not assured.
      'net.netfilter.nf_conntrack_max': Math.max(flows * 2, 65_536),
      'net.netfilter.nf_conntrack_udp_timeout': HOUR,
      'net.netfilter.nf_conntrack_udp_timeout_stream': HOUR,
      'net.netfilter.nf_conntrack_icmp_timeout': HOUR,
      'net.netfilter.nf_conntrack_icmpv6_timeout': HOUR,
      'net.netfilter.nf_conntrack_tcp_timeout_syn_sent': HOUR,
      'net.netfilter.nf_conntrack_tcp_timeout_syn_recv': HOUR,
      'net.netfilter.nf_conntrack_tcp_timeout_max_retrans': HOUR,
      ...config.sysctl,
    }
    this.engine = Engine.open({
      config: { ...config, sysctl },
      devices: this.#devices,
      clock: this.#clock,
      random: seededRandom(SEED),
      interpretRules: interpreted,
      watch,
    })
    this.engine.loadSets(sets)
    if (rules !== undefined) this.engine.loadRules(rules)
  }

  close(): void {
    this.engine.close()
  }

  clear(): true {
    this.engine.flows.clear()
    return true
  }

  /** Makes every flow, one packet after the other, and tells what its established packets are. */
  establish(flows: readonly Flow[]): Arrival[] {
    this.#watch(true)
    const through = (arrival: Arrival) => {
      const left = this.#through(arrival)
      return { left, forwarded: this.#last === 'forwarded' }
    }
    const established = flows.flatMap((flow) => establish(flow, through))
    this.#watch(false)
    return established
  }

  /** Lets packets through one after the other and counts what becomes of them. */
  play(arrivals: readonly Arrival[]): void {
    this.#watch(true)
    for (const arrival of arrivals) this.#through(arrival)
    this.#watch(false)
  }

  /** Has these packets ready for run(). */
  prepare(arrivals: readonly Arrival[]): void {
    for (const device of this.#devices.values())
      device.preparePackets(arrivals.filter((arrival) => arrival.device === device.name).map(({ bytes }) => bytes))
  }

  /** Runs what is prepared through, this many times. */
  run(times: number): Ran {
    const devices = [...this.#devices.values()]
    let left = 0
    for (const device of devices) {
      device.allow(device.prepared * times)
      left += device.left
    }
    const packets = left
    const begin = performance.now()
    while (left > 0) {
      this.#clock.advance(A_ROUND)
      this.engine.step()
      left = 0
      for (const device of devices) left += device.left
    }
    return { nanoseconds: (performance.now() - begin) * 1e6, packets }
  }

  #last: 'forwarded' | 'answered' | 'delivered' | 'dropped' | 'held' = 'held'

  /** Lets one packet through; gives what left because of it, and counts what became of it. */
  #through({ device, bytes }: Arrival): Arrival[] {
    const from = this.#devices.get(device)
    from?.preparePackets([bytes])
    from?.allow(1)
    this.#clock.advance(A_PACKET)
    this.engine.step()
    const left = this.#left
    if (left.length > 0) this.#left = []
    const { outcome } = this
    outcome.packets++
    const { dropped } = this.engine.pipeline
    const before = this.#droppedBefore
    let reason = -1
    for (let i = 0; i < REASONS.length; i++) {
      if (dropped[i] === before[i]) continue
      before[i] = dropped[i]
      if (reason < 0 || i !== REASON.delivered) reason = i
    }
    if (reason >= 0 && reason !== REASON.delivered)
      outcome.reasons[REASONS[reason]] = (outcome.reasons[REASONS[reason]] ?? 0) + 1
    if (left.length > 0) this.#last = reason < 0 ? 'forwarded' : 'answered'
    else this.#last = reason < 0 ? 'held' : reason === REASON.delivered ? 'delivered' : 'dropped'
    outcome[this.#last]++
    return left
  }

  #watch(on: boolean): void {
    for (const device of this.#devices.values())
      device.inspect = on
        ? ({ buffer }, start, length) =>
            this.#left.push({
              device: device.name,
              bytes: new Uint8Array(buffer.slice(start, start + length) as ArrayBuffer),
            })
        : undefined
    this.#droppedBefore.set(this.engine.pipeline.dropped)
  }
}
