// `--workers N`: lays out what the engine's thread and the workers share, for devices that were opened with a queue for each worker.

import type { Device } from '../device/device.ts'
import { loadNative } from '../device/native.ts'
import { type QueuesMemory, queuesMemory } from '../device/queue-memory.ts'
import { Queues } from '../device/queues.ts'
import { RING_SLOTS, type TunDevice, type TunIo } from '../device/tun.ts'
import { TunfilterError } from '../errors.ts'
import { SLOTS_MAX, Slab } from '../packet/slab.ts'

/** Fewer slots for the kernel to read ahead into cost rate. */
const AHEAD_MIN = 32

/** What a worker's thread is started with (gateway/queue-worker.ts). */
export interface QueueWorkerData {
  readonly memory: QueuesMemory
  readonly worker: number
  readonly devices: readonly { readonly name: string; readonly fd: number; readonly offload: boolean }[]
  readonly io: TunIo
  readonly eventFd: number
  readonly engineFd: number
  readonly busyPoll: number
}

export interface SharedDevices {
  readonly queues: Queues
  /** What the engine knows as its devices. */
  readonly devices: ReadonlyMap<string, Device>
  /** Of the slab. */
  readonly slots: number
  readonly memory: SharedArrayBuffer
  /** One a worker. */
  readonly data: readonly QueueWorkerData[]
}

/**
 * Throws ERR_WORKERS for more devices and workers than there can be slots for.
 * @param opened queues by device, as many of each as there are workers
 * @param slots for packets that the engine has
 * @param engineFd wakes the engine's thread
 */
export function shareDevices(
  opened: ReadonlyMap<string, readonly TunDevice[]>,
  slots: number,
  engineFd: number,
  { workers, io, busyPoll }: { readonly workers: number; readonly io: TunIo; readonly busyPoll: number },
): SharedDevices {
  const count = workers * opened.size
  let ahead = RING_SLOTS
  // As many again are on their way to the engine.
  while (ahead > AHEAD_MIN && slots + 2 * ahead * count > SLOTS_MAX) ahead /= 2
  const share = 2 * ahead
  const all = slots + share * count
  if (all > SLOTS_MAX)
    throw new TunfilterError(
      'ERR_WORKERS',
      `${workers} workers for ${opened.size} devices need room for ${all} packets; expected at most ${SLOTS_MAX}: fewer workers`,
    )
  const native = loadNative()
  const slab = Slab.shared(all)
  const memory = queuesMemory(slab, all, workers, opened.size, share, ahead)
  const workerFds = Array.from({ length: workers }, () => native.eventFd())
  const devices = [...opened].map(([name, [{ vnet }]]) => ({ name, vnet }))
  const queues = new Queues({ memory, devices, eventFd: engineFd, workerFds })
  return {
    queues,
    devices: new Map(queues.devices.map((device) => [device.name, device])),
    slots: all,
    memory: slab,
    data: workerFds.map((eventFd, worker) => ({
      memory,
      worker,
      devices: [...opened].map(([name, of]) => ({ name, fd: of[worker].fd, offload: of[worker].vnet })),
      io,
      eventFd,
      engineFd,
      busyPoll,
    })),
  }
}
