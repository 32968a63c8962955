// The TOS byte, which is IPv6's traffic class, for the matches tos, dscp and ecn: it lies in the first two bytes of both headers.

import type { Packet } from '../packet/packet.ts'
import type { Family } from '../rule/model.ts'

/** What stands below the byte in these 16 bits: of IPv4 nothing, of IPv6 four bits of the flow label. */
export function tosShift(family: Family): number {
  return family === 6 ? 4 : 0
}

export function tosByte(p: Packet, shift: number): number {
  return (p.view.getUint16(p.start) >>> shift) & 0xff
}
