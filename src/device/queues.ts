// Devices of several queues, each of which a worker reads and writes on a thread of its own (device/queue-worker.ts): the engine's side.
// To the engine they are devices like others. It stays the only one that decides anything about packets, so whatever rules count, limit,
// remember or translate has one writer, and is the same as with one thread. What the workers take from it is the kernel's part of the
// work, nine tenths of a packet's processor time.
//
//   - Packets are not copied: descriptors cross by rings in shared memory, and a slot belongs to whoever has its descriptor.
//   - A queue has a share of the slots for what comes in. The engine gives a free slot for each packet that it takes; a queue that has
//     none left leaves packets in the kernel's queue, where they are dropped and counted as with every device that is too slow.
//   - A packet that leaves is written by the worker that queueOf() names. Its slot comes back when that is done, with the outcome. Until
//     then the engine has fewer slots, and takes no more packets than it has slots for.
//   - Who finds nothing to do sleeps; it says so before it looks for the last time, and who has something for it looks after that was
//     published whether it sleeps. So no wake-up is lost, and under load there are none.

import type { Batch } from '../packet/batch.ts'
import type { Slab } from '../packet/slab.ts'
import type { Device } from './device.ts'
import { loadNative, type Native, POLLIN } from './native.ts'
import { queueOf } from './queue-choice.ts'
import * as shared from './queue-memory.ts'
import { RingReader, RingWriter } from './shared-ring.ts'

/** Between two looks at workers that are to be done with something. */
const LOOK_MS = 0.2

export interface QueuesOptions {
  readonly memory: shared.QueuesMemory
  /** Names of the devices, in the order of the memory's queues, and whether their packets have virtio-net headers. */
  readonly devices: readonly { readonly name: string; readonly vnet: boolean }[]
  /** Wakes the engine's thread, for whatever reason. */
  readonly eventFd: number
  /** Wake the workers. */
  readonly workerFds: readonly number[]
}

export class Queues {
  readonly devices: readonly QueueDevice[]
  readonly #native: Native
  readonly #words: Int32Array
  readonly #workers: number
  readonly #workerFds: readonly number[]
  readonly #fds: Int32Array
  #slab: Slab | undefined

