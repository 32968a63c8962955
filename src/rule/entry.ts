// What rules that are made ready do when they match (rule/entries.ts).

import type { TargetFunction } from './define.ts'
import type { ChainProgram } from './program.ts'

// What an entry does when it matches, besides verdicts (which are above these numbers, CONTINUE and RETURN among them).
export const DO_TARGET = -16
export const DO_JUMP = -17
export const DO_GOTO = -18

/** The entry needs conntrack to run. */
export const TRACKS = 1
/** The entry needs packets to be put together from their fragments. */
export const DEFRAGMENTS = 4
/** The entry has state that it shares by name (rule/shared.ts). */
export const SHARES = 2

/** The entry has its packets traced from there on (target TRACE). */
export const TRACES = 16
/** The entry names sets (ipset). */
export const NAMES_SETS = 8

/** What entries do when they match; shared by those that do the same, but for targets, which have a function each. */
export class ReadyAction {
  /** A verdict, or one of DO_TARGET, DO_JUMP, DO_GOTO. */
  readonly does: number
  readonly target: TargetFunction | undefined
  /** For DO_JUMP and DO_GOTO. */
  readonly chain: ChainProgram | undefined
  /** Of the whole entry. */
  readonly flags: number

  constructor(does: number, target: TargetFunction | undefined, chain: ChainProgram | undefined, flags: number) {
    this.does = does
    this.target = target
    this.chain = chain
    this.flags = flags
  }
}
