// Rule sets by hand, in the rule model, for tests of what runs them.

import { ACCEPT, DROP } from '../../src/hook/hook.ts'
import { changeOf } from '../../src/rule/change.ts'
import {
  CONTINUE,
  defineMatch,
  defineTarget,
  type MatchFunction,
  RETURN,
  type TargetFunction,
} from '../../src/rule/define.ts'
import type { Environment } from '../../src/rule/environment.ts'
import type { Chain, Counters, Rule, RuleSet, TableName } from '../../src/rule/model.ts'
import { NO_COUNTERS } from '../../src/rule/model.ts'
import { type ChainProgram, Program } from '../../src/rule/program.ts'

const verdict = (name: string, terminal = true, said = CONTINUE) =>
  defineTarget({ name, summary: name, terminal, options: {}, target: () => () => said })
const declarations = {
  ACCEPT: verdict('ACCEPT', true, ACCEPT),
  DROP: verdict('DROP', true, DROP),
  RETURN: verdict('RETURN', true, RETURN),
}

export type Fields = Partial<Omit<Rule, 'matches' | 'action'>>

/** `ACCEPT`, `DROP`, `RETURN`, `-j CHAIN`, `-g CHAIN`, or '' for a rule that only counts. */
export function rule(action: string, matches: readonly MatchFunction[] = [], more: Fields = {}): Rule {
  const uses = matches.map((match, i) => ({
    declaration: defineMatch({ name: `match${i}`, summary: '', options: {}, match: () => match }),
    options: {},
  }))
  const base = { matches: uses, counters: NO_COUNTERS, ...more }
  if (action === '') return base
  const jump = /^-([jg]) (\S+)$/.exec(action)
  if (jump !== null) return { ...base, action: { kind: 'jump', chain: jump[2]!, goto: jump[1] === 'g' } }
  const declaration = declarations[action as keyof typeof declarations]
  return { ...base, action: { kind: 'target', declaration, options: {} } }
}

export function does(target: TargetFunction, matches: readonly MatchFunction[] = [], terminal = false): Rule {
  const declaration = defineTarget({ name: 'DOES', summary: '', terminal, options: {}, target: () => target })
  return { ...rule('', matches), action: { kind: 'target', declaration, options: {} } }
}

export function chain(
  name: string,
  rules: readonly Rule[],
  policy?: 'ACCEPT' | 'DROP',
  counters: Counters = NO_COUNTERS,
): Chain {
  return { name, rules, counters, ...(policy && { policy }) }
}

export function ruleSet(chains: readonly Chain[], table: TableName = 'filter'): RuleSet {
  return { family: 4, tables: new Map([[table, { name: table, chains: new Map(chains.map((c) => [c.name, c])) }]]) }
}

/** Rules made ready, and what they count. */
export function madeReady(ruleSet: RuleSet, env: Environment) {
  const program = new Program(ruleSet.family, env)
  change(program, { family: ruleSet.family, tables: new Map() }, ruleSet)
  return program
}

/** Puts other rules in force, as Engine.changeRules does. */
export function change(program: Program, before: RuleSet, after: RuleSet): Int32Array {
  const build = program.begin()
  try {
    for (const piece of changeOf(before, after)) build.take(piece)
    build.complete()
  } catch (error) {
    build.abandon()
    build.clear()
    throw error
  }
  const places = build.commit()
  build.clear()
  return places
}

/** A chain's entries, in order. */
export function entriesOf({ places, first, end }: ChainProgram): number[] {
  return [...places.subarray(first, end)]
}

/** An environment of which only the links are looked at. */
export const environment = (links: { size: number; name(i: number): string }) => ({ links }) as unknown as Environment
