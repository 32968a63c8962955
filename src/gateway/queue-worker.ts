// The thread of a worker (`--workers N`): one queue of every device. Like the engine's thread it never returns to its event loop before
// the end.

import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import * as shared from '../device/queue-memory.ts'
import { QueueWorker } from '../device/queue-worker.ts'
import { TunDevice } from '../device/tun.ts'
import { DATA_PLANE_NICE, type Report } from './orders.ts'
import type { QueueWorkerData } from './queues.ts'
import { reported } from './reported.ts'

const { memory, worker, devices, io, eventFd, engineFd, busyPoll } = workerData as QueueWorkerData

try {
  setPriority(DATA_PLANE_NICE)
} catch {
  // Without the privilege it takes its turn as all others do.
}

let queues: QueueWorker | undefined
try {
  const opened = devices.map(({ name, fd, offload }) => new TunDevice({ name, offload, io }, fd))
  queues = new QueueWorker({ memory, worker, devices: opened, eventFd, engineFd })
} catch (error) {
  const message: Report = { kind: 'failed', error: reported(error) }
  parentPort!.postMessage(message)
  // Said first: the engine's thread ends when it sees this.
  Atomics.store(memory.words, shared.stateAt(worker), shared.FAILED)
  Atomics.notify(memory.words, shared.stateAt(worker))
}
queues?.run(busyPoll)
