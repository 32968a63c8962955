// The commands that the control socket takes, by the names under which clients call them. One is done after the other: that
// is the xtables lock. A change is worked out here, taken over by the data plane between two rounds, and only then answered.

import { basename } from 'node:path'
import { TunfilterError } from '../errors.ts'
import { applyCommand, applyRestore, applySave } from '../iptables/apply.ts'
import { readFileRequest } from '../iptables/argv.ts'
import { banner, Failure, MULTI, type Outcome, type Program, programOf } from '../iptables/program.ts'
import type { RuleSet } from '../rule/model.ts'
import { changeOf, type RuleChange } from './change.ts'
import { Counts } from './counts.ts'

/** What the data plane does for the control side. */
export interface Plane {
  /** Takes a change of rules over, whole or not at all; gives the new generation's counters. */
  change(change: RuleChange): Promise<Float64Array>
}

export interface Answer {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  /** The client writes `stdout` into this file. */
  readonly file?: string
}

/** What a client is asked for before its command can be done. */
export type Wanted = { readonly from: 'stdin' } | { readonly from: 'file'; readonly file: string } | undefined

/** The words of a command, told apart. */
export interface Call {
  readonly program: Program
  readonly args: readonly string[]
}

/** Throws a Failure for a name that is no command's. */
export function callOf(argv: readonly string[]): Call {
  let [called = '', ...args] = argv
  // `tunfilter iptables -L` and `xtables-legacy-multi iptables -L`
  if (basename(called) === 'tunfilter' || MULTI.includes(basename(called))) [called = '', ...args] = args
  const program = programOf(basename(called))
  if (program === undefined)
    throw new Failure(
      2,
      `tunfilter: there is no command '${called}': expected iptables, iptables-save or iptables-restore\n`,
    )
  return { program, args }
}

export class Commands {
  readonly #plane: Plane
  readonly #changed: (ruleSet: RuleSet) => void
  #ruleSet: RuleSet
  #counts: Counts
  #last: Promise<unknown> = Promise.resolve()

  /** @param changed is called after each change, before its answer */
  constructor(ruleSet: RuleSet, counters: Float64Array, plane: Plane, changed: (ruleSet: RuleSet) => void) {
    this.#ruleSet = ruleSet
    this.#counts = new Counts(ruleSet, counters)
    this.#plane = plane
    this.#changed = changed
  }

  get ruleSet(): RuleSet {
    return this.#ruleSet
  }

  /** What this command needs of its client. */
  wanted({ program, args }: Call): Wanted {
    if (program.kind !== 'restore') return undefined
    const request = readFileRequest(args, program)
    if (typeof request === 'string') return undefined
    return request.file === undefined ? { from: 'stdin' } : { from: 'file', file: request.file }
  }

  /** Does one thing after all that were asked for before. */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run, run)
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Only in turn. */
  async run({ program, args }: Call, input: string): Promise<Answer> {
    const asksVersion = args.some((word) => word === '--version' || word === '-V')
    if (program.family === 6 && !asksVersion) return noIPv6(program)
    const around = { program, countersOf: this.#counts.of, date: new Date() }
    const before = this.#ruleSet
    let outcome: Outcome
    let file: string | undefined
    if (program.kind === 'command') outcome = applyCommand(before, args, around)
    else if (program.kind === 'restore') outcome = applyRestore(before, args, input, around)
    else {
      outcome = applySave(before, args, around)
      if (outcome.status === 0) file = fileOf(args, program)
    }
    const { status, stdout, stderr, ruleSet } = outcome
    if (ruleSet === before) return { status, stdout, stderr, file }
    try {
      await this.take(ruleSet)
    } catch (error) {
      if (!(error instanceof TunfilterError)) throw error
      return { status: 1, stdout: '', stderr: `${program.name}: ${error.message}\n` }
    }
    return { status, stdout, stderr, file }
  }

  /** Makes a rule set the running one. Only in turn. */
  async take(ruleSet: RuleSet): Promise<void> {
    const counters = await this.#plane.change(changeOf(this.#ruleSet, ruleSet))
    this.#taken(ruleSet, counters)
  }

  /** The data plane has these rules now. Only in turn. */
  #taken(ruleSet: RuleSet, counters: Float64Array): void {
    this.#ruleSet = ruleSet
    this.#counts = new Counts(ruleSet, counters)
    this.#changed(ruleSet)
  }

  /** The same for rules that the data plane has read itself. */
  replaced(ruleSet: RuleSet, counters: Float64Array): void {
    this.#taken(ruleSet, counters)
  }
}

function fileOf(args: readonly string[], program: Program): string | undefined {
  const request = readFileRequest(args, program)
  return typeof request === 'string' ? undefined : request.file
}

function noIPv6(program: Program): Answer {
  const reason = 'this gateway does not handle IPv6'
  return { status: 3, stdout: '', stderr: `${banner(program)}: can't initialize ip6tables table: ${reason}\n` }
}
