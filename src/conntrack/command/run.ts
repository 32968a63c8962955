// The commands of conntrack 1.4.7, done for a client: what is listed is read out of the flow table's shared memory, without a
// word to the thread that passes packets; what is changed is asked of that thread, some hundred flows at a time.

import type { TakenEvent } from '../events.ts'
import type { FlowAnswer, FlowChange, FlowName, Refusal } from '../flow-change.ts'
import type { FlowView } from '../flow-view.ts'
import { parseArguments } from './arguments.ts'
import { entryAt, type FlowEntry, type Reading } from './entry.ts'
import { ExpectRun } from './expectations.ts'
import { BANNER, failed, VERSION, wrongUsage } from './fault.ts'
import { type Filter, filterOf } from './filter.ts'
import { HELP } from './help.ts'
import { familyOf, newFlow } from './new-flow.ts'
import { Printer } from './print.ts'
import type { Environment, Request } from './request.ts'
import { changes, settings } from './settings.ts'
import { watch } from './watch.ts'

/** Whom a command is done for. */
export interface Client {
  readonly gone: boolean
  onGone(listener: () => void): void
  readInput(): Promise<string>
  readFile(name: string): Promise<string>
  print(text: string): void
  printError(text: string): void
  readonly unread: number
  drained(): Promise<void>
}

/** The flow table as commands reach it. */
export interface FlowSource {
  /** One a family. */
  readonly views: readonly FlowView[]
  reading(): Reading
  /** Statistics by name, as `conntrack -S` names them. */
  statistics(): Readonly<Record<string, number>>
  /** @param port who asks, told with the events */
  change(family: 4 | 6, change: FlowChange, port: number): Promise<FlowAnswer>
  /** Calls `listener` for every event from now on, until the function that it returns is called. */
  listen(listener: (event: TakenEvent) => void, lost: (count: number) => void): () => void
}

/** Flows that one order names, and records that are looked at before others get their turn. */
const CHUNK = 256
const SCAN = 2048
/** Bytes that a client has yet to read: with more, a listing waits for it. */
const UNREAD_MAX = 1 << 20

/** Does one command. @returns the exit status  @throws Fault */
export async function runConntrack(
  words: readonly string[],
  source: FlowSource,
  client: Client,
  environment: Environment,
  port: number,
): Promise<number> {
  const request = parseArguments(words, environment)
  if (request.command === 'R') return await load(request, source, client, environment, port)
  return await new Run(request, source, client, port).run()
}

/** Every line is read before the first is done. */
async function load(
  { file = '' }: Request,
  source: FlowSource,
  client: Client,
  environment: Environment,
  port: number,
): Promise<number> {
  let text: string
  try {
    text = file === '-' ? await client.readInput() : await client.readFile(file)
  } catch (error) {
    if (client.gone) throw error
    throw wrongUsage(`Failed to open file ${file} for reading`)
  }
  const requests: Request[] = []
  for (const line of text.split('\n')) {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
    if (words.length === 0 || words[0].startsWith('#')) continue
    const request = parseArguments(words[0] === 'conntrack' ? words.slice(1) : words, environment)
    if (!'IADUF'.includes(request.command)) {
      const name = request.command === 'h' || request.command === 'V' ? 'unknown' : `-${request.command}`
      throw wrongUsage(`Cannot use command \`${name}' with --load-file`)
    }
    requests.push(request)
  }
  for (const request of requests) await new Run(request, source, client, port, true).run()
  return 0
}

class Run {
  readonly #request: Request
  readonly #source: FlowSource
  readonly #client: Client
  readonly #port: number
  /** One of many lines: how many flows it was is not told. */
  readonly #quiet: boolean
  readonly #filter: Filter
  readonly #print: Printer

  constructor(request: Request, source: FlowSource, client: Client, port: number, quiet = false) {
    this.#request = request
    this.#source = source
    this.#client = client
    this.#port = port
    this.#quiet = quiet
    this.#filter = filterOf(request)
    const { command, output, labelNames } = request
    const named = command === 'D' && !output.labels ? undefined : labelNames
    this.#print = new Printer(output, named, client, command === 'D' || command === 'U' ? undefined : 'conntrack')
  }

