// SCTP (RFC 9260), tracked by addresses and ports alone, with the generic timeout: the association's own states, its
// verification tags and its shutdown are not followed, so that a flow lives on for a while after its association.

import type { Packet } from '../packet/packet.ts'
import { type FlowTimeouts, ONLY } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { INVALID, TRACKED } from './tracker.ts'

export class SctpTracker implements Tracker {
  readonly name = 'sctp'
  readonly #tracking: Tracking
  readonly #timeouts: FlowTimeouts

  constructor(tracking: Tracking) {
    this.#tracking = tracking
    this.#timeouts = tracking.timeouts.for('generic')
  }

  track(p: Packet, ct: number): number {
    if (p.transport === 0) return INVALID
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
