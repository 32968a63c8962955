// The ipset command on a store: words in, what the real one would print and its exit status out. Messages, options and their
// quirks are those of ipset 7.17: options may stand anywhere, commands may be abbreviated, status 2 is for a command's form.
//
// Restore does one line after the other and stops at the first that fails; what was done before stays. (The real one loses
// some of the lines before a syntax error, depending on how it batches them.) With `atomic` such a restore changes nothing.

import { type Command, formatElement, readElement, refuseRanges } from './element.ts'
import { SetError } from './fault.ts'
import { listSets, OUTPUT_MODES, type OutputMode } from './list.ts'
import { readMemberOptions } from './member-options.ts'
import { readSettings } from './settings.ts'
import type { SetStore } from './store.ts'
import { setType } from './type.ts'
import { helpText, VERSION } from './usage.ts'
import { setName, syntax } from './words.ts'
import { wordsOfLine } from './words-of-line.ts'

/** In the order in which an abbreviation is looked up. */
const COMMANDS = [
  ['create', '-N', 'new'],
  ['add', '-A'],
  ['del', '-D'],
  ['test', '-T'],
  ['destroy', '-X', 'x'],
  ['list', '-L'],
  ['save', '-S'],
  ['restore', '-R'],
  ['flush', '-F'],
  ['rename', '-E', 'e'],
  ['swap', '-W', 'w'],
  ['help', '-H', '-h'],
  ['version', '-V', '-v'],
  ['quit'],
] as const

type CommandName = (typeof COMMANDS)[number][0]

/** How many words a command needs, and may have besides options of its own. */
const WORDS: Readonly<Record<CommandName, readonly [number, number]>> = {
  create: [2, Number.POSITIVE_INFINITY],
  add: [2, Number.POSITIVE_INFINITY],
  del: [2, Number.POSITIVE_INFINITY],
  test: [2, Number.POSITIVE_INFINITY],
  destroy: [0, 1],
  list: [0, 1],
  save: [0, 1],
  restore: [0, 0],
  flush: [0, 1],
  rename: [2, 2],
  swap: [2, 2],
  help: [0, 1],
  version: [0, 0],
  quit: [0, 0],
}

/** Longer lines cannot be read. */
export const LINE_MAX = 1023

export interface IpsetResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface IpsetInput {
  /** What restore reads. */
  readonly stdin?: string
  /** A restore that fails changes nothing. */
  readonly atomic?: boolean
  /** For -file; without them it is refused. They throw where the file cannot be had. */
  readonly readFile?: (path: string) => string
  readonly writeFile?: (path: string, text: string) => void
}

/** Runs `ipset ARGV...`. Never throws. */
export function runIpset(store: SetStore, argv: readonly string[], input: IpsetInput = {}): IpsetResult {
  return new Invocation(store, input).run(argv)
}

/** A restore that somebody else feeds line by line, so that it can do other things in between. */
export class Restore {
  readonly #invocation: Invocation

  constructor(store: SetStore) {
    this.#invocation = new Invocation(store, {})
  }

  /** @returns false when the restore is over: at an error, or at `quit` */
  line(text: string): boolean {
    return this.#invocation.restoreLine(text)
  }

  /** What there is to print, and the status. */
  end(): IpsetResult {
    return this.#invocation.result()
  }
}

class Invocation {
  readonly #store: SetStore
  readonly #input: IpsetInput
  #stdout: string[] = []
  #stderr: string[] = []
  #status = 0
  // Options hold from where they stand to the end of a restore.
  #exist = false
  #quiet = false
  #sorted = false
  #name = false
  #terse = false
  #mode: OutputMode | undefined
  #file: string | undefined
  /** Line of the restore that is under way. */
  #line = 0
  #ended = false

  constructor(store: SetStore, input: IpsetInput) {
    this.#store = store
    this.#input = input
  }

  run(argv: readonly string[]): IpsetResult {
    this.#attempt(() => this.#command(argv))
    return this.result()
  }

