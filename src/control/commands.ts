// iptables and its kin on the control socket. One command is done after the other: that is the xtables lock. A change is worked
// out here, taken over by the data plane between two rounds, and only then answered.

import { TunfilterError } from '../errors.ts'
import { applyCommand } from '../iptables/apply.ts'
import { applyRestore, applySave } from '../iptables/apply-file.ts'
import { readFileRequest } from '../iptables/argv.ts'
import { type Outcome, type Program, programOf } from '../iptables/program.ts'
import { type CountsOf, countsBegun } from '../rule/counters.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import type { SetFamilies } from '../rule/set-reference.ts'
import type { IsThere } from '../rule/shared-names.ts'
import { HostAddresses } from './host-addresses.ts'
import { type ControlProgram, type Conversation, Turns } from './program.ts'

/** What the data plane does for the control side. */
export interface Plane {
  /** Makes rules the running ones in place of those before, whole or not at all; gives the counts of the new ones. */
  change(before: RuleSet, after: RuleSet): Promise<CountsOf>
}

export interface Answer {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  /** The client writes `stdout` into this file. */
  readonly file?: string
}

export class Commands implements ControlProgram {
  readonly names = 'iptables, iptables-save, iptables-restore, ip6tables, ...'
  readonly #plane: Plane
  readonly #changed: (ruleSet: RuleSet) => void
  readonly #ruleSets: Record<Family, RuleSet> = {
    4: { family: 4, tables: new Map() },
    6: { family: 6, tables: new Map() },
  }
  readonly #countsOf: Record<Family, CountsOf> = { 4: countsBegun, 6: countsBegun }
  readonly #turns = new Turns()
  readonly #sets: SetFamilies | undefined
  readonly #isThere: IsThere | undefined

  /**
   * @param changed is called after each change, before its answer
   * @param sets which sets rules may name; any when left out
   * @param isThere what else is given that rules may name; anything when left out
   */
  constructor(plane: Plane, changed: (ruleSet: RuleSet) => void, sets?: SetFamilies, isThere?: IsThere) {
    this.#sets = sets
    this.#isThere = isThere
    this.#plane = plane
    this.#changed = changed
  }

  ruleSet(family: Family): RuleSet {
    return this.#ruleSets[family]
  }

  /** Counts of what the running rule set consists of. */
  countsOf(family: Family): CountsOf {
    return this.#countsOf[family]
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
    const hosts = new HostAddresses(program.family)
    const words = program.kind === 'command' ? await hosts.inWords(args) : args
    const rules = await hosts.inText(input)
    const answer = await this.inTurn(async () => (client.gone ? undefined : await this.do(program, words, rules)))
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
    const other = this.#ruleSets[family === 4 ? 6 : 4]
    const around = {
      program,
      countsOf: this.#countsOf[family],
      sets: this.#sets,
      isThere: this.#isThere,
      other,
      date: new Date(),
    }
    const before = this.#ruleSets[family]
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
    const { family } = ruleSet
    this.#countsOf[family] = await this.#plane.change(this.#ruleSets[family], ruleSet)
    this.#ruleSets[family] = ruleSet
    this.#changed(ruleSet)
  }
}

function fileOf(args: readonly string[], program: Program): string | undefined {
  const request = readFileRequest(args, program)
  return typeof request === 'string' ? undefined : request.file
}
