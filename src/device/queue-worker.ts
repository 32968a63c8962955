// The worker's side of devices of several queues (device/queues.ts): reads its queue of every device, hands the packets to the engine's
// thread, and writes what comes back. It looks into no packet. In a round every queue reads at most a batch and writes at most a
// batch, in the order in which both came.

import { Batch } from '../packet/batch.ts'
import { Slab } from '../packet/slab.ts'
import { loadNative, type Native, POLLIN } from './native.ts'
import * as shared from './queue-memory.ts'
import { RingReader, RingWriter } from './shared-ring.ts'
import { Together } from './together.ts'
import type { TunDevice } from './tun.ts'

export interface QueueWorkerOptions {
  readonly memory: shared.QueuesMemory
  /** Which of the workers this is. */
  readonly worker: number
  /** Its queue of each device, in the order of the memory. */
  readonly devices: readonly TunDevice[]
  /** Wakes this worker. */
  readonly eventFd: number
  /** Wakes the engine's thread. */
  readonly engineFd: number
}

export class QueueWorker {
  readonly #native: Native
  readonly #words: Int32Array
  readonly #worker: number
  readonly #queues: readonly Queue[]
  readonly #eventFd: number
  readonly #engineFd: number
  readonly #together: Together | undefined
  /** Triples for poll: the eventfd, then the devices. */
  readonly #fds: Int32Array
  #looked = false