  result(): IpsetResult {
    return { status: this.#status, stdout: this.#stdout.join(''), stderr: this.#quiet ? '' : this.#stderr.join('') }
  }

  #attempt(act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof SetError)) throw error
      this.#ended = true
      this.#status = error.status
      const place = this.#line > 0 && error.status === 1 ? `Error in line ${this.#line}: ` : ''
      const hint = error.status === 2 ? "Try `ipset help' for more information.\n" : ''
      this.#stderr.push(`ipset ${VERSION}: ${place}${error.message}\n${hint}`)
    }
  }

  #command(argv: readonly string[]): void {
    const words = this.#takeOptions(argv)
    if (words.length === 0) throw new SetError('No command specified.', { status: 2 })
    const name = commandName(words[0])
    if (name === undefined)
      throw new SetError(`No command specified: unknown argument ${words[0]}`, { status: 2, word: words[0] })
    if (this.#line > 0 && (name === 'restore' || name === 'version' || name === 'help'))
      throw new SetError(`Command \`${name}' is invalid in restore mode.`, { status: 2, word: words[0] })
    const [least, most] = WORDS[name]
    const rest = words.slice(1)
    if (rest.length < least) {
      const which = rest.length === 0 ? 'mandatory' : 'second mandatory'
      throw new SetError(`Missing ${which} argument to command ${name}`, { status: 2 })
    }
    if (rest.length > most) throw new SetError(`Unknown argument ${rest[most]}`, { status: 2, word: rest[most] })
    this.#do(name, rest)
  }

  #takeOptions(argv: readonly string[]): string[] {
    if (!argv.some((word) => word[0] === '-')) return [...argv]
    const rest: string[] = []
    for (let i = 0; i < argv.length; i++) {
      const value = () => {
        if (i + 1 === argv.length)
          throw new SetError(`Missing mandatory argument to option ${argv[i]}`, { status: 2, word: argv[i] })
        return argv[++i]
      }
      switch (argv[i]) {
        case '-!':
        case '-exist':
        case '--exist':
          this.#exist = true
          break
        case '-q':
        case '-quiet':
        case '--quiet':
          this.#quiet = true
          break
        case '-s':
        case '-sorted':
        case '--sorted':
          this.#sorted = true
          break
        case '-n':
        case '-name':
        case '--name':
          this.#name = true
          break
        case '-t':
        case '-terse':
        case '--terse':
          this.#terse = true
          break
        case '-o':
        case '-output':
        case '--output': {
          const mode = value()
          if (!(OUTPUT_MODES as readonly string[]).includes(mode)) throw syntax(`unknown output mode '${mode}'`, mode)
          this.#mode = mode as OutputMode
          break
        }
        case '-f':
        case '-file':
        case '--file':
          this.#file = value()
          break
        case '-r':
        case '-resolve':
        case '--resolve':
          throw new SetError('-resolve is not supported: addresses are not looked up', { word: argv[i] })
        default:
          rest.push(argv[i])
      }
    }
    return rest
  }

  #do(name: CommandName, words: readonly string[]): void {
    const store = this.#store
    switch (name) {
      case 'create':
        return this.#create(words)
      case 'add':
      case 'del':
      case 'test':
        return this.#member(name, words)
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
        return this.#list(name, words[0])
      case 'restore':
        return this.#restore()
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
    this.#store.create(name, settings, this.#exist)
    if (warnings.length > 0) this.#stderr.push(`Warning: ${warnings.join('\n')}\n`)
  }

  #member(command: Command, [name, text, ...words]: readonly string[]): void {
    const store = this.#store
    const { settings } = store.get(setName(name)).set
    const element = readElement(text, settings, store.names, command)
    const extras = readMemberOptions(words, settings.type, command, element)
    refuseRanges(element, settings, command)
    if (command === 'add') return store.add(name, element, extras, this.#exist)
    if (command === 'del') return store.delete(name, element, this.#exist)
    const shown = formatElement(element, settings, store.names)
    const is = store.test(name, element)
    this.#stderr.push(is ? `Warning: ${shown} is in set ${name}.\n` : `${shown} is NOT in set ${name}.\n`)
    if (is) return
    this.#status = 1
    this.#ended = true
  }

  #list(command: 'list' | 'save', name: string | undefined): void {
    const store = this.#store
    const slots = name === undefined ? store.slots() : [store.get(setName(name))]
    // Within a restore both print plainly, as the real one has it.
    const mode = this.#mode ?? (command === 'save' && this.#line === 0 ? 'save' : 'plain')
    const options = { mode, name: this.#name, terse: this.#terse, sorted: this.#sorted }
    if (this.#file === undefined) {
      for (const piece of listSets(slots, options)) this.#stdout.push(piece)
      return
    }
    const path = this.#file
    this.#withFile(path, 'writing', () => {
      if (this.#input.writeFile === undefined) throw new Error('files are not written for this client')
      this.#input.writeFile(path, [...listSets(slots, options)].join(''))
    })
  }

  #restore(): void {
    let text = this.#input.stdin ?? ''
    const path = this.#file
    if (path !== undefined)
      this.#withFile(path, 'reading', () => {
        if (this.#input.readFile === undefined) throw new Error('files are not read for this client')
        text = this.#input.readFile(path)
      })
    if (this.#input.atomic !== true) return this.#restoreText(text)
    try {
      this.#store.atomically(() => {
        this.#restoreText(text)
        if (this.#status !== 0) throw UNDONE
      })
    } catch (error) {
      if (error !== UNDONE) throw error
    }
  }

  #restoreText(text: string): void {
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf('\n', at)
      const stop = end < 0 ? text.length : end
      if (!this.restoreLine(text.slice(at, stop))) return
      at = stop + 1
    }
  }

  restoreLine(line: string): boolean {
    this.#line++
    this.#attempt(() => {
      if (line.length > LINE_MAX) throw new SetError('Line is too long to parse.', { status: 2 })
      const nul = line.indexOf('\0')
      const words = wordsOfLine(nul < 0 ? line : line.slice(0, nul))
      if (words.length === 0 || words[0].text[0] === '#' || words[0].text === 'COMMIT') return
      this.#command(words.map(({ text }) => text))
    })
    return !this.#ended
  }

  #withFile(path: string, what: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException
      const reason = code === 'ENOENT' ? 'No such file or directory' : message
      throw new SetError(`Cannot open ${path} for ${what}: ${reason}`)
    }
  }
}

const UNDONE = Symbol('undone')

const found = new Map<string, CommandName>()

function commandName(word: string): CommandName | undefined {
  const known = found.get(word)
  if (known !== undefined) return known
  const bare = word.replace(/^--/, '')
  for (const [name, ...others] of COMMANDS) {
    for (const each of [name, ...others] as readonly string[]) {
      const fits = each[0] === '-' ? each === word : bare !== '' && each.startsWith(bare)
      if (!fits) continue
      // There are only so many abbreviations.
      found.set(word, name)
      return name
    }
  }
  return undefined
}
