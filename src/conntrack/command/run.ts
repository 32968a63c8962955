// The commands of conntrack 1.4.7, done for a client: what is listed is read out of the flow table's shared memory, without a
// word to the thread that passes packets; what is changed is asked of that thread, some hundred flows at a time.

import * as ip from '../../wire/ipv4.ts'
import type { TakenEvent } from '../events.ts'
import type { FlowAnswer, FlowChange, FlowName, FlowSettings, Refusal } from '../flow-change.ts'
import type { FlowView } from '../flow-view.ts'
import * as f from '../record.ts'
import { parseArguments } from './arguments.ts'
import { entryAt, type FlowEntry, type Reading } from './entry.ts'
import { BANNER, Fault, failed, VERSION, wrongUsage } from './fault.ts'
import { type Filter, filterOf } from './filter.ts'
import { HELP } from './help.ts'
import type { LabelNames } from './labels.ts'
import { formatEntry, type LineOptions } from './line.ts'
import { newFlow } from './new-flow.ts'
import type { Environment, Output, Request } from './request.ts'
import { formatSaved } from './save-form.ts'
import { watch } from './watch.ts'
import { formatXml, XML_BEGIN, XML_END } from './xml.ts'

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
    this.#print = new Printer(output, named, client, command !== 'D' && command !== 'U')
  }

  async run(): Promise<number> {
    const request = this.#request
    if (request.warnings !== '') this.#client.printError(request.warnings)
    if (request.table === 'expect') return this.#expectations()
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
        this.#statistics()
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

  /** No connection helper has announced anything. */
  #expectations(): number {
    switch (this.#request.command) {
      case 'L':
        this.#say('0 expectations have been shown.')
        return 0
      case 'F':
        this.#client.printError(`${BANNER}: expectation table has been emptied.\n`)
        return 0
      case 'C':
        this.#client.print('0\n')
        return 0
      case 'S':
        this.#statistics()
        return 0
      case 'E':
        throw new Fault(1, `${BANNER}: Operation failed: there are no expectations to be told of\n`)
      default:
        throw failed('ENOENT')
    }
  }

  #statistics(): void {
    const statistics = this.#source.statistics()
    const words = STATISTICS.map((name) => `${name}=${statistics[name] ?? 0} `)
    this.#client.print(`cpu=0   \t${words.join('')}\n`)
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

const STATISTICS = [
  ...['found', 'invalid', 'insert', 'insert_failed', 'drop', 'early_drop', 'error', 'search_restart'],
  ...['clash_resolve', 'chaintoolong'],
]

function nameOf({ ct, id }: FlowEntry): FlowName {
  return { ct, id }
}

const familyOf = (address: readonly number[]) => (address.length === 1 ? 4 : 6)

/** What the command sets. */
function settings({ values, protocol, command }: Request): FlowSettings {
  const { timeout, mark, status, state } = values
  const creates = command === 'I' || command === 'A'
  const tags = [values['orig-vtag'] ?? 0, values['reply-vtag'] ?? 0] as const
  const nat = creates
    ? (values['src-nat'] === undefined ? 0 : f.SRC_NAT | f.SRC_NAT_DONE) |
      (values['dst-nat'] === undefined ? 0 : f.DST_NAT | f.DST_NAT_DONE)
    : 0
  const deleted = values['label-del']
  return {
    timeout,
    mark: mark === undefined ? undefined : { value: mark.value, mask: creates ? -1 : (mark.mask ?? -1) },
    status: status === undefined && nat === 0 ? undefined : (status ?? 0) | nat,
    state,
    tags: protocol === ip.PROTO_SCTP && creates ? tags : undefined,
    addLabels: values['label-add'],
    deleteLabels: deleted === undefined ? undefined : deleted.length === 0 ? 'all' : deleted,
  }
}

/** Whether the flow would be another afterwards; one that would not is neither asked for nor counted. */
function changes(entry: FlowEntry, set: FlowSettings): boolean {
  const { timeout, mark, status, state, addLabels, deleteLabels } = set
  if (timeout !== undefined && timeout !== entry.seconds) return true
  if (mark !== undefined && ((entry.mark & ~mark.mask) ^ mark.value) !== (entry.mark | 0)) return true
  if (status !== undefined && (status & ~entry.status) !== 0) return true
  if (state !== undefined && entry.protocol === ip.PROTO_TCP && state !== entry.stateNumber) return true
  const has = (bit: number) => entry.labels !== undefined && ((entry.labels[bit >> 5] >>> (bit & 31)) & 1) !== 0
  if (addLabels?.some((bit) => !has(bit)) === true) return true
  if (deleteLabels === 'all') return entry.labels?.some((word) => word !== 0) === true
  return deleteLabels?.some(has) === true
}

/** Prints flows in the form that was asked for. */
export class Printer {
  readonly #output: Output
  readonly #client: Client
  readonly #options: LineOptions
  readonly #framed: boolean
  #text = ''
  #began = false

  /** @param framed XML has its first and last lines */
  constructor(output: Output, labels: LabelNames | undefined, client: Client, framed = true) {
    this.#framed = framed
    this.#output = output
    this.#client = client
    const { extended, id, ktimestamp } = output
    // Where the command names labels, they are shown too.
    this.#options = { extended, id, ktimestamp, labels: labels && ((words) => labels.of(words)) }
  }

  get options(): LineOptions {
    return this.#options
  }

  /** @param use how often the flow is in use, as far as the asker sees */
  entry(entry: FlowEntry, use = 1): void {
    const options = { ...this.#options, use }
    if (this.#output.xml) this.line(formatXml(entry, options))
    else this.line(this.#output.save ? formatSaved(entry) : formatEntry(entry, options))
  }

  line(text: string): void {
    if (this.#output.xml && this.#framed && !this.#began) this.#text += XML_BEGIN
    this.#began = true
    this.#text += `${text}\n`
  }

  flush(): void {
    if (this.#text !== '') this.#client.print(this.#text)
    this.#text = ''
  }

  end(): void {
    if (this.#output.xml && this.#began) this.#text += XML_END
    this.flush()
  }
}
