// Fuzzing that is guided by coverage: what reaches a branch that nothing had reached is kept, and changed further. Every input is read by all
// parsers of the wire, and goes through two routers that differ in the bytes around it (wire.ts, twins.ts). All follows from the seed, so a
// failure is found again with it: the seconds only say when to stop.

import * as vnet from '../../src/wire/vnet.ts'
import { Chance } from '../kernel/judge/chance.ts'
import { Coverage } from './coverage.ts'
import { fragments, mutated, seeds } from './mutate.ts'
import { PacketMaker6 } from './packets6.ts'
import { type Input, Twins } from './twins.ts'
import { Wire } from './wire.ts'

export interface FuzzOptions {
  readonly seed: number
  readonly seconds: number
  /** So many inputs at least, however slow the machine; 0 when left out. */
  readonly least?: number
}

export interface Fuzzed {
  readonly inputs: number
  readonly packets: number
  /** How many inputs were kept because they reached something new. */
  readonly kept: number
  /** Characters of source that ran because of them. */
  readonly reached: number
}

/** Coverage is looked at after so many inputs. */
const BATCH = 16
const MOST_KEPT = 4096
/** New routers now and then: a failure should not need a history that nobody can read. */
const FRESH = 4000

/** Checksums that are looked at make most of what was changed INVALID, and that goes through fewer hands. */
const SETTINGS: readonly Readonly<Record<string, number>>[] = [{}, { 'net.netfilter.nf_conntrack_checksum': 0 }]

/** @throws with the seed, the input's number and its bytes, when something throws or the routers differ */
export function fuzz({ seed, seconds, least = 0 }: FuzzOptions): Fuzzed {
  const chance = new Chance(seed)
  const maker = new PacketMaker6(() => chance.below(0x7fffffff))
  const coverage = new Coverage((url) =>
    /\/src\/(wire|packet|conntrack|local|nat|nfnetlink|match|target|route)\//.test(url),
  )
  const wire = new Wire()
  const corpus = seeds()
  let kept = 0
  let done = 0
  let packets = 0
  let twins = SETTINGS.map((sysctl) => new Twins(sysctl))
  const end = performance.now() + seconds * 1000
  try {
    coverage.grew()
    // As they are, first.
    const waiting = [...corpus]
    while (performance.now() < end || done < least) {
      const batch = Array.from({ length: BATCH }, () => waiting.pop() ?? next(chance, corpus, maker))
      for (const input of batch) {
        const which = chance.below(SETTINGS.length)
        const header = Uint8Array.from({ length: vnet.SIZE }, () =>
          chance.once(3) ? chance.below(256) : chance.below(3),
        )
        attempt(seed, done, input, () => {
          for (const [, bytes] of input.packets) wire.read(bytes, header)
          twins[which]!.run(input)
        })
        done++
        packets += input.packets.length
      }
      attempt(seed, done, batch.at(-1)!, () => {
        for (const pair of twins) pair.compare()
      })
      if (coverage.grew()) {
        for (const input of batch) {
          if (corpus.length < MOST_KEPT) corpus.push(input)
          else corpus[chance.below(MOST_KEPT)] = input
        }
        kept++
      }
      if (done % FRESH < BATCH) {
        attempt(seed, done, batch.at(-1)!, () => {
          for (const pair of twins) pair.finish()
        })
        twins = SETTINGS.map((sysctl) => new Twins(sysctl))
      }
    }
    return { inputs: done, packets, kept, reached: coverage.reached }
  } finally {
    coverage.close()
  }
}

function next(chance: Chance, corpus: readonly Input[], maker: PacketMaker6): Input {
  const pause = chance.once(40) ? chance.pick([1, 1000, 31_000, 120_000]) : 0
  if (chance.once(12)) return { packets: fragments(chance).map((bytes) => ['lan', bytes] as const), pause }
  if (chance.once(12)) return { packets: [[chance.pick(['lan', 'wan'] as const), maker.next()]], pause }
  const parent = chance.pick(corpus).packets
  const other = chance.pick(chance.pick(corpus).packets)[1]
  // One of its packets is changed, all are changed, or another one's are behind it.
  const chosen = chance.below(parent.length)
  const all = chance.once(4)
  const changed = parent.map(([device, bytes], i) =>
    i === chosen || all
      ? ([chance.once(16) ? chance.pick(['lan', 'wan'] as const) : device, mutated(chance, bytes, other)] as const)
      : ([device, bytes] as const),
  )
  if (chance.once(4)) changed.push(...chance.pick(corpus).packets)
  return { packets: changed.slice(0, 8), pause }
}

function attempt(seed: number, number: number, input: Input, run: () => void): void {
  try {
    run()
  } catch (error) {
    const hex = input.packets.map(([device, bytes]) => `${device} ${Buffer.from(bytes).toString('hex')}`).join('\n')
    throw new Error(`seed ${seed}, input ${number}, ${alone(input)}:\n${hex}\n${(error as Error).stack}`)
  }
}

/** Whether an input fails by itself, in new routers. */
function alone(input: Input): string {
  try {
    for (const sysctl of SETTINGS) new Twins(sysctl).run(input)
    return 'which needs what came before it'
  } catch {
    return 'which fails by itself'
  }
}
