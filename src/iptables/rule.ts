// One command line of iptables, split into words, as a command with its rule or rules. The words are walked as getopt_long
// walks them: long names and their beginnings, short options one by one, `!` before the option that it negates, and an
// unknown option makes the protocol's match come in (`-p tcp --dport 22`), once. What is wrong is complained of with its
// column, and as much of the line as can still be understood is read for further complaints.

import type { MatchDeclaration, OptionValues, Surroundings, TargetDeclaration } from '../rule/define.ts'
import { type Action, BUILTIN_CHAINS, type Counters, type MatchUse, NO_COUNTERS, type Rule } from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import { type RefusedBy, shown } from '../rule/option.ts'
import { type Command, type CommandKind, commandOf, type Invalid, type Read } from './command.ts'
import { ConditionReader } from './conditions.ts'
import { type Complain, Extension, type ExtensionDeclaration } from './extension.ts'
import { findLong, type Global, globalByLetter } from './global.ts'
import type { Word } from './lexer.ts'
import type { ReadContext } from './read-context.ts'
import { hintForShort, likeThere, quoted, unknownMatch, unknownOption, unknownTarget } from './unknown.ts'

/**
 * Reads one line; undefined when it was complained of, 'skip' when it is for the other family.
 * @param before what `[packets:bytes]` before the words said
 */
export function readCommand(
  words: readonly Word[],
  before: Counters | undefined,
  context: ReadContext,
  complain: Complain,
): Command | 'skip' | undefined {
  const read = new RuleReader(words, before, context, complain).read()
  if (read === undefined || read === 'skip') return read
  return read.invalid === undefined ? commandOf(read, context, complain) : undefined
}

/** Reads the words behind `iptables` on a command line. */
export function readArguments(words: readonly Word[], context: ReadContext, complain: Complain): Read | undefined {
  const read = new RuleReader(words, undefined, context, complain).read()
  return read === 'skip' ? undefined : read
}

/** Targets that are verdicts. */
export const STANDARD: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'QUEUE', 'RETURN'])

/** Short options before which ! may stand. */
const NEGATABLE = 'sdpiof'

class RuleReader {
  readonly #words: readonly Word[]
  readonly #context: ReadContext
  readonly #complain: Complain
  readonly #conditions: ConditionReader
  #wrong = false
  /** Something is wrong with the words; otherwise it is with what the rule says. */
  #unread = false
  #invalid: Pick<Invalid, 'message' | 'by'> | undefined
  #next = 0
  #command: { kind: CommandKind; name: Word; words: Word[]; zeroes?: true } | undefined
  #counters: Counters | undefined
  #jump: Word | undefined
  #goto = false
  #target: Extension | undefined
  readonly #matches: Extension[] = []
  /** Matches and the target, in the order in which they were named. */
  readonly #extensions: Extension[] = []
  #implied = false
  #otherFamily = false
  /** First option that belongs to a rule, for commands that take none. */
  #ruleOption: Word | undefined

