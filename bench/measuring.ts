// A task in a process of its own, from both sides. The process makes ready, says so, and then does a round whenever it is told
// to, so that one at a time measures; a task without rounds hands in its result at once.

import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import type { Result } from './figure.ts'
import type { Options, Part, Turns } from './part.ts'

/** What the process says. */
type Said =
  | { readonly kind: 'ready'; readonly rounds: number }
  | { readonly kind: 'round' }
  | { readonly kind: 'result'; readonly result: Result }
/** What it is told. */
type Told = 'round' | 'finish'

const LIMIT = 300
/** Seconds that a process has to clear up after SIGTERM: namespaces, devices. */
const CLEAR_UP = 10

export class Measuring {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #limit: number
  readonly #exited: Promise<string>
  #said: Said | undefined
  #heard: (() => void) | undefined
  /** Rounds that are to be done; undefined once there is a result. */
  rounds: number | undefined
  result: Result | undefined

  constructor(main: string, part: Part, task: unknown, options: Options) {
    this.#name = part.name
    this.#limit = part.limit?.(options) ?? LIMIT
    this.#child = fork(main, ['--task', JSON.stringify({ part: part.name, task, options })], {
      execArgv: ['--expose-gc', ...(part.nodeOptions?.(task) ?? [])],
      // Whatever it prints goes to standard error.
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    this.#child.on('message', (said: Said) => {
      this.#said = said
      this.#heard?.()
    })
    this.#exited = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(error.message))
      this.#child.on('exit', (status, signal) => resolve(signal ?? `status ${status}`))
    })
  }

  /** Until it is ready for rounds, or has its result. */
  async begin(): Promise<void> {
    await this.#next()
  }

  async round(): Promise<void> {
    this.#child.send('round' satisfies Told)
    await this.#next()
  }

  async finish(): Promise<Result> {
    if (this.result === undefined) {
      this.#child.send('finish' satisfies Told)
      await this.#next()
    }
    if (this.result === undefined) throw new Error(`${this.#name}: the measuring process has no result`)
    return this.result
  }

  /** Ends the process, which clears up. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    if (this.result === undefined) this.#child.kill('SIGTERM')
    const late = new AbortController()
    const killed = setTimeout(CLEAR_UP * 1000, undefined, { signal: late.signal }).then(
      () => this.#child.kill('SIGKILL'),
      () => undefined,
    )
    await this.#exited
    late.abort()
    await killed
  }

  async #next(): Promise<void> {
    const heard = new Promise<'heard'>((resolve) => {
      this.#heard = () => resolve('heard')
      if (this.#said !== undefined) resolve('heard')
    })
    const late = new AbortController()
    const limit = setTimeout(this.#limit * 1000, 'late' as const, { signal: late.signal }).catch(() => 'heard' as const)
    const first = await Promise.race([heard, this.#exited, limit])
    late.abort()
    if (first === 'late')
      throw new Error(`${this.#name}: nothing was heard of the measuring process for ${this.#limit} s`)
    const said = this.#said
    if (said === undefined) throw new Error(`${this.#name}: the measuring process ended with ${first}`)
    this.#said = undefined
    this.rounds = said.kind === 'ready' ? said.rounds : this.rounds
    if (said.kind === 'result') this.result = said.result
  }
}

/** The process's side: measures, and ends as on a signal when nobody wants the result any more. */
export async function measureHere(part: Part, task: unknown, options: Options): Promise<void> {
  const gone = () => process.kill(process.pid, 'SIGTERM')
  process.once('disconnect', gone)
  const say = (said: Said) => process.send!(said)
  const done = (result: Result) => {
    process.off('disconnect', gone)
    process.send!({ kind: 'result', result } satisfies Said, () => process.disconnect())
  }
  const taken = await part.measure(task, options)
  if (!isTurns(taken)) {
    done(taken)
    return
  }
  // One thing after the other: nothing is told before the last was answered.
  process.on('message', async (told: Told) => {
    try {
      if (told === 'finish') {
        done(await taken.finish())
        return
      }
      await taken.round()
      say({ kind: 'round' })
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
      process.exit(1)
    }
  })
  say({ kind: 'ready', rounds: taken.rounds })
}

function isTurns(taken: Result | Turns): taken is Turns {
  return 'rounds' in taken
}
