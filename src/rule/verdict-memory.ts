// What was decided for an established flow's packets, so that the next one need not walk the rules. A walk through a table's
// rules that looked only at what is the same for all packets of the flow in one direction (Looks in define.ts) has the same
// outcome for the next packet: the same rules count, and the verdict is the same. So a flow's record says, for each
// direction, which outcomes are known; flows that meet the same rules share them.
//
// What always holds: outcomes are of the rules in force (another generation forgets them all), and hold for the devices and
// the mark with which they were found.

import type { Packet } from '../packet/packet.ts'

/** Tables at hooks that a packet may walk. */
export const TABLES_MAX = 17
/** What is known of so many different flows, or fewer; others walk. */
const STATES_MAX = 1 << 16
/** Numbers of states do not come again before so many generations that flow records of then must be cleared. */
const NUMBERS_MAX = 0x7fffffff - 2 * STATES_MAX

interface Outcome {
  readonly table: number
  /** inLink | outLink << 16 */
  readonly links: number
  readonly mark: number
  readonly verdict: number
  /** Places in the ledger of the rules that matched, and of the policy. */
  readonly places: readonly number[]
}

/** What is known for a flow's packets in one direction: outcomes by table. */
class State {
  readonly number: number
  readonly outcomes: readonly (Outcome | undefined)[]
  /** What is known with one outcome more. */
  readonly next = new Map<Outcome, State>()

  constructor(number: number, outcomes: readonly (Outcome | undefined)[]) {
    this.number = number
    this.outcomes = outcomes
  }
}

const NOTHING: readonly (Outcome | undefined)[] = new Array(TABLES_MAX).fill(undefined)

export class VerdictMemory {
  /** By flow << 1 | direction: the number of a state; 0, or the number of one that is forgotten, for nothing. */
  readonly #flows: Int32Array
  #generation = -1
  #states: State[] = []
  /** Number of the first of `#states`. */
  #base = 1
  #root = new State(0, NOTHING)
  #outcomes = new Map<number, Outcome[]>()
  /** What has counted on the walk that is under way. */
  #counted: number[] = []
  #counts = 0

  /** @param flows of the flow table, which clears a flow's two words when it begins */
  constructor(flows: Int32Array) {
    this.#flows = flows
  }

  /** Rules of another generation are in force. */
  forget(generation: number): void {
    if (generation === this.#generation) return
    this.#generation = generation
    this.#base += this.#states.length
    this.#states = []
    this.#root = new State(0, NOTHING)
    this.#outcomes = new Map()
    if (this.#base < NUMBERS_MAX) return
    this.#flows.fill(0)
    this.#base = 1
  }

  /** What is known for a packet of an established flow in this table. */
  find(p: Packet, table: number): Outcome | undefined {
    const at = this.#flows[(p.ct << 1) | p.direction] - this.#base
    if (at < 0) return undefined
    const outcome = this.#states[at].outcomes[table]
    if (outcome === undefined || outcome.links !== (p.inLink | (p.outLink << 16)) || outcome.mark !== p.mark)
      return undefined
    return outcome
  }

  /** A walk begins of which the outcome may be kept. */
  begin(): void {
    this.#counts = 0
  }

  count(place: number): void {
    this.#counted[this.#counts++] = place
  }

  /** The walk ended so, and looked at nothing else than what is the same for the flow's next packet. */
  keep(p: Packet, table: number, verdict: number): void {
    const word = (p.ct << 1) | p.direction
    const at = this.#flows[word] - this.#base
    const outcome = this.#outcome(table, p.inLink | (p.outLink << 16), p.mark, verdict)
    const before = at < 0 ? this.#root : this.#states[at]
    let state = before.next.get(outcome)
    if (state === undefined) {
      if (this.#states.length === STATES_MAX) return
      state = new State(this.#base + this.#states.length, before.outcomes.with(table, outcome))
      this.#states.push(state)
      before.next.set(outcome, state)
    }
    this.#flows[word] = state.number
  }

  /** The same object for the same outcome. */
  #outcome(table: number, links: number, mark: number, verdict: number): Outcome {
    const counted = this.#counted
    const counts = this.#counts
    let hash = (links ^ Math.imul(mark, 0x9e3779b1) ^ Math.imul(verdict + 8 * table + 99, 0x85ebca6b)) | 0
    for (let i = 0; i < counts; i++) hash = Math.imul(hash ^ counted[i], 0x27d4eb2f)
    let alike = this.#outcomes.get(hash)
    if (alike === undefined) {
      alike = []
      this.#outcomes.set(hash, alike)
    }
    for (const one of alike)
      if (
        one.table === table &&
        one.links === links &&
        one.mark === mark &&
        one.verdict === verdict &&
        one.places.length === counts &&
        one.places.every((place, i) => place === counted[i])
      )
        return one
    const made: Outcome = { table, links, mark, verdict, places: counted.slice(0, counts) }
    alike.push(made)
    return made
  }
}
