// The control side of `tunfilter up`: signals, files and the log. Packets are handled by a worker thread beside it
// (gateway/worker.ts), which this never waits for: it sends orders and prints what is reported.

import { readFileSync, writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { loadNative, type Native } from '../device/native.ts'
import { RefusedError, TunfilterError } from '../errors.ts'
import { readConfig } from './config.ts'
import { type LogFormat, openLog } from './log.ts'
import {
  ISSUED,
  type Order,
  type Report,
  type ReportedError,
  type RuleText,
  UNREAD,
  type WorkerData,
} from './orders.ts'
import { printTotals } from './summary.ts'

export interface UpOptions {
  readonly config: string
  /** Rule file in iptables-save form; every packet is accepted when it is left out. */
  readonly rules?: string
  readonly logFormat?: LogFormat
}

/**
 * Runs the gateway until SIGTERM or SIGINT.
 * @returns the exit status
 */
export async function up(options: UpOptions): Promise<number> {
  const config = readConfig(options.config)
  const rules = options.rules === undefined ? undefined : readRules(options.rules)
  return await new Gateway(options, { config, rules }).ended
}

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
  #status = 1

  constructor(options: UpOptions, given: Pick<WorkerData, 'config' | 'rules'>) {
    this.#options = options
    this.#log = openLog(options.logFormat)
    this.#native = loadNative()
    this.#eventFd = this.#native.eventFd()
    const workerData: WorkerData = { ...given, eventFd: this.#eventFd, shared: this.#shared }
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData })
    this.ended = new Promise((resolve, reject) => {
      this.#worker.on('message', (report: Report) => {
        if (report.kind === 'failed') reject(revived(report.error))
        else this.#hear(report)
      })
      this.#worker.on('error', reject)
      this.#worker.on('exit', () => {
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
    try {
      this.#order({ kind: 'load', rules: readRules(file) })
    } catch (error) {
      this.#log.error(`reload: ${(error as Error).message}; the old rules stay`)
    }
  }

  #hear(report: Exclude<Report, { kind: 'failed' }>): void {
    const log = this.#log
    switch (report.kind) {
      case 'started': {
        const { devices, rules, limits } = report
        const file = this.#options.rules ?? 'none: every packet is accepted'
        log.info({ devices, rules: { file, count: rules }, limits }, 'started')
        return
      }
      case 'loaded':
        log.info({ rules: { file: this.#options.rules, count: report.rules } }, 'rules loaded; flows stay')
        return
      case 'refused':
        for (const line of report.error.message.split('\n')) log.error(`reload: ${line}`)
        log.error('reload: refused; the old rules stay')
        return
      case 'log':
        Atomics.sub(this.#shared, UNREAD, 1)
        log[LEVELS[report.level] ?? 'info'](report.line)
        return
      case 'notice':
        log.warn(report.line)
        return
      case 'text':
        print(report.text)
        return
      case 'ended':
        this.#status = 0
        log.info('ended')
        print(printTotals(report.counters))
    }
  }
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
