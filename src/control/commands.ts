// iptables and its kin on the control socket. One command is done after the other: that is the xtables lock. A change is worked
// out here, taken over by the data plane between two rounds, and only then answered.

import { TunfilterError } from '../errors.ts'
import { applyCommand, applyRestore, applySave } from '../iptables/apply.ts'
import { readFileRequest } from '../iptables/argv.ts'
import { type Outcome, type Program, programOf } from '../iptables/program.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import type { SetFamilies } from '../rule/set-reference.ts'
import { changeOf, type RuleChange } from './change.ts'
import { Counts } from './counts.ts'
import { type ControlProgram, type Conversation, Turns } from './program.ts'

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

/** A family's rules as the data plane runs them. */
export interface Running {
  readonly ruleSet: RuleSet
  readonly counters: Float64Array
}

export class Commands implements ControlProgram {
  readonly names = 'iptables, iptables-save, iptables-restore, ip6tables, ...'
  readonly #plane: Plane
  readonly #changed: (ruleSet: RuleSet) => void
  readonly #ruleSets = new Map<Family, RuleSet>()
  readonly #counts = new Map<Family, Counts>()
  readonly #turns = new Turns()
  readonly #sets: SetFamilies | undefined

  /**
   * @param running a family that is left out has no rules
   * @param changed is called after each change, before its answer
   * @param sets which sets rules may name; any when left out
   */
  constructor(running: readonly Running[], plane: Plane, changed: (ruleSet: RuleSet) => void, sets?: SetFamilies) {
    this.#sets = sets
    this.#plane = plane
    this.#changed = changed
    for (const family of [4, 6] as const) this.#hold({ family, tables: new Map() }, new Float64Array(0))
    for (const { ruleSet, counters } of running) this.#hold(ruleSet, counters)
  }

  ruleSet(family: Family): RuleSet {
    return this.#ruleSets.get(family) as RuleSet
  }

  #hold(ruleSet: RuleSet, counters: Float64Array): void {
    this.#ruleSets.set(ruleSet.family, ruleSet)
    this.#counts.set(ruleSet.family, new Counts(ruleSet, counters))
  }

  isCalled(name: string): boolean {
    return programOf(name) !== undefined
  }

  async run(name: string, args: readonly string[], client: Conversation): Promise<number> {
    const program = programOf(name) as Program
    let input = ''
    if (program.kind === 'restore') {
      const request = readFileRequest(args, program)
      if (typeof request !== 'string')
        input = request.file === undefined ? await client.readInput() : await client.readFile(request.file)
    }
    const answer = await this.inTurn(async () => (client.gone ? undefined : await this.do(program, args, input)))
    if (answer === undefined) return 1
    if (answer.file !== undefined) client.writeTo(answer.file)
    client.print(answer.stdout)
    client.printError(answer.stderr)
    return answer.status
  }

  /** Does one thing after all that were asked for before. */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    return this.#turns.inTurn(run)
  }

  /** Only in turn. */
  async do(program: Program, args: readonly string[], input: string): Promise<Answer> {
    const { family } = program
    const around = { program, countersOf: this.#counts.get(family)?.of, sets: this.#sets, date: new Date() }
    const before = this.ruleSet(family)
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
    const counters = await this.#plane.change(changeOf(this.ruleSet(ruleSet.family), ruleSet))
    this.#taken(ruleSet, counters)
  }

  /** The data plane has these rules now. Only in turn. */
  #taken(ruleSet: RuleSet, counters: Float64Array): void {
    this.#hold(ruleSet, counters)
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
