// The words behind `iptables` on a command line: what they ask for, judged as iptables 1.8.9 judges them before it looks at
// any rule. Words are read by the reader that rule files have (rule.ts); here are the options that no rule file has, and
// which of them may stand with which command.

import { CHAIN_NAME_MAX, NO_COUNTERS, type Rule, type RuleSet, TABLE_NAMES, type TableName } from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import type { RefusedBy } from '../rule/option.ts'
import { wrongSet } from '../rule/set-reference.ts'
import { BUILTIN } from './builtin.ts'
import type { CommandKind, Invalid, Read } from './command.ts'
import type { ExtensionDeclaration } from './extension.ts'
import type { Global } from './global.ts'
import type { Word } from './lexer.ts'
import { didYouMean } from './nearest.ts'
import { inWordsOf } from './nft-words.ts'
import { banner, Failure, NO_SUCH_TABLE, noTable, type Program, type Surrounding, wrongUsage } from './program.ts'
import { readArguments } from './rule.ts'

export interface Request {
  readonly table: TableName
  readonly kind: CommandKind
  readonly chain: string | undefined
  readonly number: number | undefined
  /** New name (-E) or policy (-P). */
  readonly second: string | undefined
  readonly rules: readonly Rule[]
  /** -Z stands with -L or -S. */
  readonly zeroes: boolean
  readonly verbose: boolean
  readonly numeric: boolean
  readonly exact: boolean
  readonly lineNumbers: boolean
  readonly warnings: string
  /** The rule is well written, but no table could take it. */
  readonly invalid: Invalid | undefined
}

/** Options of one command line that are not of its rule. */
class Options {
  table = 'filter'
  verbose = false
  numeric = false
  exact = false
  lineNumbers = false
  wait = false
  waitInterval = false
  warnings = ''
  ends: 'version' | 'help' | undefined

  /** What is wrong with it, if something is. */
  take({ letter }: Global, value: Word | undefined): string | undefined {
    switch (letter) {
      case 't':
        this.table = value?.text ?? ''
        return undefined
      case 'v':
        this.verbose = true
        return undefined
      case 'n':
        this.numeric = true
        return undefined
      case 'x':
        this.exact = true
        return undefined
      case '0':
        this.lineNumbers = true
        return undefined
      // There is no lock to wait for: commands are taken one after the other.
      case 'w':
        this.wait = true
        return value === undefined || parseNumber(value.text, 0x7fffffff) !== undefined
          ? undefined
          : 'wait seconds not numeric'
      case 'W':
        this.waitInterval = true
        this.warnings += 'Ignoring deprecated --wait-interval option.\n'
        return value === undefined || parseNumber(value.text, 0x7fffffff) !== undefined
          ? undefined
          : 'wait interval not numeric'
      case 'V':
        this.ends ??= 'version'
        return undefined
      case 'h':
        this.ends ??= 'help'
        return undefined
      default:
        return undefined
    }
  }
}

/** Help is asked for, of these too. */
export interface HelpRequest {
  readonly of: readonly ExtensionDeclaration[]
}

/** Version and help are asked for and answered before anything else. */
export function readRequest(
  args: readonly string[],
  ruleSet: RuleSet,
  { program, declarations = BUILTIN, sets }: Surrounding,
): Request | 'version' | HelpRequest {
  const words = args.map((text, i) => ({ text, column: i + 1 }))
  const read = (table: TableName, anyChain: boolean) => {
    const options = new Options()
    const chains = ruleSet.tables.get(table)?.chains
    const complaints: { message: string; by?: RefusedBy }[] = []
    const of: ExtensionDeclaration[] = []
    const context = {
      registry: declarations,
      family: program.family,
      table,
      counters: true,
      hasChain: (name: string) => anyChain || chains?.has(name) === true,
      chainNames: () => chains?.keys() ?? [],
      other: (option: Global, value: Word | undefined) => options.take(option, value),
      warn: (message: string) => {
        options.warnings += `${message}\n`
      },
      extension: (declaration: ExtensionDeclaration) => of.push(declaration),
    }
    const command = readArguments(words, context, (_, message, by) => complaints.push({ message, by }))
    return { options, command, complaints, of }
  }
  // The table may be named behind what is judged by it.
  let table: TableName = 'filter'
  if (args.some((word) => /^-(-t|[A-Za-z0-9]*t)/.test(word))) {
    const named = read(table, true)
    if (named.options.ends === 'version') return 'version'
    if (named.options.ends === 'help') return { of: named.of }
    table = tableOf(named.options.table, program)
  }
  const { options, command, complaints, of } = read(table, false)
  if (options.ends === 'version') return 'version'
  if (options.ends === 'help') return { of }
  const wrong = complaints.find(({ by }) => by === undefined)
  if (wrong !== undefined)
    throw new Failure(2, options.warnings + wrongUsage(program, inWordsOf(program, wrong.message)).stderr)
  if (command === undefined) throw wrongUsage(program, 'no command specified')
  if (sets !== undefined)
    for (const rule of command.rules) {
      const missing = wrongSet(rule, program.family, sets)
      if (missing !== undefined) throw wrongUsage(program, `${missing.message}\n`)
    }
  return requestOf(command, table, options, program)
}

