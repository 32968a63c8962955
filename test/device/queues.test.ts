// Devices of several queues, both sides: the engine's (device/queues.ts) and the workers' (device/queue-worker.ts). Sockets that keep
// packets apart, as TUN does, stand for the kernel's end, so that nothing here needs root.

import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { queueOf } from '../../src/device/queue-choice.ts'
import * as shared from '../../src/device/queue-memory.ts'
import { QueueWorker } from '../../src/device/queue-worker.ts'
import { type QueueDevice, Queues } from '../../src/device/queues.ts'
import { RingReader, RingWriter, ringMemory } from '../../src/device/shared-ring.ts'
import { TunDevice } from '../../src/device/tun.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Slab } from '../../src/packet/slab.ts'
import { builtCommand, root } from '../support/build.ts'
import { native, needsAddon, own, pair } from './with-native.ts'

const VNET = 12
const SHARE = 16
const SLOTS = 64

/** Packets that look like UDP of a flow, with a number. */
function packet(flow: number, number: number): Uint8Array {
  const bytes = new Uint8Array(VNET + 32)
  bytes.set([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 1, 1], VNET)
  const view = new DataView(bytes.buffer, VNET)
  view.setUint16(20, flow)
  view.setUint16(22, 53)
  view.setUint32(28, number)
  return bytes
}

describe('a ring in shared memory', () => {
  test('hands over what was published, in order and however often it goes round', () => {
    const memory = ringMemory(5)
    const [writer, reader, batch] = [new RingWriter(memory), new RingReader(memory), new Batch()]
    let next = 0
    for (let i = 0; i < 1000; i++) {
      expect(writer.publish()).toBe(false)
      const count = i % 6
      for (let j = 0; j < count; j++) writer.push(64 * (i + j), -i - j)
      expect(reader.waiting).toBe(0)
      expect(writer.publish()).toBe(count > 0)
      expect(reader.waiting).toBe(count)
      reader.read(batch, 3, count)
      for (let j = 0; j < count; j++, next++)
        expect([batch.start(3 + j), batch.length(3 + j)]).toEqual([64 * (i + j), -i - j])
    }
    expect(next).toBe(2496)
  })
})

describe('the queue that a packet leaves by', () => {
  const view = new DataView(new ArrayBuffer(256))
  const of4 = (flow: number, number: number, queues: number, fragment = 0) => {
    new Uint8Array(view.buffer).set(packet(flow, number).subarray(VNET), 64)
    view.setUint16(64 + 6, fragment)
    return queueOf(view, 64, 32, queues)
  }

  test('is the same for all packets of a flow, and flows spread over the queues', () => {
    for (const queues of [1, 2, 3, 8]) {
      const used = new Array(queues).fill(0)
      for (let flow = 0; flow < 4096; flow++) {
        const queue = of4(flow, 1, queues)
        expect(of4(flow, 2, queues)).toBe(queue)
        used[queue]++
      }
      for (const count of used) expect(count / (4096 / queues)).toBeCloseTo(1, 0)
    }
  })

  test('is the same for all fragments between two hosts, and sees no ports in them', () => {
    const all = Array.from({ length: 64 }, (_, flow) => [of4(flow, 1, 8, 0x2000), of4(flow, 1, 8, 0x00b9)])
    expect(new Set(all.flat()).size).toBe(1)
  })

  test('goes by addresses and ports of IPv6 too', () => {
    const used = new Set<number>()
    for (let flow = 0; flow < 64; flow++) {
      new Uint8Array(view.buffer).fill(0)
      view.setUint8(64, 0x60)
      view.setUint8(64 + 6, 17)
      view.setUint16(64 + 40, flow)
      used.add(queueOf(view, 64, 60, 4))
    }
    expect([...used].sort()).toEqual([0, 1, 2, 3])
  })
})

/** Two queues of each of `devices` devices, a worker each in this thread; `ends` are the kernel's, by worker and device. */
function newQueues(devices = 1) {
  const all = SLOTS + 2 * devices * SHARE
  const memory = shared.queuesMemory(Slab.shared(all), all, 2, devices, SHARE, 0)
  const names = Array.from({ length: devices }, (_, i) => ({ name: `tun${i}`, vnet: true }))
  const engineFd = own(native.eventFd())
  const workerFds = [own(native.eventFd()), own(native.eventFd())]
  const queues = new Queues({ memory, devices: names, eventFd: engineFd, workerFds })
  const slab = new Slab(all, memory.slab)
  for (const device of queues.devices) device.attach(slab)
  slab.reserve = slab.free >> 2
  const ends: number[][] = []
  const workers = workerFds.map((eventFd, worker) => {
    const pairs = names.map(() => pair())
    ends.push(pairs.map(([end]) => end))
    const tuns = pairs.map(([, fd], i) => new TunDevice({ name: `tun${i}`, io: 'read' }, fd))
    return () => new QueueWorker({ memory, worker, devices: tuns, eventFd, engineFd })
  })
  return { memory, queues, slab, ends, engineFd, workerFds, workers }
}

