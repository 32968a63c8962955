// Rule files are long because the same rule stands in them again and again with other names: other addresses, another comment,
// another chain of one's own. A line that differs from one before in nothing but these is the same rule with holes filled
// otherwise: it need not be read by the reader of rules, and what it has in common with the one before is the same objects,
// kept once.
//
// What always holds: a line is taken this way only if the reader took one like it, without complaint, as one rule that is
// appended, with just these words in just these holes; whatever is unusual (another quote, a tab, an address that is no plain
// one) is left to the reader.

import { maskWords, parseStrict } from '../rule/address.ts'
import { CommentedRule, KeptRule, keptNetwork } from '../rule/kept-rule.ts'
import type { Action, Counters, Family, MatchUse, Negatable, Network, Rule } from '../rule/model.ts'
import type { Command } from './command.ts'
import { owned } from './lexer.ts'

/** Kinds of lines that are kept; beyond, it begins anew. */
const KEPT_MAX = 8192
/** The same for comments. */
const COMMENTS_MAX = 65_536

/** Comments that are longer are left to the reader, which knows how long they may be. */
const COMMENT_MAX = 60

/** The name of a chain of one's own, as it is kept, if there is one at this line. */
export type OwnChain = (name: string) => string | undefined

export class Templates {
  readonly #family: Family
  readonly #ownChain: OwnChain
  readonly #known = new Map<string, KeptRule>()
  /** What is the same wherever it stands, by its words. */
  readonly #comments = new Map<string, MatchUse>()
  readonly #jumps = new Map<string, Action>()
  // What the last line was taken apart into.
  #key = ''
  #chain = ''
  #source: string | undefined
  #destination: string | undefined
  #comment: string | undefined
  #jump: string | undefined
  /** Of the first word of the line that was read last, counted from 1. */
  column = 1
  /** The last line may be learnt. */
  #plain = false

  constructor(family: Family, ownChain: OwnChain) {
    this.#family = family
    this.#ownChain = ownChain
  }

  /** Something besides appending changes which lines are right. */
  forget(): void {
    this.#known.clear()
    this.#plain = false
  }

