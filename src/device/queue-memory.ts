// What the engine's thread and the workers of queues share (device/queues.ts): the slab, four rings for each queue of each device, and
// a few words that say who sleeps and how far everybody is. Every word has a cache line of its own.

import { ringMemory } from './shared-ring.ts'

/** Of a queue: packets that came in, free slots for them, packets that are to leave, and what became of those. */
export interface QueueMemory {
  readonly rx: SharedArrayBuffer
  readonly free: SharedArrayBuffer
  readonly tx: SharedArrayBuffer
  readonly done: SharedArrayBuffer
}

export interface QueuesMemory {
  readonly slab: SharedArrayBuffer
  readonly words: Int32Array<SharedArrayBuffer>
  /** By worker, then by device. */
  readonly queues: readonly (readonly QueueMemory[])[]
  /** Slots that each queue has for what comes in: the kernel may read ahead into `ahead` of them, a power of two. */
  readonly share: number
  readonly ahead: number
}

const LINE = 16

// Words that there are once.
export const PHASE = 0
export const ENGINE_ASLEEP = LINE
const WORKERS = 2 * LINE

/** A worker's word: it sleeps. */
export function asleepAt(worker: number): number {
  return WORKERS + 2 * worker * LINE
}

/** A worker's word: how far it is, one of the states below. */
export function stateAt(worker: number): number {
  return WORKERS + (2 * worker + 1) * LINE
}

/** A queue's word: the errno of a device that failed for good, 0 before. */
export function failedAt(workers: number, worker: number, devices: number, device: number): number {
  return WORKERS + (2 * workers + worker * devices + device) * LINE
}

// PHASE: packets come and go; what waits is still read, what comes then need not be; no more is read.
export const RUNNING = 0
export const DRAINING = 1
export const STOPPING = 2

// Who sleeps, and what wakes it: nothing (it is awake), packets, or slots as well.
export const AWAKE = 0
export const FOR_PACKETS = 1
export const FOR_SLOTS = 2

// States of a worker, in this order.
export const STARTING = 0
/** Packets come and go by io_uring, or by read and write. */
export const BY_RING = 1
export const BY_READ = 2
/** There was nothing to read any more after DRAINING. */
export const DRAINED = 3
export const ENDED = 4
/** It could not begin, and has said why. */
export const FAILED = 5

/** @param slots of the slab, so many as can be on their way out at once */
export function queuesMemory(
  slab: SharedArrayBuffer,
  slots: number,
  workers: number,
  devices: number,
  share: number,
  ahead: number,
): QueuesMemory {
  const words = new Int32Array(new SharedArrayBuffer((failedAt(workers, workers, devices, 0) + LINE) * 4))
  const queue = () => ({
    rx: ringMemory(share),
    free: ringMemory(share),
    tx: ringMemory(slots),
    done: ringMemory(slots),
  })
  const queues = Array.from({ length: workers }, () => Array.from({ length: devices }, queue))
  return { slab, words, queues, share, ahead }
}