function send(fd: number, bytes: Uint8Array): void {
  expect(native.writeBatch(fd, bytes, Int32Array.of(VNET, bytes.length - VNET), 1, true)).toBe(1)
}

/** The number of the next packet that left by this end; undefined when there is none. */
function sent(fd: number): number | undefined {
  const bytes = new Uint8Array(VNET + 64)
  const descriptors = Int32Array.of(VNET, 0)
  return native.readBatch(fd, bytes, descriptors, 1, 64, true) === 1
    ? new DataView(bytes.buffer).getUint32(VNET + 28)
    : undefined
}

/** Receives what there is into fresh slots, as the engine does; the numbers and places of the packets. */
function receive(device: QueueDevice, slab: Slab, most = 64): { number: number; start: number; length: number }[] {
  const rx = new Batch()
  const wanted = Math.min(most, slab.free, device.ready)
  for (let i = 0; i < wanted; i++) rx.set(i, slab.take(), 0)
  const n = device.receive(slab, rx, wanted)
  for (let i = Math.max(0, n); i < wanted; i++) slab.give(rx.start(i))
  return Array.from({ length: n }, (_, i) => ({
    ...{ number: slab.view.getUint32(rx.start(i) + 28), start: rx.start(i), length: rx.length(i) },
  }))
}

function transmit(device: QueueDevice, slab: Slab, packets: readonly { start: number; length: number }[]): void {
  const tx = new Batch()
  for (const { start, length } of packets) tx.push(start, length)
  expect(device.transmit(slab, tx)).toBe(packets.length)
  expect(tx.count).toBe(0)
}

describe('a device of several queues', () => {
  test(...needsAddon('receives what its workers read, and a queue gets a slot back for each packet'), () => {
    const { queues, slab, ends, workers } = newQueues()
    const [device] = queues.devices
    const [a, b] = workers.map((begin) => begin())
    const free = slab.free
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < SHARE; i++) {
        send(ends[0][0], packet(i, round * SHARE + i))
        send(ends[1][0], packet(i, 1000 + round * SHARE + i))
      }
      a.round()
      b.round()
      expect(device.ready).toBe(2 * SHARE)
      const numbers: number[] = []
      while (device.ready > 0) {
        const got = receive(device, slab, 5)
        numbers.push(...got.map(({ number }) => number))
        for (const { start } of got) slab.give(start)
      }
      for (const base of [0, 1000])
        expect(numbers.filter((number) => number >= base && number < base + 1000)).toEqual(
          Array.from({ length: SHARE }, (_, i) => base + round * SHARE + i),
        )
      expect(slab.free).toBe(free)
    }
  })

  test(...needsAddon('leaves packets with the kernel while the engine takes none, and goes on afterwards'), () => {
    const { queues, slab, ends, workers } = newQueues()
    const [device] = queues.devices
    const worker = workers[0]()
    for (let i = 0; i < SHARE + 10; i++) send(ends[0][0], packet(1, i))
    while (worker.round() > 0);
    expect(device.ready).toBe(SHARE)
    const first = receive(device, slab).map(({ number }) => number)
    while (worker.round() > 0);
    expect([...first, ...receive(device, slab).map(({ number }) => number)]).toEqual(
      Array.from({ length: SHARE + 10 }, (_, i) => i),
    )
  })

  test(...needsAddon('writes each packet on the queue of its flow, and tells what became of it'), () => {
    const { queues, slab, ends, workers } = newQueues()
    const [device] = queues.devices
    const both = workers.map((begin) => begin())
    const done = new Batch()
    const packets = Array.from({ length: 20 }, (_, i) => {
      const start = slab.take()
      slab.bytes.set(packet(i % 4, i), start - VNET)
      return { start, length: i === 7 ? 1 << 30 : 32 }
    })
    const free = slab.free
    transmit(device, slab, packets)
    expect([device.underWay, device.hasWritten, device.written(done)]).toEqual([20, false, 0])
    for (const worker of both) expect(worker.round()).toBeGreaterThan(0)
    expect(device.hasWritten).toBe(true)
    expect(device.written(done)).toBe(20)
    const outcome = new Map(Array.from({ length: 20 }, (_, i) => [done.start(i), done.length(i)]))
    for (const [i, { start }] of packets.entries())
      expect(outcome.get(start), `packet ${i}`).toBe(i === 7 ? -native.constants.EFAULT : 32)
    expect([device.underWay, slab.free]).toEqual([0, free])
    const flows = new Map<number, number>()
    for (const [queue, [fd]] of ends.entries()) {
      let before = -1
      for (let number = sent(fd); number !== undefined; number = sent(fd)) {
        expect(number).toBeGreaterThan(before)
        before = number
        expect(flows.get(number % 4) ?? queue).toBe(queue)
        flows.set(number % 4, queue)
      }
    }
    expect(flows.size).toBe(4)
  })

  test(...needsAddon('tells once that it failed, after what was read before'), () => {
    const { queues, slab, ends, memory, workers } = newQueues(2)
    const [device, other] = queues.devices
    const worker = workers[0]()
    send(ends[0][0], packet(1, 1))
    expect(worker.round()).toBe(1)
    Atomics.store(memory.words, shared.failedAt(2, 1, 2, 0), 77)
    expect([device.ready, other.ready]).toEqual([1, 0])
    expect(receive(device, slab)).toHaveLength(1)
    expect([device.ready, device.receive(slab, new Batch(), 1), other.ready]).toEqual([1, -77, 0])
  })
})

