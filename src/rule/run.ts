// Rules on their way into the data plane: a run of them, in the compact form in which they also cross to another thread. What
// rules have in common (conditions, actions) stands once, what says nothing about packets not at all; a rule is a row of words. So a run of some hundred rules is read
// in microseconds, and the data plane needs nothing of the rule model.

import type { MatchDeclaration, OptionValues, TargetDeclaration } from './define.ts'
import { type InCommon, KeptRule } from './kept-rule.ts'
import type { Action, Family, Negatable, Network, Rule } from './model.ts'
import type { Conditions } from './tests.ts'

/** Rules of a run, at most: what is made ready of them without a look at the clock. */
export const RUN_MAX = 64

/** First of the words of a rule: its place in `conditions` and in `actions`, then address and mask of source and destination. */
export const ADDRESSES = 2

export interface RuleRun<C = Conditions, A = Action> {
  readonly count: number
  /** ADDRESSES words a rule, and 4 times the words of an address. */
  readonly words: Int32Array
  /** Those that no run of the same change before had: numbers go on from there. */
  readonly conditions: readonly C[]
  readonly actions: readonly (A | undefined)[]
  /** Packets and bytes of each rule; left out where all begin at 0. */
  readonly counters: Float64Array | undefined
}

export function wordsOfAddress(family: Family): number {
  return family === 4 ? 1 : 4
}

/** Words of one rule. */
export function rowOf(family: Family): number {
  return ADDRESSES + 4 * wordsOfAddress(family)
}

/** Makes the runs of one change: what rules have in common is told once in all of them. */
export class Runs {
  readonly #family: Family
  readonly #conditions = new Map<string, number>()
  readonly #actions = new Map<string, number>()
  /** Numbers for objects that are the same where their text was (iptables/template.ts). */
  readonly #ids = new Map<object, number>()
  #newConditions: Conditions[] = []
  #newActions: (Action | undefined)[] = []
  /** Numbers of the conditions of rules that have one of these in common, by which addresses are negated. */
  readonly #common = new Map<InCommon, number[]>()

  constructor(family: Family) {
    this.#family = family
  }

  of(rules: readonly Rule[], from: number, to: number): RuleRun {
    const size = wordsOfAddress(this.#family)
    const row = rowOf(this.#family)
    const words = new Int32Array((to - from) * row)
    this.#newConditions = []
    this.#newActions = []
    let counters: Float64Array | undefined
    for (let i = from; i < to; i++) {
      const rule = rules[i]
      const at = (i - from) * row
      words[at] = this.#conditionsOf(rule)
      words[at + 1] = this.#actionOf(rule.action)
      putNetwork(words, at + ADDRESSES, rule.source, size)
      putNetwork(words, at + ADDRESSES + 2 * size, rule.destination, size)
      const { packets, bytes } = rule.counters
      if (packets === 0 && bytes === 0) continue
      counters ??= new Float64Array(2 * (to - from))
      counters[2 * (i - from)] = packets
      counters[2 * (i - from) + 1] = bytes
    }
    return { count: to - from, words, conditions: this.#newConditions, actions: this.#newActions, counters }
  }

  #conditionsOf(rule: Rule): number {
    const nots = (rule.source?.not === true ? 1 : 0) | (rule.destination?.not === true ? 2 : 0)
    if (!(rule instanceof KeptRule)) return this.#conditionsIn(rule, nots)
    let same = this.#common.get(rule.common)
    if (same === undefined) {
      same = []
      this.#common.set(rule.common, same)
    }
    same[nots] ??= this.#conditionsIn(rule.common, nots)
    return same[nots]
  }

  /** @param nots 1 for a negated source, 2 for a negated destination */
  #conditionsIn(common: InCommon, nots: number): number {
    const { inInterface, outInterface, protocol, fragment } = common
    const matches = common.matches.filter(({ declaration }) => declaration.remark !== true)
    const sourceNot = (nots & 1) !== 0
    const destinationNot = (nots & 2) !== 0
    const not = nots | (protocol?.not ? 4 : 0) | (fragment?.not ? 8 : 0)
    let key = `${not} ${protocol?.value} ${fragment?.value} ${device(inInterface)} ${device(outInterface)}`
    for (const { declaration, options } of matches) key += ` ${this.#id(declaration)}.${this.#id(options)}`
    let found = this.#conditions.get(key)
    if (found === undefined) {
      found = this.#conditions.size
      this.#conditions.set(key, found)
      this.#newConditions.push({ inInterface, outInterface, protocol, fragment, matches, sourceNot, destinationNot })
    }
    return found
  }

  #actionOf(action: Action | undefined): number {
    const key =
      action === undefined
        ? ''
        : action.kind === 'jump'
          ? `${action.goto ? 'g' : 'j'} ${action.chain}`
          : `${this.#id(action.declaration)}.${this.#id(action.options)}`
    let found = this.#actions.get(key)
    if (found === undefined) {
      found = this.#actions.size
      this.#actions.set(key, found)
      this.#newActions.push(action)
    }
    return found
  }

  #id(of: object): number {
    let id = this.#ids.get(of)
    if (id === undefined) {
      id = this.#ids.size
      this.#ids.set(of, id)
    }
    return id
  }
}

function device(given: Rule['inInterface']): string {
  return given === undefined ? '' : `${given.not ? '!' : ''}${given.value.name}${given.value.wildcard ? '+' : ''}`
}

function putNetwork(words: Int32Array, at: number, network: Negatable<Network> | undefined, size: number): void {
  if (network === undefined) return
  const { address, mask } = network.value
  for (let i = 0; i < size; i++) {
    words[at + i] = address[i] & mask[i]
    words[at + size + i] = mask[i]
  }
}

// ── to another thread ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A match or target by its name: its declaration cannot cross. */
interface PlainUse {
  readonly name: string
  readonly options: OptionValues
}

type PlainConditions = Omit<Conditions, 'matches'> & { readonly matches: readonly PlainUse[] }
type PlainAction = Extract<Action, { kind: 'jump' }> | (PlainUse & { readonly kind: 'target' })

export type PlainRun = RuleRun<PlainConditions, PlainAction>

/** Where declarations are found by name. */
export interface Declarations {
  match(name: string, family: Family): MatchDeclaration | undefined
  target(name: string, family: Family): TargetDeclaration | undefined
}

export function plainRun(run: RuleRun): PlainRun {
  return {
    ...run,
    conditions: run.conditions.map(({ matches, ...rest }) => ({
      ...rest,
      matches: matches.map(({ declaration, options }) => ({ name: declaration.name, options })),
    })),
    actions: run.actions.map((action) =>
      action?.kind === 'target' ? { kind: 'target', name: action.declaration.name, options: action.options } : action,
    ),
  }
}

/** Throws an Error for a name that is not declared: both sides have the same declarations. */
export function revivedRun(run: PlainRun, declarations: Declarations, family: Family): RuleRun {
  const found = <T>(declaration: T | undefined, name: string): T => {
    if (declaration === undefined) throw new Error(`a change of rules names ${name}, which is not declared`)
    return declaration
  }
  return {
    ...run,
    conditions: run.conditions.map(({ matches, ...rest }) => ({
      ...rest,
      matches: matches.map(({ name, options }) => ({
        declaration: found(declarations.match(name, family), name),
        options,
      })),
    })),
    actions: run.actions.map((action) =>
      action?.kind === 'target'
        ? {
            kind: 'target',
            declaration: found(declarations.target(action.name, family), action.name),
            options: action.options,
          }
        : action,
    ),
  }
}
