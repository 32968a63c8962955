// The counters of a rule set's chains and rules, for those who list them.

import { countsAt } from './ledger.ts'
import type { Chain, Counters, Rule, RuleSet, TableName } from './model.ts'
import type { Program } from './program.ts'

/** What was counted for a chain. */
export interface ChainCounts {
  /** For its policy. */
  readonly policy: Counters
  /** For the rule at this place, counted from 0. */
  rule(at: number): Counters
}

export type CountsOf = (table: TableName, chain: Chain) => ChainCounts

/** What chains and rules began with. */
export const countsBegun: CountsOf = (_, { counters, rules }) => ({
  policy: counters,
  rule: (at) => rules[at].counters,
})

/** The counts of the running rules. */
export function countsIn(program: Program): CountsOf {
  const { counters } = program.entries
  return (table, chain) => {
    const ready = program.tables.get(table)?.get(chain.name)
    if (ready === undefined) return countsBegun(table, chain)
    return { policy: countsAt(counters, ready.counter), rule: (at) => countsAt(counters, ready.entry(at)) }
  }
}

/** What was counted for a chain's policy or a rule of this rule set, which is the running one. */
export function countersIn(ruleSet: RuleSet, program: Program): (of: Chain | Rule) => Counters {
  const counts = countsIn(program)
  const places = new Map<object, () => Counters>()
  for (const [name, { chains }] of ruleSet.tables)
    for (const chain of chains.values()) {
      places.set(chain, () => counts(name, chain).policy)
      for (let i = 0; i < chain.rules.length; i++) places.set(chain.rules[i], () => counts(name, chain).rule(i))
    }
  // What has no place was never counted for.
  return (of) => places.get(of)?.() ?? of.counters
}
