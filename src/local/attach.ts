// Whose an answer is (nf_ct_attach).

import { CT_RELATED, NO_FLOW, type Packet } from '../packet/packet.ts'

/** Gives an answer the flow of the packet that it answers: RELATED, in the other direction. */
export function attach(answer: Packet, p: Packet): void {
  if (p.ct === NO_FLOW) return
  answer.ct = p.ct
  answer.ctinfo = CT_RELATED
  answer.direction = p.direction ^ 1
  answer.zone = p.zone
}
