// The control side of `tunfilter up`: signals, files and the log. Packets are handled by a worker thread beside it
// (gateway/worker.ts), which this never waits for: it sends orders and prints what is reported.

import { readFileSync, writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { Commands, type Plane } from '../control/commands.ts'
import { type Families, IpsetProgram, type SetsAnswer, type SetsPlane } from '../control/ipset.ts'
import { ControlServer } from '../control/server.ts'
import { loadNative, type Native } from '../device/native.ts'
import type { TunIo } from '../device/tun.ts'
import { RefusedError, TunfilterError } from '../errors.ts'
import { parseRestore } from '../iptables/restore.ts'
import type { RuleSet } from '../rule/model.ts'
import type { NflogPacket } from '../rule/nflog.ts'
import { readConfig } from './config.ts'
import { type LogFormat, openLog } from './log.ts'
import { NflogFile } from './nflog-file.ts'
import {
  ISSUED,
  type Order,
  type Report,
  type ReportedError,
  type RuleText,
  UNREAD,
  type WorkerData,
} from './orders.ts'
import { type State, StateFile } from './state.ts'
import { printTotals } from './summary.ts'

export interface UpOptions {
  readonly config: string
  /** Rule file in iptables-save form; every packet is accepted when it is left out. */
  readonly rules?: string
  readonly logFormat?: LogFormat
  /** How packets come and go; `auto` when left out. */
  readonly io?: TunIo
  /** Microseconds for which an idle data plane looks again and again before it sleeps; 0 when left out. */
  readonly busyPoll?: number
  /** Path of the control socket; there is none when it is left out. */
  readonly control?: string
  /** Where rules are kept when the gateway ends; they are read from there if the file is there. */
  readonly state?: string
  /** Sets to begin with, in ipset-save form, where `state` is not there yet. */
  readonly ipset?: string
  /** Capture that packets of NFLOG rules are written to. */
  readonly nflog?: string
}

/**
 * Runs the gateway until SIGTERM or SIGINT.
 * @returns the exit status
 */
export async function up(options: UpOptions): Promise<number> {
  const config = readConfig(options.config)
  const kept = options.state === undefined ? undefined : StateFile.read(options.state)
  const read = (file: string | undefined) => (file === undefined ? undefined : readRules(file))
  const begin = kept ?? { iptables: read(options.rules), ipset: read(options.ipset) }
  const given = { config, rules: begin.iptables, rules6: kept?.ip6tables, sets: begin.ipset }
  return await new Gateway(options, given, kept ?? {}).ended
}

/** What the gateway begins with. */
type Given = Pick<WorkerData, 'config' | 'rules' | 'sets'> & { readonly rules6: RuleText | undefined }

/** syslog's levels as pino's. */
const LEVELS = ['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug'] as const

class Gateway {
  /** The exit status; rejected when the gateway cannot start. */
  readonly ended: Promise<number>
  readonly #options: UpOptions
  readonly #log: Logger
  readonly #native: Native
  readonly #worker: Worker
  readonly #shared = new Int32Array(new SharedArrayBuffer(8))
  readonly #eventFd: number
  readonly #given: Given
  readonly #state: StateFile | undefined
  #nflog: NflogFile | undefined
  /** Changes that the worker has not answered yet; at most one, since commands take turns. */
  readonly #changes: { resolve(counters: Float64Array): void; reject(error: Error): void }[] = []
  /** Steps of ipset's commands that the worker has not answered yet, in turn. */
  readonly #setSteps: ((answer: SetsAnswer) => void)[] = []
  #control: ControlServer | undefined
  #commands: Commands | undefined
  /** The rules that the worker is reading again. */
  #reloading: { readonly ruleSet: RuleSet; done(): void } | undefined
  #status = 1

  constructor(options: UpOptions, given: Given, kept: State) {
    this.#options = options
    this.#given = given
    this.#log = openLog(options.logFormat)
    if (options.state !== undefined)
      this.#state = new StateFile(options.state, kept, (message) => this.#log.error(message))
    if (options.nflog !== undefined) this.#nflog = new NflogFile(options.nflog)
    this.#native = loadNative()
    this.#eventFd = this.#native.eventFd()
    const { config, rules, sets } = given
    const { io = 'auto', busyPoll = 0 } = options
    const keepsSets = options.state !== undefined
    const nflog = options.nflog !== undefined
    const workerData: WorkerData = {
      config,
      rules,
      sets,
      keepsSets,
      nflog,
      io,
      busyPoll,
      eventFd: this.#eventFd,
      shared: this.#shared,
    }
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData })
    this.ended = new Promise((resolve, reject) => {
      this.#worker.on('message', (report: Report) => {
        if (report.kind === 'failed') reject(revived(report.error))
        else if (report.kind === 'started' && options.control !== undefined)
          this.#listen(options.control, report.counters, report.families ?? []).then(
            () => this.#hear(report),
            (error: Error) => {
              reject(error)
              this.#order({ kind: 'stop' })
            },
          )
        else this.#hear(report)
      })
      this.#worker.on('error', reject)
      this.#worker.on('exit', () => {
        this.#control?.close()
        this.#state?.flush()
        this.#nflog?.close()
        for (const [signal, listener] of this.#signals) process.off(signal, listener)
        this.#native.close(this.#eventFd)
        resolve(this.#status)
      })
    })
    for (const [signal, listener] of this.#signals) process.on(signal, listener)
  }

  readonly #signals: readonly (readonly [NodeJS.Signals, () => void])[] = [
    ['SIGHUP', () => this.#reload()],
    ['SIGUSR1', () => this.#order({ kind: 'list' })],
    ['SIGTERM', () => this.#stop('SIGTERM')],
    ['SIGINT', () => this.#stop('SIGINT')],
  ]

  #order(order: Order): void {
    this.#worker.postMessage(order)
    Atomics.add(this.#shared, ISSUED, 1)
    this.#native.signal(this.#eventFd)
  }

  #stop(signal: string): void {
    this.#log.info(`${signal}: ending`)
    this.#order({ kind: 'stop' })
  }

  #reload(): void {
    const file = this.#options.rules
    if (file === undefined) {
      this.#log.warn('SIGHUP: there is no rule file to read again (--rules)')
      return
    }
    if (this.#commands === undefined) this.#load(file)
    else this.#commands.inTurn(() => new Promise<void>((done) => this.#load(file, done)))
  }

  /** Nothing is thrown; `done` is called in the end in any case. */
  #load(file: string, done?: () => void): void {
    try {
      const rules = readRules(file)
      // The control side has the same rules in the end. What is wrong with them the worker says.
      if (done !== undefined) this.#reloading = { ruleSet: parsed(rules), done }
      this.#order({ kind: 'load', rules })
    } catch (error) {
      for (const line of (error as Error).message.split('\n')) this.#log.error(`reload: ${line}`)
      this.#log.error('reload: refused; the old rules stay')
      done?.()
    }
  }

  #reloaded(): void {
    const reloading = this.#reloading
    this.#reloading = undefined
    reloading?.done()
  }

  async #listen(path: string, counters: Float64Array, families: Families): Promise<void> {
    const { rules, rules6 } = this.#given
    const ruleSet: RuleSet = rules === undefined ? { family: 4, tables: new Map() } : parsed(rules)
    const plane: Plane = {
      change: (change) =>
        new Promise((resolve, reject) => {
          this.#changes.push({ resolve, reject })
          this.#order({ kind: 'change', change })
        }),
    }
    const setsPlane: SetsPlane = {
      sets: (step) =>
        new Promise((resolve) => {
          this.#setSteps.push(resolve)
          this.#order({ kind: 'sets', step })
        }),
    }
    const ipset = new IpsetProgram(families, setsPlane, () => this.#state?.saveSets(() => ipset.save()))
    const commands = new Commands([{ ruleSet, counters }], plane, (now) => this.#state?.save(now), ipset)
    this.#state?.hold(ruleSet)
    if (rules6 !== undefined)
      await commands.take(parseRestore(rules6.text, { file: rules6.file, family: 6, sets: ipset }))
    this.#commands = commands
    this.#control = await ControlServer.listen(path, [commands, ipset])
  }

  #hear(report: Exclude<Report, { kind: 'failed' }>): void {
    const log = this.#log
    switch (report.kind) {
      case 'started': {
        const { devices, io, rules, limits } = report
        const file = this.#given.rules?.file ?? 'none: every packet is accepted'
        log.info({ devices, io, rules: { file, count: rules }, limits }, 'started')
        return
      }
      case 'changed':
        this.#changes.shift()?.resolve(report.counters)
        return
      case 'unchanged':
        this.#changes.shift()?.reject(revived(report.error))
        return
      case 'sets':
        this.#setSteps.shift()?.(report.answer)
        return
      case 'loaded':
        if (this.#reloading !== undefined) this.#commands?.replaced(this.#reloading.ruleSet, report.counters)
        this.#reloaded()
        log.info({ rules: { file: this.#options.rules, count: report.rules } }, 'rules loaded; flows stay')
        return
      case 'refused':
        for (const line of report.error.message.split('\n')) log.error(`reload: ${line}`)
        log.error('reload: refused; the old rules stay')
        this.#reloaded()
        return
      case 'log':
        Atomics.sub(this.#shared, UNREAD, 1)
        log[LEVELS[report.level] ?? 'info'](report.line)
        return
      case 'nflog':
        Atomics.sub(this.#shared, UNREAD, report.packets.length)
        this.#writeNflog(report.packets)
        return
      case 'notice':
        log.warn(report.line)
        return
      case 'text':
        print(report.text)
        return
      case 'ended':
        this.#status = 0
        this.#state?.flush(report.sets)
        log.info('ended')
        print(printTotals(report.counters))
    }
  }

  /** A file that cannot be written any more ends with that; packets go on. */
  #writeNflog(packets: readonly NflogPacket[]): void {
    try {
      this.#nflog?.collect(packets)
      this.#nflog?.flush()
    } catch (error) {
      this.#log.error(`NFLOG: ${(error as Error).message}; nothing more is written`)
      this.#nflog = undefined
    }
  }
}

function parsed({ file, text }: RuleText): RuleSet {
  return parseRestore(text, { file, family: 4 })
}

function readRules(file: string): RuleText {
  try {
    return { file, text: readFileSync(file, 'utf8') }
  } catch (cause) {
    throw new TunfilterError('ERR_RULE_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
}

function revived({ code, message, complaints }: ReportedError): Error {
  return complaints === undefined ? new TunfilterError(code, message) : new RefusedError(code, complaints)
}

/** A reader that went away is no reason for a gateway to end. */
function print(text: string): void {
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(nap, 0, 0, 1)
    }
  }
}

const nap = new Int32Array(new SharedArrayBuffer(4))