describe('workers on threads of their own', () => {
  const threads: Worker[] = []
  afterEach(async () => {
    for (const thread of threads.splice(0)) await thread.terminate()
  })

  function start(lab: ReturnType<typeof newQueues>, worker: number, io = 'read'): Worker {
    builtCommand()
    // The kernel's end of the pair is ours; the thread closes the other.
    const [end, fd] = native.socketpair()
    lab.ends[worker] = [own(end)]
    const workerData = {
      ...{ memory: lab.memory, worker, devices: [{ name: 'tun0', fd, offload: true }], io, busyPoll: 0 },
      ...{ eventFd: lab.workerFds[worker], engineFd: lab.engineFd },
    }
    const thread = new Worker(`${root}dist/gateway/queue-worker.js`, { workerData })
    threads.push(thread)
    return thread
  }

  test(...needsAddon('no wake-up is lost, whoever sleeps when, and nothing but packets wakes anybody'), () => {
    const lab = newQueues()
    const { queues, slab, ends } = lab
    const [device] = queues.devices
    start(lab, 0)
    start(lab, 1)
    expect(queues.started(10_000)).toEqual(['read'])
    const done = new Batch()
    // One packet at a time: all three threads fall asleep between, at ever other moments. A wait that nobody ends says so.
    for (let i = 0; i < 5000; i++) {
      const end = ends[i % 2][0]
      send(end, packet(i % 7, i))
      for (let spin = 0; spin < (i * 37) % 200; spin++) Atomics.load(lab.memory.words, 0)
      let got = receive(device, slab)
      const begin = performance.now()
      while (got.length === 0) {
        queues.wait(20_000)
        got = receive(device, slab)
      }
      expect(performance.now() - begin).toBeLessThan(20_000)
      expect(got.map(({ number }) => number)).toEqual([i])
      transmit(device, slab, got)
      const queue = queueOf(slab.view, got[0].start, 32, 2)
      const fds = Int32Array.of(ends[queue][0], native.constants.POLLIN, 0)
      expect(native.poll(fds, 1, 20_000), `packet ${i} leaves`).toBe(1)
      expect(sent(ends[queue][0])).toBe(i)
      while (device.written(done) === 0) native.poll(fds, 0, 0.01)
      slab.give(done.start(0))
    }
    queues.drain(() => 0, 5000)
    queues.stop(5000)
    expect(Atomics.load(lab.memory.words, shared.stateAt(0))).toBe(shared.ENDED)
  })

  test(...needsAddon('one that has no slots wakes up when it gets some, and so does an engine'), () => {
    const lab = newQueues()
    const { queues, slab, ends } = lab
    const [device] = queues.devices
    start(lab, 0)
    start(lab, 1)
    expect(queues.started(10_000)).toBeDefined()
    const done = new Batch()
    let [next, held] = [0, [] as { number: number; start: number; length: number }[]]
    let number = 0
    for (let round = 0; round < 200; round++) {
      // More than the queue has slots for, and at last more than the engine has.
      for (let i = 0; i < 2 * SHARE; i++) send(ends[0][0], packet(1, number++))
      while (next < number) {
        const got = receive(device, slab, Math.max(0, slab.free - slab.reserve))
        for (const each of got) expect(each.number).toBe(next++)
        held.push(...got)
        if (held.length >= 24 || slab.free <= slab.reserve) {
          transmit(device, slab, held)
          held = []
        }
        if (got.length === 0) queues.wait(20_000)
        while (device.written(done) > 0) for (let i = 0; i < done.count; i++) slab.give(done.start(i))
        for (const [end] of ends) while (sent(end) !== undefined);
      }
    }
    expect(next).toBe(200 * 2 * SHARE)
    queues.stop(5000)
  })

  test(...needsAddon('one that cannot begin says why'), async () => {
    const lab = newQueues()
    const thread = start({ ...lab, memory: { ...lab.memory, ahead: 3 } }, 0, 'uring')
    const said = new Promise((resolve) => thread.once('message', resolve))
    expect(lab.queues.started(20_000)).toBeUndefined()
    expect(lab.queues.failed).toBe(true)
    expect(await said).toMatchObject({ kind: 'failed', error: { message: expect.stringContaining('a power of two') } })
  })
})