export function tableOf(name: string, program: Program): TableName {
  const found = TABLE_NAMES.find((table) => table === name)
  if (found === undefined) throw noTable(program, name, `${NO_SUCH_TABLE}${didYouMean(name, TABLE_NAMES)}`)
  return found
}

function requestOf(command: Read, table: TableName, options: Options, program: Program): Request {
  const { kind, words, rules, invalid, zeroes = false } = command
  const [first, second] = words.map(({ text }) => text)
  const wrong = (message: string) => wrongUsage(program, message)
  if (kind !== 'L')
    for (const [given, option] of [
      [options.numeric, 'n'],
      [options.exact, 'x'],
      [options.lineNumbers, '0'],
    ])
      if (given) throw wrong(`Illegal option \`-${option}' with this command`)
  if ((kind === 'C' || kind === 'D') && rules.some(({ counters }) => counters !== NO_COUNTERS))
    throw wrong("Illegal option `-c' with this command")
  if (options.waitInterval && !options.wait)
    throw new Failure(2, options.warnings + wrong('--wait-interval only makes sense with --wait\n').stderr)
  if (first !== undefined && Buffer.byteLength(first) > CHAIN_NAME_MAX)
    throw wrong(`chain name \`${first}' too long (must be under ${CHAIN_NAME_MAX + 1} chars)`)
  let number: number | undefined
  if ('DILRSZ'.includes(kind) && second !== undefined) {
    number = parseNumber(second, 0x7fffffff, 1)
    if (number === undefined) throw wrong(`Invalid rule number \`${second}'`)
  }
  if (kind === 'R' && number === undefined) throw wrong('-R requires a rule number')
  if (kind === 'R' && rules.length !== 1 && invalid === undefined)
    throw wrong('Replacement rule does not specify a unique address')
  if (kind === 'E' && second === undefined) throw wrong('-E requires old-chain-name and new-chain-name')
  if (kind === 'P' && second === undefined) throw wrong('-P requires a chain and a policy')
  return {
    table,
    kind,
    chain: first,
    number,
    second,
    rules,
    zeroes,
    verbose: options.verbose,
    numeric: options.numeric,
    exact: options.exact,
    lineNumbers: options.lineNumbers,
    warnings: options.warnings,
    invalid,
  }
}

export interface FileRequest {
  readonly counters: boolean
  readonly noflush: boolean
  readonly test: boolean
  readonly verbose: boolean
  readonly table: TableName | undefined
  /** What is read (restore) or written (save) instead of standard input and output. */
  readonly file: string | undefined
  /** For standard error, although all is well. */
  readonly warnings: string
}

interface FileOption {
  /** A value is joined to the letter only where there must be one. */
  readonly letter: string
  readonly name: string
  readonly value: 'none' | 'one' | 'may'
}

