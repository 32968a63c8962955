// New rules of a change made into entries, some at a time: what a packet is asked, what is done with it, and what of the router
// has to run for it. They are met by no packet before the change is put in force.

import { Commons, isVerdict } from './commons.ts'
import type { Surroundings, TargetFunction } from './define.ts'
import { DEFRAGMENTS, NAMES_SETS, SHARES, TRACES, TRACKS } from './entry.ts'
import type { Action, TableName } from './model.ts'
import type { Numbers } from './numbers.ts'
import type { ChainProgram, Program } from './program.ts'
import { type RuleRun, rowOf } from './run.ts'
import type { SetSlot } from './set-reference.ts'
import { type Conditions, Tests } from './tests.ts'

/** Rules that are made ready between two looks at the clock. */
const STRIDE = 8

/** Of entries that need something of the router to run: how many more there are. */
export class Needs {
  tracking = 0
  defragmenting = 0
  tracing = 0

  add(flags: number, entries: number): void {
    if ((flags & TRACKS) !== 0) this.tracking += entries
    if ((flags & DEFRAGMENTS) !== 0) this.defragmenting += entries
    if ((flags & TRACES) !== 0) this.tracing += entries
  }
}

/** Where new rules go. */
export interface Into {
  readonly table: TableName
  readonly chain: string
  /** Told their entries. */
  readonly entries: Numbers
}

export class Addition {
  readonly #program: Program
  readonly #jumpTo: (chain: string) => ChainProgram
  readonly #commons = new Commons()
  readonly #needs: Needs
  /** The sets that new entries name. */
  readonly sets = new Map<string, SetSlot | undefined>()
  /** Keys of shared state that they hold. */
  readonly held: string[] = []
  #run: RuleRun | undefined
  #into: Into | undefined
  #next = 0

  /** @param jumpTo gives the chain of this name, in the table in which rules are added */
  constructor(program: Program, needs: Needs, jumpTo: (chain: string) => ChainProgram) {
    this.#program = program
    this.#needs = needs
    this.#jumpTo = jumpTo
  }

  /** A run that is to be added; the one before is. */
  begin(run: RuleRun, into: Into): void {
    this.#commons.take(run)
    this.#run = run
    this.#into = into
    this.#next = 0
  }

  /**
   * Goes on with the run until soon after this reading of performance.now().
   * @returns true when all of it is added
   */
  goOn(until: number): boolean {
    const run = this.#run
    const into = this.#into
    if (run === undefined || into === undefined) return true
    while (this.#next < run.count) {
      this.#add(run, this.#next++, into)
      if (this.#next % STRIDE === 0 && this.#next < run.count && performance.now() >= until) return false
    }
    this.#run = undefined
    return true
  }

  #add({ words, counters }: RuleRun, i: number, into: Into): void {
    const { family, entries, environment } = this.#program
    const at = i * rowOf(family)
    const common = this.#commons.conditions[words[at]]
    const done = this.#commons.actions[words[at + 1]]
    const made = common.tests === undefined ? this.#testsOf(common.conditions, into) : undefined
    const target = this.#targetOf(done.action, common.conditions, into)
    const taken = environment.shared?.taken() ?? []
    const flags = common.flags | done.flags | (taken.length > 0 ? SHARES : 0)
    const chain = done.action?.kind === 'jump' ? this.#jumpTo(done.action.chain) : undefined
    // Nothing is put there before all of it is made: what fails leaves nothing behind.
    const tests = made === undefined ? (common.tests as number) : entries.putTests(made)
    if (common.isShared) common.tests = tests
    const ready = done.ready(entries, target, chain, flags)
    const entry = entries.take(words, at, tests, ready, counters?.[2 * i] ?? 0, counters?.[2 * i + 1] ?? 0)
    into.entries.push(entry)
    this.#needs.add(flags, 1)
    if ((flags & NAMES_SETS) !== 0) {
      const named = [...common.sets, ...done.sets]
      entries.sets.set(entry, named)
      for (const name of named) this.sets.set(name, environment.sets.slot(name))
    }
    if (taken.length === 0) return
    entries.shares.set(entry, taken)
    this.held.push(...taken)
  }

  #around({ protocol }: Conditions, { table, chain }: Into): Surroundings {
    const { family } = this.#program
    return { family, table, chain, protocol: protocol?.not === false ? protocol.value : undefined }
  }

  #testsOf(conditions: Conditions, into: Into): Tests {
    const { environment } = this.#program
    const around = this.#around(conditions, into)
    const matches = conditions.matches.map((m) => m.declaration.match(m.options, environment, around))
    return new Tests(conditions, environment.links, matches)
  }

  /** Undefined for jumps and verdicts. */
  #targetOf(action: Action | undefined, conditions: Conditions, into: Into): TargetFunction | undefined {
    if (action?.kind !== 'target' || isVerdict(action)) return undefined
    return action.declaration.target(action.options, this.#program.environment, this.#around(conditions, into))
  }
}
