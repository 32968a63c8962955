// What an engine is made of, and what a user's hook is.

import type { RouterConfig } from './config.ts'
import type { Device } from './device/device.ts'
import type { Watch } from './hook/way.ts'
import type { Packet } from './packet/packet.ts'
import type { Random } from './random.ts'
import type { LogSink } from './rule/environment.ts'
import type { Clock } from './time.ts'

export interface EngineOptions {
  readonly config: RouterConfig
  /** By the names that the configuration gives; every configured device must be there. */
  readonly devices: ReadonlyMap<string, Device>
  /** The system's when left out. */
  readonly clock?: Clock
  /** Seeded from the system when left out; a seeded one makes runs repeatable. */
  readonly random?: Random
  /** Packets that can be under way at once; 1024 when left out. */
  readonly slots?: number
  /** Where packets lie, of `Slab.shared(slots)`: memory that devices share with other threads. */
  readonly memory?: SharedArrayBuffer
  /** Rules are walked one by one: slower, with the same outcome. For who wants to be sure of that. */
  readonly interpretRules?: boolean
  /**
   * Told of every step of the hooks that a packet comes to, before and after it. Packets of an established flow whose whole way is known
   * come to none, unless rules are interpreted.
   */
  readonly watch?: Watch
  /** Where lines of LOG go; nowhere when left out. */
  readonly log?: LogSink
  /** Something that an operator should know, once each time that it begins: a device that failed, a full flow table. */
  readonly notice?: (message: string) => void
}

/**
 * A user's hook: sees the packet during the call only (`p.copy()` keeps it) and says ACCEPT (or CONTINUE), DROP, or STOLEN
 * when it took the packet over: that is then counted as such.
 */
export type HookFunction = (p: Packet) => number
