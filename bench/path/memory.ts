// The whole path in memory: established, masqueraded UDP flows through the engine, from a device in memory to another.
// Every flow is first made by a packet there and one back; then packets from the clients are counted in rounds. It asserts
// that every packet came out, and that the heap does not grow with their number. Runs in a process of its own,
// started with --expose-gc, one process a number of flows.

import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { FloodDevice } from '../../src/cost/flood.ts'
import { loadNative } from '../../src/device/native.ts'
import { Engine } from '../../src/engine.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Slab } from '../../src/packet/slab.ts'
import { figure, median, type Result, round, say, type Target } from '../figure.ts'
import { LENGTH, shuffled, TRAFFIC4, type Traffic } from '../packets.ts'
import { TRAFFIC6 } from '../packets6.ts'
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

export interface MemoryOptions {
  readonly flows: number
  readonly hugePages: boolean
  /** 4 when left out. */
  readonly family?: 4 | 6
  readonly quick: boolean
}

export async function memory({ flows, hugePages, family = 4, quick }: MemoryOptions): Promise<Result> {
  const extra = `${family === 6 ? ', IPv6' : ''}${hugePages ? ', huge pages' : ''}`
  const where = `${flows.toLocaleString('en')} flow${flows === 1 ? '' : 's'}${extra}`
  const traffic = family === 4 ? TRAFFIC4 : TRAFFIC6
  say(`memory: ${where}`)
  const lan = new FloodDevice('lan')
  const wan = new FloodDevice('wan')
  const order = shuffled(flows)
  // What the benchmark itself needs is touched before the first look at the memory.
  const prepared = Math.max(flows, 64)
  wan.prepare(
    prepared,
    () => LENGTH,
    (view, at, i) => traffic.writeReply(view, at, order[i % flows]),
  )
  lan.prepare(
    prepared,
    () => LENGTH,
    (view, at, i) => traffic.write(view, at, order[i % flows]),
  )
  const rssBefore = residentAfterCollection()

  const engine = Engine.open({
    config: {
      ...(family === 4 ? CONFIG : CONFIG6),
      sysctl: {
        'net.netfilter.nf_conntrack_max': Math.max(Math.ceil(flows * ROOM), 1024),
        'net.netfilter.nf_conntrack_udp_timeout': HOUR,
        'net.netfilter.nf_conntrack_udp_timeout_stream': HOUR,
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
  say(`  made ${flows} flows: ${first.toFixed(0)} ns for a new flow's packet, ${answered.toFixed(0)} ns for its answer`)
  if (conntrack.flows.count !== flows)
    throw new Error(`bench/path/memory: ${conntrack.flows.count} flows were made, expected ${flows}`)
  expectRewritten(engine, traffic, lan, wan)
  const rss = residentAfterCollection() - rssBefore

  // To the end of V8's optimising, but over every flow at least once.
  run(lan, Math.max(quick ? 500_000 : 2_000_000, flows))
  const rounds = quick ? 3 : 7
  const packets = quick ? 500_000 : 2_000_000
  const costs: number[] = []
  processor.length = 0
  const heap = await heapWatched(rounds * packets, () => {
    for (let i = 0; i < rounds; i++) costs.push(run(lan, packets))
  })
  const processorTime = round(median(processor))
  const back = Array.from({ length: quick ? 2 : 3 }, () => run(wan, packets / 2))
  const total = rounds * packets
  expectAllTransmitted(engine)
  const cost = figure('established NAT flow, 20 rules', where, 'ns a packet', costs, {
    also: {
      millionPacketsASecond: round(1e3 / median(costs)),
      processorNanoseconds: processorTime,
      collections: heap.collections,
    },
  })
  say(`  ${cost.value} ns a packet (${cost.low} to ${cost.high}); ${heap.allocated.toFixed(3)} bytes of heap a packet`)
  engine.close()

  const targets: Target[] = [
    {
      what: `heap left over after ${total.toLocaleString('en')} packets, ${where}`,
      wanted: `at most ${GROWTH_ALLOWED / 1024} KiB`,
      got: `${(heap.left / 1024).toFixed(1)} KiB`,
      held: heap.left <= GROWTH_ALLOWED,
    },
    {
      what: `heap allocated on the way, ${where}`,
      wanted: `below ${BYTES_A_PACKET_ALLOWED} byte a packet`,
      got: `${heap.allocated.toFixed(3)} bytes, ${heap.collections} collections`,
      held: heap.allocated < BYTES_A_PACKET_ALLOWED,
    },
  ]
  if (flows === 10_000) {
    targets.push({
      what: `established NAT flow, 20 rules, ${where}`,
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
  if (flows === 1_000_000) {
    // With few flows this would be the time that code takes to become fast.
    figures.push(figure("a new flow's packet", where, 'ns a packet', [first]))
    const { byteLength } = conntrack.flows
    const measured = figure('memory for a flow, all counted', where, 'bytes', [rss / flows], {
      also: { tablesOnly: round(byteLength / flows) },
    })
    figures.push(measured)
    targets.push({
      what: `memory for a flow, ${where}`,
      wanted: `at most ${BYTES_A_FLOW_WANTED[family]} bytes`,
      got: `${measured.value} resident, ${measured.also?.tablesOnly} reserved in tables`,
      held: Math.max(rss, byteLength) / flows <= BYTES_A_FLOW_WANTED[family],
    })
  }
  return { figures, targets, skipped: [] }
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

interface Heap {
  /** Bytes that are there afterwards and were not before. */
  readonly left: number
  /** Bytes a packet, at most. */
  readonly allocated: number
  readonly collections: number
}

/** What `work`, which handles so many packets, does to the heap. */
async function heapWatched(packets: number, work: () => void): Promise<Heap> {
  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  collect()
  collect()
  await setImmediate()
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().heapUsed
  work()
  const after = process.memoryUsage().heapUsed
  await setImmediate()
  await setImmediate()
  observer.disconnect()
  collect()
  collect()
  const left = process.memoryUsage().heapUsed - before
  // A collection hides up to a young generation.
  const allocated = (Math.max(0, after - before) + collections * YOUNG_GENERATION) / packets
  return { left, allocated, collections }
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
