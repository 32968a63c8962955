// What was decided for a flow's packets, so that the next one need not walk the rules. A walk through a table's
// rules that looked only at what is the same for all packets of the flow in one direction (Looks in define.ts) has the same
// outcome for the next packet: the same rules count, and the verdict is the same. So a flow's record says, for each
// direction, which outcomes are known; flows that meet the same rules share them. Where those of all tables between conntrack and
// the device that the packets leave by are known, so is the whole way (KnownWay): its packets need not ask at each of them.
//
// What always holds: outcomes are of the rules in force (another generation forgets them all), and hold for the devices and
// the mark with which they were found.

import { DECIDED, WORDS } from '../conntrack/record.ts'
import { ACCEPT } from '../hook/hook.ts'
import { CT_ESTABLISHED, CT_NEW, type Packet } from '../packet/packet.ts'

/** Tables at hooks that a packet may walk. */
export const TABLES_MAX = 17
/** What is known of so many different flows, or fewer; others walk. */
const STATES_MAX = 1 << 16
/** Numbers of states do not come again before so many generations that flow records of then must be cleared. */
const NUMBERS_MAX = 0x7fffffff - 2 * STATES_MAX

/** Stands for the way among tables. */
const WAY = TABLES_MAX
/** What is known for packets of a flow that nobody has answered yet stands behind what is known for an established one's. */
const UNANSWERED = TABLES_MAX + 1

/**
 * Whether what rules say about the packet is worth remembering: it will be said again. Of a flow that is in the table all packets
 * are NEW until there is an answer, and ESTABLISHED from then on.
 */
export function isRemembered(p: Packet): boolean {
  return p.ctinfo === CT_ESTABLISHED || (p.ctinfo === CT_NEW && !p.begins)
}

function placeOf(p: Packet, table: number): number {
  return p.ctinfo === CT_NEW ? table + UNANSWERED : table
}

interface Outcome {
  /** One at a hook, or WAY; plus UNANSWERED. */
  readonly table: number
  /** inLink | outLink << 16 */
  readonly links: number
  readonly mark: number
  /** The verdict; of a way the MTU. */
  readonly said: number
  /** Places in the ledger of the rules that matched, and of the policy. */
  readonly places: readonly number[]
}

/** Where packets with this mark, from this device, leave, and what counts them: every table accepts them. */
export interface KnownWay {
  readonly inLink: number
  readonly mark: number
  readonly outLink: number
  readonly mtu: number
  /** Places in the ledger, of all tables. */
  readonly places: readonly number[]
  /** What is yet to be counted there. */
  packets: number
  bytes: number
}

/** A table that forwarded packets walk. */
export interface TableOnWay {
  readonly table: number
  /** Whether it is known by then where they leave. */
  readonly routed: boolean
}

/** What is known for a flow's packets in one direction: outcomes by table. */
class State {
  readonly number: number
  readonly outcomes: readonly (Outcome | undefined)[]
  /** Of an established flow, and of one that nobody has answered. */
  readonly way: KnownWay | undefined
  readonly unansweredWay: KnownWay | undefined
  /** What is known with one outcome more. */
  readonly next = new Map<Outcome, State>()

  constructor(number: number, outcomes: readonly (Outcome | undefined)[]) {
    this.number = number
    this.outcomes = outcomes
    this.way = wayOf(outcomes[WAY])
    this.unansweredWay = wayOf(outcomes[WAY + UNANSWERED])
  }
}

function wayOf(outcome: Outcome | undefined): KnownWay | undefined {
  if (outcome === undefined) return undefined
  const { links, mark, said, places } = outcome
  return { inLink: links & 0xffff, mark, outLink: links >>> 16, mtu: said, places, packets: 0, bytes: 0 }
}

const NOTHING: readonly (Outcome | undefined)[] = new Array(2 * UNANSWERED).fill(undefined)

export class VerdictMemory {
  /** Of the flow table; each has a word a direction: the number of a state; 0, or the number of one that is forgotten, for nothing. */
  readonly #records: Int32Array
  #generation = -1
  #states: State[] = []
  /** Number of the first of `#states`. */
  #base = 1
  #root = new State(0, NOTHING)
  #outcomes = new Map<number, Outcome[]>()
  /** What has counted on the walk that is under way. */
  #counted: number[] = []
  #counts = 0