  /** Throws NativeError where a device cannot be read as was asked. */
  constructor({ memory, worker, devices, eventFd, engineFd }: QueueWorkerOptions) {
    this.#native = loadNative()
    this.#words = memory.words
    this.#worker = worker
    this.#eventFd = eventFd
    this.#engineFd = engineFd
    const workers = memory.queues.length
    this.#queues = devices.map((device, i) => {
      const failedAt = shared.failedAt(workers, worker, devices.length, i)
      return new Queue(device, memory, memory.queues[worker][i], failedAt)
    })
    this.#together = Together.of(devices, eventFd)
    this.#fds = Int32Array.from([eventFd, POLLIN, 0, ...devices.flatMap(({ fd }) => [fd, POLLIN, 0])])
    this.#tell(this.#together === undefined ? shared.BY_READ : shared.BY_RING)
  }

  /** Until the engine's thread ends it. @param busyPoll microseconds for which it looks again and again before it sleeps */
  run(busyPoll: number): void {
    const words = this.#words
    for (;;) {
      if (this.round() > 0) continue
      const phase = Atomics.load(words, shared.PHASE)
      if (phase === shared.STOPPING) break
      if (phase === shared.DRAINING && Atomics.load(words, shared.stateAt(this.#worker)) !== shared.DRAINED) {
        // Only what is looked at from now on says something about the time after the phase began.
        if (this.round() > 0) continue
        if (!this.#hungry) this.#tell(shared.DRAINED)
      }
      if (phase === shared.RUNNING && busyPoll > 0 && this.#lookAgain(busyPoll)) continue
      this.#sleep()
    }
    for (const { device } of this.#queues) device.close()
    this.#tell(shared.ENDED)
  }

  /** @returns how many packets were read or written */
  round(): number {
    if (!this.#looked) this.#together?.wait(0)
    this.#looked = false
    const queues = this.#queues
    let written = 0
    for (let i = 0; i < queues.length; i++) written += queues[i].write()
    if (written > 0) this.#wake(shared.FOR_SLOTS)
    let read = 0
    const stopping = Atomics.load(this.#words, shared.PHASE) === shared.STOPPING
    for (let i = 0; i < queues.length && !stopping; i++) {
      const n = queues[i].read()
      if (n < 0) Atomics.store(this.#words, queues[i].failedAt, -n)
      // What comes in is worked on while the next queue is read.
      if (n !== 0) this.#wake(shared.FOR_PACKETS)
      if (n > 0) read += n
    }
    return written + read
  }

  #lookAgain(microseconds: number): boolean {
    const end = performance.now() + microseconds / 1000
    do {
      if (this.round() > 0) return true
    } while (performance.now() < end)
    return false
  }

  #sleep(): void {
    const words = this.#words
    const hungry = this.#hungry
    const phase = Atomics.load(words, shared.PHASE)
    const at = shared.asleepAt(this.#worker)
    Atomics.store(words, at, hungry ? shared.FOR_SLOTS : shared.FOR_PACKETS)
    if (!this.#hasWork && Atomics.load(words, shared.PHASE) === phase) {
      if (this.#together !== undefined && !hungry) {
        this.#together.wait(-1)
        this.#looked = true
      } else this.#poll()
    }
    Atomics.store(words, at, shared.AWAKE)
  }

  get #hungry(): boolean {
    const queues = this.#queues
    for (let i = 0; i < queues.length; i++) if (queues[i].hungry) return true
    return false
  }

  get #hasWork(): boolean {
    const queues = this.#queues
    for (let i = 0; i < queues.length; i++) if (queues[i].hasWork) return true
    return false
  }

  /** A device without slots to read into would be ready all the time, and so would one that is gone. */
  #poll(): void {
    const fds = this.#fds
    const queues = this.#queues
    for (let i = 0; i < queues.length; i++) {
      const { device, failed, hungry } = queues[i]
      fds[3 * (i + 1)] = failed || hungry ? -1 : device.fd
    }
    this.#native.poll(fds, queues.length + 1, -1)
    if (fds[2] !== 0) this.#native.drain(this.#eventFd)
  }

  /** Wakes the engine's thread if it sleeps until it gets what it has got now. */
  #wake(what: number): void {
    const asleep = Atomics.load(this.#words, shared.ENGINE_ASLEEP)
    if (asleep === shared.AWAKE || asleep < what) return
    const before = Atomics.exchange(this.#words, shared.ENGINE_ASLEEP, shared.AWAKE)
    if (before !== shared.AWAKE) this.#native.signal(this.#engineFd)
  }

  #tell(state: number): void {
    Atomics.store(this.#words, shared.stateAt(this.#worker), state)
    Atomics.notify(this.#words, shared.stateAt(this.#worker))
  }
}

/** This worker's queue of one device. */
class Queue {
  readonly device: TunDevice
  /** Where the errno is told of a device that failed. */
  readonly failedAt: number
  failed = false
  readonly #slab: Slab
  readonly #rx: RingWriter
  readonly #free: RingReader
  readonly #tx: RingReader
  readonly #done: RingWriter
  readonly #in = new Batch()
  readonly #out = new Batch()

  constructor(device: TunDevice, memory: shared.QueuesMemory, queue: shared.QueueMemory, failedAt: number) {
    this.device = device
    this.failedAt = failedAt
    this.#slab = Slab.without(memory.slab)
    this.#rx = new RingWriter(queue.rx)
    this.#free = new RingReader(queue.free)
    this.#tx = new RingReader(queue.tx)
    this.#done = new RingWriter(queue.done)
    this.#takeSlots()
    device.attach(this.#slab, memory.ahead)
  }

  /** It has no slot to read into, though there may be packets. */
  get hungry(): boolean {
    return !this.failed && this.#slab.free === 0
  }

  /** Packets to write, or slots for one that has none. */
  get hasWork(): boolean {
    return this.#tx.waiting > 0 || (this.#slab.free === 0 && this.#free.waiting > 0)
  }

  #takeSlots(): void {
    const batch = this.#in
    for (let waiting = this.#free.waiting; waiting > 0; ) {
      const count = Math.min(waiting, batch.capacity)
      this.#free.read(batch, 0, count)
      for (let i = 0; i < count; i++) this.#slab.give(batch.start(i))
      waiting -= count
    }
  }

  /** Reads a batch; gives how many packets it had, or a negative errno, once. */
  read(): number {
    if (this.failed) return 0
    const { device } = this
    const slab = this.#slab
    const batch = this.#in
    if (slab.free < batch.capacity) this.#takeSlots()
    const most = Math.min(batch.capacity, slab.free, device.ready ?? batch.capacity)
    if (most <= 0) return 0
    for (let i = 0; i < most; i++) batch.set(i, slab.take(), 0)
    const n = device.receive(slab, batch, most)
    for (let i = Math.max(n, 0); i < most; i++) slab.give(batch.start(i))
    if (n < 0) this.failed = true
    if (n <= 0) return n
    for (let i = 0; i < n; i++) this.#rx.push(batch.start(i), batch.length(i))
    this.#rx.publish()
    return n
  }

  /** Writes a batch and tells what became of it; gives how many packets it had. */
  write(): number {
    const batch = this.#out
    const count = Math.min(batch.capacity, this.#tx.waiting)
    if (count === 0) return 0
    this.#tx.read(batch, 0, count)
    batch.count = count
    this.device.transmit(this.#slab, batch)
    for (let i = 0; i < count; i++) this.#done.push(batch.start(i), batch.length(i))
    this.#done.publish()
    return count
  }
}
