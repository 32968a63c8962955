// The words of a conntrack command into what is asked for, walked as getopt_long does it: a word that is no option may stand
// anywhere, and directly behind the command it names the table.

import { wrongUsage } from './fault.ts'
import {
  byLetter,
  byName,
  COMMAND_NAMES,
  type CommandLetter,
  expectProtocolFault,
  type OptionShape,
  optionFault,
  protocolFault,
} from './options.ts'
import { type Environment, type Request, RequestBuilder } from './request.ts'

export type Table = 'conntrack' | 'expect' | 'dying' | 'unconfirmed'
const TABLES: readonly string[] = ['conntrack', 'expect', 'dying', 'unconfirmed']

/** Throws a Fault. */
export function parseArguments(words: readonly string[], environment: Environment): Request {
  return new Walk(words, environment).parse()
}

class Walk {
  readonly #words: readonly string[]
  readonly #builder: RequestBuilder
  #at = 0
  #command: CommandLetter | undefined
  #table: Table | undefined
  #file: string | undefined

  constructor(words: readonly string[], environment: Environment) {
    this.#words = words
    this.#builder = new RequestBuilder(environment)
  }

  parse(): Request {
    while (this.#at < this.#words.length) {
      const word = this.#words[this.#at++]
      if (word === '--') break
      if (word.startsWith('--')) this.#long(word)
      else if (word.startsWith('-') && word.length > 1) this.#letters(word)
    }
    const command = this.#command ?? 'h'
    const table = this.#table ?? 'conntrack'
    this.#check(command, table)
    return this.#builder.request(command, table, this.#file)
  }

  #check(command: CommandLetter, table: Table): void {
    if (command === 'R') return
    if (table !== 'conntrack' && table !== 'expect' && command !== 'L')
      throw wrongUsage("Can't do that command with tables `dying' and `unconfirmed'")
    if (table === 'expect' && (command === 'U' || command === 'A'))
      throw wrongUsage(`Can't do --${COMMAND_NAMES[command]} on expectations`)
    const builder = this.#builder
    const { given, protocol } = builder
    const fault = optionFault(table === 'expect' ? `${command} expect` : command, given)
    if (fault !== undefined) throw wrongUsage(fault)
    builder.finish(command, table)
    if (protocol === undefined) return
    const own = (table === 'expect' ? expectProtocolFault : protocolFault)(command, protocol, given)
    if (own !== undefined) throw wrongUsage(own)
  }

  #long(word: string): void {
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const found = byName(name, this.#builder.protocol)
    if (found === undefined) throw wrongUsage(`unknown option \`${word}'`)
    this.#take(found, word, equals < 0 ? undefined : word.slice(equals + 1))
  }

  #letters(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const found = byLetter(word[i])
      if (found === undefined) throw wrongUsage(`unknown option \`${word}'`)
      const rest = word.slice(i + 1)
      const takes = typeof found === 'string' ? found === 'R' : found.argument !== 'none'
      this.#take(found, word, takes && rest !== '' ? rest : undefined, i + 1 === word.length)
      if (takes) return
    }
  }

  /** @param last it ends its word: the next word may be its argument */
  #take(found: OptionShape | CommandLetter, word: string, attached: string | undefined, last = true): void {
    if (typeof found === 'string') return this.#takeCommand(found, word, attached, last)
    let value = attached
    if (value === undefined && found.argument === 'required') {
      if (this.#at >= this.#words.length) throw wrongUsage(`option \`${word}' requires an argument`)
      value = this.#words[this.#at++]
    } else if (value === undefined && found.argument === 'optional' && last) value = this.#behind()
    this.#builder.take(found.name, value)
  }

  #takeCommand(command: CommandLetter, word: string, attached: string | undefined, last: boolean): void {
    if (this.#command !== undefined) throw wrongUsage('Invalid commands combination')
    this.#command = command
    if (command === 'R') {
      if (attached === undefined && this.#at >= this.#words.length) throw wrongUsage(`unknown option \`${word}'`)
      this.#file = attached ?? this.#words[this.#at++]
      return
    }
    if (command === 'V') return
    const table = attached ?? (last ? this.#behind() : undefined)
    if (table === undefined) return
    if (!TABLES.includes(table)) throw wrongUsage(`unknown type \`${table}'`)
    this.#table = table as Table
  }

  /** The next word, if it is no option. */
  #behind(): string | undefined {
    const next = this.#words[this.#at]
    if (next === undefined || next.startsWith('-') || next.startsWith('!')) return undefined
    this.#at++
    return next
  }
}
