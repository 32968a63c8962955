// The states of a flow as bits, for the matches state and conntrack.

import { CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, CT_UNTRACKED, type Packet } from '../packet/packet.ts'

export const STATE = {
  INVALID: 1 << CT_INVALID,
  NEW: 1 << CT_NEW,
  ESTABLISHED: 1 << CT_ESTABLISHED,
  RELATED: 1 << CT_RELATED,
  UNTRACKED: 1 << CT_UNTRACKED,
  SNAT: 1 << 5,
  DNAT: 1 << 6,
} as const

/** The bit of the packet's own state; SNAT and DNAT are the flow's. */
export function stateBit(p: Packet): number {
  return 1 << p.ctinfo
}
