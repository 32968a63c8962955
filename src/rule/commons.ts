// What the rules of a change have in common, as it is made ready for packets: once, for all of them.

import { ACCEPT, DROP } from '../hook/hook.ts'
import { CONTINUE, RETURN, type TargetDeclaration, type TargetFunction } from './define.ts'
import type { Entries } from './entries.ts'
import { DEFRAGMENTS, DO_GOTO, DO_JUMP, DO_TARGET, NAMES_SETS, ReadyAction, TRACES, TRACKS } from './entry.ts'
import type { Action, MatchUse } from './model.ts'
import type { ChainProgram } from './program.ts'
import type { RuleRun } from './run.ts'
import { setsNamed } from './set-reference.ts'
import { type Conditions, remembersNothing } from './tests.ts'

/** Targets that are nothing but a verdict. */
const VERDICTS: Readonly<Record<string, number | undefined>> = { ACCEPT, DROP, RETURN }

/** What the rules of a change have in common, numbered as its runs do it. */
export class Commons {
  readonly conditions: CommonConditions[] = []
  readonly actions: CommonAction[] = []

  take(run: RuleRun): void {
    for (const conditions of run.conditions) this.conditions.push(new CommonConditions(conditions))
    for (const action of run.actions) this.actions.push(new CommonAction(action))
  }
}

class CommonConditions {
  readonly conditions: Conditions
  /** Flags of rules that have these conditions, and the sets that they name. */
  readonly flags: number
  readonly sets: readonly string[]
  /** Rules may share what is made of them: no match remembers packets. */
  readonly isShared: boolean
  /** Their number, once they are made ready to be shared. */
  tests: number | undefined

  constructor(conditions: Conditions) {
    const { matches } = conditions
    this.conditions = conditions
    this.sets = matches.flatMap(setsNamed)
    this.flags = matches.reduce((flags, use) => flags | needs(use), this.sets.length > 0 ? NAMES_SETS : 0)
    this.isShared = remembersNothing(matches)
  }
}

class CommonAction {
  readonly action: Action | undefined
  readonly flags: number
  readonly sets: readonly string[]
  /** Numbers by flags; entries share it where it is no target, which has a function each. */
  readonly #ready: (number | undefined)[] = []

  constructor(action: Action | undefined) {
    this.action = action
    this.sets = action?.kind === 'target' ? setsNamed(action) : []
    this.flags = (action?.kind === 'target' ? needs(action) : 0) | (this.sets.length > 0 ? NAMES_SETS : 0)
  }

  /**
   * @param target undefined for jumps and verdicts  @param chain where it jumps
   * @returns its number among the entries' actions
   */
  ready(entries: Entries, target: TargetFunction | undefined, chain: ChainProgram | undefined, flags: number): number {
    if (target !== undefined) return entries.putAction(new ReadyAction(DO_TARGET, target, undefined, flags))
    const before = this.#ready[flags]
    // Another table has other chains of the same name.
    if (before !== undefined && entries.actions[before].chain === chain) return before
    const made = entries.putAction(new ReadyAction(this.#does(), undefined, chain, flags))
    this.#ready[flags] = made
    return made
  }

  #does(): number {
    if (this.action === undefined) return CONTINUE
    if (this.action.kind === 'jump') return this.action.goto ? DO_GOTO : DO_JUMP
    return VERDICTS[this.action.declaration.name] ?? CONTINUE
  }
}

/** Whether a target is nothing but a verdict. */
export function isVerdict({ declaration }: Extract<Action, { kind: 'target' }>): boolean {
  return VERDICTS[declaration.name] !== undefined
}

/** What of the router must run while a rule has this match or target. */
function needs({ declaration, options }: Pick<MatchUse, 'options'> & { declaration: Needing }): number {
  const tracks = declaration.conntrackFor?.(options) ?? declaration.conntrack ?? false
  const { defrag = false, traces = false } = declaration
  return (tracks ? TRACKS : 0) | (defrag ? DEFRAGMENTS : 0) | (traces ? TRACES : 0)
}

type Needing = Pick<TargetDeclaration, 'conntrack' | 'conntrackFor' | 'defrag' | 'traces'>
