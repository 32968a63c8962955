// One command line of iptables, split into words, as a command with its rule or rules. The words are walked as getopt_long
// walks them: long names and their beginnings, short options one by one, `!` before the option that it negates, and an
// unknown option makes the protocol's match come in (`-p tcp --dport 22`), once. What is wrong is complained of with its
// column, and as much of the line as can still be understood is read for further complaints.

import type { MatchDeclaration, OptionValues, Surroundings, TargetDeclaration } from '../rule/define.ts'
import { EXPECTS_PROTOCOL, readInterface, readNetwork, readProtocol } from '../rule/kinds.ts'
import type { Action, Counters, InterfaceName, MatchUse, Negatable, Network } from '../rule/model.ts'
import { BUILTIN_CHAINS, type Family, NO_COUNTERS, type Rule, type TableName } from '../rule/model.ts'
import { protocolName } from '../rule/names.ts'
import { parseNumber } from '../rule/number.ts'
import { Problem, shown } from '../rule/option.ts'
import { type Command, type CommandKind, commandOf } from './command.ts'
import { type Complain, Extension } from './extension.ts'
import { findLong, GLOBAL_NAMES, type Global, globalByLetter } from './global.ts'
import type { Word } from './lexer.ts'
import { didYouMean } from './nearest.ts'
import { NOT_ENFORCED, type Registry } from './registry.ts'

export interface ReadContext {
  readonly registry: Registry
  readonly family: Family
  readonly table: TableName
  readonly file: string
  readonly line: number
  /** Are counters taken (`iptables-restore --counters`)? */
  readonly counters: boolean
  /** What `[packets:bytes]` before the line said. */
  readonly before?: Counters
  /** Chains of the table as it is now. */
  hasChain(name: string): boolean
  chainNames(): Iterable<string>
}

/** Reads one line; undefined when it was complained of, 'skip' when it is for the other family. */
export function readCommand(
  words: readonly Word[],
  context: ReadContext,
  complain: Complain,
): Command | 'skip' | undefined {
  return new RuleReader(words, context, complain).read()
}

interface Seen<T> {
  readonly value: T
  readonly not: boolean
  readonly word: Word
}

class RuleReader {
  readonly #words: readonly Word[]
  readonly #context: ReadContext
  readonly #complain: Complain
  #wrong = false
  #next = 0
  #command: { kind: CommandKind; name: Word; words: Word[] } | undefined
  #sources: Seen<readonly Network[]> | undefined
  #destinations: Seen<readonly Network[]> | undefined
  #in: Seen<InterfaceName> | undefined
  #out: Seen<InterfaceName> | undefined
  #protocol: Seen<number> | undefined
  #fragment: Seen<true> | undefined
  #counters: Counters | undefined
  #jump: Seen<string> | undefined
  #goto = false
  #target: Extension | undefined
  readonly #matches: Extension[] = []
  /** Matches and the target, in the order in which they were named. */
  readonly #extensions: Extension[] = []
  #implied = false
  #otherFamily = false
  /** First option that belongs to a rule, for commands that take none. */
  #ruleOption: Word | undefined

