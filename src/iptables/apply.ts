// iptables, iptables-restore and iptables-save as functions from one rule set to the next, with what they print and their
// exit status. Nothing of the rule set that is handed in is touched. What the rules as they are do not allow is said in the
// words of iptables 1.8.9, which programs read; a mistake on the command line in words of our own.
//
// Rules, and chains' `counters`, that are the same objects afterwards go on counting where they were (rule/carry.ts).

import { RefusedError } from '../errors.ts'
import { type Chain, NO_COUNTERS, type Rule, type RuleSet, type Table, type TableName } from '../rule/model.ts'
import { validateTable } from '../rule/validate.ts'
import { type Request, readFileRequest, readRequest } from './argv.ts'
import { BUILTIN } from './builtin.ts'
import { type Invalid, wrongName } from './command.ts'
import { Draft } from './draft.ts'
import { help, RESTORE_HELP } from './help.ts'
import { echo, listCommands, listTable } from './list.ts'
import {
  banner,
  Failure,
  type Outcome,
  outcome,
  type Program,
  refused,
  type Surrounding,
  VERSION,
  wrongLine,
  wrongUsage,
} from './program.ts'
import { parseRestore } from './restore.ts'
import { STANDARD } from './rule.ts'
import { formatRule, inSavedOrder, saveTable } from './save.ts'

const NO_CHAIN = 'No chain/target/match by that name.'
const NO_RULE = 'Bad rule (does a matching rule exist in that chain?).'
const NOT_FOR_FILTERING = '\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n'

/** `iptables ARGS...` */
export function applyCommand(ruleSet: RuleSet, args: readonly string[], around: Surrounding): Outcome {
  return outcome(ruleSet, () => {
    const { program } = around
    const request = readRequest(args, ruleSet, around)
    if (request === 'version') return { ruleSet, stdout: `${banner(program)}\n`, stderr: '', status: 0 }
    if ('of' in request) return { ruleSet, stdout: help(program, request.of), stderr: '', status: 0 }
    return new Application(ruleSet, request, around).run()
  })
}

class Application {
  readonly #ruleSet: RuleSet
  readonly #request: Request
  readonly #around: Surrounding
  readonly #program: Program
  readonly #before: Table
  #table: Table
  #stdout = ''

  constructor(ruleSet: RuleSet, request: Request, around: Surrounding) {
    this.#ruleSet = ruleSet
    this.#request = request
    this.#around = around
    this.#program = around.program
    this.#before = ruleSet.tables.get(request.table) ?? new Draft(request.table).toTable()
    this.#table = this.#before
  }

