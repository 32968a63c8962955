// What a connection helper is: it reads the packets of flows that a rule attached it to (CT --helper), and announces flows that
// will come because of them.

import type { Packet } from '../../packet/packet.ts'
import type { Expectations, ExpectPolicy } from '../expect.ts'
import type { FlowTable } from '../flows.ts'

/** What helpers work with. */
export interface Helping {
  readonly flows: FlowTable
  readonly expectations: Expectations
}

export interface Helper {
  /** As rules and listings name it. */
  readonly name: string
  /** Of the flows that it can be attached to, as `protocol`. */
  readonly families: readonly (4 | 6)[]
  readonly protocol: number
  /** One a class of expectations. */
  readonly policies: readonly ExpectPolicy[]
  /**
   * Sees a packet of a flow that it is attached to, after NAT; the fixed part of its transport header is there.
   * @param number the helper's own
   * @returns ACCEPT or DROP
   */
  help(p: Packet, helping: Helping, number: number): number
}
