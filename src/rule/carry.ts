// Counters survive a reload where a rule, or a chain's policy, stands unchanged: within a chain of the same table and name,
// equal rules are paired in order, and the rule that was there before stays. A rule set that brings counters of its own
// (iptables-save -c) keeps those.

import { plainRule } from './kept-rule.ts'
import type { Chain, Counters, Rule, RuleSet, Table } from './model.ts'

/** The same as `after`, with the rules of `before` that stand in it unchanged. */
export function carried(before: RuleSet, after: RuleSet): RuleSet {
  const tables = [...after.tables].map(([name, table]) => {
    const old = before.tables.get(name)
    return [name, old === undefined ? table : carriedTable(old, table)] as const
  })
  return { family: after.family, tables: new Map(tables) }
}

function carriedTable(before: Table, after: Table): Table {
  const chains = [...after.chains].map(([name, chain]) => {
    const old = before.chains.get(name)
    return [name, old === undefined ? chain : carriedChain(old, chain)] as const
  })
  return { name: after.name, chains: new Map(chains) }
}

function carriedChain(before: Chain, after: Chain): Chain {
  const counters = before.policy === after.policy && isZero(after.counters) ? before.counters : after.counters
  if (before.rules.length === 0 || after.rules.length === 0) return { ...after, counters }
  const known = new Map<string, Rule[]>()
  for (const rule of before.rules) {
    const key = identity(rule)
    const same = known.get(key)
    if (same === undefined) known.set(key, [rule])
    else same.push(rule)
  }
  for (const same of known.values()) same.reverse()
  const rules = after.rules.map((rule) => (isZero(rule.counters) ? (known.get(identity(rule))?.pop() ?? rule) : rule))
  return { ...after, counters, rules }
}

const isZero = (c: Counters) => c.packets === 0 && c.bytes === 0

/** Equal for rules that say the same; the counters do not count. */
function identity(rule: Rule): string {
  return JSON.stringify(plainRule(rule), (key, value: unknown) =>
    key === 'counters'
      ? undefined
      : key === 'declaration'
        ? (value as { name: string }).name
        : value instanceof Map
          ? [...value]
          : typeof value === 'bigint'
            ? String(value)
            : value,
  )
}