  run(): Outcome {
    const { kind, zeroes, warnings, verbose, rules } = this.#request
    if (verbose && 'AIRDC'.includes(kind))
      this.#stdout += rules.map((rule) => echo(rule, this.#program.family)).join('')
    try {
      this.#command()
      if (zeroes) this.#zero()
      if ('AIRD'.includes(kind)) this.#validate()
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure
      const { status, stderr } = failure
      return { ruleSet: this.#ruleSet, stdout: this.#stdout, stderr: warnings + stderr, status }
    }
    return { ruleSet: this.#result(), stdout: this.#stdout, stderr: warnings, status: 0 }
  }

  #result(): RuleSet {
    if (this.#table === this.#before) return this.#ruleSet
    const tables = new Map(this.#ruleSet.tables)
    return { ...this.#ruleSet, tables: tables.set(this.#table.name, this.#table) }
  }

  #command(): void {
    const { kind, number, rules, invalid, chain: name = '' } = this.#request
    switch (kind) {
      case 'A':
        return this.#rules((old) => old.concat(rules))
      case 'I':
        return this.#rules((old) => {
          const at = (number ?? 1) - 1
          if (at > old.length) throw this.#refused('Index of insertion too big.')
          // One after the other at the same place, so they end up in reverse order.
          return [...old.slice(0, at), ...[...rules].reverse(), ...old.slice(at)]
        })
      case 'R':
        return this.#rules((old) => {
          const at = (number as number) - 1
          if (at >= old.length) throw this.#refused('Index of replacement too big.')
          return old.with(at, rules[0])
        })
      case 'D':
        if (number === undefined) return this.#delete()
        return this.#rules((old) => {
          if (number > old.length) throw this.#refused('Index of deletion too big.')
          return old.toSpliced(number - 1, 1)
        })
      case 'C': {
        const chain = this.#table.chains.get(name)
        if (chain === undefined) throw this.#refused(NO_RULE)
        if (invalid !== undefined) throw this.#notThere(invalid)
        for (const rule of rules) if (indexOf(chain.rules, rule) < 0) throw this.#noRule(rule)
        return
      }
      case 'L':
      case 'S':
        return this.#list()
      case 'F':
        return this.#each('Flushing', (chain) => (chain.rules.length === 0 ? chain : { ...chain, rules: [] }))
      case 'Z':
        return this.#zero()
      case 'N':
        return this.#create(name)
      case 'X':
        return this.#deleteChains()
      case 'P':
        return this.#policy(name)
      case 'E':
        return this.#rename(name)
    }
  }

  #refused(message: string): Failure {
    return refused(this.#program, message)
  }

  /** Which of two things is said depends on the target of the rule that is looked for. */
  #noRule({ action }: Rule): Failure {
    const standard = action === undefined || (action.kind === 'target' && STANDARD.has(action.declaration.name))
    return this.#refused(standard ? NO_RULE : NO_CHAIN)
  }

  #invalid({ message, missing }: Invalid): Failure {
    return this.#refused(`${missing ? NO_CHAIN : 'Invalid argument.'} ${message}.`)
  }

  /** A rule that no table could hold is looked for. */
  #notThere(invalid: Invalid): Failure {
    if (invalid.action === 'jump') return this.#invalid(invalid)
    return this.#refused(invalid.action === 'verdict' ? NO_RULE : NO_CHAIN)
  }

  #chain(): Chain {
    const chain = this.#table.chains.get(this.#request.chain as string)
    if (chain === undefined) throw this.#refused(NO_CHAIN)
    return chain
  }

  #set(chain: Chain): void {
    this.#table = { ...this.#table, chains: new Map(this.#table.chains).set(chain.name, chain) }
  }

  #rules(change: (old: readonly Rule[]) => readonly Rule[]): void {
    const chain = this.#chain()
    const rules = change(chain.rules)
    const { invalid } = this.#request
    if (invalid !== undefined) throw this.#invalid(invalid)
    this.#set({ ...chain, rules })
  }

  #delete(): void {
    const { rules, invalid, chain: name } = this.#request
    const chain = this.#table.chains.get(name as string)
    if (chain === undefined) throw this.#refused(NO_RULE)
    if (invalid !== undefined) throw this.#notThere(invalid)
    let left = chain.rules
    for (const rule of rules) {
      const at = indexOf(left, rule)
      if (at < 0) throw this.#noRule(rule)
      left = left.toSpliced(at, 1)
    }
    this.#set({ ...chain, rules: left })
  }

  #list(): void {
    const { kind, chain, number } = this.#request
    if (chain !== undefined) this.#chain()
    const options = { ...this.#request, family: this.#program.family, countersOf: this.#around.countersOf }
    this.#stdout += (kind === 'L' ? listTable : listCommands)(this.#table, options, chain, number)
  }

  /** Does the same to one chain, or to all in the order in which they are listed. */
  #each(doing: string, change: (chain: Chain) => Chain): void {
    const { chain: name, verbose } = this.#request
    if (verbose && name !== undefined) this.#stdout += `${doing} chain \`${name}'\n`
    const chains = name === undefined ? inSavedOrder(this.#table) : [this.#chain()]
    const all = new Map(this.#table.chains)
    let changed = false
    for (const chain of chains) {
      if (verbose && name === undefined) this.#stdout += `${doing} chain \`${chain.name}'\n`
      const after = change(chain)
      changed ||= after !== chain
      all.set(chain.name, after)
    }
    if (changed) this.#table = { ...this.#table, chains: all }
  }

  #zero(): void {
    const { number, kind } = this.#request
    const zeroed = (rule: Rule): Rule => ({ ...rule, counters: NO_COUNTERS })
    if (number === undefined || kind !== 'Z')
      return this.#each('Zeroing', (chain) => ({
        ...chain,
        counters: { ...NO_COUNTERS },
        rules: chain.rules.map(zeroed),
      }))
    const chain = this.#chain()
    if (number > chain.rules.length) throw this.#refused('Index of counter too big.')
    this.#set({ ...chain, rules: chain.rules.with(number - 1, zeroed(chain.rules[number - 1])) })
  }

  #create(name: string): void {
    if (this.#table.chains.has(name)) throw this.#refused('Chain already exists.')
    this.#judgeName(name)
    this.#set({ name, counters: NO_COUNTERS, rules: [] })
  }

  #judgeName(name: string): void {
    const registry = this.#around.declarations ?? BUILTIN
    const { family } = this.#program
    const { table } = this.#request
    const context = { registry, family, table, file: '', counters: false, hasChain: () => false, chainNames: () => [] }
    const wrong = wrongName(name, context)
    if (wrong !== undefined) throw wrongUsage(this.#program, wrong)
  }

  #deleteChains(): void {
    const { chain: name, verbose } = this.#request
    const chains = new Map(this.#table.chains)
    if (verbose && name !== undefined) this.#stdout += `Deleting chain \`${name}'\n`
    const wanted =
      name === undefined ? inSavedOrder(this.#table).filter((c) => c.policy === undefined) : [this.#chain()]
    // Each is tried; with one that cannot go all stay, and the last reason is given.
    let wrong: string | undefined
    for (const chain of wanted) {
      if (verbose && name === undefined) this.#stdout += `Deleting chain \`${chain.name}'\n`
      const reason = whyNot(chain, chains.values())
      if (reason === undefined) chains.delete(chain.name)
      wrong = reason ?? wrong
    }
    if (wrong !== undefined) throw this.#refused(wrong)
    if (wanted.length > 0) this.#table = { ...this.#table, chains }
  }

  #policy(name: string): void {
    const { second, table } = this.#request
    if (table === 'nat' && second === 'DROP') throw wrongUsage(this.#program, NOT_FOR_FILTERING)
    const chain = this.#table.chains.get(name)
    if (chain?.policy === undefined) throw this.#refused('Bad built-in chain name.')
    if (second !== 'ACCEPT' && second !== 'DROP')
      throw this.#refused(`Bad policy name. '${second}' was given: expected ACCEPT or DROP.`)
    this.#set({ ...chain, policy: second, counters: { ...NO_COUNTERS } })
  }

  #rename(name: string): void {
    const to = this.#request.second as string
    if (this.#table.chains.has(to) || ['ACCEPT', 'DROP', 'RETURN', 'QUEUE'].includes(to))
      throw this.#refused('File exists.')
    const chain = this.#chain()
    if (chain.policy !== undefined) throw this.#refused(NO_CHAIN)
    this.#judgeName(to)
    const { countersOf = (rule) => rule.counters } = this.#around
    const chains = new Map<string, Chain>()
    const renamed = (rule: Rule): Rule =>
      rule.action?.kind === 'jump' && rule.action.chain === name
        ? { ...rule, action: { ...rule.action, chain: to }, counters: countersOf(rule) }
        : rule
    for (const each of this.#table.chains.values()) {
      const jumps = each.rules.some(({ action }) => action?.kind === 'jump' && action.chain === name)
      const after = jumps ? { ...each, rules: each.rules.map(renamed) } : each
      if (each === chain) chains.set(to, { ...after, name: to })
      else chains.set(each.name, after)
    }
    this.#table = { ...this.#table, chains }
  }

  /** What the kernel judges when the table is handed to it. */
  #validate(): void {
    const [complaint] = validateTable(this.#table)
    if (complaint === undefined) return
    const loop = complaint.message.startsWith('jumps run in a circle')
    throw this.#refused(`${loop ? 'Too many levels of symbolic links.' : 'Invalid argument.'} ${complaint.message}.`)
  }
}

