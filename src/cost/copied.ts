// A rule set of which every built-in chain has user chains of its own: so that what is counted or timed in them is known for each
// hook. It decides the same. (A match with a memory, limit or recent, in a chain that several hooks reach has one of its
// own there for each.)

import { changedRule } from '../rule/kept-rule.ts'
import type { Chain, Rule, RuleSet, Table } from '../rule/model.ts'

export interface ChainAt {
  readonly table: string
  readonly chain: string
  /** The built-in chain that leads there, which is the hook's name. */
  readonly hook: string
}

/** @param marked a chain's rules with others between them, which change nothing */
export function eachHooksOwn(ruleSet: RuleSet, marked: (at: ChainAt, rules: readonly Rule[]) => Rule[]): RuleSet {
  const tables = new Map<Table['name'], Table>()
  for (const table of ruleSet.tables.values()) {
    const chains = new Map<string, Chain>()
    for (const root of table.chains.values()) {
      if (root.policy === undefined) continue
      const copied = (name: string) => (name === root.name ? name : `${name} ${root.name}`)
      for (const chain of reachedFrom(table, root)) {
        const own = chain.rules.map((rule) => {
          const { action } = rule
          return action?.kind === 'jump'
            ? changedRule(rule, { action: { ...action, chain: copied(action.chain) } })
            : changedRule(rule, {})
        })
        const rules = marked({ table: table.name, chain: chain.name, hook: root.name }, own)
        chains.set(copied(chain.name), { ...chain, name: copied(chain.name), rules })
      }
    }
    // Built-in chains come first.
    const ordered = [...chains].sort(([, a], [, b]) => Number(a.policy === undefined) - Number(b.policy === undefined))
    tables.set(table.name, { name: table.name, chains: new Map(ordered) })
  }
  return { family: ruleSet.family, tables }
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