  /** @param records of the flow table, which clears a flow's when it begins */
  constructor(records: Int32Array) {
    this.#records = records
  }

  /** Rules of another generation are in force. */
  forget(generation: number): void {
    if (generation === this.#generation) return
    this.#generation = generation
    this.clear()
  }

  /** What was decided holds no more. */
  clear(): void {
    this.#base += this.#states.length
    this.#states = []
    this.#root = new State(0, NOTHING)
    this.#outcomes = new Map()
    if (this.#base < NUMBERS_MAX) return
    for (let at = DECIDED; at < this.#records.length; at += WORDS) this.#records.fill(0, at, at + 2)
    this.#base = 1
  }

  /** What is known for a packet (isRemembered) in this table. */
  find(p: Packet, table: number): Outcome | undefined {
    const at = this.#records[p.ct * WORDS + DECIDED + p.direction] - this.#base
    if (at < 0) return undefined
    const outcome = this.#states[at].outcomes[placeOf(p, table)]
    if (outcome === undefined || outcome.links !== (p.inLink | (p.outLink << 16)) || outcome.mark !== p.mark)
      return undefined
    return outcome
  }

  /** The whole way of a packet (isRemembered) that conntrack has just seen, if it is known. */
  way(p: Packet): KnownWay | undefined {
    const at = this.#records[p.ct * WORDS + DECIDED + p.direction] - this.#base
    if (at < 0) return undefined
    const state = this.#states[at]
    const way = p.ctinfo === CT_NEW ? state.unansweredWay : state.way
    return way !== undefined && way.inLink === p.inLink && way.mark === p.mark ? way : undefined
  }

  /**
   * A forwarded packet (isRemembered) is about to leave: if it walked all these tables, and what each said is known, so is
   * its way. The route is that of its flow: it depends on addresses and devices alone.
   */
  keepWay(p: Packet, tables: readonly TableOnWay[], mtu: number): void {
    const at = this.#records[p.ct * WORDS + DECIDED + p.direction] - this.#base
    const { outcomes } = at < 0 ? this.#root : this.#states[at]
    this.begin()
    for (const { table, routed } of tables) {
      const outcome = outcomes[placeOf(p, table)]
      if (outcome?.said !== ACCEPT || outcome.mark !== p.mark) return
      if (outcome.links !== (routed ? p.inLink | (p.outLink << 16) : p.inLink)) return
      for (const place of outcome.places) this.count(place)
    }
    this.keep(p, WAY, mtu)
  }

  /** A walk begins of which the outcome may be kept. */
  begin(): void {
    this.#counts = 0
  }

  count(place: number): void {
    this.#counted[this.#counts++] = place
  }

  /** The walk ended so, and looked at nothing else than what is the same for the flow's next packet. */
  keep(p: Packet, table: number, said: number): void {
    const word = p.ct * WORDS + DECIDED + p.direction
    const at = this.#records[word] - this.#base
    const place = placeOf(p, table)
    const outcome = this.#outcome(place, p.inLink | (p.outLink << 16), p.mark, said)
    const before = at < 0 ? this.#root : this.#states[at]
    if (before.outcomes[place] === outcome) return
    let state = before.next.get(outcome)
    if (state === undefined) {
      if (this.#states.length === STATES_MAX) return
      state = new State(this.#base + this.#states.length, before.outcomes.with(place, outcome))
      this.#states.push(state)
      before.next.set(outcome, state)
    }
    this.#records[word] = state.number
  }

  /** The same object for the same outcome. */
  #outcome(table: number, links: number, mark: number, said: number): Outcome {
    const counted = this.#counted
    const counts = this.#counts
    let hash = (links ^ Math.imul(mark, 0x9e3779b1) ^ Math.imul(said + 8 * table + 99, 0x85ebca6b)) | 0
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
        one.said === said &&
        one.places.length === counts &&
        one.places.every((place, i) => place === counted[i])
      )
        return one
    const made: Outcome = { table, links, mark, said, places: counted.slice(0, counts) }
    alike.push(made)
    return made
  }
}
