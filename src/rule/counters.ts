// The counters of a rule set's chains and rules, for those who list them.

import { type Chunks, countsAt } from './ledger.ts'
import type { Chain, Counters, Rule, RuleSet } from './model.ts'
import type { Program } from './program.ts'

/** What was counted for a chain's policy or a rule of this rule set, which is the running one. */
export function countersIn(ruleSet: RuleSet, program: Program): (of: Chain | Rule) => Counters {
  const places = new Map<object, number>()
  for (const [name, { chains }] of ruleSet.tables)
    for (const chain of chains.values()) {
      const ready = program.tables.get(name)?.get(chain.name)
      if (ready === undefined) continue
      places.set(chain, ready.counter)
      for (let i = 0; i < chain.rules.length; i++) places.set(chain.rules[i], ready.entries[i].counter)
    }
  return countersBy(places, program.ledger.chunks)
}

/** The same where the places are known. What has no place was never counted for. */
export function countersBy(places: ReadonlyMap<object, number>, chunks: Chunks): (of: Chain | Rule) => Counters {
  return (of) => {
    const place = places.get(of)
    return place === undefined ? of.counters : countsAt(chunks, place)
  }
}
