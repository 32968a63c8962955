// A packet as a listener sees it: its bytes copied out, and what is known of it at its hook.

import type { Links } from '../device/link.ts'
import { HOOK_NAMES, type HookName, INPUT, OUTPUT, PREROUTING } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import type { Time } from '../time.ts'

export interface SeenPacket {
  readonly family: 4 | 6
  readonly hook: HookName
  /** Names of the devices, '' where the hook has none. */
  readonly inDevice: string
  readonly outDevice: string
  /** uint32. */
  readonly mark: number
  /** Milliseconds since the epoch, by the engine's clock. */
  readonly time: number
  /** Bytes of the whole packet. */
  readonly length: number
  /** The packet from its IP header on, a copy; shorter than `length` where it was cut. */
  readonly payload: Uint8Array
}

export function seenPacket(p: Packet, hook: number, links: Links, time: Time, size: number): SeenPacket {
  return {
    family: p.family === 6 ? 6 : 4,
    hook: HOOK_NAMES[hook].toLowerCase() as HookName,
    inDevice: hook === OUTPUT ? '' : links.name(p.inLink),
    outDevice: hook === PREROUTING || hook === INPUT ? '' : links.name(p.outLink),
    mark: p.mark >>> 0,
    time: time.wall,
    length: p.length,
    payload: p.slab.bytes.slice(p.start, p.start + Math.min(size, p.length)),
  }
}
