// The commands by the names under which they are called, what they print of themselves, and how they fail: exit status and
// text as programs read them (1 for what the rules as they are do not allow, 2 for wrong usage, 3 for a table that is not).

import type { CountsOf } from '../rule/counters.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import type { SetFamilies } from '../rule/set-reference.ts'
import type { IsThere } from '../rule/shared-names.ts'
import type { Registry } from './registry.ts'

export interface Program {
  readonly kind: 'command' | 'restore' | 'save'
  /** As it says of itself: `iptables-restore`, whatever it was called as. */
  readonly name: string
  readonly family: Family
  readonly variant: 'legacy' | 'nf_tables'
}

export const VERSION = 'v1.8.9'

const NAME = /^(ip6?tables)(?:-(legacy|nft))?(-save|-restore)?$/

/** `iptables`, `iptables-legacy-save`, `ip6tables-nft`, ...; undefined for any other name. */
export function programOf(given: string): Program | undefined {
  const found = NAME.exec(given)
  if (found === null) return undefined
  const [, base, variant, behind = ''] = found
  // The nft tools for files say of themselves what they are called.
  const called = variant === 'nft' && behind !== '' ? `${base}-nft${behind}` : base + behind
  return {
    kind: behind === '' ? 'command' : behind === '-save' ? 'save' : 'restore',
    name: called,
    family: base === 'iptables' ? 4 : 6,
    variant: variant === 'nft' ? 'nf_tables' : 'legacy',
  }
}

/** Names that hold several programs: the first argument says which. */
export const MULTI = ['xtables-legacy-multi', 'xtables-nft-multi']

export interface Outcome {
  /** The same object where nothing was changed. */
  readonly ruleSet: RuleSet
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

/** What a command is applied with, besides the rule set and its words. */
export interface Surrounding {
  readonly program: Program
  /** What matches and targets there are; the built-in ones when left out. */
  readonly declarations?: Registry
  /** Counts as they are now; what the rule set began with where this is left out. */
  readonly countsOf?: CountsOf
  /** The sets that rules may name; any where this is left out. */
  readonly sets?: SetFamilies
  /** The other family's rules: names that rules share are the same for both. */
  readonly other?: RuleSet
  /** What else is there that rules may name. */
  readonly isThere?: IsThere
  /** For the comment lines of iptables-save; left out, there are none. */
  readonly date?: Date
}

/** Ends a command; what it did so far is as if it had not been. */
export class Failure {
  readonly status: number
  readonly stderr: string

  constructor(status: number, stderr: string) {
    this.status = status
    this.stderr = stderr
  }
}

export function banner({ name, variant }: Program): string {
  return `${name} ${VERSION} (${variant})`
}

const tryHelp = ({ name }: Program) => `Try \`${name} -h' or '${name} --help' for more information.\n`

export function wrongUsage(program: Program, message: string): Failure {
  return new Failure(2, `${banner(program)}: ${message}\n${tryHelp(program)}`)
}

/** The same of a line of a rule file. */
export function wrongLine(program: Program, messages: readonly string[], line: number): Failure {
  const said = messages.map((message) => `${banner(program)}: ${message}\n`).join('')
  return new Failure(2, `${said}Error occurred at line: ${line}\n${tryHelp(program)}`)
}

/** What the rules as they are do not allow. */
export function refused(program: Program, message: string): Failure {
  return new Failure(1, `${program.name}: ${message}\n`)
}

export function noTable(program: Program, table: string, reason: string): Failure {
  const base = program.name.replace(/-.*/, '')
  if (program.kind === 'save') return new Failure(1, `${banner(program)}: Cannot initialize: ${reason}\n`)
  if (program.variant === 'nf_tables')
    return new Failure(
      3,
      `${banner(program)}: table '${table}' does not exist\nPerhaps ${base} or your kernel needs to be upgraded.\n`,
    )
  return new Failure(
    3,
    `${banner(program)}: can't initialize ${base} table \`${table}': ${reason}\nPerhaps ${base} or your kernel needs to be upgraded.\n`,
  )
}

export const NO_SUCH_TABLE = 'Table does not exist (do you need to insmod?)'

/** Runs a command to its end or its failure. */
export function outcome(ruleSet: RuleSet, run: () => Outcome): Outcome {
  try {
    return run()
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure
    return { ruleSet, stdout: '', stderr: failure.stderr, status: failure.status }
  }
}
