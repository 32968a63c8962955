// What makes room in the flow table: early drop, where a new flow finds it full, and the round that looks at every record once in a
// second or some (gc_worker). What a look-up meets and is over goes at once (Conntrack.lasting); so the round is only for flows of which
// no packet comes any more.
//
// What always holds: packets never wait for the round. Time says how many records are due to be looked at; what is due is done in pieces, at
// the end of each round of the engine, small ones where packets came, so that a million flows that are over at once hold nothing up.

import type { Time } from '../time.ts'
import type { FlowTable } from './flows.ts'
import * as f from './record.ts'
import { EARLY_DROP, EXPIRED } from './statistics.ts'
import type { Tracker } from './tracker.ts'

/** How far early drop looks along the index. */
const EVICTION_RANGE = 64
/** A table is looked through in so many ticks; of few records as many at once as a tick makes due at least, of many at the most. */
const TICKS_A_PASS = 64
const DUE_LEAST = 4096
const DUE_MOST = 1 << 15

/** How many records a piece looks at, and how many flows it ends, at most. */
interface Piece {
  readonly looks: number
  readonly ends: number
}

/** A batch brings 64 new flows at most: in the long run no fewer end. */
const BUSY: Piece = { looks: 512, ends: 96 }
const IDLE: Piece = { looks: 1 << 13, ends: 1024 }

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
  /** The next record to be looked at, and how many are due. */
  #next = 0
  #due = 0

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

  /** Time has passed: more records are due. */
  tick(): void {
    const { used } = this.#from.flows
    const due = Math.min(DUE_MOST, Math.max(DUE_LEAST, used / TICKS_A_PASS))
    this.#due = Math.min(used, this.#due + Math.ceil(due))
  }

  /** Ends flows that are over, or, where the table is nearly full, that are closing. @param idle nobody waits for the end of it */
  collect(idle: boolean): void {
    if (this.#due === 0) return
    const { flows, time, stats, total } = this.#from
    const { looks, ends } = idle ? IDLE : BUSY
    const crowded = total > 0.95 * flows.max
    let left = Math.min(this.#due, looks)
    this.#due -= left
    for (let ended = 0; left > 0 && ended < ends; left--) {
      if (this.#next >= flows.used) this.#next = 0
      const ct = this.#next++
      if ((flows.status(ct) & f.CONFIRMED) === 0) continue
      if (flows.isOver(ct, time.now)) stats[EXPIRED]++
      else if (crowded && this.#mayGo(ct)) stats[EARLY_DROP]++
      else continue
      this.#from.kill(ct)
      ended++
    }
    this.#due += left
  }

  #mayGo(ct: number): boolean {
    const { flows } = this.#from
    return (flows.status(ct) & f.ASSURED) === 0 || this.#from.tracker(flows.protocol(ct)).mayDropEarly(ct)
  }
}
