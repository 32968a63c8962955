// Running other programs: to their end, or beside us until we say stop. What was started is ended, whatever happens.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const running = new Set<Running>()
const execute = promisify(execFile)

/** Runs a program to its end and returns what it printed. Throws with its error output when it fails. */
export async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute(program, args, { maxBuffer: 16 << 20, timeout: 60_000 })
  return stdout
}

export interface Running {
  readonly pid: number
  /** What it printed to standard error until now. */
  readonly errors: () => string
  /** Resolves with its standard output once it has ended. */
  readonly output: Promise<string>
  readonly ended: () => boolean
  /** SIGTERM, and SIGKILL to who does not heed it. */
  stop(): Promise<void>
}

export function start(program: string, ...args: readonly string[]): Running {
  return watch(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** The same with these descriptors as its standard input and output. */
export function startOn(
  on: { readonly in: number; readonly out: number },
  program: string,
  ...args: readonly string[]
): Running {
  return watch(spawn(program, args, { stdio: [on.in, on.out, 'pipe'] }))
}

function watch(child: ChildProcess): Running {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  let over = false
  const ended = once(child, 'close').finally(() => {
    over = true
    running.delete(one)
  })
  // Who waits for the output is told of a program that could not be started; nobody else has to be.
  ended.catch(() => undefined)
  const one: Running = {
    pid: child.pid ?? -1,
    errors: () => stderr,
    output: ended.then(() => stdout),
    ended: () => over,
    async stop() {
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 3000)
      await ended.catch(() => undefined)
      clearTimeout(late)
    },
  }
  running.add(one)
  return one
}

/** Ends whatever is still running. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((one) => one.stop()))
}

/** Waits until `holds`, looking every few milliseconds; throws `otherwise()` after so many seconds. */
export async function until(holds: () => boolean | Promise<boolean>, seconds: number, otherwise: () => string) {
  const end = performance.now() + seconds * 1000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(otherwise())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export function isInPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)))
}

/** Processor time of a process so far, in seconds; in steps of 10 ms. */
export function processorTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Processor time of the whole machine so far, in seconds: everything but idling and waiting for disks. */
export function machineTime(): number {
  const [user, nice, system, , , irq, softirq] = /^cpu +(.*)$/m
    .exec(readFileSync('/proc/stat', 'utf8'))![1]
    .split(' ')
    .map(Number)
  return (user + nice + system + irq + softirq) / 100
}
