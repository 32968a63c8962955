// What an option of a match or target can be. An Option knows how many words it takes, reads them (or says what it
// expected), prints its value as iptables-save does, and carries what the declaration says of it: aliases, whether `!` may
// stand before it, whether it must be given, what it is when it was not. Options are immutable; a modifier gives a new one.
// Networks, ports and the like are in kinds.ts.

import type { Family, Negatable } from './model.ts'
import { isNumber, parseNumber } from './number.ts'

/** What the rule has said before this option: some values are read differently for one protocol or family. */
export interface ParseContext {
  readonly family: Family
  readonly protocol?: Negatable<number>
}

/**
 * Why the kernel takes no such rule, although its words are right: it cannot stand there (Linux: EINVAL), names what is not there
 * (ENOENT), or has a number that is too large (ERANGE). iptables fails with another exit status than for wrong words.
 */
export type RefusedBy = 'tables' | 'missing' | 'range'

/** Why a value was not taken. */
export class Problem {
  readonly message: string
  /** Which of the option's words is meant. */
  readonly word: number
  /** Where it is the kernel that would not take it. */
  readonly by: RefusedBy | undefined

  constructor(message: string, word = 0, by?: RefusedBy) {
    this.message = message
    this.word = word
    this.by = by
  }
}

/** A value's text and meaning; what every option has at its core. */
export interface Kind<T> {
  /** Words that follow the option's name. */
  readonly words: number
  /** Of one word: it may be left out, where none follows that could be a value. */
  readonly optional?: true
  /** What a value looks like, for messages and help: `a port from 0 to 65535`. */
  readonly expects: string
  parse(words: readonly string[], context: ParseContext): T | Problem
  /** As iptables-save prints it, behind the option's name; '' for an option without a value. */
  format(value: T): string
  /** As `iptables -L` prints it without -n, where that is a name. */
  formatNamed?(value: T): string
  /** So that it can be read again, where what iptables-save prints cannot. */
  formatWhole?(value: T): string
}

interface Traits<T, Negated extends boolean> {
  readonly negated: Negated
  readonly aliases: readonly string[]
  readonly isRequired: boolean
  /** It may be given again, and the last counts. */
  readonly repeats: boolean
  /** It ends a part of the rule's words: these may be given anew behind it. Its value is what was given before, part by part. */
  readonly renews: readonly string[]
  readonly initial: T | undefined
  readonly savesInitial: boolean
  readonly summary: string
}

/**
 * @typeParam Negated `! --name` is allowed, and the value comes as { value, not }
 * @typeParam Present the value is always there: the option is required or has a default
 */
export class Option<T, Negated extends boolean = boolean, Present extends boolean = boolean> {
  readonly kind: Kind<T>
  readonly traits: Traits<T, Negated>
  /** Only a type. */
  declare readonly present: Present

  constructor(kind: Kind<T>, traits: Traits<T, Negated>) {
    this.kind = kind
    this.traits = traits
  }

  /** `!` may stand before it. */
  negatable(): Option<T, true, Present> {
    return new Option(this.kind, { ...this.traits, negated: true })
  }

  /** Other names under which it is read; it is saved under the name by which it is declared. */
  alias(...names: string[]): Option<T, Negated, Present> {
    return new Option(this.kind, { ...this.traits, aliases: names })
  }

  /** It must be given. */
  required(): Option<T, Negated, true> {
    return new Option(this.kind, { ...this.traits, isRequired: true })
  }

  /** It may be given again, and the last counts. */
  repeatable(): Option<T, Negated, Present> {
    return new Option(this.kind, { ...this.traits, repeats: true })
  }

  /** What it is when it is not given. Then, and when it is given and the same, it is not saved unless `saved` is true. */
  default(value: T, saved = false): Option<T, Negated, true> {
    return new Option(this.kind, { ...this.traits, initial: value, savesInitial: saved })
  }

  /** One line for help and documentation. */
  help(summary: string): Option<T, Negated, Present> {
    return new Option(this.kind, { ...this.traits, summary })
  }
}

