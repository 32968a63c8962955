// ICMP's requests and replies (RFC 792, RFC 950) and ICMPv6's (RFC 4443, RFC 4620), paired by identifier. Mirrors
// nf_conntrack_proto_icmp and _icmpv6: only a request begins a flow, each packet of it renews it. Errors never come here:
// they belong to the flow that they quote.

import type { Packet } from '../packet/packet.ts'
import * as f from './record.ts'
import { type FlowTimeouts, ONLY } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { INVALID, TRACKED } from './tracker.ts'

// What an ICMP message is to conntrack.
/** It may begin a flow or belong to one. */
export const MESSAGE = 0
/** An error, which quotes a packet. */
export const ERROR_MESSAGE = 1
/** Damaged, or of a type that does not exist. */
export const WRONG_MESSAGE = 2
/** Of the link's own affairs, which conntrack keeps out of. */
export const LINK_MESSAGE = 3

/** ICMP as a family has it. */
export interface IcmpOfFamily {
  readonly protocol: number
  readonly name: 'icmp' | 'icmpv6'
  /** Whether messages of this type ask for an answer. */
  readonly isRequest: (type: number) => boolean
}

export class IcmpTracker implements Tracker {
  readonly name: string
  readonly #tracking: Tracking
  readonly #words: Int32Array
  readonly #timeouts: FlowTimeouts
  readonly #isRequest: (type: number) => boolean

  constructor(tracking: Tracking, { name, isRequest }: IcmpOfFamily) {
    this.name = name
    this.#isRequest = isRequest
    this.#tracking = tracking
    this.#words = tracking.flows.words
    this.#timeouts = tracking.timeouts.for(name)
  }

  track(p: Packet, ct: number): number {
    // The type that the flow began with, whichever direction this packet has.
    const type = (this.#words[ct * f.WORDS + f.PORTS] >>> 8) & 0xff
    if (!this.#isRequest(type)) return INVALID
    this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[ONLY])
    return TRACKED
  }

  mayDropEarly(): boolean {
    return false
  }
}
