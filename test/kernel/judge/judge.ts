// Runs cases through the kernel and the engine side by side and compares all that can be seen: every packet, then iptables-save -c, the sets
// with their counters, conntrack -L -o extended and the LOG lines.

import { runIpset } from '../../../src/ipset/command.ts'
import { describePacket } from '../../support/packet/index.ts'
import { EngineSubject } from '../../support/scenario/engine.ts'
import type { Sent } from '../../support/scenario/subject.ts'
import {
  Correspondence,
  compareConntrack,
  compareCounters,
  compareLines,
  compareSent,
  type Difference,
} from '../compare.ts'
import { EndlessError, KernelRig } from '../rig.ts'
import { type Case, said } from './case.ts'
import { Hosts, type Made } from './hosts.ts'
import { familyOf, type Network } from './network.ts'
import { rulesText } from './rules.ts'
import type { Step } from './traffic.ts'

export interface Outcome {
  readonly differences: Difference[]
  /** What went in and what the kernel let out, as the steps of a scenario. */
  readonly lines: () => readonly string[]
  /** Steps that were played. */
  readonly steps: number
  /** Packets that were handed in. */
  readonly packets: number
  /** How many of them by kind, for the count that is printed in the end. */
  readonly kinds: ReadonlyMap<string, number>
}

/** The kernel's packets go round without end, and all that could be compared is how many of them there were. */
export class Endless extends Error {}

/** iptables or ipset refused rules that are taken here. */
export class KernelRefuses extends Error {}

/** A router is not kept longer, in milliseconds: what it still waits for (fragments) would be told of in a later case. */
const RIG_AGE = 20_000

/** What a case may have under way, of which no one fills a tenth. */
const ROOM = { slots: 128, flows: 512 }

/** Keeps one kernel's router for cases that have the same network. */
export class Judge {
  #rig: KernelRig | undefined
  #network = ''
  #opened = 0
  readonly #silence: number

  /** @param silence milliseconds without a packet after which the kernel is taken to have said all that it has to say */
  constructor(silence = 0.3) {
    this.#silence = silence
  }

  async #rigFor({ config }: Network): Promise<KernelRig> {
    const wanted = JSON.stringify(config)
    const fresh = performance.now() - this.#opened < RIG_AGE
    if (this.#rig === undefined || this.#network !== wanted || !fresh) {
      await this.close()
      this.#rig = await KernelRig.open(config, { silence: this.#silence, patience: this.#silence })
      this.#network = wanted
      this.#opened = performance.now()
    }
    return this.#rig
  }

  #exchange(rig: KernelRig, device: string, packets: readonly Uint8Array[]): Sent {
    try {
      return rig.exchange(device, packets, 0)
    } catch (error) {
      throw error instanceof EndlessError ? new Endless(error.message) : error
    }
  }

  async close(): Promise<void> {
    await this.#rig?.close()
    this.#rig = undefined
  }

  /** Runs a case through both. Throws what says that either refused the rules. */
  async run(one: Case): Promise<Outcome> {
    const rig = await this.#rigFor(one.network)
    const engine = new EngineSubject(one.network.config, one.seed, ROOM)
    const kinds = new Map<string, number>()
    const seen: Seen[] = []
    const sets = one.rules.map((each) => each.sets).join('')
    let packets = 0
    try {
      await load(one, rig, engine)
      const pairs = new Correspondence()
      const hosts = new Hosts(one.traffic.flows)
      const differences: Difference[] = []
      let passed = performance.now()
      let steps = 0
      for (const [i, step] of one.traffic.steps.entries()) {
        steps = i + 1
        const made = hosts.packets(step)
        if (made === undefined) continue
        const { device } = made
        packets += made.packets.length
        const kind = kindOf(one, step)
        kinds.set(kind, (kinds.get(kind) ?? 0) + made.packets.length)
        const left = this.#exchange(rig, device, made.packets)
        seen.push([made, left])
        // The kernel's clock does not stand still.
        const now = performance.now()
        engine.pause(Math.round(now - passed))
        passed += Math.round(now - passed)
        const ours = engine.exchange(
          device,
          made.packets.map((bytes) => pairs.translate(bytes)),
        )
        differences.push(...compareSent(`step ${i}: ${said(step)}`, left, ours, pairs))
        if (differences.length > 0) break
        hosts.saw(step, device, left)
      }
      if (differences.length === 0) differences.push(...(await compareStates(one, rig, engine, pairs)))
      return { differences, packets, kinds, steps, lines: () => seen.flatMap(linesOf) }
    } catch (error) {
      if (error instanceof Endless) await this.close()
      throw error
    } finally {
      engine.close()
      if (sets !== '' && this.#rig === rig) await rig.end()
    }
  }
}

/** What went in, and what left. */
type Seen = readonly [Made, Sent]

function linesOf([{ device, packets }, left]: Seen): string[] {
  return [...packets.map((bytes) => `  - in ${device}: ${describePacket(bytes)}`), ...outOf(left)]
}

function outOf(left: Sent): string[] {
  const out = [...left].flatMap(([device, all]) => all.map((bytes) => `  - out ${device}: ${describePacket(bytes)}`))
  return out.length > 0 ? out : ['  - out: nothing']
}

async function load({ rules }: Case, rig: KernelRig, engine: EngineSubject): Promise<void> {
  const texts = { 4: '', 6: '' }
  for (const { family, rules: set } of rules) texts[family] = rulesText(set)
  const sets = rules.map((each) => each.sets).join('')
  try {
    await rig.begin(texts, sets)
  } catch (error) {
    throw new KernelRefuses((error as Error).message.split('\n')[0])
  }
  if (sets !== '') {
    const restored = runIpset(engine.engine.sets, ['restore'], { stdin: sets })
    if (restored.status !== 0) throw new Error(restored.stderr)
  }
  for (const { family } of rules) engine.load(texts[family], family)
}

async function compareStates(one: Case, rig: KernelRig, engine: EngineSubject, pairs: Correspondence) {
  const differences: Difference[] = []
  const families = one.rules.map(({ family }) => family)
  const withSets = one.rules.some(({ sets }) => sets !== '')
  const { counters, conntrack, sets } = await rig.state(families, withSets)
  for (const family of families)
    differences.push(...compareCounters(`counters of IPv${family}`, counters.get(family)!, engine.counters(family)))
  if (withSets)
    differences.push(
      ...compareLines('sets', setLines(pairs.text(sets)), setLines(runIpset(engine.engine.sets, ['save']).stdout)),
    )
  differences.push(...compareConntrack('flows', conntrack, engine.conntrack(), pairs, 2))
  const log = rig.log()?.map((line) => pairs.text(pairs.logged(line)))
  if (log !== undefined) {
    const ours = engine.log().map((line) => pairs.logged(line))
    differences.push(...compareLines('log', log, ours))
  }
  return differences
}

/** Without what each side picks for its hashes. */
const setLines = (text: string) =>
  text
    .replace(/ initval \S+/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .sort()

function kindOf({ traffic: { flows } }: Case, step: Step): string {
  if (step.kind === 'line') return `${step.what} IPv${step.family}`
  const { protocol, server } = flows[step.flow]!
  const family = familyOf(server)
  if (step.kind === 'error') return `error IPv${family}`
  return `${protocol}${step.split === undefined ? '' : ' in fragments'} IPv${family}`
}
