// ICMP's requests and replies (RFC 792, RFC 950), paired by identifier. Mirrors nf_conntrack_proto_icmp: only a request
// begins a flow, each packet of it renews it. Errors never come here: they belong to the flow that they quote
// (icmp-error.ts).

import type { Packet } from '../packet/packet.ts'
import * as icmp from '../wire/icmp.ts'
import * as f from './record.ts'
import { type FlowTimeouts, ONLY } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { INVALID, TRACKED } from './tracker.ts'

const REQUESTS = (1 << icmp.ECHO) | (1 << icmp.TIMESTAMP) | (1 << icmp.INFO_REQUEST) | (1 << icmp.ADDRESS)

export class IcmpTracker implements Tracker {
  readonly name = 'icmp'
  readonly #tracking: Tracking
  readonly #words: Int32Array
  readonly #timeouts: FlowTimeouts

  constructor(tracking: Tracking) {
    this.#tracking = tracking
    this.#words = tracking.flows.words
    this.#timeouts = tracking.timeouts.for('icmp')
  }

  track(p: Packet, ct: number): number {
    // The type that the flow began with, whichever direction this packet has.
    const type = (this.#words[ct * f.WORDS + f.PORTS] >>> 8) & 0xff
    if (type > icmp.MAX_TYPE || (REQUESTS & (1 << type)) === 0) return INVALID
    this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[ONLY])
    return TRACKED
  }

  mayDropEarly(): boolean {
    return false
  }

  stateName(): string {
    return ''
  }
}
