// One case: a router, its rules and what hosts say through it, all from one seed. It is run through the kernel and the engine side by
// side, and a disagreement is made as small as it can be.

import { setTimeout as sleep } from 'node:timers/promises'
import { EngineSubject } from '../../support/scenario/engine.ts'
import {
  Correspondence,
  compareConntrack,
  compareCounters,
  compareLines,
  compareSent,
  type Difference,
} from '../compare.ts'
import { KernelRig } from '../rig.ts'
import { Chance } from './chance.ts'
import { type Network, network } from './network.ts'
import { type Rules, rules, rulesText } from './rules.ts'
import { Hosts, type Step, type Traffic, traffic } from './traffic.ts'

export interface Case {
  readonly seed: number
  readonly network: Network
  readonly rules: Rules
  readonly traffic: Traffic
}

/** Cases of the same hundred have the same network, so that the kernel's can be kept. */
const A_NETWORK = 50

export function caseOf(seed: number): Case {
  const net = network(new Chance(Math.floor(seed / A_NETWORK) * 7919 + 1))
  const chance = new Chance(seed * 104_729 + 3)
  return { seed, network: net, rules: rules(chance, net), traffic: traffic(chance, net) }
}

export interface Outcome {
  readonly differences: Difference[]
  /** Packets that were handed in. */
  readonly packets: number
  /** How many of them by kind, for the count that is printed in the end. */
  readonly kinds: ReadonlyMap<string, number>
}

/** Keeps one kernel's router for cases that have the same network. */
export class Judge {
  #rig: KernelRig | undefined
  #network = ''
  readonly #silence: number

  /** @param silence milliseconds without a packet after which the kernel is taken to have said all that it has to say */
  constructor(silence = 0.3) {
    this.#silence = silence
  }

  async rigFor({ config }: Network): Promise<KernelRig> {
    const wanted = JSON.stringify(config)
    if (this.#rig !== undefined && this.#network === wanted) await this.#rig.reset()
    else {
      await this.close()
      this.#rig = await KernelRig.open(config, { silence: this.#silence, patience: this.#silence })
      this.#network = wanted
    }
    return this.#rig as KernelRig
  }

  async close(): Promise<void> {
    await this.#rig?.close()
    this.#rig = undefined
  }

  /** Runs a case through both. */
  async run(one: Case): Promise<Outcome> {
    const rig = await this.rigFor(one.network)
    const text = rulesText(one.rules)
    const engine = new EngineSubject(one.network.config, one.seed)
    const kinds = new Map<string, number>()
    let packets = 0
    try {
      await rig.load(text, 4)
      engine.load(text, 4)
      const pairs = new Correspondence()
      const hosts = new Hosts(one.traffic.flows)
      const differences: Difference[] = []
      let passed = performance.now()
      for (const [i, step] of one.traffic.steps.entries()) {
        const made = hosts.packets(step)
        if (made === undefined) continue
        const { device } = made
        packets += made.packets.length
        const kind = step.kind === 'say' ? one.traffic.flows[step.flow]!.protocol : step.kind
        kinds.set(kind, (kinds.get(kind) ?? 0) + made.packets.length)
        const left = rig.exchange(device, made.packets, 0)
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
      if (differences.length === 0) {
        differences.push(...compareCounters('counters', await rig.counters(4), engine.counters(4)))
        const flows = await rig.conntrack()
        differences.push(...compareConntrack('flows', flows, engine.conntrack(), pairs, 2))
        const log = rig.log()?.map((line) => pairs.text(pairs.logged(line)))
        if (log !== undefined)
          differences.push(
            ...compareLines(
              'log',
              log,
              engine.log().map((line) => pairs.logged(line)),
            ),
          )
      }
      return { differences, packets, kinds }
    } finally {
      engine.close()
    }
  }

  /** The smallest case of its kind that the two still disagree about. */
  async shrink(one: Case, progress: (tries: number) => void = () => {}): Promise<Case> {
    let small = one
    let tries = 0
    const holds = async (candidate: Case) => {
      progress(++tries)
      try {
        return (await this.run(candidate)).differences.length > 0
      } catch {
        return false
      }
    }
    for (let again = true; again && tries < 400; ) {
      again = false
      for (let size = Math.ceil(small.traffic.steps.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0)
        for (let at = small.traffic.steps.length - size; at >= 0; at -= size) {
          const steps = small.traffic.steps.toSpliced(at, size)
          const candidate = { ...small, traffic: { ...small.traffic, steps } }
          if (await holds(candidate)) [small, again] = [candidate, true]
        }
      for (const [t, [table]] of small.rules.tables.entries())
        for (let line = (small.rules.tables[t]?.[1].length ?? 0) - 1; line >= 0; line--) {
          const tables = small.rules.tables.map(
            ([name, lines]) => [name, name === table ? lines.toSpliced(line, 1) : lines] as const,
          )
          const candidate = { ...small, rules: { tables } }
          if (await holds(candidate)) [small, again] = [candidate, true]
        }
      await sleep(0)
    }
    return small
  }
}

function said(step: Step): string {
  if (step.kind === 'line') return `${step.device} ${step.line}`
  return `flow ${step.flow} ${step.side === 0 ? 'client' : 'server'} ${step.kind === 'error' ? 'error ' : ''}${step.words.trim()}`
}

/** A case for people, and for a scenario file. */
export function caseText({ seed, network: net, rules: set, traffic: { flows, steps } }: Case): string {
  return [
    `case ${seed}`,
    `config ${JSON.stringify(net.config)}`,
    rulesText(set).trimEnd(),
    ...flows.map(
      (flow, i) =>
        `flow ${i} ${flow.protocol} ${flow.client.device} ${flow.client.address}:${flow.sport} > ${flow.server}:${flow.dport}`,
    ),
    ...steps.map(
      (step, i) =>
        `step ${i} ${said(step)}${'split' in step && step.split !== undefined ? ` split ${step.split}` : ''}`,
    ),
  ].join('\n')
}
