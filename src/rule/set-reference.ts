// How rules name sets: `NAME src,dst`. Rules of a generation are checked against the sets that there are before the
// generation is made, and afterwards the sets know how many rules name each.

import { TunfilterError } from '../errors.ts'
import { Ask } from '../ipset/ask.ts'
import type { SetFamilies, SetSlot } from '../ipset/slot.ts'
import { NAME_MAX } from '../ipset/words.ts'
import type { Surroundings } from './define.ts'
import type { Environment } from './environment.ts'
import type { Family, MatchUse, Rule, RuleSet } from './model.ts'
import { type Option, option, Problem, shown, unexpected } from './option.ts'

export type { SetFamilies, SetSlot } from '../ipset/slot.ts'

/** A rule can name so many src or dst. */
const DIRECTIONS_MAX = 6

/** Plain data, which crosses from the control side to the data plane. */
export interface SetReference {
  readonly name: string
  /** true for src, in order. */
  readonly sources: readonly boolean[]
}

function isSetReference(value: unknown): value is SetReference {
  return typeof value === 'object' && value !== null && 'sources' in value
}

export function setReference(): Option<SetReference, false, false> {
  const expects = `a set's name of at most ${NAME_MAX} bytes and src or dst, up to ${DIRECTIONS_MAX} joined by commas`
  return option({
    words: 2,
    expects,
    parse: ([name, directions]) => {
      if (name === '') return new Problem(`the name is empty: expected ${expects}`)
      if (Buffer.byteLength(name) > NAME_MAX) return new Problem(`${shown(name)} is too long: expected ${expects}`)
      const words = directions.split(',')
      if (words.some((word) => word !== 'src' && word !== 'dst')) {
        const { message } = unexpected(directions, expects)
        return new Problem(message, 1)
      }
      if (words.length > DIRECTIONS_MAX)
        return new Problem(`${shown(directions)} has ${words.length} parts: expected ${expects}`, 1)
      return { name, sources: words.map((word) => word === 'src') }
    },
    format: ({ name, sources }) => `${name} ${sources.map((source) => (source ? 'src' : 'dst')).join(',')}`,
  })
}

/** A slot that a rule names, and what the rule asks of it. @throws ERR_RULES where there is no such set for the family */
export function askOf(
  { name, sources }: SetReference,
  { sets, links }: Environment,
  { family }: Surroundings,
): { readonly slot: SetSlot; readonly ask: Ask } {
  const slot = sets.slot(name)
  const wrong = wrongFamily(name, family, sets)
  if (slot === undefined || wrong !== undefined) throw new TunfilterError('ERR_RULES', String(wrong))
  return { slot, ask: new Ask(sources, links) }
}

/** What is wrong with a set that a rule names, in the words of iptables. */
function wrongFamily(name: string, family: Family, sets: SetFamilies): string | undefined {
  const other = sets.familyOf(name)
  if (other === undefined) return `Set ${name} doesn't exist.`
  return other === 0 || other === family
    ? undefined
    : `The protocol family of set ${name} is IPv${other}, which is not applicable.`
}

/** Names of the sets that a match or target names, each as often as it does. */
export function setsNamed({ options }: Pick<MatchUse, 'options'>): string[] {
  const names: string[] = []
  for (const key in options) {
    const value = (options[key] as { value?: unknown } | undefined)?.value ?? options[key]
    if (isSetReference(value)) names.push(value.name)
  }
  return names
}

function named({ matches, action }: Rule): string[] {
  const uses = action?.kind === 'target' ? [...matches, action] : matches
  return uses.flatMap(setsNamed)
}

function* rulesOf({ tables }: RuleSet): Generator<Rule> {
  for (const table of tables.values()) for (const chain of table.chains.values()) yield* chain.rules
}

/** The first set that a rule names and cannot have, and what is wrong with it, in the words of iptables. */
export function wrongSet(
  rule: Rule,
  family: Family,
  sets: SetFamilies,
): { readonly name: string; readonly message: string } | undefined {
  for (const name of named(rule)) {
    const message = wrongFamily(name, family, sets)
    if (message !== undefined) return { name, message }
  }
  return undefined
}

/** The same for a whole rule set. */
export function wrongSets(ruleSet: RuleSet, sets: SetFamilies): string[] {
  const wrong: string[] = []
  for (const rule of rulesOf(ruleSet)) {
    const message = wrongSet(rule, ruleSet.family, sets)?.message
    if (message !== undefined) wrong.push(message)
  }
  return wrong
}
