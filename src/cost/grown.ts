// The same rule set with many times the rules: before the rules of each chain stand copies of every one, which ask for a
// source address that no packet has, besides all that the rule itself asks.

import { changedRule } from '../rule/kept-rule.ts'
import type { Chain, Rule, RuleSet, Table } from '../rule/model.ts'

/** 240.0.0.0/4 and 100::/64, which no host has (RFC 1112, RFC 6666). */
const NOBODY = { 4: [0xf0000000 | 0], 6: [0x01000000, 0, 0, 0] }
const NOBODIES = 0x0fffffff

export function grown(ruleSet: RuleSet, times: number): RuleSet {
  let next = 0
  const copyOf = (rule: Rule): Rule => {
    const address = NOBODY[ruleSet.family].with(-1, NOBODY[ruleSet.family].at(-1)! | (next++ % NOBODIES))
    return changedRule(rule, { source: { value: { address, mask: address.map(() => -1) }, not: false } })
  }
  const grow = (chain: Chain): Chain => {
    const copies = Array.from({ length: times - 1 }, () => chain.rules.map(copyOf))
    return { ...chain, rules: [...copies.flat(), ...chain.rules] }
  }
  const tables = [...ruleSet.tables].map(([name, table]): [Table['name'], Table] => [
    name,
    { name, chains: new Map([...table.chains].map(([chain, of]) => [chain, grow(of)])) },
  ])
  return { family: ruleSet.family, tables: new Map(tables) }
}

export function countRules({ tables }: RuleSet): number {
  let count = 0
  for (const { chains } of tables.values()) for (const { rules } of chains.values()) count += rules.length
  return count
}