  async run(): Promise<number> {
    const request = this.#request
    if (request.warnings !== '') this.#client.printError(request.warnings)
    if (request.table === 'expect') return await new ExpectRun(request, this.#source, this.#client, this.#port).run()
    switch (request.command) {
      case 'L':
        return await this.#list()
      case 'G':
        return await this.#get()
      case 'D':
        return await this.#delete()
      case 'I':
      case 'A':
        return await this.#create()
      case 'U':
        return await this.#update()
      case 'F':
        return await this.#flush()
      case 'E':
        return await watch(request, this.#filter, this.#source, this.#client)
      case 'C':
        this.#client.print(`${this.#source.views.reduce((sum, { count }) => sum + count, 0)}\n`)
        return 0
      case 'S':
        this.#client.print(statisticsLine(this.#source, STATISTICS))
        return 0
      case 'V':
        this.#client.print(`${BANNER}\n`)
        return 0
      default:
        this.#client.print(HELP.replaceAll('VERSION', VERSION))
        return 0
    }
  }

  #say(text: string): void {
    if (!this.#quiet) this.#client.printError(`${BANNER}: ${text}\n`)
  }

  /** Flows that are meant, as they stand in the table; others get their turn in between. */
  async *#chosen(): AsyncGenerator<FlowEntry> {
    for (const view of this.#views) yield* this.#chosenOf(view)
  }

  get #views(): readonly FlowView[] {
    const { family } = this.#request
    return this.#source.views.filter((view) => family === 0 || view.family === family)
  }

  async *#chosenOf(view: FlowView): AsyncGenerator<FlowEntry> {
    for (let from = 0; from < view.used; from += SCAN) {
      const reading = this.#source.reading()
      for (let ct = from; ct < Math.min(from + SCAN, view.used); ct++) {
        const entry = entryAt(view, ct, reading)
        if (entry !== undefined && this.#filter(entry)) yield entry
      }
      if (this.#client.unread > UNREAD_MAX) await this.#client.drained()
      else await new Promise((resolve) => setImmediate(resolve))
      if (this.#client.gone) return
    }
  }

  async *#inChunks(): AsyncGenerator<FlowEntry[]> {
    let chunk: FlowEntry[] = []
    for await (const entry of this.#chosen()) {
      // One order is about one table.
      if (chunk.length === CHUNK || (chunk.length > 0 && chunk[0].family !== entry.family)) {
        yield chunk
        chunk = []
      }
      chunk.push(entry)
    }
    if (chunk.length > 0) yield chunk
  }

  #change(family: 4 | 6, change: FlowChange): Promise<FlowAnswer> {
    return this.#source.change(family, change, this.#port)
  }

  async #list(): Promise<number> {
    const { table, zero, values } = this.#request
    if (values.status === 0) throw failed('EINVAL')
    let count = 0
    if (table === 'conntrack')
      for await (const chunk of this.#inChunks()) {
        const entries = zero ? await this.#zeroed(chunk) : chunk
        for (const entry of entries) this.#print.entry(entry)
        this.#print.flush()
        count += entries.length
      }
    this.#print.end()
    this.#say(`${count} flow entries have been shown.`)
    return 0
  }

