// The whole path in memory: established, masqueraded UDP flows through the engine, from a device in memory to another.
// Every flow is first made by a packet there and one back; then packets from the clients are counted in rounds, in turn with
// the other numbers of flows. It asserts that every packet came out, and that the heap does not grow with their number.

import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { FloodDevice } from '../../src/cost/flood.ts'
import { loadNative } from '../../src/device/native.ts'
import { Engine } from '../../src/engine.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Slab } from '../../src/packet/slab.ts'
import { figure, median, type Result, round as roundTo4, say, type Target } from '../figure.ts'
import { LENGTH, shuffled, TRAFFIC4, type Traffic } from '../packets.ts'
import { SYN_ACKS, SYNS, TRAFFIC_TCP } from '../packets-tcp.ts'
import { TRAFFIC6 } from '../packets6.ts'
import type { Options, Turns } from '../part.ts'
import { CONFIG, CONFIG6, rules, rules6 } from './config.ts'

/** Millions of packets a second that are wanted of 10,000 established flows and 20 rules; IPv6 may take a third longer. */
const MILLIONS_WANTED = { 4: 2, 6: 1.5 }
/** IPv6 has 64 bytes of addresses more. */
const BYTES_A_FLOW_WANTED = { 4: 128, 6: 224 }
/** What may be left on the heap after a million packets. */
const GROWTH_ALLOWED = 64 * 1024
/** A clock's reading is a number on the heap, once a batch. More than this a packet would be a packet's own. */
const BYTES_A_PACKET_ALLOWED = 1
const YOUNG_GENERATION = 16 << 20
/** Tables fuller than 95 % let go of flows that are not assured yet, as Linux's do: there is room. */
const ROOM = 1.06
/** Nothing expires while it is measured. */
const HOUR = 3600

export const ESTABLISHED = 'established NAT flow, 20 rules'
export const BYTES = 'memory for a flow, all counted'

export interface MemoryTask {
  readonly flows: number
  readonly hugePages?: boolean
  /** 4 when left out. */
  readonly family?: 4 | 6
  /** Connections of TCP in the place of UDP's flows. */
  readonly tcp?: boolean
}