  constructor(words: readonly Word[], before: Counters | undefined, context: ReadContext, complain: Complain) {
    this.#words = words
    this.#counters = before
    this.#context = context
    const last = words.at(-1)
    this.#complain = (column, message, by) => {
      this.#wrong = true
      if (by === undefined) this.#unread = true
      else this.#invalid ??= { message, by }
      if (last?.open && column >= last.column) complain(column, 'the quote that begins here is not closed on its line')
      else complain(column, message, by)
    }
    this.#conditions = new ConditionReader(context.family, this.#complain, context.warn)
  }

  read(): Read | 'skip' | undefined {
    const first = this.#words[0]
    const whole = this.#walk()
    if (this.#otherFamily && !this.#wrong) return 'skip'
    if (!whole) return undefined
    if (this.#command === undefined) {
      this.#complain(first?.column ?? 1, 'no command specified: expected -A CHAIN and a rule, or another command')
      return undefined
    }
    const takesRule = ['A', 'I', 'D', 'R', 'C'].includes(this.#command.kind)
    const byNumber = this.#command.kind === 'D' && this.#command.words.length > 1
    if (this.#ruleOption !== undefined && (!takesRule || byNumber))
      this.#complain(
        this.#ruleOption.column,
        `${this.#ruleOption.text} cannot stand with -${this.#command.kind}${byNumber ? ' and a rule number' : ''}`,
      )
    const rules = takesRule && !byNumber ? this.#rules() : []
    if (this.#invalid !== undefined && !this.#unread)
      return { ...this.#command, rules, invalid: { ...this.#invalid, action: this.#actionKind() } }
    if (this.#wrong) return undefined
    return { ...this.#command, rules }
  }

  #actionKind(): Invalid['action'] {
    if (this.#target === undefined) return this.#jump === undefined ? 'verdict' : 'jump'
    return STANDARD.has(this.#target.declaration.name) ? 'verdict' : 'target'
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
      if (!/^-./s.test(word.text)) return this.#stop(word, `Bad argument ${likeThere(word.text)}: expected an option`)
      const going = word.text.startsWith('--') ? this.#long(word, not) : this.#short(word, not)
      if (!going) return false
      not = undefined
    }
    if (not !== undefined) this.#complain(not.column, 'nothing stands behind !: expected an option that can be negated')
    return true
  }

  #stop(word: Word, message: string, by?: RefusedBy): false {
    this.#complain(word.column, message, by)
    return false
  }

  #short(word: Word, not: Word | undefined): boolean {
    const letters = word.text.slice(1)
    for (let i = 0; i < letters.length; i++) {
      const option = globalByLetter(letters[i])
      if (option === undefined)
        return this.#stop(
          word,
          `unknown option ${quoted(`-${letters[i]}`)}${hintForShort(letters, this.#context.registry)}`,
        )
      if (option.arity !== 'none' && i < letters.length - 1) {
        if (this.#context.other !== undefined)
          return this.#global(option, word, not, { text: letters.slice(i + 1), column: word.column })
        return this.#stop(
          word,
          `${shown(word.text)}: expected a blank between -${letters[i]} and its value${hintForShort(letters, this.#context.registry)}`,
        )
      }
      if (!this.#global(option, word, not)) return false
    }
    return true
  }

  /** `--dport ! 80` is what people write who learnt iptables long ago. */
  #misplacedNot(option: Word, value: Word | undefined): boolean {
    if (value?.text !== '!') return false
    const after = this.#words[this.#next]?.text ?? 'VALUE'
    this.#complain(value.column, `! stands behind ${option.text}: expected ${shown(`! ${option.text} ${after}`)}`)
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
      if (this.#context.other !== undefined && found.option.arity !== 'none')
        return this.#global(found.option, word, not, { text: word.text.slice(equals + 1), column: word.column })
      return this.#stop(word, `${shown(word.text)}: expected a blank between the option and its value`)
    }
    const { owner, key } = found
    const { kind } = owner.declaration.options[key]
    const values: Word[] = []
    if (equals >= 0) values.push({ text: word.text.slice(equals + 1), column: word.column + equals + 1 })
    if (values.length > (kind.optional ? 0 : kind.words))
      return this.#stop(word, kind.optional ? `--${key}: expected a blank before its value` : `--${key} takes no value`)
    while (values.length < kind.words) {
      const value = this.#words[this.#next]
      if (kind.optional && (value === undefined || /^[-!]/.test(value.text))) break
      if (value === undefined || (values.length > 0 && /^[-!]/.test(value.text)))
        return this.#stop(
          word,
          `--${key} needs ${kind.words > 1 ? `${kind.words} words` : 'a value'}: expected ${kind.expects}`,
        )
      values.push(value)
      this.#next++
      if (owner.declaration.options[key].traits.negated && this.#misplacedNot(word, value)) return false
    }
    this.#ruleOption ??= word
    const at = { family: this.#context.family, protocol: this.#conditions.protocol }
    owner.give(key, word, values, not !== undefined, at, this.#complain)
    return true
  }

  /** Brings the protocol's own match in; false if there is none or it has been done. */
  #imply(word: Word): boolean {
    const { protocol } = this.#conditions
    if (this.#implied || protocol === undefined) return false
    const declaration = this.#context.registry.ofProtocol(protocol.value, this.#context.family)
    if (declaration === undefined) return false
    this.#implied = true
    this.#matches.push(this.#extension(declaration, word))
    return true
  }

  #unknown(word: Word, name: string): false {
    const { registry, family } = this.#context
    return this.#stop(word, unknownOption(name, this.#extensions, this.#conditions.protocol, registry, family))
  }

  /** One of iptables' own options. @param joined its value, where that stands in the same word */
  #global(option: Global, word: Word, not: Word | undefined, joined?: Word): boolean {
    const { letter } = option
    let value = joined
    if (joined !== undefined) {
      // Nothing is left to be read.
    } else if (option.arity === 'one') {
      value = this.#words[this.#next++]
      if (value === undefined) return this.#stop(word, `option "${word.text}" requires an argument`)
      if (NEGATABLE.includes(letter) && this.#misplacedNot(word, value)) return false
    } else if (option.arity === 'may') {
      value = this.#optional()
    }
    if (not !== undefined && !NEGATABLE.includes(letter))
      this.#complain(not.column, `! cannot stand before ${word.text}`)
    if (option.sort === 'command') return this.#setCommand(letter as CommandKind, word, value)
    if (option.sort === 'rule') {
      this.#ruleOption ??= word
      return this.#part(letter, word, value as Word, not !== undefined)
    }
    // What is for the other family is not looked at any further.
    if (letter === '4' || letter === '6') this.#otherFamily = Number(letter) !== this.#context.family
    else if (this.#context.other !== undefined) {
      // Help tells of the protocol's options too.
      if (letter === 'h') this.#imply(word)
      const wrong = this.#context.other(option, value)
      return wrong === undefined || this.#stop(word, wrong)
    } else if (letter !== 'v') this.#complain(word.column, `${word.text} cannot stand in a rule file`)
    return !this.#otherFamily
  }

  /** The next word, if it does not look like an option. */
  #optional(): Word | undefined {
    const value = this.#words[this.#next]
    if (value === undefined || /^[-!]/.test(value.text)) return undefined
    this.#next++
    return value
  }

  #setCommand(kind: CommandKind, name: Word, value: Word | undefined): boolean {
    const earlier = this.#command
    // `-L CHAIN -Z` lists, then zeroes; nothing else stands together.
    const zeroes =
      this.#context.other !== undefined &&
      ['LZ', 'ZL', 'SZ', 'ZS'].includes(`${earlier?.kind}${kind}`) &&
      earlier?.zeroes === undefined
    if (earlier !== undefined && !zeroes)
      return this.#stop(name, `-${kind} cannot stand with -${earlier.kind}: expected one command`)
    const words = value === undefined ? [] : [value]
    // Rule numbers, a policy, a new name: a second word, where there may be one.
    if ('DIRPEZLS'.includes(kind) && value !== undefined) {
      const second = this.#optional()
      if (second !== undefined) words.push(second)
    }
    this.#command = { kind, name, words }
    if (earlier !== undefined)
      this.#command = {
        kind: kind === 'Z' ? earlier.kind : kind,
        name,
        words: words.length > 0 ? words : earlier.words,
        zeroes: true,
      }
    return true
  }

  #part(letter: string, word: Word, value: Word, not: boolean): boolean {
    if (letter === 'm') return this.#match(value)
    if (letter === 'c') return this.#setCounters(word, value)
    if (letter === 'j' || letter === 'g') return this.#setJump(letter === 'g', word, value)
    this.#conditions.take(letter, word, value, not)
    return true
  }

  #match(word: Word): boolean {
    const { registry, family } = this.#context
    const declaration = registry.match(word.text, family)
    if (declaration === undefined) return this.#stop(word, unknownMatch(word.text, registry, family))
    this.#matches.push(this.#extension(declaration, word))
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
    if (this.#jump !== undefined)
      return this.#stop(option, `multiple ${option.text} flags not allowed: expected one -j or -g`)
    this.#jump = word
    this.#goto = isGoto
    const declaration = registry.target(word.text, family)
    if (isGoto || declaration === undefined) return this.#checkChain(word, isGoto)
    this.#target = this.#extension(declaration, word)
    return true
  }

  #extension(declaration: ExtensionDeclaration, word: Word): Extension {
    const extension = new Extension(declaration, word)
    this.#extensions.push(extension)
    this.#context.extension?.(declaration)
    return extension
  }

  #checkChain(word: Word, isGoto: boolean): boolean {
    const { table } = this.#context
    if (BUILTIN_CHAINS[table].includes(word.text)) {
      const message = `${word.text} is a built-in chain: expected a chain of one's own, or a target`
      this.#complain(word.column, message, 'tables')
      return true
    }
    if (this.#context.hasChain(word.text)) return true
    return this.#stop(word, unknownTarget(word.text, isGoto, this.#context))
  }

  /** One rule for each pair of addresses. */
  #rules(): Rule[] {
    const { family, table } = this.#context
    const chain = this.#command?.words[0]?.text ?? ''
    const { protocol } = this.#conditions
    const around: Surroundings = {
      family,
      table,
      chain,
      protocol: protocol?.not === false ? protocol.value : undefined,
    }
    this.#conditions.check(chain)
    const matches: MatchUse[] = []
    for (const extension of this.#matches) {
      const options = extension.finish(around, this.#complain)
      if (options !== undefined) matches.push({ declaration: extension.declaration as MatchDeclaration, options })
    }
    const action = this.#action({ ...around, matches })
    if (this.#unread) return []
    const counters = this.#context.counters ? (this.#counters ?? NO_COUNTERS) : NO_COUNTERS
    return this.#conditions.rules({ matches, action, counters })
  }

  #action(around: Surroundings): Action | undefined {
    if (this.#target === undefined)
      return this.#jump === undefined ? undefined : { kind: 'jump', chain: this.#jump.text, goto: this.#goto }
    const options: OptionValues | undefined = this.#target.finish(around, this.#complain)
    if (around.table === 'nat' && this.#target.declaration.name === 'DROP')
      this.#complain(this.#target.word.column, 'DROP cannot stand in table nat, which is not for filtering')
    if (options === undefined) return undefined
    return { kind: 'target', declaration: this.#target.declaration as TargetDeclaration, options }
  }
}
