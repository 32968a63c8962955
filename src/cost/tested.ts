// How many rules packets are held against, as iptables walks them: one by one, to the first that ends it. It is counted,
// not reckoned: the rule set is loaded anew with a rule that only counts before each of its own; what
// such a rule counted is how many packets came to the one behind it. User chains are copied for every
// built-in chain that leads to them, so that each hook's part is known. (A match with a memory, limit or recent,
// in a chain that several hooks reach has one of its own there for each.)

import { changedRule } from '../rule/kept-rule.ts'
import { type Chain, NO_COUNTERS, type Rule, type RuleSet, type Table } from '../rule/model.ts'

export interface Tested {
  readonly table: string
  readonly chain: string
  /** The built-in chain that leads there, which is the hook's name. */
  readonly hook: string
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
  const counted: { readonly table: string; readonly chain: string; readonly hook: string; readonly rules: Rule[] }[] =
    []
  const tables = new Map<Table['name'], Table>()
  for (const table of ruleSet.tables.values()) {
    const chains = new Map<string, Chain>()
    for (const root of table.chains.values()) {
      if (root.policy === undefined) continue
      const copied = (name: string) => (name === root.name ? name : `${name} ${root.name}`)
      for (const chain of reachedFrom(table, root)) {
        const counters: Rule[] = []
        const rules = chain.rules.flatMap((rule) => {
          const counter: Rule = { matches: [], counters: NO_COUNTERS }
          counters.push(counter)
          const { action } = rule
          if (action?.kind !== 'jump') return [counter, changedRule(rule, {})]
          return [counter, changedRule(rule, { action: { ...action, chain: copied(action.chain) } })]
        })
        chains.set(copied(chain.name), { ...chain, name: copied(chain.name), rules })
        counted.push({ table: table.name, chain: chain.name, hook: root.name, rules: counters })
      }
    }
    // Built-in chains come first.
    const ordered = [...chains].sort(([, a], [, b]) => Number(a.policy === undefined) - Number(b.policy === undefined))
    tables.set(table.name, { name: table.name, chains: new Map(ordered) })
  }
  return {
    rules: { family: ruleSet.family, tables },
    read: (countersOf) =>
      counted
        .filter(({ rules }) => rules.length > 0)
        .map(({ rules, ...where }) => ({
          ...where,
          packets: countersOf(rules[0]).packets,
          tests: rules.reduce((sum, rule) => sum + countersOf(rule).packets, 0),
        })),
  }
}

function reachedFrom(table: Table, root: Chain): Set<Chain> {
  const reached = new Set([root])
  // A set that grows is gone through to its end.
  for (const chain of reached)
    for (const { action } of chain.rules) {
      const to = action?.kind === 'jump' ? table.chains.get(action.chain) : undefined
      if (to !== undefined) reached.add(to)
    }
  return reached
}
