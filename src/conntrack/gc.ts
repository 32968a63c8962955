// What makes room in the flow table: early drop, where a new flow finds it full, and the round that looks at some records with every
// tick (gc_worker). What a look-up meets and is over goes at once (Conntrack.lasting); so the round is only for flows of which
// no packet comes any more.

import type { Time } from '../time.ts'
import type { FlowTable } from './flows.ts'
import * as f from './record.ts'
import { EARLY_DROP, EXPIRED } from './statistics.ts'
import type { Tracker } from './tracker.ts'

/** How far early drop looks along the index, and how many records one tick examines. */
const EVICTION_RANGE = 64
const REAP_PER_TICK = 4096

/** What is collected from: a family's conntrack. */
export interface Collected {
  readonly flows: FlowTable
  readonly time: Time
  readonly stats: Float64Array
  /** Flows of both families. */
  readonly total: number
  tracker(protocol: number): Tracker
  kill(ct: number): void
}

export class Gc {
  readonly #from: Collected
  #reaped = 0

  constructor(from: Collected) {
    this.#from = from
  }

  /** Makes room near a new flow's place: what has expired, else the first flow that is not ASSURED. False where all are. */
  earlyDrop(hash: number): boolean {
    const { flows, time, stats } = this.#from
    for (let step = 0; step < EVICTION_RANGE; step++) {
      const ct = flows.near(hash, step)
      if (ct < 0) continue
      if (!flows.isOver(ct, time.now) && (flows.status(ct) & f.ASSURED) !== 0) continue
      this.#from.kill(ct)
      stats[EARLY_DROP]++
      return true
    }
    return false
  }

  /** Examines the next few thousand records and removes those that have expired, or, nearly full, that are closing. */
  tick(): void {
    const { flows, time, stats, total } = this.#from
    const crowded = total > 0.95 * flows.max
    for (let n = Math.min(REAP_PER_TICK, flows.used); n > 0; n--) {
      if (this.#reaped >= flows.used) this.#reaped = 0
      const ct = this.#reaped++
      if ((flows.status(ct) & f.CONFIRMED) === 0) continue
      if (flows.isOver(ct, time.now)) {
        this.#from.kill(ct)
        stats[EXPIRED]++
      } else if (crowded && this.#mayGo(ct)) {
        this.#from.kill(ct)
        stats[EARLY_DROP]++
      }
    }
  }

  #mayGo(ct: number): boolean {
    const { flows } = this.#from
    return (flows.status(ct) & f.ASSURED) === 0 || this.#from.tracker(flows.protocol(ct)).mayDropEarly(ct)
  }
}
