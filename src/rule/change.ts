// A rule set as the difference from the one before, in pieces that are each made ready in a moment. Rules that stay are named by
// their place in the chain before, so a change costs what is changed. What always holds: rules that are the same objects
// in both rule sets stay where the pieces say so, and go on counting; a chain that is not named stays as it is.

import type { Chain, Counters, Rule, RuleSet, Table, TableName } from './model.ts'
import { RUN_MAX, type RuleRun, Runs } from './run.ts'
import { differences } from './versioned-map.ts'

export type Piece<R = RuleRun> =
  /** What follows is of this table; what it is not of is left as it is. With `gone` the table and all in it go. */
  | { readonly kind: 'table'; readonly name: TableName; readonly gone: boolean }
  /** These chains go. */
  | { readonly kind: 'gone'; readonly chains: readonly string[] }
  /** What follows are the rules of this chain, all of them. */
  | {
      readonly kind: 'chain'
      readonly name: string
      /** The chain before whose places `kept` means. */
      readonly from: string
      readonly policy: Chain['policy']
      /** What its policy begins with; left out where it goes on counting. */
      readonly counters: Counters | undefined
    }
  /** Rules of the chain before, from one place up to but without another. */
  | { readonly kind: 'kept'; readonly from: number; readonly to: number }
  | { readonly kind: 'rules'; readonly run: R }

/** Names of chains in one piece. */
const NAMES_MAX = 256

export function* changeOf(before: RuleSet, after: RuleSet): Generator<Piece> {
  const runs = new Runs(after.family)
  for (const name of before.tables.keys()) if (!after.tables.has(name)) yield { kind: 'table', name, gone: true }
  for (const table of after.tables.values()) {
    const old = before.tables.get(table.name)
    if (old !== table) yield* tableChange(old, table, runs)
  }
}

function* tableChange(before: Table | undefined, after: Table, runs: Runs): Generator<Piece> {
  yield { kind: 'table', name: after.name, gone: false }
  const different = [...differences(before?.chains ?? new Map<string, Chain>(), after.chains)]
  const gone: Chain[] = []
  for (const name of different) {
    const chain = after.chains.has(name) ? undefined : before?.chains.get(name)
    if (chain !== undefined) gone.push(chain)
  }
  for (let i = 0; i < gone.length; i += NAMES_MAX)
    yield { kind: 'gone', chains: gone.slice(i, i + NAMES_MAX).map(({ name }) => name) }
  /** By its first rule, for chains that have another name now. */
  const byFirst = new Map(gone.map((chain) => [chain.rules[0], chain]))
  byFirst.delete(undefined as unknown as Rule)
  for (const each of different) {
    const chain = after.chains.get(each)
    if (chain === undefined) continue
    const same = before?.chains.get(each)
    const old = same ?? (chain.rules.length > 0 ? byFirst.get(chain.rules[0]) : undefined)
    const { name, policy, counters, rules } = chain
    const counts = same !== undefined && same.counters === counters && same.policy === policy ? undefined : counters
    yield { kind: 'chain', name, from: old?.name ?? name, policy, counters: counts }
    yield* rulesChange(old?.rules ?? [], rules, runs)
  }
}

function* rulesChange(old: readonly Rule[], rules: readonly Rule[], runs: Runs): Generator<Piece> {
  let begin = 0
  while (begin < rules.length && begin < old.length && rules[begin] === old[begin]) begin++
  let end = 0
  const most = Math.min(rules.length, old.length) - begin
  while (end < most && rules[rules.length - 1 - end] === old[old.length - 1 - end]) end++
  if (begin > 0) yield { kind: 'kept', from: 0, to: begin }
  const places = new Map<Rule, number>()
  for (let i = begin; i < old.length - end; i++) places.set(old[i], i)
  const last = rules.length - end
  for (let i = begin; i < last; ) {
    const place = places.get(rules[i])
    let to = i + 1
    if (place !== undefined) {
      // A rule that stands twice stays once.
      places.delete(rules[i])
      while (to < last && place + to - i < old.length - end && rules[to] === old[place + to - i])
        places.delete(rules[to++])
      yield { kind: 'kept', from: place, to: place + to - i }
    } else {
      while (to < last && to - i < RUN_MAX && !places.has(rules[to])) to++
      yield { kind: 'rules', run: runs.of(rules, i, to) }
    }
    i = to
  }
  if (end > 0) yield { kind: 'kept', from: old.length - end, to: old.length }
}
