// What a rule says with iptables' own options: addresses, devices, protocol, fragments. Each may stand once.

import { KeptRule, keptNetwork } from '../rule/kept-rule.ts'
import { EXPECTS_PROTOCOL, readInterface, readNetwork, readProtocol } from '../rule/kinds.ts'
import type { Family, InterfaceName, Negatable, Network, Rule } from '../rule/model.ts'
import { Problem, shown } from '../rule/option.ts'
import type { Complain } from './extension.ts'
import type { Word } from './lexer.ts'

interface Seen<T> extends Negatable<T> {
  /** Where its option stands. */
  readonly word: Word
}

/** Headers of IPv6 that stand before the protocol: no packet has one of these as its own. */
const EXTENSION_HEADERS = new Set([43, 44, 51, 60])

/** What else a rule has. */
type Rest = Pick<Rule, 'matches' | 'action' | 'counters'>

export class ConditionReader {
  readonly #family: Family
  readonly #complain: Complain
  readonly #warn: ((message: string) => void) | undefined
  #given = ''
  #sources: Seen<readonly Network[]> | undefined
  #destinations: Seen<readonly Network[]> | undefined
  #in: Seen<InterfaceName> | undefined
  #out: Seen<InterfaceName> | undefined
  #protocol: Negatable<number> | undefined
  #fragment: Negatable<true> | undefined

  constructor(family: Family, complain: Complain, warn?: (message: string) => void) {
    this.#family = family
    this.#complain = complain
    this.#warn = warn
  }

  /** -p as far as it is known; undefined for every protocol. */
  get protocol(): Negatable<number> | undefined {
    return this.#protocol
  }

  /** @param option as it was written  @param value the word behind it; -f has none */
  take(letter: string, option: Word, value: Word, not: boolean): void {
    if (this.#given.includes(letter))
      return this.#complain(option.column, `multiple ${option.text} flags not allowed: expected one`)
    this.#given += letter
    switch (letter) {
      case 's':
        this.#sources = this.#networks(option, value, not)
        return
      case 'd':
        this.#destinations = this.#networks(option, value, not)
        return
      case 'i':
        this.#in = this.#interface(option, value, not)
        return
      case 'o':
        this.#out = this.#interface(option, value, not)
        return
      case 'p':
        this.#protocol = this.#readProtocol(value, not)
        return
      case 'f':
        if (this.#family === 6) this.#complain(option.column, '-f is not for IPv6: expected -m frag')
        this.#fragment = { value: true, not }
    }
  }

  #networks(option: Word, word: Word, not: boolean): Seen<readonly Network[]> {
    const networks: Network[] = []
    let { column } = word
    for (const part of word.text.split(',')) {
      const network = readNetwork(part, this.#family)
      if (network instanceof Problem) this.#complain(column, network.message)
      else networks.push(network)
      column += part.length + 1
    }
    return { value: networks, not, word: option }
  }

  #interface(option: Word, word: Word, not: boolean): Seen<InterfaceName> | undefined {
    const name = readInterface(word.text)
    if (!(name instanceof Problem)) return { value: name, not, word: option }
    this.#complain(word.column, name.message)
    return undefined
  }

  #readProtocol(word: Word, not: boolean): Negatable<number> | undefined {
    const value = readProtocol(word.text)
    if (value === undefined)
      this.#complain(word.column, `${shown(word.text)} is not understood: expected ${EXPECTS_PROTOCOL}`)
    else if (value === 0 && not) this.#complain(word.column, '! -p all would match nothing')
    if (this.#family === 6 && !not && value !== undefined && EXTENSION_HEADERS.has(value))
      this.#warn?.(`Warning: never matched protocol: ${word.text}. use extension match instead.`)
    return value === undefined || value === 0 ? undefined : { value, not }
  }

  /** Complains of what cannot be in this chain, and of what cannot stand together. */
  check(chain: string): void {
    if (this.#in !== undefined && (chain === 'OUTPUT' || chain === 'POSTROUTING'))
      this.#complain(this.#in.word.column, `Can't use -i with ${chain}, where a packet comes from no device`)
    if (this.#out !== undefined && (chain === 'INPUT' || chain === 'PREROUTING'))
      this.#complain(this.#out.word.column, `Can't use -o with ${chain}, where a packet goes to no device yet`)
    // Several addresses are several rules, of which one or the other would match whatever is negated.
    const both = [this.#sources, this.#destinations]
    const not = both.find((seen) => seen?.not)
    if (not !== undefined && both.some((seen) => seen !== undefined && seen.value.length > 1))
      this.#complain(not.word.column, '! cannot stand in a rule with several addresses')
  }

  /** A rule for each pair of source and destination, all else being equal. */
  rules(rest: Rest): Rule[] {
    const rules: Rule[] = []
    const { matches, action, counters } = rest
    const common = {
      inInterface: device(this.#in),
      outInterface: device(this.#out),
      protocol: this.#protocol,
      fragment: this.#fragment,
      matches,
    }
    for (const source of networksOf(this.#sources))
      for (const destination of networksOf(this.#destinations))
        rules.push(new KeptRule(common, { source, destination, action, counters }))
    return rules
  }
}

/** `-i +` is every device, and so the same as leaving it out. */
function device(seen: Seen<InterfaceName> | undefined): Negatable<InterfaceName> | undefined {
  if (seen === undefined || (seen.value.wildcard && seen.value.name === '' && !seen.not)) return undefined
  return { value: seen.value, not: seen.not }
}

const EVERY = [undefined]

function networksOf(seen: Seen<readonly Network[]> | undefined): readonly (Negatable<Network> | undefined)[] {
  if (seen === undefined) return EVERY
  return seen.value.map((value) =>
    !seen.not && value.mask.every((word) => word === 0) ? undefined : keptNetwork(value, seen.not),
  )
}
