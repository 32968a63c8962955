// The running rules of one family, made ready for packets: chains as arrays of entries. Chains and entries are the same objects
// for as long as what they stand for is there; a change is built beside them (rule/build.ts) and put in force in one step
// between two rounds.

import { ACCEPT, DROP, HOOK_NAMES } from '../hook/hook.ts'
import { Build } from './build.ts'
import { type Entry, NAMES_SETS, setsOf } from './entry.ts'
import type { Environment } from './environment.ts'
import type { IndexView } from './index-view.ts'
import { Ledger } from './ledger.ts'
import type { Chain, Family, TableName } from './model.ts'

export class ChainProgram {
  readonly name: string
  /** In force; a change puts another array in its place. */
  entries: readonly Entry[] = []
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
  readonly ledger = new Ledger()
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
    for (const chains of this.tables.values())
      for (const { entries } of chains.values())
        for (const entry of entries)
          if ((entry.action.flags & NAMES_SETS) !== 0)
            for (const name of setsOf.get(entry) ?? []) uses.set(name, (uses.get(name) ?? 0) + 1)
    return uses
  }

  /** Begins the next generation. Only one may be under way. */
  begin(): Build {
    return new Build(this)
  }
}
