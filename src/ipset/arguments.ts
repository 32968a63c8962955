// The words of ipset's command line: its options, which may stand anywhere, and the command's name, which may be abbreviated.
// Quirks are those of ipset 7.17; status 2 is for a command's form.

import { SetError } from './fault.ts'
import { OUTPUT_MODES, type OutputMode } from './list.ts'
import { syntax } from './words.ts'

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

export type CommandName = (typeof COMMANDS)[number][0]

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

/** Instead of a command: commands come from standard input, one a line, each answered at once. */
export const INTERACTIVE = '-'

/** Options hold from where they stand to the end of a restore. */
export class Options {
  exist = false
  quiet = false
  sorted = false
  name = false
  terse = false
  /** Addresses are listed by the names of their hosts. */
  resolve = false
  mode: OutputMode | undefined
  file: string | undefined

  /** Takes the options out of a command's words. */
  take(argv: readonly string[]): string[] {
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
          this.exist = true
          break
        case '-q':
        case '-quiet':
        case '--quiet':
          this.quiet = true
          break
        case '-s':
        case '-sorted':
        case '--sorted':
          this.sorted = true
          break
        case '-n':
        case '-name':
        case '--name':
          this.name = true
          break
        case '-t':
        case '-terse':
        case '--terse':
          this.terse = true
          break
        case '-o':
        case '-output':
        case '--output': {
          const mode = value()
          if (!(OUTPUT_MODES as readonly string[]).includes(mode)) throw syntax(`unknown output mode '${mode}'`, mode)
          this.mode = mode as OutputMode
          break
        }
        case '-f':
        case '-file':
        case '--file':
          this.file = value()
          break
        case '-r':
        case '-resolve':
        case '--resolve':
          this.resolve = true
          break
        default:
          rest.push(argv[i])
      }
    }
    return rest
  }
}

/** The command that is meant and its own words. Throws a SetError for any other words. */
export function commandOf(words: readonly string[]): { readonly name: CommandName; readonly words: readonly string[] } {
  if (words.length === 0) throw new SetError('No command specified.', { status: 2 })
  const name = commandName(words[0])
  if (name === undefined)
    throw new SetError(`No command specified: unknown argument ${words[0]}`, { status: 2, word: words[0] })
  return { name, words: words.slice(1) }
}

/** Whether there are as many words as the command takes. */
export function countWords(name: CommandName, words: readonly string[]): void {
  const [least, most] = WORDS[name]
  if (words.length < least) {
    const which = words.length === 0 ? 'mandatory' : 'second mandatory'
    throw new SetError(`Missing ${which} argument to command ${name}`, { status: 2 })
  }
  if (words.length > most) throw new SetError(`Unknown argument ${words[most]}`, { status: 2, word: words[most] })
}

/** What a command line makes its caller read and write. */
export interface Request {
  /** 'input': all of it, before anything is done; 'lines': one after the other, each answered at once. */
  readonly reads: 'nothing' | 'input' | 'lines'
  /** Read by restore, written by list and save; standard input and output when left out. */
  readonly file?: string
}

/** A command line that is wrong reads and writes nothing. */
export function requestOf(argv: readonly string[]): Request {
  const options = new Options()
  try {
    const words = options.take(argv)
    if (words[0] === INTERACTIVE) return { reads: 'lines' }
    const { name } = commandOf(words)
    const reads = name === 'restore' ? 'input' : 'nothing'
    const usesFile = name === 'restore' || name === 'list' || name === 'save'
    return { reads, ...(usesFile && options.file !== undefined && { file: options.file }) }
  } catch (error) {
    if (!(error instanceof SetError)) throw error
    return { reads: 'nothing' }
  }
}

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