  constructor(words: readonly Word[], context: ReadContext, complain: Complain) {
    this.#words = words
    this.#context = context
    this.#complain = (column, message) => {
      this.#wrong = true
      complain(column, message)
    }
  }

  read(): Command | 'skip' | undefined {
    const first = this.#words[0]
    if (!this.#walk()) return undefined
    if (this.#otherFamily) return this.#wrong ? undefined : 'skip'
    if (this.#command === undefined) {
      this.#complain(first?.column ?? 1, 'the line has no command: expected -A CHAIN and a rule, or another command')
      return undefined
    }
    const takesRule = ['A', 'I', 'D', 'R', 'C'].includes(this.#command.kind)
    const byNumber = this.#command.kind === 'D' && this.#command.words.length > 1
    if (this.#ruleOption !== undefined && (!takesRule || byNumber))
      this.#complain(
        this.#ruleOption.column,
        `${this.#ruleOption.text} cannot stand with -${this.#command.kind}${byNumber ? ' and a rule number' : ''}`,
      )
    const rules = takesRule && !byNumber ? this.#rules(first.column) : []
    if (this.#wrong) return undefined
    const { kind, name, words } = this.#command
    return commandOf({ kind, name, words, rules, jump: this.#jump?.word }, this.#context, this.#complain)
  }

  /** Walks all words; false when it had to stop half way. */
  #walk(): boolean {
    let not: Word | undefined
    while (this.#next < this.#words.length) {
      const word = this.#words[this.#next++]
      if (word.text === '!') {
        if (not !== undefined) this.#complain(word.column, 'two ! one after the other')
        not = word
        continue
      }
      if (word.text === '--') {
        const behind = this.#words[this.#next]
        if (behind !== undefined) return this.#stop(behind, `${shown(behind.text)} stands behind --: expected nothing`)
        break
      }
      if (!/^-./s.test(word.text)) return this.#stop(word, `${shown(word.text)} is not understood: expected an option`)
      const going = word.text.startsWith('--') ? this.#long(word, not) : this.#short(word, not)
      if (!going) return false
      not = undefined
    }
    if (not !== undefined) this.#complain(not.column, 'nothing stands behind !: expected an option that can be negated')
    return true
  }

  #stop(word: Word, message: string): false {
    this.#complain(word.column, message)
    return false
  }

  #short(word: Word, not: Word | undefined): boolean {
    const letters = word.text.slice(1)
    for (let i = 0; i < letters.length; i++) {
      const option = globalByLetter(letters[i])
      if (option === undefined) return this.#stop(word, `unknown option '-${letters[i]}'${hintForShort(word.text)}`)
      if (option.arity !== 'none' && i < letters.length - 1)
        return this.#stop(word, `${shown(word.text)}: expected a blank between -${letters[i]} and its value`)
      if (!this.#global(option, word, not)) return false
    }
    return true
  }

  #long(word: Word, not: Word | undefined): boolean {
    const equals = word.text.indexOf('=')
    const name = word.text.slice(2, equals < 0 ? undefined : equals)
    let found = findLong(name, this.#extensions)
    if (found.kind === 'ambiguous' || found.kind === 'none') {
      if (!this.#imply(word)) return this.#unknown(word, name)
      found = findLong(name, this.#extensions)
    }
    if (found.kind === 'ambiguous')
      return this.#stop(word, `'--${name}' could be ${found.names.map((one) => `--${one}`).join(' or ')}`)
    if (found.kind === 'none') return this.#unknown(word, name)
    if (found.kind === 'global') {
      if (equals < 0) return this.#global(found.option, word, not)
      return this.#stop(word, `${shown(word.text)}: expected a blank between the option and its value`)
    }
    const { owner, key } = found
    const { kind } = owner.declaration.options[key]
    const values: Word[] = []
    if (equals >= 0) values.push({ text: word.text.slice(equals + 1), column: word.column + equals + 1 })
    if (values.length > kind.words) return this.#stop(word, `--${key} takes no value`)
    while (values.length < kind.words) {
      const value = this.#words[this.#next]
      if (value === undefined || (values.length > 0 && /^[-!]/.test(value.text)))
        return this.#stop(
          word,
          `--${key} needs ${kind.words > 1 ? `${kind.words} words` : 'a value'}: expected ${kind.expects}`,
        )
      values.push(value)
      this.#next++
    }
    this.#ruleOption ??= word
    const at = { family: this.#context.family, protocol: this.#protocol }
    owner.give(key, word, values, not !== undefined, at, this.#complain)
    return true
  }

  /** Brings the protocol's own match in; false if there is none or it has been done. */
  #imply(word: Word): boolean {
    if (this.#implied || this.#protocol === undefined) return false
    const name = this.#protocol.value === 58 ? 'icmp6' : protocolName(this.#protocol.value)
    const declaration = this.#context.registry.match(name, this.#context.family)
    if (declaration === undefined) return false
    this.#implied = true
    const extension = new Extension(declaration, word)
    this.#matches.push(extension)
    this.#extensions.push(extension)
    return true
  }

  #unknown(word: Word, name: string): false {
    const { registry, family } = this.#context
    const found = findLong(name, this.#extensions)
    if (found.kind === 'ambiguous')
      return this.#stop(word, `'--${name}' could be ${found.names.map((one) => `--${one}`).join(' or ')}`)
    const owners = registry.declarations.filter(
      (d) => Object.hasOwn(d.options, name) && (d.families ?? [4, 6]).includes(family),
    )
    if (owners.length > 0) {
      const where = owners.map((d) =>
        d.protocols?.length === 1
          ? `-p ${protocolName(d.protocols[0])}`
          : `${d.kind === 'match' ? '-m' : '-j'} ${d.name}`,
      )
      return this.#stop(word, `unknown option '--${name}' here: expected ${where.join(' or ')} to stand before it`)
    }
    const known = [...GLOBAL_NAMES, ...this.#extensions.flatMap((e) => Object.keys(e.declaration.options))]
    const implied =
      this.#protocol === undefined ? undefined : registry.match(protocolName(this.#protocol.value), family)
    if (implied !== undefined) known.push(...Object.keys(implied.options))
    return this.#stop(word, `unknown option ${shown(`--${name}`)}${didYouMean(name, known).replace("'", "'--")}`)
  }

  /** One of iptables' own options. */
  #global(option: Global, word: Word, not: Word | undefined): boolean {
    const { letter } = option
    let value: Word | undefined
    if (option.arity === 'one') {
      value = this.#words[this.#next++]
      if (value === undefined) return this.#stop(word, `${word.text} needs a value`)
    } else if (option.arity === 'may') {
      value = this.#optional()
    }
    if (not !== undefined && !'sdpiof'.includes(letter))
      this.#complain(not.column, `! cannot stand before ${word.text}`)
    if (option.sort === 'command') return this.#setCommand(letter as CommandKind, word, value)
    if (option.sort === 'rule') {
      this.#ruleOption ??= word
      return this.#part(letter, word, value as Word, not !== undefined)
    }
    if (letter === '4' || letter === '6') this.#otherFamily ||= Number(letter) !== this.#context.family
    else if (letter !== 'v') this.#complain(word.column, `${word.text} cannot stand in a rule file`)
    return true
  }

  /** The next word, if it does not look like an option. */
  #optional(): Word | undefined {
    const value = this.#words[this.#next]
    if (value === undefined || /^[-!]/.test(value.text)) return undefined
    this.#next++
    return value
  }

  #setCommand(kind: CommandKind, name: Word, value: Word | undefined): boolean {
    if (this.#command !== undefined)
      return this.#stop(name, `-${kind} cannot stand with -${this.#command.kind}: expected one command`)
    const words = value === undefined ? [] : [value]
    // Rule numbers, a policy, a new name: a second word, where there may be one.
    if ('DIRPEZ'.includes(kind) && value !== undefined) {
      const second = this.#optional()
      if (second !== undefined) words.push(second)
    }
    this.#command = { kind, name, words }
    return true
  }

  #part(letter: string, word: Word, value: Word, not: boolean): boolean {
    switch (letter) {
      case 's':
        if (this.#once(this.#sources, word)) this.#sources = this.#networks(value, not)
        return true
      case 'd':
        if (this.#once(this.#destinations, word)) this.#destinations = this.#networks(value, not)
        return true
      case 'i':
        if (this.#once(this.#in, word)) this.#in = this.#interface(word, value, not)
        return true
      case 'o':
        if (this.#once(this.#out, word)) this.#out = this.#interface(word, value, not)
        return true
      case 'p':
        if (this.#once(this.#protocol, word)) this.#protocol = this.#readProtocol(value, not)
        return true
      case 'f':
        if (this.#context.family === 6) this.#complain(word.column, '-f is not for IPv6: expected -m frag')
        if (this.#once(this.#fragment, word)) this.#fragment = { value: true, not, word }
        return true
      case 'm':
        return this.#match(value)
      case 'c':
        return this.#setCounters(word, value)
      default:
        return this.#setJump(letter === 'g', word, value)
    }
  }

  #once(before: Seen<unknown> | undefined, word: Word): boolean {
    if (before !== undefined) this.#complain(word.column, `${word.text} is given twice`)
    return before === undefined
  }

  #networks(word: Word, not: boolean): Seen<readonly Network[]> | undefined {
    const networks: Network[] = []
    let column = word.column
    const parts = word.text.split(',')
    for (const part of parts) {
      const network = readNetwork(part, this.#context.family)
      if (network instanceof Problem) this.#complain(column, network.message)
      else networks.push(network)
      column += part.length + 1
    }
    return { value: networks, not, word }
  }

  #interface(option: Word, word: Word, not: boolean): Seen<InterfaceName> | undefined {
    const name = readInterface(word.text)
    if (!(name instanceof Problem)) return { value: name, not, word: option }
    this.#complain(word.column, name.message)
    return undefined
  }

  #readProtocol(word: Word, not: boolean): Seen<number> | undefined {
    const value = readProtocol(word.text)
    if (value === undefined)
      this.#complain(word.column, `${shown(word.text)} is not understood: expected ${EXPECTS_PROTOCOL}`)
    else if (value === 0 && not) this.#complain(word.column, `! -p ${word.text} would match nothing`)
    return value === undefined || value === 0 ? undefined : { value, not, word }
  }

  #match(word: Word): boolean {
    const { registry, family } = this.#context
    const declaration = registry.match(word.text, family)
    if (declaration === undefined) {
      const known = NOT_ENFORCED.match.has(word.text)
      const hint = didYouMean(word.text, registry.names('match', family))
      return this.#stop(
        word,
        known
          ? `match ${word.text} is not enforced yet, so the rule would match too much`
          : `there is no match ${shown(word.text)}${hint}`,
      )
    }
    const extension = new Extension(declaration, word)
    this.#matches.push(extension)
    this.#extensions.push(extension)
    return true
  }

  #setCounters(word: Word, value: Word): boolean {
    const both = value.text.split(',')
    if (both.length === 1) both.push(this.#optional()?.text ?? '')
    const [packets, bytes] = both.map((one) => parseNumber(one, Number.MAX_SAFE_INTEGER))
    if (both.length !== 2 || packets === undefined || bytes === undefined)
      return this.#stop(word, `${word.text} needs two numbers: expected PACKETS BYTES`)
    this.#counters = { packets, bytes }
    return true
  }

  #setJump(isGoto: boolean, option: Word, word: Word): boolean {
    const { registry, family } = this.#context
    if (this.#jump !== undefined) return this.#stop(option, `${option.text} is given twice: expected one -j or -g`)
    this.#jump = { value: word.text, not: false, word }
    this.#goto = isGoto
    const declaration = registry.target(word.text, family)
    if (isGoto || declaration === undefined) return this.#checkChain(word, isGoto)
    this.#target = new Extension(declaration, word)
    this.#extensions.push(this.#target)
    return true
  }

  #checkChain(word: Word, isGoto: boolean): boolean {
    const { registry, family, table } = this.#context
    if (BUILTIN_CHAINS[table].includes(word.text))
      return this.#stop(word, `${word.text} is a built-in chain: expected a chain of one's own, or a target`)
    if (this.#context.hasChain(word.text)) return true
    if (!isGoto && NOT_ENFORCED.target.has(word.text))
      return this.#stop(word, `target ${word.text} is not enforced yet`)
    const known = [...this.#context.chainNames(), ...(isGoto ? [] : registry.names('target', family))]
    return this.#stop(
      word,
      `there is no chain ${isGoto ? '' : 'or target '}${shown(word.text)} in table ${table} at this line${didYouMean(word.text, known)}`,
    )
  }

  /** One rule for each pair of addresses. */
  #rules(column: number): Rule[] {
    const { family, table, file, line } = this.#context
    const chain = this.#command?.words[0]?.text ?? ''
    const around: Surroundings = {
      family,
      table,
      chain,
      protocol: this.#protocol?.not === false ? this.#protocol.value : undefined,
    }
    this.#checkDevices(chain)
    this.#checkAddresses()
    const matches: MatchUse[] = []
    for (const extension of this.#matches) {
      const options = extension.finish(around, this.#complain)
      if (options !== undefined) matches.push({ declaration: extension.declaration as MatchDeclaration, options })
    }
    const action = this.#action(around)
    if (this.#wrong) return []
    const base = {
      inInterface: device(this.#in),
      outInterface: device(this.#out),
      protocol: plain(this.#protocol),
      fragment: plain(this.#fragment),
      matches,
      action,
      counters: this.#context.counters ? (this.#counters ?? this.#context.before ?? NO_COUNTERS) : NO_COUNTERS,
      place: { file, line, column },
    }
    const rules: Rule[] = []
    for (const source of networksOf(this.#sources))
      for (const destination of networksOf(this.#destinations))
        rules.push(withoutHoles({ source, destination, ...base }))
    return rules
  }

  #checkDevices(chain: string): void {
    if (this.#in !== undefined && (chain === 'OUTPUT' || chain === 'POSTROUTING'))
      this.#complain(this.#in.word.column, `-i cannot stand in ${chain}, where a packet comes from no device`)
    if (this.#out !== undefined && (chain === 'INPUT' || chain === 'PREROUTING'))
      this.#complain(this.#out.word.column, `-o cannot stand in ${chain}, where a packet goes to no device yet`)
  }

  /** Several addresses are several rules, of which one or the other would match whatever is negated. */
  #checkAddresses(): void {
    const both = [this.#sources, this.#destinations]
    const not = both.find((seen) => seen?.not)
    if (not !== undefined && both.some((seen) => seen !== undefined && seen.value.length > 1))
      this.#complain(not.word.column, '! cannot stand in a rule with several addresses')
  }

  #action(around: Surroundings): Action | undefined {
    if (this.#target === undefined)
      return this.#jump === undefined ? undefined : { kind: 'jump', chain: this.#jump.value, goto: this.#goto }
    const options: OptionValues | undefined = this.#target.finish(around, this.#complain)
    if (around.table === 'nat' && this.#target.declaration.name === 'DROP')
      this.#complain(this.#target.word.column, 'DROP cannot stand in table nat, which is not for filtering')
    if (options === undefined) return undefined
    return { kind: 'target', declaration: this.#target.declaration as TargetDeclaration, options }
  }
}

/** `-dport` is what people write who mean `--dport`. */
function hintForShort(text: string): string {
  return text.length > 2 ? `; did you mean '-${text}'?` : ''
}

function plain<T>(seen: Seen<T> | undefined): Negatable<T> | undefined {
  return seen === undefined ? undefined : { value: seen.value, not: seen.not }
}

/** `-i +` is every device, and so the same as leaving it out. */
function device(seen: Seen<InterfaceName> | undefined): Negatable<InterfaceName> | undefined {
  return seen?.value.wildcard && seen.value.name === '' && !seen.not ? undefined : plain(seen)
}

function networksOf(seen: Seen<readonly Network[]> | undefined): readonly (Negatable<Network> | undefined)[] {
  if (seen === undefined) return [undefined]
  return seen.value.map((value) =>
    !seen.not && value.mask.every((word) => word === 0) ? undefined : { value, not: seen.not },
  )
}

function withoutHoles(rule: Rule): Rule {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined)) as unknown as Rule
}
