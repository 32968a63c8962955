// TEMPORARY, so that the others can compile until the real one is here: replace this file whole.
import type { Packet } from '../packet/packet.ts'
import { REASON } from '../packet/reason.ts'
import type { Slab } from '../packet/slab.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
export const PASS = -1
export const HELD = -2
export class Defrag {
  static readonly PREROUTING = 0
  static readonly OUTPUT = 1
  static readonly LOCAL = 2
  constructor(_slab: Slab, _time: Time, _sysctl: Sysctl, _lost: (p: Packet | undefined, reason: number) => void) {}
  input(_p: Packet, _user: number): number {
    return REASON['fragment-limit']
  }
  tick(): void {}
}
