// Counters survive a reload where a rule, or a chain's policy, stands unchanged: within a chain of the same table and name,
// equal rules are paired in order. A rule set that brings counters of its own (iptables-save -c) keeps those.

import type { Chain, Counters, Rule } from './model.ts'
import type { Program } from './program.ts'

/** Copies counters from the generation before. */
export function carryCounters(before: Program, after: Program): void {
  for (const [name, table] of after.ruleSet.tables) {
    const old = before.ruleSet.tables.get(name)
    if (old === undefined) continue
    for (const chain of table.chains.values()) {
      const oldChain = old.chains.get(chain.name)
      if (oldChain === undefined) continue
      if (oldChain.policy === chain.policy) carry(before, after, oldChain, chain)
      const known = new Map<string, Rule[]>()
      for (const rule of oldChain.rules) {
        const key = identity(rule)
        const same = known.get(key)
        if (same === undefined) known.set(key, [rule])
        else same.push(rule)
      }
      for (const rule of chain.rules) {
        const same = known.get(identity(rule))?.shift()
        if (same !== undefined) carry(before, after, same, rule)
      }
    }
  }
}

/**
 * The same after a command that changed rules: what is the same object goes on counting, and so does a policy whose counters
 * are; everything else begins with the counters that it brought.
 */
export function keepCounters(before: Program, after: Program): void {
  for (const [name, table] of after.ruleSet.tables) {
    const old = before.ruleSet.tables.get(name)
    for (const chain of table.chains.values()) {
      const oldChain = old?.chains.get(chain.name)
      if (oldChain?.counters === chain.counters) copy(before, after, oldChain, chain)
      for (const rule of chain.rules) if (before.has(rule)) copy(before, after, rule, rule)
    }
  }
}

function carry(before: Program, after: Program, old: Chain | Rule, now: Chain | Rule): void {
  if (isZero(now.counters)) copy(before, after, old, now)
}

function copy(before: Program, after: Program, old: Chain | Rule, now: Chain | Rule): void {
  const { packets, bytes } = before.countersOf(old)
  after.setCounters(now, packets, bytes)
}

const isZero = (c: Counters) => c.packets === 0 && c.bytes === 0

/** Equal for rules that say the same; the place in the file and the counters do not count. */
function identity(rule: Rule): string {
  return JSON.stringify(rule, (key, value: unknown) =>
    key === 'place' || key === 'counters'
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
