// Protocols that conntrack knows nothing about: tracked by address, each packet renews the flow. Mirrors
// nf_conntrack_proto_generic.

import type { Packet } from '../packet/packet.ts'
import { type FlowTimeouts, ONLY } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { TRACKED } from './tracker.ts'

export class GenericTracker implements Tracker {
  readonly name = 'unknown'
  readonly mayClash = true
  readonly #tracking: Tracking
  readonly #timeouts: FlowTimeouts

  constructor(tracking: Tracking) {
    this.#tracking = tracking
    this.#timeouts = tracking.timeouts.for('generic')
  }

  track(p: Packet, ct: number): number {
    this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[ONLY])
    return TRACKED
  }

  mayDropEarly(): boolean {
    return false
  }
}
