// Replay: a capture's packets walk the engine one by one, each at its own time stamp, and what leaves is written down. The
// same files and the same seed give the same result, bit for bit. Outputs are opened only when configuration, rules and
// capture have been found good: what is refused leaves no files behind.

import { closeSync, openSync, writeSync } from 'node:fs'
import type { RouterConfig } from '../config.ts'
import { formatFlows } from '../conntrack/command/line.ts'
import { Playback } from '../device/pcapng.ts'
import { Engine } from '../engine.ts'
import { TunfilterError } from '../errors.ts'
import { seededRandom } from '../random.ts'
import { VirtualClock } from '../time.ts'
import { readConfig } from './config.ts'
import { NflogFile } from './nflog-file.ts'
import type { Summary } from './summary.ts'
import { readText } from './text-file.ts'

/** How often timers are looked at, in milliseconds. */
const TICK = 20

/** Files; `-` is standard input or output. */
export interface ReplayOptions {
  readonly config: string
  /** Rule files of the two families; a family without one accepts every packet. */
  readonly rules?: string
  readonly rules6?: string
  readonly input: string
  /** Sets that rules name, in ipset-save form. */
  readonly ipset?: string
  /** The same seed gives the same ports. */
  readonly seed: number
  readonly write?: string
  readonly counters?: string
  readonly conntrack?: string
  readonly log?: string
  readonly nflog?: string
  readonly unnamed?: string
  readonly skipUnknown?: boolean
}

export function replay(options: ReplayOptions): Summary {
  const config = readConfig(options.config)
  const read = (file: string | undefined) => (file === undefined ? undefined : readText(file))
  const [rules, rules6] = [read(options.rules), read(options.rules6)]
  const sets = options.ipset === undefined ? '' : readText(options.ipset)
  const devices = Object.keys(config.devices)
  if (options.unnamed !== undefined && !devices.includes(options.unnamed))
    throw new TunfilterError(
      'ERR_CAPTURE_INTERFACE',
      `--interface ${options.unnamed}: expected ${devices.map((name) => `'${name}'`).join(', ')}`,
    )
  const playback = new Playback({
    input: options.input,
    output: options.write,
    devices,
    unnamed: options.unnamed,
    skipUnknown: options.skipUnknown,
  })
  const outputs = new Outputs()
  try {
    return run(options, config, { rules, rules6, sets }, playback, outputs)
  } finally {
    outputs.close()
    playback.close()
  }
}

function run(
  options: ReplayOptions,
  config: RouterConfig,
  { rules, rules6, sets }: { readonly rules?: string; readonly rules6?: string; readonly sets: string },
  playback: Playback,
  outputs: Outputs,
): Summary {
  const first = playback.peek() ?? 0n
  const clock = new VirtualClock(milliseconds(first))
  let logged: TextOutput | undefined
  const log = (_level: number, line: string) => logged?.write(`${line}\n`)
  const engine = Engine.open({ config, devices: playback.devices, clock, random: seededRandom(options.seed), log })
  engine.loadSets(sets, { file: options.ipset })
  if (rules !== undefined) engine.load(rules, { file: options.rules })
  if (rules6 !== undefined) engine.load(rules6, { file: options.rules6, family: 6 })

  logged = outputs.open(options.log)
  const nflog = options.nflog === undefined ? undefined : new NflogFile(options.nflog)
  if (nflog !== undefined) engine.nflogOthers((packets) => nflog.collect(packets))
  for (let next = playback.peek(); next !== undefined; next = playback.peek()) {
    waitUntil(next, clock, engine, playback)
    playback.next()
    // Interfaces of one capture need not agree about the time; the engine's never runs backwards.
    clock.set(Math.max(clock.now(), milliseconds(next)))
    engine.step()
    nflog?.flush()
  }
  engine.close()
  nflog?.close()
  // An output without a packet is a capture too.
  playback.next()
  const saved = outputs.open(options.counters)
  if (rules !== undefined) saved?.write(engine.saveRules({ counters: true }))
  if (rules6 !== undefined) saved?.write(engine.saveRules({ counters: true, family: 6 }))
  const flows = outputs.open(options.conntrack)
  let count = 0
  for (const table of [engine.conntrack.flows, engine.conntrack6.flows])
    for (const line of formatFlows(table, engine.time)) {
      flows?.write(`${line}\n`)
      count++
    }
  const seconds = Number(playback.time - first) / 1e9
  return { capture: { packets: playback.read, skipped: playback.skipped, seconds }, flows: count, ...engine.counters() }
}

/** Time passes between two packets: while fragments are held, somebody may be told that the rest did not come. */
function waitUntil(next: bigint, clock: VirtualClock, engine: Engine, playback: Playback): void {
  const end = milliseconds(next)
  while (engine.pipeline.defrag.held + engine.pipeline6.held > 0 && clock.now() + TICK < end) {
    clock.advance(TICK)
    playback.time = BigInt(Math.round(clock.now() * 1000)) * 1000n
    engine.step()
  }
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6
}

/** Files that are written as text comes. */
class Outputs {
  readonly #open: TextOutput[] = []

  open(file: string | undefined): TextOutput | undefined {
    if (file === undefined) return undefined
    const output = new TextOutput(file)
    this.#open.push(output)
    return output
  }

  close(): void {
    for (const output of this.#open) output.close()
  }
}

class TextOutput {
  readonly #file: string
  readonly #fd: number
  #waiting = ''

  constructor(file: string) {
    this.#file = file
    try {
      this.#fd = file === '-' ? 1 : openSync(file, 'w')
    } catch (cause) {
      throw new TunfilterError('ERR_OUTPUT_FILE', `${file}: ${(cause as Error).message}`, { cause })
    }
  }

  write(text: string): void {
    this.#waiting += text
    if (this.#waiting.length > 1 << 16) this.#flush()
  }

  close(): void {
    this.#flush()
    if (this.#fd !== 1) closeSync(this.#fd)
  }

  #flush(): void {
    const bytes = Buffer.from(this.#waiting)
    this.#waiting = ''
    for (let written = 0; written < bytes.length; ) {
      try {
        written += writeSync(this.#fd, bytes, written)
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN')
          throw new TunfilterError('ERR_OUTPUT_FILE', `${this.#file}: ${(cause as Error).message}`, { cause })
        Atomics.wait(nap, 0, 0, 1)
      }
    }
  }
}

const nap = new Int32Array(new SharedArrayBuffer(4))
