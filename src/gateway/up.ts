// The control side of `tunfilter up`: signals, files and the log. Packets are handled by a worker thread beside it
// (gateway/worker.ts), which this never waits for: it sends orders and prints what is reported.

import { writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import type { FlowAnswer } from '../conntrack/flow-change.ts'
import { Commands } from '../control/commands.ts'
import { ConntrackProgram } from '../control/conntrack.ts'
import { IpProgram } from '../control/ip.ts'
import { IpsetProgram, type SetsAnswer } from '../control/ipset.ts'
import { type NfacctAnswer, NfacctProgram } from '../control/nfacct.ts'
import { ControlServer } from '../control/server.ts'
import { iptablesXml } from '../control/xml.ts'
import { loadNative, type Native } from '../device/native.ts'
import type { TunIo } from '../device/tun.ts'
import { TunfilterError } from '../errors.ts'
import { parseRestore } from '../iptables/restore.ts'
import { save } from '../iptables/save.ts'
import type { NflogPacket } from '../nfnetlink/nflog.ts'
import type { IpResult } from '../route/command/run.ts'
import { carried } from '../rule/carry.ts'
import type { Family, RuleSet } from '../rule/model.ts'
import type { SetFamilies } from '../rule/set-reference.ts'
import type { IsThere } from '../rule/shared-names.ts'
import { type GatewayConfig, readConfig } from './config.ts'
import { SharedFlowSource } from './flow-source.ts'
import { type LogFormat, openLog } from './log.ts'
import { NflogFile } from './nflog-file.ts'
import { ISSUED, type Order, type Report, type RuleText, UNREAD, type WorkerData } from './orders.ts'
import type { QueueWorkerData } from './queues.ts'
import { revived } from './reported.ts'
import { RuleSender } from './rule-sender.ts'
import { type State, StateFile } from './state.ts'
import { printTotals } from './summary.ts'
import { readText } from './text-file.ts'

export interface UpOptions {
  readonly config: string
  /** Rule file in iptables-save form; every packet is accepted when it is left out. */
  readonly rules?: string
  /** The same for IPv6, in ip6tables-save form. */
  readonly rules6?: string
  readonly logFormat?: LogFormat
  /** How packets come and go; `auto` when left out. */
  readonly io?: TunIo
  /** Threads that read and write packets, each its queue of every device; the configuration's, or 1, when left out. */
  readonly workers?: number
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
  // Marking beside the program is ended by a pause that waits for it, as long as others keep it from a processor; in steps of its own
  // it needs none. It is to be said before there is anything to mark.
  setFlagsFromString('--no-concurrent-marking')
  const config = readConfig(options.config)
  const kept = options.state === undefined ? undefined : StateFile.read(options.state)
  const read = (file: string | undefined) => (file === undefined ? undefined : readRules(file))
  const begin = kept ?? { iptables: read(options.rules), ip6tables: read(options.rules6), ipset: read(options.ipset) }
  const accounting = kept?.nfacct?.text ?? ''
  const given = { config, rules: begin.iptables, rules6: begin.ip6tables, sets: begin.ipset, accounting }
  return await new Gateway(options, given, kept ?? {}).ended
}

/** What the gateway begins with. */
interface Given {
  readonly config: GatewayConfig
  readonly rules: RuleText | undefined
  readonly rules6: RuleText | undefined
  readonly sets: RuleText | undefined
  readonly accounting: string
}

/** While rules are made ready garbage is collected often and in short: packets wait for it. */
const YOUNG = { maxYoungGenerationSizeMb: 6 }

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
  readonly #state: StateFile | undefined
  #nflog: NflogFile | undefined
  readonly #plane = new RuleSender((order) => this.#order(order))
  /** Steps of ipset's commands that the worker has not answered yet, in turn. */
  readonly #setSteps: ((answer: SetsAnswer) => void)[] = []
  /** nfacct's commands that the worker has not answered yet, in turn. */
  readonly #nfacctCommands: ((answer: NfacctAnswer) => void)[] = []
  /** Changes of flows that the worker has not answered yet, in turn. */
  readonly #flowChanges: ((answer: FlowAnswer) => void)[] = []
  /** Commands of ip that the worker has not answered yet, in turn. */
  readonly #ipCommands: ((answer: IpResult) => void)[] = []
  #control: ControlServer | undefined
  #flows: SharedFlowSource | undefined
  /** Once the worker has started. */
  #commands: Commands | undefined
  #sets: SetFamilies | undefined
  #isThere: IsThere | undefined
  #status = 1
  /** It cannot start: the worker's end is no end worth telling. */
  #failed = false

  constructor(options: UpOptions, given: Given, kept: State) {
    this.#options = options
    this.#log = openLog(options.logFormat)
    if (options.state !== undefined)
      this.#state = new StateFile(options.state, kept, (message) => this.#log.error(message))
    if (options.nflog !== undefined) this.#nflog = new NflogFile(options.nflog)
    this.#native = loadNative()
    this.#eventFd = this.#native.eventFd()
    const { config, rules, rules6, sets, accounting } = given
    const { io = 'auto', busyPoll = 0, state } = options
    const awaitedChanges = (rules === undefined ? 0 : 1) + (rules6 === undefined ? 0 : 1)
    const channel = { eventFd: this.#eventFd, shared: this.#shared }
    const workerData: WorkerData = {
      config,
      awaitedChanges,
      sets,
      accounting,
      keepsSets: state !== undefined,
      nflog: options.nflog !== undefined,
      io,
      workers: options.workers ?? config.workers ?? 1,
      busyPoll,
      ...channel,
    }
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, resourceLimits: YOUNG })
    this.ended = new Promise((resolve, reject) => {
      this.#worker.on('message', (report: Report) => {
        if (report.kind === 'failed') reject(revived(report.error))
        else if (report.kind === 'workers') for (const data of report.data) this.#startWorker(data, reject)
        else if (report.kind === 'started')
          this.#begin(report, given).catch((error: Error) => {
            this.#failed = true
            reject(error)
            this.#order({ kind: 'stop' })
          })
        else this.#hear(report)
      })
      this.#worker.on('error', reject)
      this.#worker.on('exit', () => {
        this.#plane.failed(new TunfilterError('ERR_ENDED', 'the gateway has ended'))
        this.#control?.close()
        this.#flows?.close()
        this.#state?.flush()
        this.#nflog?.close()
        for (const [signal, listener] of this.#signals) process.off(signal, listener)
        this.#native.close(this.#eventFd)
        resolve(this.#status)
      })
    })
    for (const [signal, listener] of this.#signals) process.on(signal, listener)
  }

  /** Of I/O. What it says and how it fails is that it cannot go on, and nobody can without it. */
  #startWorker(workerData: QueueWorkerData, reject: (error: Error) => void): void {
    const worker = new Worker(new URL('./queue-worker.js', import.meta.url), { workerData, resourceLimits: YOUNG })
    worker.on('message', (report: Extract<Report, { kind: 'failed' }>) => reject(revived(report.error)))
    worker.on('error', (error) => {
      this.#failed = true
      reject(error)
      this.#order({ kind: 'stop' })
    })
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

  /** Rules, then the control socket; only then it says that it has started. */
  async #begin(report: Extract<Report, { kind: 'started' }>, { rules, rules6 }: Given): Promise<void> {
    const ipset = new IpsetProgram(
      report.families ?? [],
      {
        sets: (step) =>
          new Promise((resolve) => {
            this.#setSteps.push(resolve)
            this.#order({ kind: 'sets', step })
          }),
      },
      () => this.#state?.saveSets(() => ipset.save()),
    )
    const nfacct = new NfacctProgram(
      report.accounting,
      {
        nfacct: (words, input) =>
          new Promise((resolve) => {
            this.#nfacctCommands.push(resolve)
            this.#order({ kind: 'nfacct', words, input })
          }),
      },
      (list) => this.#state?.saveAccounting(list),
    )
    let begun = false
    const changed = (ruleSet: RuleSet) => {
      if (begun) this.#state?.save(ruleSet)
      else this.#state?.hold(ruleSet)
    }
    const commands = new Commands(this.#plane, changed, ipset, nfacct.isThere)
    this.#sets = ipset
    this.#isThere = nfacct.isThere
    this.#commands = commands
    if (rules !== undefined) await commands.take(this.#parsed(rules, 4))
    if (rules6 !== undefined) await commands.take(this.#parsed(rules6, 6))
    begun = true
    const flows = new SharedFlowSource(report.tables, {
      change: (family, change, port) =>
        new Promise((resolve) => {
          this.#flowChanges.push(resolve)
          this.#order({ kind: 'flows', family, change, port })
        }),
      listen: (memory) => this.#order({ kind: 'listen', memory }),
    })
    this.#flows = flows
    const ip = new IpProgram(
      (words) =>
        new Promise((resolve) => {
          this.#ipCommands.push(resolve)
          this.#order({ kind: 'ip', words })
        }),
    )
    const { control } = this.#options
    const programs = [commands, ipset, nfacct, new ConntrackProgram(flows), ip, iptablesXml]
    if (control !== undefined) this.#control = await ControlServer.listen(control, programs)
    const { devices, io, limits } = report
    const none = { file: 'none: every packet is accepted', count: 0 }
    const loaded = {
      rules: rules === undefined ? none : { file: rules.file, count: countRules(commands.ruleSet(4)) },
      ...(rules6 && { rules6: { file: rules6.file, count: countRules(commands.ruleSet(6)) } }),
    }
    this.#log.info({ devices, io, ...loaded, limits }, 'started')
  }

  /** Throws RefusedError with every complaint. */
  #parsed({ file, text }: RuleText, family: Family): RuleSet {
    const commands = this.#commands
    const inForce = commands && [commands.ruleSet(4), commands.ruleSet(6)]
    return parseRestore(text, { file, family, sets: this.#sets, isThere: this.#isThere, inForce })
  }

  #reload(): void {
    const { rules, rules6 } = this.#options
    const commands = this.#commands
    if (rules === undefined && rules6 === undefined)
      this.#log.warn('SIGHUP: there is no rule file to read again (--rules, --rules6)')
    else void commands?.inTurn(() => this.#load({ rules, rules6 }, commands))
  }

  /** Both files or none: a mistake in one changes nothing. Rejects nothing. */
  async #load(files: { readonly rules?: string; readonly rules6?: string }, commands: Commands): Promise<void> {
    const log = this.#log
    try {
      const read = Object.entries(files).flatMap(([name, file]) => {
        if (file === undefined) return []
        return [{ name, file, ruleSet: this.#parsed(readRules(file), name === 'rules' ? 4 : 6) }]
      })
      for (const { ruleSet } of read) await commands.take(carried(commands.ruleSet(ruleSet.family), ruleSet))
      const loaded = read.map(({ name, file, ruleSet }) => [name, { file, count: countRules(ruleSet) }])
      log.info(Object.fromEntries(loaded), 'rules loaded; flows stay')
    } catch (error) {
      for (const line of (error as Error).message.split('\n')) log.error(`reload: ${line}`)
      log.error('reload: refused; the old rules stay')
    }
  }

  #hear(report: Exclude<Report, { kind: 'failed' | 'workers' | 'started' }>): void {
    const log = this.#log
    switch (report.kind) {
      case 'flows':
        this.#flowChanges.shift()?.(report.answer)
        return
      case 'nfacct':
        this.#nfacctCommands.shift()?.(report.answer)
        return
      case 'extended':
        this.#flows?.extended(report.family, report.extensions)
        return
      case 'changed':
        this.#plane.changed(report)
        return
      case 'unchanged':
        this.#plane.failed(revived(report.error))
        return
      case 'ip':
        this.#ipCommands.shift()?.(report.answer)
        return
      case 'sets':
        this.#setSteps.shift()?.(report.answer)
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
      case 'rules': {
        const commands = this.#commands
        if (commands === undefined) return
        for (const family of [4, 6] as const) {
          const text = save(commands.ruleSet(family), { counters: true, countsOf: commands.countsOf(family) })
          if (family === 4 || text !== '') print(family === 4 ? text : `# rules of IPv6\n${text}`)
        }
        return
      }
      case 'ended':
        if (this.#failed) return
        this.#status = 0
        this.#state?.flush(report.sets, report.accounting)
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

function countRules({ tables }: RuleSet): number {
  let count = 0
  for (const { chains } of tables.values()) for (const chain of chains.values()) count += chain.rules.length
  return count
}

function readRules(file: string): RuleText {
  return { file, text: readText(file) }
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
