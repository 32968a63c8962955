// What a command line of iptables asks for, as data: a command letter with its words checked, and the rules that it is about.

import { BUILTIN_CHAINS, CHAIN_NAME_MAX, type Rule } from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import { type RefusedBy, shown } from '../rule/option.ts'
import type { Complain } from './extension.ts'
import type { Word } from './lexer.ts'
import type { ReadContext } from './read-context.ts'
import { NOT_ENFORCED } from './registry.ts'

export type CommandKind = 'A' | 'D' | 'C' | 'I' | 'R' | 'L' | 'S' | 'F' | 'Z' | 'N' | 'X' | 'E' | 'P'

interface InChain {
  readonly chain: string
  readonly place: Word
}

export type Command =
  | ({ readonly kind: 'append' | 'delete' | 'check'; readonly rules: readonly Rule[] } & InChain)
  | ({ readonly kind: 'insert' | 'replace'; readonly number: number; readonly rules: readonly Rule[] } & InChain)
  | ({ readonly kind: 'delete-number'; readonly number: number } & InChain)
  | ({ readonly kind: 'new' } & InChain)
  | ({ readonly kind: 'policy'; readonly policy: 'ACCEPT' | 'DROP' } & InChain)
  | ({ readonly kind: 'rename'; readonly to: string; readonly toPlace: Word } & InChain)
  | {
      readonly kind: 'flush' | 'zero' | 'delete-chain'
      readonly chain: string | undefined
      readonly place: Word
      readonly number?: number
    }

/** A command's words and rules as they were read, before its own words are judged. */
export interface Read {
  readonly kind: CommandKind
  /** -Z stands with -L or -S. */
  readonly zeroes?: true
  /** The command's own word. */
  readonly name: Word
  readonly words: readonly Word[]
  readonly rules: readonly Rule[]
  readonly invalid?: Invalid
}

/** Why a rule whose words are right cannot stand in any table as it is. */
export interface Invalid {
  readonly message: string
  readonly by: RefusedBy
  /** `verdict` also where it has no target. */
  readonly action: 'verdict' | 'target' | 'jump'
}

export function commandOf(read: Read, context: ReadContext, complain: Complain): Command | undefined {
  const { kind, name, words, rules } = read
  const [first, second] = words
  const refuse = (word: Word, message: string, by?: RefusedBy) => {
    complain(word.column, message, by)
    return undefined
  }
  if (kind === 'L' || kind === 'S')
    return refuse(name, `${name.text} only prints: expected a command that changes rules`)
  if (kind === 'F' || kind === 'X' || kind === 'Z') {
    if (second === undefined)
      return {
        kind: ({ F: 'flush', X: 'delete-chain', Z: 'zero' } as const)[kind],
        chain: first?.text,
        place: first ?? name,
      }
    const number = ruleNumber(second, complain)
    return number === undefined ? undefined : { kind: 'zero', chain: first.text, place: first, number }
  }
  const at: InChain = { chain: first.text, place: first }
  switch (kind) {
    case 'A':
      return { kind: 'append', rules, ...at }
    case 'C':
      return { kind: 'check', rules, ...at }
    case 'D': {
      if (second === undefined) return { kind: 'delete', rules, ...at }
      const number = ruleNumber(second, complain)
      return number === undefined ? undefined : { kind: 'delete-number', number, ...at }
    }
    case 'I':
    case 'R': {
      if (second === undefined && kind === 'R')
        return refuse(name, '-R needs a rule number: expected -R CHAIN NUMBER and a rule')
      const number = second === undefined ? 1 : ruleNumber(second, complain)
      if (number === undefined) return undefined
      if (kind === 'R' && rules.length !== 1)
        return refuse(name, '-R takes one rule: expected one source and one destination')
      return { kind: kind === 'I' ? 'insert' : 'replace', number, rules, ...at }
    }
    case 'N': {
      const wrong = wrongName(first.text, context)
      const by = BUILTIN_CHAINS[context.table].includes(first.text) ? 'tables' : undefined
      return wrong === undefined ? { kind: 'new', ...at } : refuse(first, wrong, by)
    }
    case 'E': {
      if (second === undefined) return refuse(name, '-E needs the old and the new name of a chain')
      const wrong = wrongName(second.text, context)
      return wrong === undefined ? { kind: 'rename', to: second.text, toPlace: second, ...at } : refuse(second, wrong)
    }
    case 'P':
      if (second === undefined) return refuse(name, '-P needs a chain and a policy: expected ACCEPT or DROP')
      if (second.text === 'DROP' && context.table === 'nat')
        return refuse(second, 'table nat is not for filtering: expected policy ACCEPT')
      if (second.text === 'ACCEPT' || second.text === 'DROP') return { kind: 'policy', policy: second.text, ...at }
      return refuse(second, `${shown(second.text)} is no policy: expected ACCEPT or DROP`, 'tables')
  }
}

function ruleNumber(word: Word, complain: Complain): number | undefined {
  const number = parseNumber(word.text, 0x7fffffff, 1)
  if (number === undefined) complain(word.column, `${shown(word.text)} is no rule number: expected 1 or more`)
  return number
}

/** What is wrong with a name for a new chain, as -N judges it. */
export function wrongName(name: string, { registry, family, table }: ReadContext): string | undefined {
  const wrong = wrongChainName(name)
  if (wrong !== undefined) return wrong
  if (/^[-!]/.test(name)) return `${shown(name)} is no chain name: expected another first character than - and !`
  if (registry.target(name, family) !== undefined || NOT_ENFORCED.target.has(name))
    return `${name} is a target's name: expected another`
  if (BUILTIN_CHAINS[table].includes(name)) return `${name} is a built-in chain already`
  return undefined
}

/** What no chain's name can be, in a `:CHAIN` line too. */
export function wrongChainName(name: string): string | undefined {
  if (name === '') return 'the chain has no name'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be found
  if (/[\s\x00-\x1f]/.test(name)) return `${shown(name)} is no chain name: expected no blanks and no control characters`
  if (Buffer.byteLength(name) > CHAIN_NAME_MAX)
    return `${shown(name)} is too long a chain name: expected at most ${CHAIN_NAME_MAX} bytes`
  return undefined
}