  /**
   * A line from `from` on, as the rule to append and its chain; undefined where the reader has to read it.
   */
  read(text: string, from: number, counters: Counters): { chain: string; rule: Rule } | undefined {
    this.#plain = this.#takeApart(text, from)
    if (!this.#plain) return undefined
    const like = this.#known.get(this.#key)
    if (like === undefined) return undefined
    const source = this.#like(this.#source, like.source)
    const destination = this.#like(this.#destination, like.destination)
    if (source === null || destination === null) return undefined
    const action = this.#jump === undefined || like.action?.kind !== 'jump' ? like.action : this.#jumpTo(like.action)
    const rest = { source, destination, action, counters }
    const rule =
      this.#comment === undefined
        ? new KeptRule(like.common, rest)
        : new CommentedRule(like.common, this.#commented(like, this.#comment), rest)
    return { chain: this.#chain, rule }
  }

  #jumpTo(like: Extract<Action, { kind: 'jump' }>): Action {
    const chain = this.#jump ?? like.chain
    const found = this.#jumps.get(chain)
    if (found?.kind === 'jump' && found.goto === like.goto) return found
    const made: Action = { ...like, chain }
    this.#jumps.set(chain, made)
    return made
  }

  #commented({ matches }: Rule, text: string): MatchUse {
    let use = this.#comments.get(text)
    if (use === undefined) {
      const { declaration } = matches.find((each) => each.declaration.name === 'comment') as MatchUse
      const comment = owned(text)
      use = { declaration, options: { comment } }
      if (this.#comments.size === COMMENTS_MAX) this.#comments.clear()
      this.#comments.set(comment, use)
    }
    return use
  }

  /** The reader took the line that read() was last asked for. */
  learn(command: Command): void {
    if (!this.#plain || command.kind !== 'append' || command.rules.length !== 1) return
    const [rule] = command.rules
    // Words that stand where a hole's would, and are something else.
    if (command.chain !== this.#chain) return
    if (!this.#stands(this.#source, rule.source) || !this.#stands(this.#destination, rule.destination)) return
    const comments = rule.matches.filter(({ declaration }) => declaration.name === 'comment')
    if (this.#comment !== undefined && (comments.length !== 1 || comments[0].options.comment !== this.#comment)) return
    if (this.#jump !== undefined && (rule.action?.kind !== 'jump' || rule.action.chain !== this.#jump)) return
    if (this.#known.size === KEPT_MAX) this.#known.clear()
    if (rule instanceof KeptRule) this.#known.set(this.#key, rule)
  }

  #stands(word: string | undefined, network: Negatable<Network> | undefined): boolean {
    if (word === undefined) return network === undefined
    const read = this.#network(word)
    if (read === undefined || network === undefined) return false
    return same(read.address, network.value.address) && same(read.mask, network.value.mask)
  }

  /** The word as the same part of a rule; null where it has to be read. */
  #like(word: string | undefined, part: Negatable<Network> | undefined): Negatable<Network> | undefined | null {
    if (word === undefined || part === undefined) return part
    const value = this.#network(word)
    // 0/0 is the same as leaving it out.
    return value === undefined || value.mask[0] === 0 ? null : keptNetwork(value, part.not)
  }

  /** `A.B.C.D` or `A.B.C.D/LENGTH` of IPv4, or the like of IPv6; undefined for every other form. */
  #network(word: string): Network | undefined {
    const slash = word.indexOf('/')
    const full = this.#family === 4 ? 32 : 128
    let length = full
    if (slash >= 0) {
      length = lengthOf(word, slash + 1)
      if (length < 0 || length > full) return undefined
    }
    const text = slash < 0 ? word : word.slice(0, slash)
    const address = this.#family === 4 ? parts(text) : parseStrict(text, 6)
    if (address === undefined) return undefined
    const mask = maskWords(length, this.#family)
    for (let i = 0; i < address.length; i++) if ((address[i] & ~mask[i]) !== 0) return undefined
    return { address, mask }
  }

  /** Finds the holes; false where the line is unusual. */
  #takeApart(text: string, from: number): boolean {
    this.#source = undefined
    this.#destination = undefined
    this.#comment = undefined
    this.#jump = undefined
    if (text.includes('\t', from)) return false
    const begin = text.startsWith(' ', from) ? from + 1 : from
    if (!text.startsWith('-A ', begin)) return false
    this.column = begin + 1
    let at = endOfWord(text, begin + 3)
    this.#chain = text.slice(begin + 3, at)
    // A chain of one's own is as good as another; for built-in ones some options are not.
    let key = this.#ownChain(this.#chain) !== undefined ? '-A \0' : text.slice(begin, at)
    const quote = text.indexOf('"', at)
    const source = text.indexOf(' -s ', at)
    const destination = text.indexOf(' -d ', at)
    for (;;) {
      let next = -1
      for (const place of [source, destination, quote]) if (place >= at && (next < 0 || place < next)) next = place
      if (next < 0) break
      let end: number
      if (next === quote) {
        end = text.indexOf('"', quote + 1) + 1
        const comment = text.slice(quote + 1, end - 1)
        if (end === 0 || text.includes('"', end) || text[end] !== ' ' || !isPlainComment(text, quote, comment))
          return false
        this.#comment = comment
        key += `${text.slice(at, next)}\0`
      } else {
        end = endOfWord(text, next + 4)
        const word = text.slice(next + 4, end)
        if (next === source) this.#source = word
        else this.#destination = word
        key += `${text.slice(at, next + 4)}\0`
      }
      at = end
    }
    const jump = text.lastIndexOf(' -j ')
    if (jump >= at) {
      this.#jump = this.#ownChain(text.slice(jump + 4))
      if (this.#jump !== undefined) {
        this.#key = `${key}${text.slice(at, jump + 4)}\0`
        return true
      }
    }
    this.#key = key + text.slice(at)
    return true
  }
}

function isPlainComment(text: string, quote: number, comment: string): boolean {
  return (
    comment.length > 0 &&
    comment.length <= COMMENT_MAX &&
    text.endsWith(' --comment ', quote) &&
    !comment.includes('\\')
  )
}

function endOfWord(text: string, from: number): number {
  const end = text.indexOf(' ', from)
  return end < 0 ? text.length : end
}

/** A prefix length's digits from `at` to the end; -1 for anything else. */
function lengthOf(word: string, at: number): number {
  if (at === word.length || word.length - at > 3) return -1
  let length = 0
  for (let i = at; i < word.length; i++) {
    const digit = word.charCodeAt(i) - 48
    if (digit < 0 || digit > 9 || (length === 0 && i > at)) return -1
    length = length * 10 + digit
  }
  return length
}

/** Four decimal parts without leading zeros. */
function parts(text: string): readonly number[] | undefined {
  let address = 0
  let part = -1
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit === -2) {
      if (part < 0) return undefined
      address = (address << 8) | part
      part = -1
      dots++
    } else if (digit < 0 || digit > 9 || part === 0) return undefined
    else {
      part = part < 0 ? digit : part * 10 + digit
      if (part > 255) return undefined
    }
  }
  return dots === 3 && part >= 0 ? [(address << 8) | part] : undefined
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i])
}
