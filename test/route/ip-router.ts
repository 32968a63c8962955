// A router of memory devices, for its commands.

import type { RouterConfig } from '../../src/config.ts'
import { MemoryDevice } from '../../src/device/memory.ts'
import { Engine } from '../../src/engine.ts'
import { seededRandom } from '../../src/random.ts'
import { VirtualClock } from '../../src/time.ts'

export function routerOf(config: RouterConfig): Engine {
  const devices = new Map(Object.keys(config.devices).map((name) => [name, new MemoryDevice(name)]))
  return Engine.open({ config, devices, clock: new VirtualClock(), random: seededRandom(1) })
}
