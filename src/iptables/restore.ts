// A rule file, as iptables-restore reads it, into a rule set. Everything that is wrong in the file is complained of at its
// place; with one complaint nothing comes of the file at all. Lines: `# comment`, nothing, `*TABLE`, `:CHAIN POLICY
// [packets:bytes]`, commands with or without `[packets:bytes]` before them, `COMMIT`.

import { type Complaint, type Place, RefusedError } from '../errors.ts'
import {
  type Counters,
  type Family,
  NO_COUNTERS,
  type Rule,
  type RuleSet,
  TABLE_NAMES,
  type Table,
  type TableName,
} from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import { shown } from '../rule/option.ts'
import { type SetFamilies, wrongSet } from '../rule/set-reference.ts'
import { type IsThere, SharedNames, sharesNames } from '../rule/shared-names.ts'
import { judgeTable } from '../rule/table-facts.ts'
import { BUILTIN } from './builtin.ts'
import { wrongChainName } from './command.ts'
import { Draft } from './draft.ts'
import { ERRNO, isLoop, LOOP } from './errno.ts'
import type { Complain } from './extension.ts'
import { owned, splitWords } from './lexer.ts'
import { didYouMean } from './nearest.ts'
import type { ReadContext } from './read-context.ts'
import type { Registry } from './registry.ts'
import { readCommand } from './rule.ts'
import { inSavedOrder } from './save.ts'
import { Templates } from './template.ts'
import { toldOf, toldOfClearing } from './told.ts'

export interface RestoreOptions {
  /** The file's name, for messages. */
  readonly file: string
  readonly family: Family
  /** What matches and targets there are; the built-in ones when left out. */
  readonly declarations?: Registry
  /** The rule set as it is: tables that the file does not name stay as they are. */
  readonly base?: RuleSet
  /** Tables that the file names keep their rules and chains (--noflush). */
  readonly noflush?: boolean
  /** Counters are taken from the file (--counters); otherwise they begin at 0. */
  readonly counters?: boolean
  /** The sets that rules may name; any where this is left out. */
  readonly sets?: SetFamilies
  /** The rule sets in force, of both families: what they share by names is there. Only `base` when left out. */
  readonly inForce?: readonly RuleSet[]
  /** What else is there that rules may name. */
  readonly isThere?: IsThere
  /** Takes what is strange, but not wrong. */
  readonly warn?: (message: string) => void
  /** Takes what --verbose prints: the file's comments, and without --noflush what is done to chains and rules. */
  readonly told?: (text: string) => void
}

/** Longer lines are no rules. */
const LINE_MAX = 65_536

/** @throws RefusedError with every complaint about the file */
export function parseRestore(text: string, options: RestoreOptions): RuleSet {
  return new Restore(options).read(text)
}

class Restore {
  readonly #options: RestoreOptions
  readonly #registry: Registry
  readonly #tables: Map<TableName, Table>
  readonly #complaints: Complaint[] = []
  readonly #templates: Templates
  readonly #places: Map<Rule, Place> | undefined
  /** A complaint is about a rule that was read before. */
  #wantsPlaces = false
  #draft: Draft | undefined
  #context: ReadContext | undefined
  /** Made when the first rule names something that rules share. */
  #names: SharedNames | undefined
  /** Line of the table's `*`; 0 outside of tables. */
  #tableLine = 0
  #line = 0

  /** @param places takes where each rule stands */
  constructor(options: RestoreOptions, places?: Map<Rule, Place>) {
    this.#options = options
    this.#places = places
    this.#templates = new Templates(options.family, (name) => this.#draft?.ownName(name))
    this.#registry = options.declarations ?? BUILTIN
    this.#tables = new Map(options.base?.tables)
  }

