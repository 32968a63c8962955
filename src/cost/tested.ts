// How many rules packets are held against, as iptables walks them: one by one, to the first that ends it. It is counted,
// not reckoned: the rule set is loaded anew with a rule that only counts before each of its own; what
// such a rule counted is how many packets came to the one behind it.

import { NO_COUNTERS, type Rule, type RuleSet } from '../rule/model.ts'
import { type ChainAt, eachHooksOwn } from './copied.ts'

export interface Tested extends ChainAt {
  /** Packets that came into the chain. */
  readonly packets: number
  /** Rules that packets were held against there. */
  readonly tests: number
}

export interface Counting {
  readonly rules: RuleSet
  /** What was counted, once packets have passed; chains without rules are left out. */
  read(countersOf: (rule: Rule) => { readonly packets: number }): Tested[]
}

export function counting(ruleSet: RuleSet): Counting {
  const counted: { readonly at: ChainAt; readonly counters: readonly Rule[] }[] = []
  const rules = eachHooksOwn(ruleSet, (at, own) => {
    const counters = own.map((): Rule => ({ matches: [], counters: NO_COUNTERS }))
    if (own.length > 0) counted.push({ at, counters })
    return own.flatMap((rule, i) => [counters[i], rule])
  })
  return {
    rules,
    read: (countersOf) =>
      counted.map(({ at, counters }) => ({
        ...at,
        packets: countersOf(counters[0]).packets,
        tests: counters.reduce((sum, rule) => sum + countersOf(rule).packets, 0),
      })),
  }
}