/** Makes an option of a kind of one's own. */
export function option<T>(kind: Kind<T>): Option<T, false, false> {
  return new Option<T, false, false>(kind, {
    negated: false,
    aliases: [],
    isRequired: false,
    repeats: false,
    renews: [],
    initial: undefined,
    savesInitial: false,
    summary: '',
  })
}

/** An option without a value of its own, behind which the named ones are given anew; it holds their values before it. */
export function renewing(names: readonly string[]): Option<readonly Readonly<Record<string, unknown>>[], false, false> {
  const kind = { words: 0, expects: 'nothing', parse: () => [], format: () => '' }
  const plain = option<readonly Readonly<Record<string, unknown>>[]>(kind)
  return new Option(plain.kind, { ...plain.traits, renews: names })
}

/** An option of one word. */
export function word<T>(
  expects: string,
  parse: (word: string, context: ParseContext) => T | Problem,
  format: (value: T) => string,
): Option<T, false, false> {
  return option({ words: 1, expects, parse: ([text], context) => parse(text, context), format })
}

/** The problem that every kind has: this is not what was expected. */
export function unexpected(text: string, expects: string): Problem {
  return new Problem(`${shown(text)} is not understood: expected ${expects}`)
}

/** A word as messages show it: quoted, not too long, control characters escaped. */
export function shown(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be found
  const plain = short.replace(/[\x00-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return `'${plain}'`
}

/** Text in the form in which iptables-save prints strings: plain if it is of letters, digits, `_` and `-` alone. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9_-]+$/.test(text) ? text : `"${text.replace(/["'\\]/g, '\\$&')}"`
}

/** A name that is saved as it stands, whatever is in it. */
export function bareName(expects: string, read: (text: string) => string | Problem): Option<string, false, false> {
  return option({
    words: 1,
    expects,
    parse: ([text]) => read(text),
    format: (name) => name,
    formatWhole: (name) => (/^[^\s"'\\]+$/.test(name) ? name : quoted(name)),
  })
}

/** An option without a value. */
export function flag(): Option<true, false, false> {
  return option({ words: 0, expects: 'nothing', parse: () => true, format: () => '' })
}

interface NumberOptions {
  readonly min?: number
  readonly max?: number
  /** 16 prints 0x...; 10 when left out. All bases are read. */
  readonly base?: 10 | 16
}

function number(most: number, { min = 0, max = most, base = 10 }: NumberOptions): Option<number, false, false> {
  const expects = `a number from ${min} to ${max}`
  return word(
    expects,
    (text) => {
      const value = parseNumber(text, max, min)
      if (value !== undefined) return value
      if (isNumber(text)) return new Problem(`${shown(text)} is out of range: expected ${expects}`)
      return unexpected(text, expects)
    },
    (value) => (base === 16 ? `0x${value.toString(16)}` : String(value)),
  )
}

export function u8(options: NumberOptions = {}): Option<number, false, false> {
  return number(0xff, options)
}

export function u16(options: NumberOptions = {}): Option<number, false, false> {
  return number(0xffff, options)
}

/** Up to 4294967295, not int32. */
export function u32(options: NumberOptions = {}): Option<number, false, false> {
  return number(0xffffffff, options)
}

export interface Range {
  readonly min: number
  readonly max: number
}

/** `N` or `FROM:TO`, either end left out for the least and the most; reversed ranges stay as they are (and match nothing). */
export function u32Range(): Option<Range, false, false> {
  const expects = 'a number or a range FROM:TO, from 0 to 4294967295'
  return word(
    expects,
    (text) => {
      const parts = text.split(':')
      const min = parts[0] === '' && parts.length === 2 ? 0 : parseNumber(parts[0], 0xffffffff)
      const max = parts.length === 1 ? min : parts[1] === '' ? 0xffffffff : parseNumber(parts[1], 0xffffffff)
      if (parts.length > 2 || min === undefined || max === undefined) return unexpected(text, expects)
      return { min, max }
    },
    ({ min, max }) => (min === max ? String(min) : `${min}:${max}`),
  )
}

interface TextOptions {
  /** Bytes. */
  readonly max: number
  /** What is longer is cut off there, as iptables does with --log-prefix. */
  readonly cut?: boolean
  readonly min?: number
  /** Line breaks may stand in it. */
  readonly lines?: boolean
}

/** Free text, quoted when it is saved. */
export function text({ max, cut = false, min = 0, lines = false }: TextOptions): Option<string, false, false> {
  const expects = `text of ${min > 0 ? `${min} to ` : 'at most '}${max} bytes`
  return word(
    expects,
    (given) => {
      if (given.length < min) return new Problem(`the text is empty: expected ${expects}`)
      if (!lines && given.includes('\n')) return new Problem(`the text holds a line break: expected ${expects}`)
      const bytes = Buffer.byteLength(given)
      if (bytes <= max) return given
      if (!cut) return new Problem(`the text has ${bytes} bytes: expected ${expects}`)
      let short = ''
      let length = 0
      for (const character of given) {
        length += Buffer.byteLength(character)
        if (length > max) break
        short += character
      }
      return short
    },
    quoted,
  )
}

interface OneOfOptions {
  /** The beginning of a name is enough; the first that fits is taken. */
  readonly abbreviated?: boolean
  readonly anyCase?: boolean
  /** Other names, to the name that they stand for. */
  readonly aliases?: Readonly<Record<string, string>>
}

/** One name of a list. */
export function oneOf<const N extends string>(
  names: readonly N[],
  { abbreviated = false, anyCase = false, aliases = {} }: OneOfOptions = {},
): Option<N, false, false> {
  const expects = names.length > 1 ? `one of ${names.join(', ')}` : names[0]
  const known: readonly [string, N][] = names.flatMap((name) => [
    [name, name] as [string, N],
    ...Object.keys(aliases)
      .filter((alias) => aliases[alias] === name)
      .map((alias) => [alias, name] as [string, N]),
  ])
  const plain = (name: string) => (anyCase ? name.toLowerCase() : name)
  return word(
    expects,
    (given) => {
      const wanted = plain(given)
      const fits = (name: string) => (abbreviated ? plain(name).startsWith(wanted) : plain(name) === wanted)
      const found = wanted === '' ? undefined : known.find(([name]) => fits(name))
      return found === undefined ? unexpected(given, expects) : found[1]
    },
    (value) => value,
  )
}

/**
 * A list of names, joined by commas, as the sum of their bits. Each may be abbreviated, in any case, to a beginning that
 * the first fitting name in `bits` is taken for; `order` is the order in which they are saved.
 */
export function bitNames<N extends string>(
  bits: Readonly<Record<N, number>>,
  { order = Object.keys(bits) as N[], none }: { order?: readonly N[]; none?: string } = {},
): Option<number, false, false> {
  const names = Object.keys(bits) as N[]
  const expects = `one or more of ${(none === undefined ? names : [none, ...names]).join(',')}, joined by commas`
  return word(
    expects,
    (given) => {
      let sum = 0
      for (const part of given.split(',')) {
        const wanted = part.toUpperCase()
        if (wanted !== '' && none?.startsWith(wanted)) continue
        const found = names.find((name) => name.startsWith(wanted))
        if (wanted === '' || found === undefined) return unexpected(part === '' ? given : part, expects)
        sum |= bits[found]
      }
      return sum
    },
    (value) => {
      const set = order.filter((name) => (value & bits[name]) !== 0)
      return set.length === 0 && none !== undefined ? none : set.join(',')
    },
  )
}

/** Several values of a one-word kind, joined by commas. */
export function list<T>(of: Option<T>, { max }: { max: number }): Option<readonly T[], false, false> {
  const expects = `up to ${max} of these, joined by commas: ${of.kind.expects}`
  return word(
    expects,
    (given, context) => {
      const values: T[] = []
      for (const part of given.split(',')) {
        const value = of.kind.parse([part], context)
        if (value instanceof Problem) return value
        values.push(value)
      }
      if (values.length > max) return new Problem(`${shown(given)} has ${values.length} parts: expected ${expects}`)
      return values
    },
    (values) => values.map((value) => of.kind.format(value)).join(','),
  )
}

/** An option that Linux has and that nothing here enforces: it is known, so that it can be refused with the reason. */
export function notEnforced(words: number, reason: string): Option<never, false, false> {
  const problem = new Problem(`not enforced: ${reason}`)
  return option<never>({ words, expects: 'not to be used', parse: () => problem, format: () => '' })
}
