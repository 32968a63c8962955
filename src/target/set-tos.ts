// Writing the TOS byte, IPv6's traffic class, for the targets TOS, DSCP and ECN.

import type { Packet } from '../packet/packet.ts'
import { update16 } from '../wire/checksum.ts'
import { CHECKSUM, TOS } from '../wire/ipv4.ts'
import { trafficClass, writeTrafficClass } from '../wire/ipv6.ts'

/** Clears the bits of `mask` and XORs `value` in. */
export function changeTos(p: Packet, mask: number, value: number): void {
  const { view, start } = p
  if (p.family === 6) {
    const before = trafficClass(view, start)
    const after = (before & ~mask) ^ value
    writeTrafficClass(view, start, after)
    p.unsummed += (after - before) << 4
    return
  }
  const before = view.getUint8(start + TOS)
  const after = (before & ~mask) ^ value
  view.setUint8(start + TOS, after)
  view.setUint16(start + CHECKSUM, update16(view.getUint16(start + CHECKSUM), before, after))
}