const RESTORE: readonly FileOption[] = [
  { letter: 'b', name: 'binary', value: 'none' },
  { letter: 'c', name: 'counters', value: 'none' },
  { letter: 'v', name: 'verbose', value: 'none' },
  { letter: 'V', name: 'version', value: 'none' },
  { letter: 't', name: 'test', value: 'none' },
  { letter: 'h', name: 'help', value: 'none' },
  { letter: 'n', name: 'noflush', value: 'none' },
  { letter: 'w', name: 'wait', value: 'may' },
  { letter: 'W', name: 'wait-interval', value: 'may' },
  { letter: 'M', name: 'modprobe', value: 'one' },
  { letter: 'T', name: 'table', value: 'one' },
]
const SAVE: readonly FileOption[] = [
  { letter: 'b', name: 'binary', value: 'none' },
  { letter: 'c', name: 'counters', value: 'none' },
  { letter: 'd', name: 'dump', value: 'none' },
  { letter: 't', name: 'table', value: 'one' },
  { letter: 'M', name: 'modprobe', value: 'one' },
  { letter: 'f', name: 'file', value: 'one' },
  { letter: 'V', name: 'version', value: 'none' },
]

/** The arguments of iptables-restore and iptables-save. */
export function readFileRequest(args: readonly string[], program: Program): FileRequest | 'version' | 'help' {
  const save = program.kind === 'save'
  const known = save ? SAVE : RESTORE
  let warnings = ''
  const given = new Map<string, string>()
  const operands: string[] = []
  const wrong = (message: string) => new Failure(save ? 1 : 2, `${banner(program)}: ${message}\n`)
  const unknown = (option: string) => new Failure(1, `${banner(program)}: unknown option ${option}\n`)
  for (let i = 0; i < args.length; i++) {
    const word = args[i]
    if (word === '--') {
      operands.push(...args.slice(i + 1))
      break
    }
    if (!/^-./.test(word)) {
      operands.push(word)
      continue
    }
    const take = (option: FileOption, joined: string | undefined) => {
      let value = joined
      if (value === undefined && option.value === 'one') value = args[++i]
      else if (value === undefined && option.value === 'may' && /^[^-]/.test(args[i + 1] ?? '')) value = args[++i]
      if (option.value === 'one' && value === undefined) throw unknown(`'${word}' without a value`)
      if (option.letter === 'w' && value !== undefined && !/^\d+$/.test(value)) throw wrong('wait seconds not numeric')
      if (option.letter === 'W' && value !== undefined && !/^\d+$/.test(value)) throw wrong('wait interval not numeric')
      if (option.letter === 'b') warnings += '-b/--binary option is not implemented\n'
      if (option.letter === 'W') warnings += 'Ignoring deprecated --wait-interval option.\n'
      given.set(option.letter, value ?? '')
    }
    if (word.startsWith('--')) {
      const [, name, joined] = /^--([^=]*)(?:=(.*))?$/s.exec(word) as unknown as string[]
      const fits = known.filter((option) => option.name.startsWith(name))
      const found = known.find((option) => option.name === name) ?? (fits.length === 1 ? fits[0] : undefined)
      const names = known.map((option) => option.name)
      if (found === undefined) throw unknown(`'${word}'${didYouMean(name, names).replace("'", "'--")}`)
      if (found.value === 'none' && joined !== undefined) throw unknown(`'${word}': --${found.name} takes no value`)
      take(found, joined)
      continue
    }
    for (let at = 1; at < word.length; at++) {
      const found = known.find(({ letter }) => letter === word[at])
      if (found === undefined) throw unknown(`'-${word[at]}'`)
      const rest = word.slice(at + 1)
      const joined = found.value === 'one' && rest !== ''
      take(found, joined ? rest : undefined)
      if (joined) break
    }
  }
  if (given.has('V')) return 'version'
  if (given.has('h')) return 'help'
  const tooMany = operands[save ? 0 : 1]
  if (tooMany !== undefined)
    throw new Failure(1, save ? 'Unknown arguments found on commandline\n' : `Unknown arguments found on commandline\n`)
  if (given.has('W') && !given.has('w'))
    throw new Failure(1, `${warnings}Option --wait-interval requires option --wait\n`)
  const named = given.get(save ? 't' : 'T')
  return {
    counters: given.has('c'),
    noflush: given.has('n'),
    test: given.has('t') && !save,
    verbose: given.has('v'),
    table: named === undefined ? undefined : tableOf(named, program),
    file: save ? given.get('f') : operands[0],
    warnings,
  }
}