  async #zeroed(chunk: readonly FlowEntry[]): Promise<FlowEntry[]> {
    const { done, counts = new Float64Array(0) } = await this.#change(chunk[0].family, {
      kind: 'zero',
      flows: chunk.map(nameOf),
    })
    return chunk.map((entry, i) => {
      if (done[i] !== 1) return entry
      const [packets, bytes, replyPackets, replyBytes] = counts.subarray(4 * i)
      return {
        ...entry,
        original: { ...entry.original, packets, bytes },
        reply: { ...entry.reply, packets: replyPackets, bytes: replyBytes },
      }
    })
  }

  async #delete(): Promise<number> {
    let count = 0
    for await (const chunk of this.#inChunks()) {
      const { done } = await this.#change(chunk[0].family, { kind: 'delete', flows: chunk.map(nameOf) })
      for (const [i, entry] of chunk.entries()) {
        if (done[i] !== 1) continue
        this.#print.entry(entry)
        count++
      }
      this.#print.flush()
    }
    this.#say(`${count} flow entries have been deleted.`)
    return count === 0 ? 1 : 0
  }

  async #flush(): Promise<number> {
    // Of both families, whatever -f says: that is how the tool does it.
    for (const view of this.#source.views)
      for (let from = 0; from < view.used; from += SCAN)
        await this.#change(view.family, { kind: 'flush', from, to: Math.min(from + SCAN, view.used) })
    this.#client.printError(`${BANNER}: connection tracking table has been emptied.\n`)
    return 0
  }

  #entryAt(family: 4 | 6, ct: number): FlowEntry | undefined {
    const view = this.#source.views.find((each) => each.family === family)
    return view === undefined ? undefined : entryAt(view, ct, this.#source.reading())
  }

  async #get(): Promise<number> {
    const wanted = newFlow(this.#request)
    const { values, protocol } = this.#request
    // Asked for by the reply's addresses alone, it says EINVAL.
    if (wanted === undefined || protocol === undefined || values.src === undefined) throw failed('EINVAL')
    const family = familyOf(wanted.original.source)
    const { ct, refused } = await this.#change(family, { kind: 'find', protocol, tuple: wanted.original })
    const entry = ct === undefined ? undefined : this.#entryAt(family, ct)
    if (refused !== undefined || entry === undefined) throw failed('ENOENT')
    if (values.id !== undefined && values.id !== entry.id) throw failed('ENOENT')
    this.#print.entry(entry, 2)
    this.#print.flush()
    this.#say('1 flow entries have been shown.')
    return 0
  }

  async #create(): Promise<number> {
    const { protocol, command } = this.#request
    const wanted = newFlow(this.#request)
    if (wanted === undefined || protocol === undefined) throw failed('EINVAL')
    const family = familyOf(wanted.original.source)
    const set = settings(this.#request)
    const { refused } = await this.#change(family, { kind: 'create', protocol, ...wanted, set })
    const adds = command === 'A'
    if (refused !== undefined && !(adds && refused === 'EEXIST')) throw failed(refused)
    this.#say(`${refused === undefined ? 1 : 0} flow entries have been ${adds ? 'added' : 'created'}.`)
    return 0
  }

  async #update(): Promise<number> {
    const { family } = this.#request
    const set = settings(this.#request)
    let count = 0
    let before: Refusal | undefined
    for await (const chunk of this.#inChunks())
      for (const entry of chunk) {
        if (!changes(entry, set)) continue
        if (family === 0) {
          this.#client.printError('Operation failed: Operation not supported\n')
          throw failed('EOPNOTSUPP')
        }
        if (before !== undefined) throw failed(before)
        const { refused } = await this.#change(entry.family, { kind: 'update', flow: nameOf(entry), set })
        if (refused === 'ENOENT') continue
        // The tool goes on after its first flow was refused, and counts it, but with another one it gives up.
        if (refused !== undefined && count > 0) throw failed(refused)
        before = refused
        if (refused !== undefined) this.#client.printError(failed(refused).stderr.replace(`${BANNER}: `, ''))
        // Only the first is shown; that is how the tool does it.
        const now = count === 0 ? this.#entryAt(entry.family, entry.ct) : undefined
        if (now !== undefined) this.#print.entry(now, 2)
        this.#print.flush()
        count++
      }
    this.#say(`${count} flow entries have been updated.`)
    return count === 0 ? 1 : 0
  }
}

/** A line of `conntrack -S`, of the one processor that there is. */
export function statisticsLine(source: FlowSource, names: readonly string[]): string {
  const statistics = source.statistics()
  return `cpu=0   \t${names.map((name) => `${name}=${statistics[name] ?? 0} `).join('')}\n`
}

const STATISTICS = [
  ...['found', 'invalid', 'insert', 'insert_failed', 'drop', 'early_drop', 'error', 'search_restart'],
  ...['clash_resolve', 'chaintoolong'],
]

function nameOf({ ct, id }: FlowEntry): FlowName {
  return { ct, id }
}