/** Why a chain cannot be deleted. */
function whyNot({ name, policy, rules }: Chain, all: Iterable<Chain>): string | undefined {
  if (policy !== undefined) return `Invalid argument. ${name} is a built-in chain: expected one of your own.`
  for (const chain of all)
    if (chain.rules.some(({ action }) => action?.kind === 'jump' && action.chain === name)) return 'Too many links.'
  return rules.length > 0 ? 'Directory not empty.' : undefined
}

const texts = new WeakMap<Rule, string>()

function textOf(rule: Rule): string {
  let text = texts.get(rule)
  if (text === undefined) {
    text = formatRule(rule)
    texts.set(rule, text)
  }
  return text
}

/** The first rule that says the same. */
function indexOf(rules: readonly Rule[], wanted: Rule): number {
  const text = formatRule(wanted)
  return rules.findIndex((rule) => textOf(rule) === text)
}

/** Complaints that are printed; of a file with more the rest is counted. */
const COMPLAINTS_MAX = 20

/** `iptables-restore ARGS...`; the file operand is whoever calls this to read. */
export function applyRestore(ruleSet: RuleSet, args: readonly string[], text: string, around: Surrounding): Outcome {
  return outcome(ruleSet, () => {
    const { program, declarations } = around
    const request = readFileRequest(args, program)
    if (request === 'version') return { ruleSet, stdout: `${banner(program)}\n`, stderr: '', status: 0 }
    if (request === 'help') return { ruleSet, stdout: '', stderr: RESTORE_HELP(program), status: 0 }
    const { noflush, counters, test, table, verbose } = request
    let after: RuleSet
    let stdout = ''
    let stderr = request.warnings
    try {
      after = parseRestore(text, {
        warn: (message) => {
          stderr += `${message}\n`
        },
        told: verbose
          ? (said) => {
              stdout += said
            }
          : undefined,
        file: 'input',
        family: program.family,
        declarations,
        base: ruleSet,
        noflush,
        counters,
        sets: around.sets,
      })
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      throw complained(error, program)
    }
    if (table !== undefined) after = onlyTable(ruleSet, after, table)
    return { ruleSet: test ? ruleSet : after, stdout, stderr, status: 0 }
  })
}