  constructor({ memory, devices, eventFd, workerFds }: QueuesOptions) {
    this.#native = loadNative()
    this.#words = memory.words
    this.#workers = workerFds.length
    this.#workerFds = workerFds
    this.#fds = Int32Array.of(eventFd, POLLIN, 0)
    this.devices = devices.map(
      ({ name, vnet }, device) =>
        new QueueDevice(name, vnet, memory.share, this, (worker) => ({
          queue: memory.queues[worker][device],
          failedAt: shared.failedAt(this.#workers, worker, devices.length, device),
        })),
    )
  }

  get words(): Int32Array {
    return this.#words
  }

  get workers(): number {
    return this.#workers
  }

  /** All packets lie in this slab. */
  attached(slab: Slab): void {
    this.#slab = slab
  }

  /** Wakes a worker that sleeps until it gets what it has got now, one of FOR_PACKETS and FOR_SLOTS. */
  wake(worker: number, what: number): void {
    const at = shared.asleepAt(worker)
    const asleep = Atomics.load(this.#words, at)
    if (asleep === shared.AWAKE || asleep < what) return
    if (Atomics.exchange(this.#words, at, shared.AWAKE) !== shared.AWAKE) this.#native.signal(this.#workerFds[worker])
  }

  /**
   * Until something comes in, or the eventfd is signalled, but no longer than this. Where the engine has no slots for what has come in,
   * until slots come back.
   */
  wait(milliseconds: number): void {
    if (milliseconds === 0) return
    const words = this.#words
    const { free, reserve } = this.#slab as Slab
    const full = free <= reserve
    Atomics.store(words, shared.ENGINE_ASLEEP, full ? shared.FOR_SLOTS : shared.FOR_PACKETS)
    if (!(full ? this.#written : this.#ready)) {
      this.#native.poll(this.#fds, 1, milliseconds)
      if (this.#fds[2] !== 0) this.#native.drain(this.#fds[0])
    }
    Atomics.store(words, shared.ENGINE_ASLEEP, shared.AWAKE)
  }

  get #ready(): boolean {
    const { devices } = this
    for (let i = 0; i < devices.length; i++) if (devices[i].ready > 0) return true
    return false
  }

  get #written(): boolean {
    const { devices } = this
    for (let i = 0; i < devices.length; i++) if (devices[i].hasWritten) return true
    return false
  }

  /**
   * Waits until all workers have begun or one could not.
   * @returns how packets come and go, each way once; undefined where a worker failed, or has not begun by then
   */
  started(milliseconds: number): readonly ('io_uring' | 'read')[] | undefined {
    const end = performance.now() + milliseconds
    const ways = new Set<'io_uring' | 'read'>()
    for (let worker = 0; worker < this.#workers; worker++) {
      Atomics.wait(this.#words, shared.stateAt(worker), shared.STARTING, Math.max(0, end - performance.now()))
      const state = Atomics.load(this.#words, shared.stateAt(worker))
      if (state !== shared.BY_RING && state !== shared.BY_READ) return undefined
      ways.add(state === shared.BY_RING ? 'io_uring' : 'read')
    }
    return [...ways]
  }

  /** Has the workers hand over what waits already, and `step`, a round of the engine's, take it; until all is written or it is time. */
  drain(step: () => number, milliseconds: number): void {
    const end = performance.now() + milliseconds
    this.#enter(shared.DRAINING)
    while (performance.now() < end) {
      if (step() > 0) continue
      const drained = this.#allAt(shared.DRAINED) && !this.#ready
      if (drained && this.devices.every((device) => device.underWay === 0)) break
      this.#native.poll(this.#fds, 0, LOOK_MS)
    }
  }

  /** Whether a worker could not begin. */
  get failed(): boolean {
    return this.#someAt(shared.FAILED)
  }

  /**
   * Ends the workers, which close their queues; what they have got is written before, and nothing is received any more.
   * @returns true, when they have ended or it is time
   */
  stop(milliseconds: number): true {
    const end = performance.now() + milliseconds
    for (const device of this.devices) device.end()
    this.#enter(shared.STOPPING)
    while (!this.#allAt(shared.ENDED) && performance.now() < end) this.#native.poll(this.#fds, 0, LOOK_MS)
    return true
  }

  #someAt(state: number): boolean {
    for (let worker = 0; worker < this.#workers; worker++)
      if (Atomics.load(this.#words, shared.stateAt(worker)) === state) return true
    return false
  }

  #allAt(state: number): boolean {
    for (let worker = 0; worker < this.#workers; worker++) {
      if (Atomics.load(this.#words, shared.stateAt(worker)) < state) return false
    }
    return true
  }

  #enter(phase: number): void {
    Atomics.store(this.#words, shared.PHASE, phase)
    for (let worker = 0; worker < this.#workers; worker++) {
      Atomics.store(this.#words, shared.asleepAt(worker), shared.AWAKE)
      this.#native.signal(this.#workerFds[worker])
    }
  }
}

/** One queue of a device. */
class Queue {
  readonly rx: RingReader
  readonly free: RingWriter
  readonly tx: RingWriter
  readonly done: RingReader
  readonly failedAt: number

  constructor({ queue, failedAt }: QueuePlace) {
    this.rx = new RingReader(queue.rx)
    this.free = new RingWriter(queue.free)
    this.tx = new RingWriter(queue.tx)
    this.done = new RingReader(queue.done)
    this.failedAt = failedAt
  }
}

interface QueuePlace {
  readonly queue: shared.QueueMemory
  readonly failedAt: number
}

export class QueueDevice implements Device {
  readonly name: string
  readonly vnet: boolean
  readonly #share: number
  readonly #all: Queues
  /** One a worker. */
  readonly #queues: readonly Queue[]
  /** The queue that is asked first. */
  #turn = 0
  /** Packets that workers have, to write them. */
  #underWay = 0
  #ended = false

  constructor(name: string, vnet: boolean, share: number, all: Queues, place: (worker: number) => QueuePlace) {
    this.name = name
    this.vnet = vnet
    this.#share = share
    this.#all = all
    this.#queues = Array.from({ length: all.workers }, (_, worker) => new Queue(place(worker)))
  }

  /** Gives each queue its share of the slots. */
  attach(slab: Slab): void {
    this.#all.attached(slab)
    for (const { free } of this.#queues) {
      for (let i = 0; i < this.#share; i++) free.push(slab.take(), 0)
      free.publish()
    }
  }

  get underWay(): number {
    return this.#underWay
  }

  /** How many packets there are; 1 where a queue failed, which receive() tells. */
  get ready(): number {
    if (this.#ended) return 0
    const queues = this.#queues
    let count = 0
    for (let i = 0; i < queues.length; i++) count += queues[i].rx.waiting
    return count === 0 && this.#failure !== 0 ? 1 : count
  }

  /** Nothing is received any more. */
  end(): void {
    this.#ended = true
  }

  /** Whether written() has something to tell. */
  get hasWritten(): boolean {
    const queues = this.#queues
    for (let i = 0; i < queues.length; i++) if (queues[i].done.waiting > 0) return true
    return false
  }

  get #failure(): number {
    const queues = this.#queues
    const { words } = this.#all
    for (let i = 0; i < queues.length; i++) {
      const errno = Atomics.load(words, queues[i].failedAt)
      if (errno !== 0) return errno
    }
    return 0
  }

  receive(_slab: Slab, rx: Batch, most: number): number {
    const queues = this.#queues
    const first = this.#turn
    this.#turn = first + 1 === queues.length ? 0 : first + 1
    let n = 0
    for (let i = 0; i < queues.length && n < most; i++) {
      const worker = first + i < queues.length ? first + i : first + i - queues.length
      const { rx: reader, free } = queues[worker]
      const count = Math.min(most - n, reader.waiting)
      if (count === 0) continue
      for (let place = n; place < n + count; place++) free.push(rx.start(place), 0)
      reader.read(rx, n, count)
      free.publish()
      this.#all.wake(worker, shared.FOR_SLOTS)
      n += count
    }
    return n === 0 ? -this.#failure : n
  }

  transmit(slab: Slab, tx: Batch): number {
    const queues = this.#queues
    const { count } = tx
    for (let i = 0; i < count; i++) {
      const start = tx.start(i)
      const length = tx.length(i)
      queues[queueOf(slab.view, start, length, queues.length)].tx.push(start, length)
    }
    tx.count = 0
    this.#underWay += count
    for (let worker = 0; worker < queues.length; worker++)
      if (queues[worker].tx.publish()) this.#all.wake(worker, shared.FOR_PACKETS)
    return count
  }

  written(done: Batch): number {
    const queues = this.#queues
    let n = 0
    for (let i = 0; i < queues.length && n < done.capacity; i++) {
      const reader = queues[i].done
      const count = Math.min(done.capacity - n, reader.waiting)
      if (count === 0) continue
      reader.read(done, n, count)
      n += count
    }
    done.count = n
    this.#underWay -= n
    return n
  }

  /** The workers close the queues. */
  close(): void {}
}
