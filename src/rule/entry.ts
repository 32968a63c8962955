// One rule made ready for packets. It is the same object for as long as its rule stands, whatever changes around it.

import type { TargetFunction } from './define.ts'
import type { ChainProgram } from './program.ts'
import type { Tests } from './tests.ts'

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

// What only few entries have.
/** By what keys an entry with SHARES has shared state. */
export const sharesOf = new WeakMap<Entry, readonly string[]>()
/** Sets that an entry with NAMES_SETS names, each as often as it does. */
export const setsOf = new WeakMap<Entry, readonly string[]>()

export class Entry {
  /** Addresses are compared under their masks; IPv6's further words stand in `more`. */
  readonly source: number
  readonly sourceMask: number
  readonly destination: number
  readonly destinationMask: number
  /** IPv6: the second to the fourth word of source, its mask, destination, its mask; undefined where all those masks are 0. */
  readonly more: Int32Array | undefined
  readonly tests: Tests
  readonly action: ReadyAction
  /** Place in the ledger. */
  readonly counter: number

  constructor(addresses: Addresses, tests: Tests, action: ReadyAction, counter: number) {
    this.source = addresses.source
    this.sourceMask = addresses.sourceMask
    this.destination = addresses.destination
    this.destinationMask = addresses.destinationMask
    this.more = addresses.more
    this.tests = tests
    this.action = action
    this.counter = counter
  }
}

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

/** The address words of a row of a run (rule/run.ts). */
export class Addresses {
  source = 0
  sourceMask = 0
  destination = 0
  destinationMask = 0
  more: Int32Array | undefined

  /** @param size words of an address: 1 or 4 */
  read(words: Int32Array, at: number, size: number): void {
    this.source = words[at]
    this.sourceMask = words[at + size]
    this.destination = words[at + 2 * size]
    this.destinationMask = words[at + 3 * size]
    this.more = undefined
    if (size === 1) return
    const more = new Int32Array(12)
    for (let part = 0; part < 4; part++)
      for (let i = 1; i < 4; i++) more[part * 3 + i - 1] = words[at + part * size + i]
    if (more.some((word) => word !== 0)) this.more = more
  }
}