  read(text: string): RuleSet {
    const { family } = this.#options
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf('\n', at)
      this.#line++
      const stop = end < 0 ? text.length : end
      if (stop - at > LINE_MAX) this.#complain(1, `the line is longer than ${LINE_MAX} characters`)
      else if (!this.#readLine(text.slice(at, stop))) break
      at = stop + 1
    }
    if (this.#tableLine > 0)
      this.#complainOfStanding(
        1,
        `the file ends here without COMMIT for the table of line ${this.#tableLine}: expected COMMIT`,
      )
    // Where each rule stood is not kept: nobody asks for it but who is told what is wrong with a whole table.
    if (this.#wantsPlaces && this.#places === undefined)
      return new Restore({ ...this.#options, warn: undefined, told: undefined }, new Map()).read(text)
    if (this.#complaints.length > 0) throw new RefusedError('ERR_RULES', this.#complaints)
    return { family, tables: this.#tables }
  }

  readonly #complain: Complain = (column, message, by) => {
    const complaint = { file: this.#options.file, line: this.#line, column, message }
    this.#complaints.push(by === undefined ? complaint : { ...complaint, standing: true, errno: ERRNO[by] })
  }

  readonly #complainOfStanding: Complain = (column, message, by) => {
    const errno = by === undefined ? undefined : ERRNO[by]
    this.#complaints.push({ file: this.#options.file, line: this.#line, column, message, standing: true, errno })
  }

  /** False when it makes no sense to read on. */
  #readLine(line: string): boolean {
    if (line.endsWith('\r')) {
      this.#complain(line.length, 'the line ends in a carriage return: expected Unix line ends in the whole file')
      return false
    }
    const nul = line.indexOf('\0')
    if (nul >= 0) this.#complain(nul + 1, 'there is a NUL byte here')
    else if (line === '') return true
    else if (line[0] === '#') this.#options.told?.(`${line}\n`)
    else if (/^[ \t]+$/.test(line))
      this.#complain(1, 'the line is of blanks alone: expected an empty line, or a command')
    else if (this.#tableLine === 0) this.#readTable(line)
    else if (line === 'COMMIT') this.#commit()
    else if (/^\s*COMMIT\s*$/.test(line)) this.#complain(1, 'there are blanks around COMMIT: expected COMMIT alone')
    else if (this.#draft === undefined) return true
    else if (line[0] === ':') this.#readChain(line, this.#draft)
    else if (line[0] === '*')
      this.#complain(1, `a table begins here before the one of line ${this.#tableLine} ended: expected COMMIT`)
    else this.#readRule(line, this.#draft)
    return true
  }

  #readTable(line: string): void {
    const found = /^\*[ \t]*([^ \t]+)/.exec(line)
    if (found === null)
      return this.#complainOfStanding(1, `${shown(line)} stands outside of any table: expected *TABLE`)
    this.#tableLine = this.#line
    const name = found[1]
    if (!(TABLE_NAMES as readonly string[]).includes(name)) {
      this.#draft = undefined
      const column = found[0].length - name.length + 1
      return this.#complain(
        column,
        `there is no table ${shown(name)}: expected ${TABLE_NAMES.join(', ')}${didYouMean(name, TABLE_NAMES)}`,
      )
    }
    const table = name as TableName
    const draft = new Draft(table, this.#tables.get(table))
    this.#templates.forget()
    if (this.#options.noflush !== true) {
      this.#options.told?.(toldOfClearing(draft))
      draft.clear()
    }
    this.#draft = draft
    this.#context = {
      registry: this.#registry,
      family: this.#options.family,
      table,
      counters: this.#options.counters === true,
      hasChain: (chain) => draft.has(chain),
      chainNames: () => draft.names(),
      warn: this.#options.warn,
    }
  }

  #commit(): void {
    const draft = this.#draft
    this.#tableLine = 0
    this.#draft = undefined
    if (draft === undefined) return
    const table = draft.toTable()
    // What was wrong with single lines has left holes in the table, and the file is refused anyway.
    if (this.#complaints.length === 0)
      for (const { message, rule } of judgeTable(table, draft.from))
        this.#complainOfRule(rule, message, this.#line, isLoop(message) ? LOOP : ERRNO.tables)
    if (this.#complaints.length === 0 && this.#names !== undefined)
      for (const { message, rule, missing } of this.#names.take(table.name, inSavedOrder(table)))
        this.#complainOfRule(rule, message, 1, missing ? ERRNO.missing : ERRNO.tables)
    this.#tables.set(draft.name, table)
  }

  /** @param otherwise line that is told of where the rule is not of this file */
  #complainOfRule(rule: Rule, message: string, otherwise: number, errno: string): void {
    const place = this.#places?.get(rule) ?? { file: this.#options.file, line: otherwise, column: 1 }
    this.#complaints.push({ message, ...place, standing: true, errno })
    this.#wantsPlaces = true
  }

  #note(rules: readonly Rule[], column: number): void {
    for (const rule of rules) this.#places?.set(rule, { file: this.#options.file, line: this.#line, column })
  }

  #readChain(line: string, draft: Draft): void {
    const found = /^:[ \t]*([^ \t]+)(?:([ \t]+)([^ \t]+))?(?:([ \t]+)([^ \t]+))?[ \t]*(.*)$/.exec(line)
    if (found === null) return this.#complain(1, 'the line names no chain: expected :CHAIN POLICY [PACKETS:BYTES]')
    const [, name, , policy, , count, rest] = found
    const column = line.indexOf(name, 1) + 1
    const builtin = draft.isBuiltin(name)
    const policyColumn = policy === undefined ? 0 : line.indexOf(policy, column - 1 + name.length) + 1
    const wrong =
      wrongChainName(name) ??
      (name === 'ACCEPT' || name === 'DROP' || name === 'RETURN' || name === 'QUEUE'
        ? `${name} is a verdict's name: expected another`
        : undefined)
    if (wrong !== undefined) return this.#complain(column, wrong)
    if (policy === undefined)
      return this.#complain(
        line.length + 1,
        `chain ${shown(name)} has no policy here: expected ${builtin ? 'ACCEPT, DROP or -' : '-'}`,
      )
    const countColumn = count === undefined ? 0 : line.indexOf(count, policyColumn - 1 + policy.length) + 1
    // `:CHAIN - -` is what some programs write.
    const counters = count === undefined || (count === '-' && policy === '-') ? NO_COUNTERS : readCounters(count)
    if (counters === undefined)
      this.#complain(countColumn, `${shown(count)} is not understood: expected [PACKETS:BYTES]`)
    if (rest !== '')
      this.#complain(line.length - rest.length + 1, `${shown(rest)} is too much: expected nothing behind the counters`)
    if (policy === '-') return this.#beginChain(name, column, builtin, draft)
    if (!builtin) {
      const hint =
        policy === 'ACCEPT' || policy === 'DROP'
          ? didYouMean(
              name,
              [...draft.names()].filter((c) => draft.isBuiltin(c)),
            )
          : ''
      return this.#complainOfStanding(
        policyColumn,
        `chain ${shown(name)} is not built in and has no policy: expected -${hint}`,
      )
    }
    if (policy !== 'ACCEPT' && policy !== 'DROP')
      return this.#complainOfStanding(policyColumn, `${shown(policy)} is no policy: expected ACCEPT or DROP`)
    // An object of its own says that the counters begin anew (rule/carry.ts).
    draft.setPolicy(name, policy, { ...(this.#options.counters === true ? (counters ?? NO_COUNTERS) : NO_COUNTERS) })
  }

  /** `:CHAIN -`: makes a chain, or empties one that was there before the file. */
  #beginChain(name: string, column: number, builtin: boolean, draft: Draft): void {
    if (builtin) return
    if (!draft.has(name)) draft.create(owned(name))
    else if (this.#options.noflush === true) draft.flush(name)
    else this.#complain(column, `there is a chain ${shown(name)} already`)
  }

  #readRule(line: string, draft: Draft): void {
    let from = 0
    let before: Counters | undefined
    if (line[0] === '[') {
      const close = line.indexOf(']')
      before = close < 0 ? undefined : readCounters(line.slice(0, close + 1))
      if (before === undefined)
        return this.#complain(1, `the counters are not understood: expected [PACKETS:BYTES] before the rule`)
      from = close + 1
    }
    const templates = this.#templates
    const counters = this.#options.counters === true ? (before ?? NO_COUNTERS) : NO_COUNTERS
    const known = this.#options.told === undefined ? templates.read(line, from, counters) : undefined
    if (known !== undefined && draft.append(known.chain, known.rule)) {
      this.#note([known.rule], templates.column)
      return
    }
    const words = splitWords(line, from)
    const command = readCommand(words, before, this.#context as ReadContext, this.#complain)
    if (command === undefined || command === 'skip') return
    const { sets, family } = this.#options
    const rules = 'rules' in command ? command.rules : []
    if (rules.some(sharesNames)) this.#names ??= this.#namesInForce()
    if (sets !== undefined)
      for (const rule of rules) {
        const wrong = wrongSet(rule, family, sets)
        if (wrong !== undefined)
          return this.#complain(words.find(({ text }) => text === wrong.name)?.column ?? 1, wrong.message)
      }
    if (this.#options.noflush !== true) this.#options.told?.(toldOf(command, draft, family))
    if ('rules' in command) this.#note(command.rules, words[0].column)
    draft.apply(command, this.#complainOfStanding)
    if (command.kind === 'append') templates.learn(command)
    else templates.forget()
  }

  #namesInForce(): SharedNames {
    const { base, inForce = base === undefined ? [] : [base], isThere } = this.#options
    return new SharedNames([...inForce, { family: this.#options.family, tables: this.#tables }], isThere)
  }
}

function readCounters(text: string): Counters | undefined {
  const found = /^\[(\d+):(\d+)\]$/.exec(text)
  if (found === null) return undefined
  const [packets, bytes] = found
    .slice(1)
    .map((digits) => parseNumber(digits.replace(/^0+(?=\d)/, ''), Number.MAX_SAFE_INTEGER))
  return packets === undefined || bytes === undefined ? undefined : { packets, bytes }
}