export function memory({ flows, hugePages = false, family = 4, tcp = false }: MemoryTask, { quick }: Options): Turns {
  const extra = `${family === 6 ? ', IPv6' : ''}${tcp ? ', TCP' : ''}${hugePages ? ', huge pages' : ''}`
  const where = `${flows.toLocaleString('en')} flow${flows === 1 ? '' : 's'}${extra}`
  const traffic = tcp ? TRAFFIC_TCP : family === 4 ? TRAFFIC4 : TRAFFIC6
  say(`memory: ${where}`)
  const lan = new FloodDevice('lan')
  const wan = new FloodDevice('wan')
  const order = shuffled(flows)
  // What the benchmark itself needs is touched before the first look at the memory.
  const prepared = Math.max(flows, 64)
  wan.prepare(
    prepared,
    () => LENGTH,
    (view, at, i) => (tcp ? SYN_ACKS : traffic.writeReply)(view, at, order[i % flows]),
  )
  lan.prepare(
    prepared,
    () => LENGTH,
    (view, at, i) => (tcp ? SYNS : traffic.write)(view, at, order[i % flows]),
  )
  const rssBefore = residentAfterCollection()

  const engine = Engine.open({
    config: {
      ...(family === 4 ? CONFIG : CONFIG6),
      sysctl: {
        'net.netfilter.nf_conntrack_max': Math.max(Math.ceil(flows * ROOM), 1024),
        'net.netfilter.nf_conntrack_udp_timeout': HOUR,
        'net.netfilter.nf_conntrack_udp_timeout_stream': HOUR,
        'net.netfilter.nf_conntrack_tcp_timeout_syn_sent': HOUR,
        'net.netfilter.nf_conntrack_tcp_timeout_syn_recv': HOUR,
      },
    },
    devices: new Map([
      ['lan', lan],
      ['wan', wan],
    ]),
  })
  const conntrack = family === 4 ? engine.conntrack : engine.conntrack6
  if (hugePages) for (const { buffer } of conntrack.flows.arrays) loadNative().madviseHuge(new Uint8Array(buffer))
  if (family === 4) engine.load(rules())
  else engine.load(rules6(), { family: 6 })
  const processor: number[] = []
  const run = (device: FloodDevice, packets: number): number => {
    device.allow(packets)
    const used = process.cpuUsage()
    const begin = performance.now()
    while (device.left > 0) engine.step()
    const ended = performance.now()
    const { user, system } = process.cpuUsage(used)
    processor.push(((user + system) * 1e3) / packets)
    return ((ended - begin) * 1e6) / packets
  }

  const first = run(lan, flows)
  const answered = run(wan, flows)
  if (tcp) {
    // From here on both sides repeat what they acknowledge.
    for (const [device, write] of [
      [lan, traffic.write],
      [wan, traffic.writeReply],
    ] as const)
      device.prepare(
        prepared,
        () => LENGTH,
        (view, at, i) => write(view, at, order[i % flows]),
      )
    run(lan, flows)
  }
  say(`  made ${flows} flows: ${first.toFixed(0)} ns for a new flow's packet, ${answered.toFixed(0)} ns for its answer`)
  if (conntrack.flows.count !== flows)
    throw new Error(`bench/path/memory: ${conntrack.flows.count} flows were made, expected ${flows}`)
  expectRewritten(engine, traffic, lan, wan)
  const rss = residentAfterCollection() - rssBefore
  const { byteLength } = conntrack.flows

  // To the end of V8's optimising, but over every flow at least once.
  run(lan, Math.max(quick ? 500_000 : 2_000_000, flows))
  processor.length = 0
  const packets = quick ? 500_000 : 1_000_000
  const costs: number[] = []
  const heap = new WatchedHeap()
  const round = () => {
    heap.watch(packets, () => costs.push(run(lan, packets)))
  }

  const finish = async (): Promise<Result> => {
    const processorTime = roundTo4(median(processor))
    const { left, allocated, collections } = await heap.end()
    const back = Array.from({ length: quick ? 2 : 3 }, () => run(wan, packets / 2))
    expectAllTransmitted(engine)
    engine.close()
    const cost = figure(ESTABLISHED, where, 'ns a packet', costs, {
      at: hugePages ? undefined : flows,
      also: {
        millionPacketsASecond: roundTo4(1e3 / median(costs)),
        processorNanoseconds: processorTime,
        collections,
      },
    })
    say(
      `  ${where}: ${cost.value} ns a packet (${cost.low} to ${cost.high}); ${allocated.toFixed(3)} bytes of heap a packet`,
    )
    const targets: Target[] = [
      {
        what: `heap left over after ${heap.packets.toLocaleString('en')} packets, ${where}`,
        wanted: `at most ${GROWTH_ALLOWED / 1024} KiB`,
        got: `${(left / 1024).toFixed(1)} KiB`,
        held: left <= GROWTH_ALLOWED,
      },
      {
        what: `heap allocated on the way, ${where}`,
        wanted: `below ${BYTES_A_PACKET_ALLOWED} byte a packet`,
        got: `${allocated.toFixed(3)} bytes, ${collections} collections`,
        held: allocated < BYTES_A_PACKET_ALLOWED,
      },
    ]
    if (flows === 10_000) {
      targets.push({
        what: `${ESTABLISHED}, ${where}`,
        wanted: `at least ${MILLIONS_WANTED[family]} million packets a second`,
        got: `${(1e3 / cost.value).toFixed(2)} million`,
        held: 1e3 / cost.value >= MILLIONS_WANTED[family],
      })
    }
    const figures = [
      cost,
      figure('the same, answers', where, 'ns a packet', back),
      figure('the device that hands packets in, alone', where, 'ns a packet', deviceAlone(lan, packets)),
    ]
    if (flows >= 1_000_000) {
      // With few flows this would be the time that code takes to become fast.
      const measured = figure(BYTES, where, 'bytes', [rss / flows], {
        also: { tablesOnly: roundTo4(byteLength / flows) },
      })
      figures.push(figure("a new flow's packet", where, 'ns a packet', [first]), measured)
      targets.push({
        what: `memory for a flow, ${where}`,
        wanted: `at most ${BYTES_A_FLOW_WANTED[family]} bytes`,
        got: `${measured.value} resident, ${measured.also?.tablesOnly} reserved in tables`,
        held: Math.max(rss, byteLength) / flows <= BYTES_A_FLOW_WANTED[family],
      })
    }
    return { figures, targets, skipped: [] }
  }
  return { rounds: quick ? 3 : 7, round, finish }
}

