// The running rules of one family, made ready for packets: chains of entries (rule/entries.ts). Chains are the same objects and
// entries the same numbers for as long as what they stand for is there; a change is built beside them (rule/build.ts) and put in force in one step
// between two rounds.

import { ACCEPT, DROP, HOOK_NAMES } from '../hook/hook.ts'
import type { Contents } from './assembly.ts'
import { Build } from './build.ts'
import { Entries } from './entries.ts'
import type { Environment } from './environment.ts'
import type { IndexView } from './index-view.ts'
import type { Chain, Family, TableName } from './model.ts'

const NONE = new Int32Array(0)

export class ChainProgram {
  readonly name: string
  /** Its entries (rule/entries.ts) in order, from `first` up to but without `end`; others' may stand around them. */
  places: Int32Array = NONE
  first = 0
  end = 0
  /** Of built-in chains: ACCEPT or DROP. */
  policy = ACCEPT
  /** Place of the policy in the ledger. */
  readonly counter: number
  /** What finds rules in a long chain; undefined where each is asked. */
  index: IndexView | undefined
  /** How many entries jump here. */
  references = 0

  constructor(name: string, counter: number) {
    this.name = name
    this.counter = counter
  }

  /** Another content is in force. */
  has({ places, first, end }: Contents, index: IndexView | undefined): void {
    this.places = places
    this.first = first
    this.end = end
    this.index = index
  }

  /** How many rules it has. */
  get length(): number {
    return this.end - this.first
  }

  /** The entry of the rule at this place, counted from 0. */
  entry(at: number): number {
    return this.places[this.first + at]
  }
}

export function policyOf(policy: Chain['policy']): number {
  return policy === 'DROP' ? DROP : ACCEPT
}

export type ChainPrograms = Map<string, ChainProgram>

export class Program {
  readonly family: Family
  readonly environment: Environment
  /** Rules are asked one by one, and for every packet: the interpreter alone. */
  readonly interpreted: boolean
  readonly entries: Entries
  readonly tables = new Map<TableName, ChainPrograms>()
  /** Counts the changes that were put in force. */
  generation = 0
  /**
   * Entries that need conntrack (and defragmentation) to run. A nat table alone does not ask for it: without a rule that
   * translates, Linux never even walks it.
   */
  tracking = 0
  /** Entries that need defragmentation, also where conntrack does not run. */
  defragmenting = 0
  /** Entries from which on packets are traced. */
  tracing = 0

  constructor(family: Family, environment: Environment, { interpreted = false } = {}) {
    this.family = family
    this.entries = new Entries(family)
    this.interpreted = interpreted
    this.environment = environment
  }

  /** The built-in chain of a table at a hook; undefined where the table is not loaded or has none there. */
  base(table: TableName, hook: number): ChainProgram | undefined {
    return this.tables.get(table)?.get(HOOK_NAMES[hook])
  }

  /** How often each set is named, for SetStore.setRules(). */
  setUses(): Map<string, number> {
    const uses = new Map<string, number>()
    const { sets } = this.entries
    if (sets.size === 0) return uses
    for (const chains of this.tables.values())
      for (const { places, first, end } of chains.values())
        for (let at = first; at < end; at++)
          for (const name of sets.get(places[at]) ?? []) uses.set(name, (uses.get(name) ?? 0) + 1)
    return uses
  }

  /** Begins the next generation. Only one may be under way, up to the end of Build.clear(). */
  begin(): Build {
    return new Build(this)
  }
}
