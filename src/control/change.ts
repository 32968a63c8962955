// A rule set as the difference from the one before, in plain data that crosses from the control side to the data plane. Rules
// that stay are named by their place, so a change costs what is changed; declarations cross by their names. Both sides hold
// the same rule set afterwards, and rules that stayed are the same objects on each of them.

import { TunfilterError } from '../errors.ts'
import { BUILTIN } from '../iptables/builtin.ts'
import type { OptionValues } from '../rule/define.ts'
import type { Action, Chain, Counters, Family, Rule, RuleSet, Table, TableName } from '../rule/model.ts'

export interface RuleChange {
  readonly family: Family
  /** In their order; by name alone where nothing of a table is changed. */
  readonly tables: readonly (TableName | TableChange)[]
}

interface TableChange {
  readonly name: TableName
  readonly chains: readonly (string | ChainChange)[]
}

interface ChainChange {
  readonly name: string
  readonly policy: Chain['policy']
  /** Left out where the policy goes on counting. */
  readonly counters: Counters | undefined
  readonly parts: readonly Part[]
}

/** Rules of the chain before, from one place up to but without another; or new ones. */
type Part = readonly [from: number, to: number] | { readonly rules: readonly PlainRule[] }

type PlainRule = Omit<Rule, 'matches' | 'action'> & {
  readonly matches: readonly PlainUse[]
  readonly action: Extract<Action, { kind: 'jump' }> | (PlainUse & { readonly kind: 'target' }) | undefined
}

interface PlainUse {
  readonly name: string
  readonly options: OptionValues
}

export function changeOf(before: RuleSet, after: RuleSet): RuleChange {
  const tables = [...after.tables.values()].map((table) => {
    const old = before.tables.get(table.name)
    return old === table ? table.name : tableChange(old, table)
  })
  return { family: after.family, tables }
}

function tableChange(before: Table | undefined, after: Table): TableChange {
  const chains = [...after.chains.values()].map((chain) => {
    const old = before?.chains.get(chain.name)
    return old === chain ? chain.name : chainChange(old, chain)
  })
  return { name: after.name, chains }
}

function chainChange(before: Chain | undefined, { name, policy, counters, rules }: Chain): ChainChange {
  const old = before?.rules ?? []
  const kept = before !== undefined && before.counters === counters && before.policy === policy
  return { name, policy, counters: kept ? undefined : counters, parts: partsOf(old, rules) }
}

function partsOf(old: readonly Rule[], rules: readonly Rule[]): Part[] {
  let begin = 0
  while (begin < rules.length && begin < old.length && rules[begin] === old[begin]) begin++
  let end = 0
  const most = Math.min(rules.length, old.length) - begin
  while (end < most && rules[rules.length - 1 - end] === old[old.length - 1 - end]) end++
  const parts: Part[] = begin > 0 ? [[0, begin]] : []
  const places = new Map<Rule, number>()
  for (let i = begin; i < old.length - end; i++) places.set(old[i], i)
  let added: PlainRule[] = []
  for (const rule of rules.slice(begin, rules.length - end)) {
    const place = places.get(rule)
    if (place === undefined) {
      if (added.length === 0) parts.push({ rules: added })
      added.push(plain(rule))
    } else {
      added = []
      parts.push([place, place + 1])
    }
  }
  if (end > 0) parts.push([old.length - end, old.length])
  return parts
}

function plain({ matches, action, ...rest }: Rule): PlainRule {
  return {
    ...rest,
    matches: matches.map(({ declaration, options }) => ({ name: declaration.name, options })),
    action:
      action?.kind === 'target' ? { kind: 'target', name: action.declaration.name, options: action.options } : action,
  }
}

/** The rule set that `change` makes of `before`. */
export function changed(before: RuleSet, { family, tables }: RuleChange): RuleSet {
  const after = tables.map((table): [TableName, Table] => {
    if (typeof table === 'string') return [table, there(before.tables.get(table), table)]
    const old = before.tables.get(table.name)
    const chains = table.chains.map((chain): [string, Chain] => {
      if (typeof chain === 'string') return [chain, there(old?.chains.get(chain), chain)]
      return [chain.name, rebuilt(old?.chains.get(chain.name), chain, family)]
    })
    return [table.name, { name: table.name, chains: new Map(chains) }]
  })
  return { family, tables: new Map(after) }
}

function rebuilt(old: Chain | undefined, { name, policy, counters, parts }: ChainChange, family: Family): Chain {
  const rules: Rule[] = []
  for (const part of parts) {
    if ('rules' in part) for (const rule of part.rules) rules.push(revived(rule, family))
    else for (let i = part[0]; i < part[1]; i++) rules.push(there(old, name).rules[i])
  }
  const counts = counters ?? there(old, name).counters
  return policy === undefined ? { name, counters: counts, rules } : { name, policy, counters: counts, rules }
}

function revived({ matches, action, ...rest }: PlainRule, family: Family): Rule {
  return {
    ...rest,
    matches: matches.map(({ name, options }) => ({ declaration: there(BUILTIN.match(name, family), name), options })),
    action:
      action?.kind === 'target'
        ? {
            kind: 'target',
            declaration: there(BUILTIN.target(action.name, family), action.name),
            options: action.options,
          }
        : action,
  }
}

function there<T>(found: T | undefined, name: string): T {
  if (found === undefined)
    throw new TunfilterError('ERR_INTERNAL', `a change of rules names ${name}, which is not there`)
  return found
}