function onlyTable(before: RuleSet, after: RuleSet, table: TableName): RuleSet {
  const found = after.tables.get(table)
  return found === undefined ? before : { ...before, tables: new Map(before.tables).set(table, found) }
}

function complained({ complaints }: RefusedError, program: Program): Failure {
  const wrong = complaints.find(({ standing }) => standing !== true)
  const line = (wrong ?? complaints[0]).line
  const shown = complaints.slice(0, COMPLAINTS_MAX)
  const rest = complaints.length - shown.length
  const messages = shown.map((each) => `line ${each.line}, column ${each.column}: ${each.message}`)
  if (rest > 0) messages.push(`and ${rest} more`)
  if (wrong !== undefined) return wrongLine(program, messages, line)
  return new Failure(
    1,
    `${program.name}: line ${line} failed\n${messages.map((m) => `${program.name}: ${m}\n`).join('')}`,
  )
}

/** `iptables-save ARGS...` */
export function applySave(ruleSet: RuleSet, args: readonly string[], around: Surrounding): Outcome {
  return outcome(ruleSet, () => {
    const { program, countersOf, date } = around
    const request = readFileRequest(args, program)
    if (request === 'version') return { ruleSet, stdout: `${banner(program)}\n`, stderr: '', status: 0 }
    if (request === 'help') throw new Failure(1, `${program.name}: there is no -h\n`)
    const { table, counters } = request
    const tables =
      table === undefined
        ? [...ruleSet.tables.values()].reverse()
        : [ruleSet.tables.get(table) ?? new Draft(table).toTable()]
    const comment = (what: string) => (date === undefined ? '' : `# ${what} on ${dateText(date)}\n`)
    const stdout = tables.map(
      (each) =>
        `${comment(`Generated by ${program.variant === 'legacy' ? `${program.name} ${VERSION}` : banner(program)}`)}${saveTable(each, { counters, countersOf })}${comment('Completed')}`,
    )
    return { ruleSet, stdout: stdout.join(''), stderr: request.warnings, status: 0 }
  })
}

/** As ctime() writes it: `Sat Nov 21 05:55:52 2026`. */
function dateText(date: Date): string {
  const [day, month, number, year, time] = date.toString().split(' ')
  return `${day} ${month} ${number.replace(/^0/, ' ')} ${time ?? ''} ${year}`
}
