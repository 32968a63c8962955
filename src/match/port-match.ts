// What the matches that look into a transport header have in common: later fragments have none, and ports are compared
// with a range.

import type { Packet } from '../packet/packet.ts'
import type { PortRange } from '../rule/kinds.ts'
import type { Negatable } from '../rule/model.ts'
import { FRAGMENT_OFFSET_MASK } from '../wire/ipv4.ts'

export const ANY_PORT: PortRange = { min: 0, max: 0xffff }

export function fragmentOffset(p: Packet): number {
  return p.fragment & FRAGMENT_OFFSET_MASK
}

/** `0:65535` is saved like nothing at all, and is nothing at all; negated it stays, and matches nothing. */
export function unlessAny(range: Negatable<PortRange> | undefined): Negatable<PortRange> | undefined {
  return range !== undefined && !range.not && range.value.min === 0 && range.value.max === 0xffff ? undefined : range
}
