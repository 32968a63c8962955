// A laboratory: network namespaces of our own, in which gateways are made and measured, and which are taken away again,
// whatever happens. Their names hold our process id; those that a killed run left behind are removed by the next one.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../root.ts'
import { isInPath, type Running, run, start, stopAll } from './programs.ts'

const PREFIX = 'tfbench'
/** What bench/peers/ is compiled to. */
export const UDP = `${ROOT}bench/build/udp`
export const FORWARD = `${ROOT}bench/build/forward`

export interface Lab {
  /** For files; goes with the lab. */
  readonly directory: string
  /** Makes a namespace in which loopback is up; gives its name. */
  namespace(role: string): Promise<string>
}

/** Makes a lab, hands it to `use`, and takes it away again, on a signal too. */
export async function withLab<T>(use: (lab: Lab) => Promise<T>): Promise<T> {
  await removeLeftovers()
  const made: string[] = []
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}-`))
  const end = async () => {
    await stopAll()
    for (const namespace of made.splice(0)) await run('ip', 'netns', 'delete', namespace).catch(() => undefined)
    rmSync(directory, { recursive: true, force: true })
  }
  const interrupted = (signal: NodeJS.Signals) => void end().finally(() => process.kill(process.pid, signal))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.once(signal, interrupted)
  const namespace = async (role: string) => {
    const name = `${PREFIX}-${process.pid}-${role}`
    await run('ip', 'netns', 'add', name)
    made.push(name)
    await run('ip', '-n', name, 'link', 'set', 'lo', 'up')
    return name
  }
  try {
    return await use({ directory, namespace })
  } finally {
    for (const signal of signals) process.off(signal, interrupted)
    await end()
  }
}

/** Compiles what stands at the ends of the measurements, and the bare forwarder. */
export async function compilePeers(): Promise<void> {
  await run('gcc', '-O2', '-Wall', '-Wextra', '-o', UDP, `${ROOT}bench/peers/udp.c`)
  const native = ['ring', 'uring', 'moderation', 'batch', 'fail'].map((name) => `${ROOT}native/${name}.c`)
  await run('gcc', '-O2', '-Wall', '-Wextra', '-o', FORWARD, `${ROOT}bench/peers/forward.c`, ...native)
}

async function removeLeftovers(): Promise<void> {
  for (const line of (await run('ip', 'netns', 'list')).split('\n')) {
    const found = new RegExp(`^(${PREFIX}-(\\d+)-\\w+)`).exec(line)
    if (found !== null && !isAlive(Number(found[2]))) await run('ip', 'netns', 'delete', found[1])
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Runs a program to its end inside a namespace. */
export function inside(namespace: string, program: string, ...args: readonly string[]): Promise<string> {
  return run('ip', 'netns', 'exec', namespace, program, ...args)
}

/** Starts a program inside a namespace. */
export function startInside(namespace: string, program: string, ...args: readonly string[]): Running {
  return start('ip', 'netns', 'exec', namespace, program, ...args)
}

/** What of the machine is missing to make a lab; empty when nothing is. */
export function missing(): string[] {
  const all: string[] = []
  if (process.getuid?.() !== 0) all.push('root')
  for (const program of ['ip', 'ss', 'gcc']) if (!isInPath(program)) all.push(program)
  if (!existsSync('/dev/net/tun')) all.push('/dev/net/tun')
  return all
}