/** Resident bytes once what is garbage is gone. */
function residentAfterCollection(): number {
  collect()
  return process.memoryUsage().rss
}

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('bench/path/memory: start node with --expose-gc')
  globalThis.gc()
}

/** What handling packets does to the heap. Between rounds, while others take their turns, nothing is counted. */
class WatchedHeap {
  packets = 0
  #grown = 0
  #before: number | undefined
  /** When packets were handled. */
  readonly #watched: { readonly from: number; readonly to: number }[] = []
  readonly #collected: number[] = []
  readonly #observer = new PerformanceObserver((list) => {
    // Those that are asked for are no news; the clocks of the two lists are some milliseconds apart.
    for (const entry of list.getEntries()) {
      const { startTime, detail } = entry as unknown as { startTime: number; detail: { readonly flags: number } }
      if ((detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) === 0) this.#collected.push(startTime)
    }
  })

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  watch(packets: number, work: () => void): void {
    // What the first round leaves, and hearing of the next one, is there once.
    if (this.packets > 0) this.#before ??= usedAfterCollection()
    const before = process.memoryUsage().heapUsed
    const from = performance.now()
    work()
    this.#watched.push({ from, to: performance.now() })
    this.#grown += process.memoryUsage().heapUsed - before
    this.packets += packets
  }

  /** Bytes that are there afterwards and were not before, bytes allocated a packet at most, and collections on the way. */
  async end(): Promise<{ readonly left: number; readonly allocated: number; readonly collections: number }> {
    // What is observed is told a turn of the event loop later.
    await setImmediate()
    await setImmediate()
    this.#observer.disconnect()
    const collections = this.#collected.filter((at) =>
      this.#watched.some(({ from, to }) => at >= from && at <= to),
    ).length
    // A collection hides up to a young generation.
    const allocated = (Math.max(0, this.#grown) + collections * YOUNG_GENERATION) / this.packets
    return { left: usedAfterCollection() - (this.#before ?? 0), allocated, collections }
  }
}

function usedAfterCollection(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

function deviceAlone(device: FloodDevice, packets: number): number[] {
  const slab = new Slab(64)
  const rx = new Batch()
  for (let i = 0; i < rx.capacity; i++) rx.set(i, slab.take(), 0)
  return Array.from({ length: 5 }, () => {
    device.allow(packets)
    const begin = performance.now()
    while (device.left > 0) device.receive(slab, rx, rx.capacity)
    return ((performance.now() - begin) * 1e6) / packets
  })
}

/** Packets from the clients leave with the router's address and right checksums. */
function expectRewritten(engine: Engine, traffic: Traffic, lan: FloodDevice, wan: FloodDevice): void {
  let right = 0
  wan.inspect = (view, start, length) => {
    if (length === LENGTH && traffic.isMasqueraded(view, start)) right++
  }
  lan.allow(64)
  while (lan.left > 0) engine.step()
  wan.inspect = undefined
  if (right !== 64) throw new Error(`bench/path/memory: ${right} of 64 packets left as they should, masqueraded`)
}

function expectAllTransmitted(engine: Engine): void {
  const { links, dropped } = engine.counters()
  for (const [from, to] of [
    ['lan', 'wan'],
    ['wan', 'lan'],
  ])
    if (links[from].rxPackets !== links[to].txPackets)
      throw new Error(
        `bench/path/memory: of ${links[from].rxPackets} packets into ${from} ${links[to].txPackets} left by ${to}; ` +
          `dropped ${JSON.stringify(Object.fromEntries(Object.entries(dropped).filter(([, n]) => n > 0)))}`,
      )
}
