// The ipset command on a store: words in, what the real one would print and its exit status out. Messages, options and their
// quirks are those of ipset 7.17.
//
// Restore does one line after the other and stops at the first that fails; what was done before stays, as it does there. (The
// real one loses some of the lines before a syntax error, depending on how it batches them.)
//
// A command is done in steps (IpsetCommand), a line or a part of a listing each, so that a data plane can handle packets
// between them: each step is whole.

import { type CommandName, commandOf, countWords, INTERACTIVE, Options, requestOf } from './arguments.ts'
import { type Command, formatElement, readElement, refuseRanges } from './element.ts'
import { SetError } from './fault.ts'
import { listSets } from './list.ts'
import { readMemberOptions } from './member-options.ts'
import { portions } from './portions.ts'
import type { IpSet } from './set.ts'
import { readSettings } from './settings.ts'
import type { SetStore } from './store.ts'
import { setType } from './type.ts'
import { helpText, VERSION } from './usage.ts'
import { setName, syntax } from './words.ts'
import { wordsOfLine } from './words-of-line.ts'

/** Longer lines cannot be read. */
export const LINE_MAX = 1023

export interface IpsetResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface IpsetInput {
  /** What restore and the interactive mode read. */
  readonly stdin?: string
  /** For -file; without them it is refused. They throw where the file cannot be had. */
  readonly readFile?: (path: string) => string
  readonly writeFile?: (path: string, text: string) => void
}

/** Runs `ipset ARGV...` to its end. Never throws. */
export function runIpset(store: SetStore, argv: readonly string[], input: IpsetInput = {}): IpsetResult {
  const { reads, file } = requestOf(argv)
  let stdin = input.stdin ?? ''
  try {
    if (file !== undefined && reads === 'input')
      stdin = withFile(file, 'reading', () => {
        if (input.readFile === undefined) throw new Error('files are not read for this client')
        return input.readFile(file)
      })
    const command = new IpsetCommand(store, argv)
    command.give(stdin)
    command.endInput()
    for (let state = command.step(); state !== 'done'; state = command.step())
      // Whoever waits for nothing has no names either.
      if (state === 'names') command.learn(command.wanted.map((address) => [address, '']))
    const { stdout, stderr } = command.takePrinted()
    if (file === undefined || reads === 'input' || command.status !== 0)
      return { status: command.status, stdout, stderr }
    withFile(file, 'writing', () => {
      if (input.writeFile === undefined) throw new Error('files are not written for this client')
      input.writeFile(file, stdout)
    })
    return { status: 0, stdout: '', stderr }
  } catch (error) {
    if (!(error instanceof SetError)) throw error
    return { status: 1, stdout: '', stderr: `ipset ${VERSION}: ${error.message}\n` }
  }
}

function withFile<T>(path: string, what: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'No such file or directory' : message
    throw new SetError(`Cannot open ${path} for ${what}: ${reason}`)
  }
}

/** What a command may wait for: its turn, more input, names of hosts. */
type Waits = 'more' | 'input' | 'names'

/** Addresses that are asked for at a time, and in one command; others are printed as they are. */
const NAMES_AT_ONCE = 256
const NAMES_MAX = 65536

const PROMPT = 'ipset> '

/** One call of ipset, done in steps. What -file names is its caller's to read and write (requestOf). */
export class IpsetCommand {
  status = 0
  readonly #store: SetStore
  readonly #options = new Options()
  readonly #steps: Iterator<Waits, void>
  #stdout: string[] = []
  #stderr: string[] = []
  /** Input that is not looked at yet, from `#at` on. */
  #input = ''
  #at = 0
  #inputEnded = false
  /** Line of the restore that is under way. */
  #line = 0
  #ended = false
  /** Of hosts, by address, that this command has been told. */
  readonly #names = new Map<string, string>()
  readonly #wanted = new Set<string>()
  #interactive = false
  readonly #complete: boolean

  /** @param complete what is listed tells what ipset takes and does not print (forceadd) */
  constructor(store: SetStore, argv: readonly string[], complete = false) {
    this.#store = store
    this.#complete = complete
    this.#steps = this.#run(argv)
  }

  /** Its caller talks with a person, who is answered line by line. */
  get interactive(): boolean {
    return this.#interactive
  }

