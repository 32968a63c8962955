// What the tests of a running gateway share: namespaces that go away with the test, the built command in them, and programs
// that run beyond it. Or the reason why it cannot be tried here, which then stands in the names of the skipped tests.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { native, own } from '../device/with-native.ts'
import { builtCommand } from '../support/build.ts'

export const command = builtCommand()

const missing = ['ping', 'nsenter', 'curl'].filter((program) => spawnSync(program, ['--version']).error)
export const reason = missing.length > 0 ? `needs ${missing.join(', ')}` : ''

const cleanUps: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

export interface Namespace {
  /** As `netns:` takes it. */
  readonly path: string
  /** Runs a program in it to the end. */
  run(program: string, ...args: string[]): { status: number; output: string }
  start(program: string, ...args: string[]): ChildProcess
}

/** A network namespace with its loopback up, gone after the test. */
export function newNamespace(): Namespace {
  const path = `/proc/${process.pid}/fd/${own(native.anonymousNetns())}`
  native.setLink(path, { name: 'lo', up: true })
  const enter = ['nsenter', `--net=${path}`, '--'] as const
  return {
    path,
    run(...args) {
      const { status, stdout, stderr } = spawnSync(enter[0], [...enter.slice(1), ...args], { encoding: 'utf8' })
      return { status: status ?? 1, output: stdout + stderr }
    },
    start(...args) {
      return killedAfterwards(spawn(enter[0], [...enter.slice(1), ...args], { stdio: ['ignore', 'pipe', 'inherit'] }))
    },
  }
}

function killedAfterwards<T extends ChildProcess>(child: T): T {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  cleanUps.push(() => {
    child.kill('SIGKILL')
    return ended
  })
  return child
}

/** A directory of files by name, gone after the test. */
export function newDirectory(files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'tunfilter-gateway-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  cleanUps.push(() => rmSync(directory, { recursive: true }))
  return directory
}

/** `tunfilter up`, as a user starts it. */
export class RunningGateway {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #ended: Promise<number>
  #heard: () => void = () => {}

  constructor(directory: string, args: readonly string[]) {
    this.#child = killedAfterwards(
      spawn(process.execPath, [command, 'up', ...args], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] }),
    )
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#heard()
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#heard()
    })
    this.#ended = new Promise((resolve) =>
      this.#child.once('close', (code, signal) => {
        resolve(signal === null ? (code ?? 1) : 128)
        this.#heard()
      }),
    )
  }

  get pid(): number {
    return this.#child.pid as number
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The exit status. */
  get ended(): Promise<number> {
    return this.#ended
  }

  /** Until it has logged or printed this; an error when it ends before. */
  async until(text: string | RegExp, where: 'stdout' | 'stderr' = 'stderr'): Promise<void> {
    const found = () => (typeof text === 'string' ? this[where].includes(text) : text.test(this[where]))
    while (!found()) {
      if (this.#child.exitCode !== null)
        throw new Error(`the gateway ended before it said ${String(text)}:\n${this.stderr}${this.stdout}`)
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }

  /** Flows and counters, as SIGUSR1 prints them. */
  async list(): Promise<string> {
    this.stdout = ''
    this.signal('SIGUSR1')
    await this.until(/^conntrack .*\n/m, 'stdout')
    return this.stdout
  }
}

/** A gateway with a control socket, the drop-ins that talk to it, and a client beyond its one device. */
export async function newControlLab(files: Record<string, string> = {}, ...options: string[]) {
  const client = newNamespace()
  const config = `devices:
  tun0: { addresses: [10.0.1.1/24], netns: ${client.path}, peer: { addresses: [10.0.1.2/24] } }
`
  const directory = newDirectory({ 'gateway.yaml': config, ...files })
  const env = {
    ...process.env,
    TUNFILTER_CONTROL: join(directory, 'socket'),
    PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
  }
  const start = async () => {
    const gateway = new RunningGateway(directory, [
      ...['--config', 'gateway.yaml', '--control', 'socket', '--state', 'rules.state', ...options],
    ])
    await gateway.until('"started"')
    return gateway
  }
  const linked = spawnSync(command, ['link', join(directory, 'bin')], { encoding: 'utf8' })
  if (linked.status !== 0) throw new Error(`tunfilter link: ${linked.stderr}`)
  const run = (line: string, input = '') => {
    const [name, ...words] = line.split(' ')
    const done = spawnSync(join(directory, 'bin', name), words, {
      ...{ cwd: directory, env, input, encoding: 'utf8', maxBuffer: 1 << 28 },
    } as const)
    return { status: done.status, stdout: done.stdout, stderr: done.stderr }
  }
  const answered = () => client.run('ping', '-c1', '-W1', '10.0.1.1').status === 0
  return { gateway: await start(), client, directory, env, start, run, answered }
}
