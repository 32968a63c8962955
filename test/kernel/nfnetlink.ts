// What the kernel hands over by NFLOG and NFQUEUE: a small listener (nfnetlink.py) in the rig's namespace, and the records that it
// prints. A listener is told to end by its standard input; it also ends when this process does.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { KernelRig } from './rig.ts'
import { needsKernel } from './with-kernel.ts'

const PROGRAM = fileURLToPath(new URL('nfnetlink.py', import.meta.url))

const python = spawnSync('python3', ['--version']).error ? 'needs python3' : ''

export function needsListener(title: string): readonly [string, { readonly skip: boolean; readonly timeout: number }] {
  const [name, options] = needsKernel(title)
  if (python === '' || options.skip) return [name, options]
  return [`${title} (skipped: ${python})`, { ...options, skip: true }]
}

export class KernelListener<R> {
  readonly #child: ChildProcessWithoutNullStreams
  #text = ''
  #errors = ''
  #wake = () => {}
  #ended = false

  /** Of the program's arguments see nfnetlink.py. */
  static async open<R>(rig: KernelRig, ...args: readonly (string | number)[]): Promise<KernelListener<R>> {
    const listener = new KernelListener<R>(rig, args.map(String))
    await listener.#until((lines) => lines.includes('"ready"'))
    return listener
  }

  private constructor(rig: KernelRig, args: readonly string[]) {
    const netns = `/proc/${process.pid}/fd/${rig['netnsFd']}`
    this.#child = spawn('nsenter', [`--net=${netns}`, 'python3', PROGRAM, ...args])
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString()
      this.#wake()
    })
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString()
    })
    this.#child.on('exit', () => {
      this.#ended = true
      this.#wake()
    })
  }

  /** The records so far, as soon as there are this many. */
  async records(count: number): Promise<R[]> {
    const lines = await this.#until((found) => found.length > count)
    return lines.slice(1).map((line) => JSON.parse(line) as R)
  }

  async #until(enough: (lines: string[]) => boolean): Promise<string[]> {
    for (;;) {
      const lines = this.#text.split('\n').slice(0, -1)
      if (enough(lines)) return lines
      if (this.#ended) throw new Error(`the listener ended: ${this.#errors}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.stdin.end()
    if (!this.#ended) await gone
  }
}

/** Linux's numbers of the hooks, in the order in which nfnetlink names them. */
export const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const
