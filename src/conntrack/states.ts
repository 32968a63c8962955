// A flow's state by its protocol's name for it, out of the record's first tracker word: for listings, on whatever thread.

import * as ip from '../wire/ipv4.ts'
import { SCTP_STATES } from './sctp-states.ts'
import { STATES as TCP_STATES } from './tcp-states.ts'

/** '' for protocols without states. @param word the first tracker word */
export function stateName(protocol: number, word: number): string {
  const names = protocol === ip.PROTO_TCP ? TCP_STATES : protocol === ip.PROTO_SCTP ? SCTP_STATES : []
  return names[word & 0xf] ?? ''
}
