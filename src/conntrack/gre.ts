// GRE, tracked by address (the key in the tuple is 0; call ids of PPTP are not told apart): 30 s, and 180 s and ASSURED
// once a reply was seen. Mirrors nf_conntrack_proto_gre.

import type { Packet } from '../packet/packet.ts'
import * as f from './record.ts'
import { type FlowTimeouts, REPLIED, UNREPLIED } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { TRACKED } from './tracker.ts'

export class GreTracker implements Tracker {
  readonly name = 'gre'
  readonly #tracking: Tracking
  readonly #words: Int32Array
  readonly #timeouts: FlowTimeouts

  constructor(tracking: Tracking) {
    this.#tracking = tracking
    this.#words = tracking.flows.words
    this.#timeouts = tracking.timeouts.for('gre')
  }

  track(p: Packet, ct: number): number {
    const status = ct * f.WORDS + f.STATUS
    if ((this.#words[status] & f.SEEN_REPLY) !== 0) {
      this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[REPLIED])
      this.#words[status] |= f.ASSURED
    } else {
      this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[UNREPLIED])
    }
    return TRACKED
  }

  mayDropEarly(): boolean {
    return false
  }

  stateName(): string {
    return ''
  }
}