  /** Does a bit: 'more' is left to do, 'input' (give, endInput) or 'names' (wanted, learn) are waited for, or it is 'done'. */
  step(): Waits | 'done' {
    const { value, done } = this.#steps.next()
    return done === true ? 'done' : value
  }

  /** More of standard input. */
  give(text: string): void {
    this.#input = this.#input.slice(this.#at) + text
    this.#at = 0
  }

  endInput(): void {
    this.#inputEnded = true
  }

  /** Addresses whose names are waited for. */
  get wanted(): readonly string[] {
    return [...this.#wanted]
  }

  /** Names of hosts, '' for those that have none. */
  learn(names: readonly (readonly [address: string, name: string])[]): void {
    for (const [address, name] of names) this.#names.set(address, name)
    this.#wanted.clear()
  }

  /** What was printed since it was last asked. */
  takePrinted(): { readonly stdout: string; readonly stderr: string } {
    const printed = { stdout: this.#stdout.join(''), stderr: this.#options.quiet ? '' : this.#stderr.join('') }
    this.#stdout = []
    this.#stderr = []
    return printed
  }

  *#run(argv: readonly string[]): Generator<Waits, void> {
    try {
      const words = this.#options.take(argv)
      if (words[0] === INTERACTIVE) return yield* this.#interact()
      const command = commandOf(words)
      countWords(command.name, command.words)
      if (command.name === 'restore') yield* this.#restore()
      else yield* this.#do(command.name, command.words)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof SetError)) throw error
    this.#ended = true
    this.status = error.status
    const place = this.#line > 0 && error.status === 1 ? `Error in line ${this.#line}: ` : ''
    const hint = error.status === 2 ? "Try `ipset help' for more information.\n" : ''
    this.#stderr.push(`ipset ${VERSION}: ${place}${error.message}\n${hint}`)
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  *#restore(): Generator<Waits, void> {
    for (;;) {
      const line = yield* this.#nextLine()
      if (line === undefined) return
      this.#line++
      const words = this.#wordsOf(line)
      if (words.length > 0 && words[0] !== 'COMMIT') {
        const command = commandOf(this.#options.take(words))
        const { name } = command
        if (name === 'restore' || name === 'version' || name === 'help')
          throw new SetError(`Command \`${name}' is invalid in restore mode.`, { status: 2, word: words[0] })
        countWords(name, command.words)
        yield* this.#do(name, command.words)
      }
      if (this.#ended) return
      yield 'more'
    }
  }

  /** Commands of a person: what one gets wrong is said, and the next is asked for. It ends well in any case. */
  *#interact(): Generator<Waits, void> {
    this.#interactive = true
    for (;;) {
      this.#stdout.push(PROMPT)
      const line = yield* this.#nextLine()
      if (line === undefined) return
      try {
        const words = this.#options.take(this.#wordsOf(line))
        if (words.length === 0) {
          // The real one prompts twice.
          this.#stdout.push(PROMPT)
          continue
        }
        const { name, words: rest } = commandOf(words)
        if (name === 'restore') this.#stdout.push('Restore command is not supported in interactive mode\n')
        else {
          countWords(name, rest)
          if (name === 'quit') return
          yield* this.#do(name, rest)
        }
      } catch (error) {
        if (error instanceof SetError && error.message.startsWith('No command specified'))
          this.#stdout.push('No command specified\n')
        else this.#fail(error)
      }
      this.#ended = false
      this.status = 0
      yield 'more'
    }
  }

  *#nextLine(): Generator<Waits, string | undefined> {
    for (;;) {
      const end = this.#input.indexOf('\n', this.#at)
      if (end >= 0) {
        const line = this.#input.slice(this.#at, end)
        this.#at = end + 1
        return line
      }
      const rest = this.#input.length - this.#at
      if (rest > LINE_MAX || (this.#inputEnded && rest > 0)) {
        const line = this.#input.slice(this.#at)
        this.#at = this.#input.length
        return line
      }
      if (this.#inputEnded) return undefined
      yield 'input'
    }
  }

  #wordsOf(line: string): string[] {
    if (line.length > LINE_MAX) throw new SetError('Line is too long to parse.', { status: 2 })
    const nul = line.indexOf('\0')
    const words = wordsOfLine(nul < 0 ? line : line.slice(0, nul))
    return words[0]?.text[0] === '#' ? [] : words.map(({ text }) => text)
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

  *#do(name: CommandName, words: readonly string[]): Generator<Waits, void> {
    const store = this.#store
    switch (name) {
      case 'create':
        return this.#create(words)
      case 'add':
      case 'del':
      case 'test':
        return yield* this.#member(name, words)
      case 'destroy':
        return store.destroy(words[0] === undefined ? undefined : setName(words[0]))
      case 'flush':
        return store.flush(words[0] === undefined ? undefined : setName(words[0]))
      case 'rename':
        return store.rename(setName(words[0]), setName(words[1]))
      case 'swap':
        return store.swap(setName(words[0]), setName(words[1]))
      case 'list':
      case 'save':
        return yield* this.#list(name, words[0])
      case 'version':
        this.#stdout.push(`ipset ${VERSION}, protocol version: 7\n`)
        return
      case 'quit':
        this.#ended = true
        return
      case 'help': {
        const type = words[0] === undefined ? undefined : setType(words[0])
        if (words[0] !== undefined && type === undefined)
          throw new SetError(`Unknown settype: \`${words[0]}'`, { status: 2, word: words[0] })
        this.#stdout.push(helpText(type))
      }
    }
  }

  #create([name, typeName, ...words]: readonly string[]): void {
    setName(name)
    const type = setType(typeName)
    if (type === undefined) throw syntax(`typename '${typeName}' is unknown`, typeName)
    const warnings: string[] = []
    const { names, random } = this.#store
    const settings = readSettings(type, words, names, random, (warning) => warnings.push(warning))
    this.#store.create(name, settings, this.#options.exist)
    if (warnings.length > 0) this.#stderr.push(`Warning: ${warnings.join('\n')}\n`)
  }

  *#member(command: Command, [name, text, ...words]: readonly string[]): Generator<Waits, void> {
    const store = this.#store
    const { exist } = this.#options
    const { settings } = store.get(setName(name)).set
    const element = readElement(text, settings, store.names, command)
    const extras = readMemberOptions(words, settings.type, command, element)
    refuseRanges(element, settings, command)
    if (command !== 'test') {
      let isFirst = true
      for (const portion of portions(element, settings)) {
        if (!isFirst) yield 'more'
        isFirst = false
        if (command === 'add') store.add(name, portion, extras, exist)
        else store.delete(name, portion, exist)
      }
      return
    }
    const shown = formatElement(element, settings, store.names)
    const is = store.test(name, element)
    this.#stderr.push(is ? `Warning: ${shown} is in set ${name}.\n` : `${shown} is NOT in set ${name}.\n`)
    if (is) return
    this.status = 1
    this.#ended = true
  }

  *#list(command: 'list' | 'save', setOrAll: string | undefined): Generator<Waits, void> {
    const store = this.#store
    const slots = setOrAll === undefined ? store.slots() : [store.get(setName(setOrAll))]
    const { name, terse, sorted, mode, resolve } = this.#options
    if (resolve && !name && !terse) for (const slot of slots) yield* this.#askNames(slot.set)
    // Within a restore both print plainly, as the real one has it.
    const usual = command === 'save' && this.#line === 0 && !this.#interactive ? 'save' : 'plain'
    for (const piece of listSets(store, slots, {
      mode: mode ?? usual,
      name,
      terse,
      sorted,
      complete: this.#complete,
      nameOf: resolve ? (address) => this.#nameOf(address) : undefined,
    })) {
      this.#stdout.push(piece)
      yield 'more'
    }
  }

  /** Asks for the names of a set's addresses, before it is listed. */
  *#askNames(set: IpSet): Generator<Waits, void> {
    const nameOf = (address: string) => {
      if (!this.#names.has(address) && this.#names.size + this.#wanted.size < NAMES_MAX) this.#wanted.add(address)
      return address
    }
    for (const _ of set.members({ nameOf })) yield this.#wanted.size < NAMES_AT_ONCE ? 'more' : 'names'
    if (this.#wanted.size > 0) yield 'names'
  }

  /** A name in which there is a dash would be read as a range, but for the brackets. */
  #nameOf(address: string): string {
    const name = this.#names.get(address) || address
    return name.includes('-') ? `[${name}]` : name
  }
}
