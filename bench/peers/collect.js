// Loaded before the gateway when it is soaked: SIGUSR2 has the control side's garbage collected, so that what is left on its
// heap can be told. (The data plane never returns to an event loop; its small heap is collected often enough by itself.)

import { isMainThread } from 'node:worker_threads'

if (isMainThread) process.on('SIGUSR2', () => globalThis.gc())
