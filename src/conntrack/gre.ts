// GRE: 30 s, and 180 s and ASSURED once a reply was seen. Mirrors nf_conntrack_proto_gre: plain GRE is tracked by address, PPTP's by
// the call that it goes to (the answer's call is only known to the helper for PPTP, which keeps it in GreKeys).

import type { Packet } from '../packet/packet.ts'
import * as gre from '../wire/gre.ts'
import type { Expectation } from './expect.ts'
import * as f from './record.ts'
import { type FlowTimeouts, REPLIED, UNREPLIED } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { TRACKED } from './tracker.ts'

export class GreTracker implements Tracker {
  readonly name = 'gre'
  readonly mayClash = true
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
}

interface GreKey {
  readonly master: number
  readonly source: number
  readonly destination: number
  readonly sourceKey: number
}

/** The calls that a packet of PPTP comes from, by the call that it goes to: the header has the latter alone. IPv4's. */
export class GreKeys {
  readonly #byKey = new Map<number, GreKey[]>()

  get size(): number {
    return this.#byKey.size
  }

  /** @param of GRE packets of one direction of the master's call */
  add(master: number, { source, destination, sport, dport }: Expectation): void {
    const known = this.#byKey.get(dport) ?? []
    const key = { master, source: source[0], destination: destination[0], sourceKey: sport }
    this.#byKey.set(dport, [...known.filter((each) => each.source !== key.source || each.master !== master), key])
  }

  remove(master: number): void {
    for (const [key, known] of this.#byKey) {
      const rest = known.filter((each) => each.master !== master)
      if (rest.length === 0) this.#byKey.delete(key)
      else if (rest.length < known.length) this.#byKey.set(key, rest)
    }
  }

  /** The call that the packet comes from, 0 where it is not known. @param key the call that it goes to */
  sourceOf(p: Packet, key: number): number {
    const known = this.#byKey.get(key)
    return known?.find((each) => each.source === p.source && each.destination === p.destination)?.sourceKey ?? 0
  }
}

/**
 * The tuple's keys where others have ports: source << 16 | destination. -1 for what says that it is PPTP's and is not.
 * @param transport offset of the GRE header, 0 where there is none
 * @param end offset behind the last byte that is there
 */
export function keysAt(view: DataView, transport: number, end: number): number {
  if (transport === 0 || transport + gre.HEADER > end) return 0
  if ((view.getUint16(transport + gre.FLAGS) & gre.VERSION_MASK) !== gre.PPTP_VERSION) return 0
  // What is cut off before the call's number says nothing.
  if (transport + gre.PPTP_HEADER > end) return 0
  if (view.getUint16(transport + gre.PROTOCOL) !== gre.PROTOCOL_PPP) return -1
  return view.getUint16(transport + gre.CALL_ID)
}
