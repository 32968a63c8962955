// Protocols that conntrack knows nothing about: tracked by address, each packet renews the flow. Mirrors
// nf_conntrack_proto_generic.

import type { Packet } from '../packet/packet.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { TRACKED } from './tracker.ts'

export class GenericTracker implements Tracker {
  readonly name = 'unknown'
  readonly #tracking: Tracking
  readonly #timeout: number

  constructor(tracking: Tracking) {
    this.#tracking = tracking
    this.#timeout = tracking.sysctl['net.netfilter.nf_conntrack_generic_timeout'] * 1000
  }

  track(_p: Packet, ct: number): number {
    this.#tracking.refresh(ct, this.#timeout)
    return TRACKED
  }

  mayDropEarly(): boolean {
    return false
  }

  stateName(): string {
    return ''
  }
}
