// Rules on their way into the data plane: a run of them, in the compact form in which they also cross to another thread. What
// rules have in common (conditions, actions) stands once; a rule is a row of words. So a run of some hundred rules is read
// in microseconds, and the data plane needs nothing of the rule model.

import type { MatchDeclaration, OptionValues, TargetDeclaration } from './define.ts'
import type { Action, Family, Negatable, Network, Rule } from './model.ts'
import type { Conditions } from './tests.ts'

/** Rules of a run, at most: what is made ready of them without a look at the clock. */
export const RUN_MAX = 128

/** First of the words of a rule: its place in `conditions` and in `actions`, then address and mask of source and destination. */
const ADDRESSES = 2

export interface RuleRun<C = Conditions, A = Action> {
  readonly count: number
  /** ADDRESSES words a rule, and 4 times the words of an address. */
  readonly words: Int32Array
  readonly conditions: readonly C[]
  readonly actions: readonly (A | undefined)[]
  /** Packets and bytes of each rule; left out where all begin at 0. */
  readonly counters: Float64Array | undefined
}

/** How far back equal conditions and actions are looked for. */
const RECENT = 12

export function wordsOfAddress(family: Family): number {
  return family === 4 ? 1 : 4
}

/** Words of one rule. */
export function rowOf(family: Family): number {
  return ADDRESSES + 4 * wordsOfAddress(family)
}

export function runOf(rules: readonly Rule[], from: number, to: number, family: Family): RuleRun {
  const size = wordsOfAddress(family)
  const row = rowOf(family)
  const words = new Int32Array((to - from) * row)
  const conditions: Conditions[] = []
  const actions: (Action | undefined)[] = []
  let counters: Float64Array | undefined
  for (let i = from; i < to; i++) {
    const rule = rules[i]
    const at = (i - from) * row
    words[at] = placeOf(conditions, rule, sameConditions, conditionsOf)
    words[at + 1] = placeOf(actions, rule.action, sameAction, (action) => action)
    putNetwork(words, at + ADDRESSES, rule.source, size)
    putNetwork(words, at + ADDRESSES + 2 * size, rule.destination, size)
    const { packets, bytes } = rule.counters
    if (packets === 0 && bytes === 0) continue
    counters ??= new Float64Array(2 * (to - from))
    counters[2 * (i - from)] = packets
    counters[2 * (i - from) + 1] = bytes
  }
  return { count: to - from, words, conditions, actions, counters }
}

function placeOf<T, F>(known: T[], wanted: F, same: (one: T, wanted: F) => boolean, make: (wanted: F) => T): number {
  const least = Math.max(0, known.length - RECENT)
  for (let i = known.length - 1; i >= least; i--) if (same(known[i], wanted)) return i
  return known.push(make(wanted)) - 1
}

function conditionsOf(rule: Rule): Conditions {
  const { inInterface, outInterface, protocol, fragment, matches } = rule
  return {
    inInterface,
    outInterface,
    protocol,
    fragment,
    matches,
    sourceNot: rule.source?.not === true,
    destinationNot: rule.destination?.not === true,
  }
}

/** The reader of rules gives equal words the same objects (iptables/rule.ts), so identity is enough. */
function sameConditions(one: Conditions, rule: Rule): boolean {
  return (
    one.matches === rule.matches &&
    sameValue(one.protocol, rule.protocol) &&
    sameDevice(one.inInterface, rule.inInterface) &&
    sameDevice(one.outInterface, rule.outInterface) &&
    one.fragment?.not === rule.fragment?.not &&
    one.sourceNot === (rule.source?.not === true) &&
    one.destinationNot === (rule.destination?.not === true)
  )
}

function sameValue<T>(a: Negatable<T> | undefined, b: Negatable<T> | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.value === b.value && a.not === b.not)
}

function sameDevice(a: Rule['inInterface'], b: Rule['inInterface']): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  return a.not === b.not && a.value.name === b.value.name && a.value.wildcard === b.value.wildcard
}

function sameAction(one: Action | undefined, other: Action | undefined): boolean {
  if (one === other) return true
  return one?.kind === 'jump' && other?.kind === 'jump' && one.chain === other.chain && one.goto === other.goto
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
