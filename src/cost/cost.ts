// What a rule set costs: in memory, with an engine of its own for each variant, their rounds taken in turn, so that
// whatever else the machine does meets all of them. What is counted (outcomes, rules tested, hottest, dead) is the same in
// every run; only the nanoseconds are the machine's.

import { setImmediate } from 'node:timers/promises'
import type { RouterConfig } from '../config.ts'
import type { Rule, RuleSet } from '../rule/model.ts'
import { countRules, grown } from './grown.ts'
import { type Arrival, Lane, type Outcome } from './lane.ts'
import { opening } from './packets.ts'
import { shadowedIn, textOf } from './shadowed.ts'
import { counting, type Tested } from './tested.ts'
import type { Flow } from './traffic.ts'

export interface Subject {
  /** What it is called: its file. */
  readonly name: string
  readonly rules: RuleSet
}

export type Traffic =
  | { readonly kind: 'flows'; readonly flows: readonly Flow[] }
  /** A capture's packets in their order: through an empty flow table, then again. */
  | { readonly kind: 'capture'; readonly packets: readonly Arrival[] }

export interface CostOptions {
  readonly config: RouterConfig
  readonly traffic: Traffic
  readonly sets?: string
  /** How long each figure is measured, about; at least ROUNDS_LEAST rounds. */
  readonly seconds: number
  /** Also with 10 and 100 times the rules. */
  readonly scale: boolean
  /** Told what is being done, and how much of it, of 1. */
  readonly progress: (doing: string, part: number) => void
}

/** Nanoseconds a packet: the median of the rounds, the least and the most. */
export interface Timing {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly rounds: number
}

export interface Timings {
  readonly rules: number
  readonly new: Timing
  /** Undefined when no flow was established. */
  readonly established: Timing | undefined
}

export interface RulePlace {
  readonly table: string
  readonly chain: string
  /** As `iptables -L --line-numbers` counts, from 1. */
  readonly number: number
  readonly text: string
}

export interface HookCost {
  readonly hook: string
  readonly packets: number
  readonly tests: number
  /** Of all rules tested; of 1. */
  readonly share: number
}

export interface Cost {
  readonly name: string
  readonly rules: number
  readonly timings: Timings
  readonly outcome: Outcome
  readonly hooks: readonly HookCost[]
  readonly chains: readonly (Tested & { readonly share: number })[]
  /** Packets of the run in which rules tested were counted; fewer than outcome.packets for very many rules. */
  readonly testedPackets: number
  /** By packets, the most first. */
  readonly hottest: readonly (RulePlace & { readonly packets: number })[]
  readonly dead: readonly RulePlace[]
  readonly shadowed: readonly (RulePlace & { readonly by: number })[]
  /** False: a chain with very many alike rules was not looked at to its end. */
  readonly shadowedComplete: boolean
  /** Variants with many times the rules; `skipped` says why there is none. */
  readonly scaled: readonly ({ readonly times: number } & (Timings | { readonly skipped: string }))[]
}

export interface CostReport {
  readonly traffic: {
    readonly kind: Traffic['kind']
    readonly flows: number
    readonly packets: number
    readonly established: number
  }
  /** Plain routing: neither rules nor connection tracking. */
  readonly withoutRules: Timings
  readonly subjects: readonly Cost[]
}

const ROUNDS_LEAST = 5
const HOTTEST = 10
/** Rules times packets that are tried one by one to count what is tested, and the least packets for it. */
const TESTS_MOST = 100_000_000
const FLOWS_LEAST = 50
/** More rules than this are not made of a rule set. */
const RULES_MOST = 1_000_000
const WARM_UP = 3
/** Packets that a round should have, so that its time can be told. */
const ROUND_PACKETS = 20_000

interface Variant {
  readonly lane: Lane
  readonly rules: number
  readonly established: number
  readonly new: number[]
  readonly again: number[]
  /** Packets of the flows' beginnings, and those that follow. */
  readonly openings: readonly Arrival[]
  readonly following: readonly Arrival[]
}

/** Throws RefusedError for rules that name sets which are not there. */
export async function costOf(subjects: readonly Subject[], options: CostOptions): Promise<CostReport> {
  const { config, sets, traffic, progress } = options
  const openings =
    traffic.kind === 'flows'
      ? traffic.flows.map((flow) => ({ device: flow.device, bytes: opening(flow) }))
      : traffic.packets
  const flows = traffic.kind === 'flows' ? traffic.flows.length : traffic.packets.length
  const variants: Variant[] = []
  const open = async (rules: RuleSet | undefined): Promise<Variant> => {
    await setImmediate()
    const lane = new Lane({ config, rules, sets, flows })
    const following = firstTime(lane, traffic)
    const count = rules === undefined ? 0 : countRules(rules)
    const variant = { lane, rules: count, established: following.length, new: [], again: [], openings, following }
    variants.push(variant)
    return variant
  }
  progress('without rules', 0)
  const without = await open(undefined)
  const bases: Variant[] = []
  const scaled: { times: number; skipped?: string; variant?: Variant }[][] = []
  const counted: Omit<Cost, 'timings' | 'scaled'>[] = []
  for (const subject of subjects) {
    progress(`${subject.name}: every packet, counted`, 0)
    const base = await open(subject.rules)
    bases.push(base)
    counted.push(count(subject, base.lane, options))
    const more: (typeof scaled)[number] = []
    for (const times of options.scale ? [10, 100] : []) {
      const rules = countRules(subject.rules) * times
      if (rules > RULES_MOST) more.push({ times, skipped: `${rules} rules are more than ${RULES_MOST}` })
      else {
        progress(`${subject.name}: ${times} times the rules`, 0)
        more.push({ times, variant: await open(grown(subject.rules, times)) })
      }
    }
    scaled.push(more)
  }
  await measure(variants, options)
  for (const { lane } of variants) lane.close()
  return {
    traffic: {
      kind: traffic.kind,
      flows: traffic.kind === 'flows' ? flows : 0,
      packets: counted[0].outcome.packets,
      established: bases[0].established,
    },
    withoutRules: timingsOf(without),
    subjects: subjects.map((_, i) => ({
      ...counted[i],
      timings: timingsOf(bases[i]),
      scaled: scaled[i].map(({ times, skipped = '', variant }) =>
        variant === undefined ? { times, skipped } : { times, ...timingsOf(variant) },
      ),
    })),
  }
}

/** Every packet once, one after the other; gives those of established flows. */
function firstTime(lane: Lane, traffic: Traffic): readonly Arrival[] {
  if (traffic.kind === 'flows') return lane.establish(traffic.flows)
  lane.play(traffic.packets)
  return traffic.packets
}

/** New flows first, each time into an empty table; then flows are made once more, and their packets run. */
async function measure(variants: readonly Variant[], { traffic, seconds, progress }: CostOptions): Promise<void> {
  const most = seconds * 1e9
  for (const kind of ['new', 'again'] as const) {
    const doing = kind === 'new' ? 'new flows' : 'established flows'
    for (const { lane, openings, following } of variants) {
      lane.engine.flows.clear()
      if (kind === 'again') firstTime(lane, traffic)
      lane.prepare(kind === 'new' ? openings : following)
    }
    let spent = 0
    const share = most * variants.length
    for (let round = -WARM_UP; round < ROUNDS_LEAST || spent < share; round++) {
      progress(doing, Math.min(Math.max(spent / share, Math.max(round, 0) / ROUNDS_LEAST / 2), 1))
      await setImmediate()
      let ran = false
      for (const variant of variants) {
        const packets = kind === 'new' ? variant.openings.length : variant.following.length
        if (packets === 0) continue
        ran = true
        const passes = Math.max(Math.ceil(ROUND_PACKETS / packets), 1)
        let nanoseconds = 0
        if (kind === 'again') nanoseconds = variant.lane.run(passes)
        else
          for (let pass = 0; pass < passes; pass++) {
            nanoseconds += variant.lane.run(1)
            variant.lane.engine.flows.clear()
          }
        if (round < 0) continue
        spent += nanoseconds
        variant[kind].push(nanoseconds / (packets * passes))
      }
      if (!ran) break
    }
  }
}

function timingsOf({ rules, new: fresh, again }: Variant): Timings {
  const timing = (costs: readonly number[]): Timing => {
    const sorted = [...costs].sort((a, b) => a - b)
    const round = (value: number) => Math.round(value * 10) / 10
    return {
      median: round(sorted[sorted.length >> 1]),
      low: round(sorted[0]),
      high: round(sorted[sorted.length - 1]),
      rounds: sorted.length,
    }
  }
  return { rules, new: timing(fresh), established: again.length === 0 ? undefined : timing(again) }
}

/** What is counted of a rule set, after its engine has seen every packet once. */
function count({ name, rules }: Subject, lane: Lane, options: CostOptions): Omit<Cost, 'timings' | 'scaled'> {
  const places: (RulePlace & { readonly packets: number })[] = []
  const shadowed: (RulePlace & { readonly by: number })[] = []
  let shadowedComplete = true
  for (const table of rules.tables.values())
    for (const chain of table.chains.values()) {
      const at = (rule: Rule, i: number) => ({
        table: table.name,
        chain: chain.name,
        number: i + 1,
        text: textOf(chain, rule),
      })
      for (const [i, rule] of chain.rules.entries())
        places.push({ ...at(rule, i), packets: lane.engine.countersOf(rule, rules.family).packets })
      const { shadows, complete } = shadowedIn(chain)
      shadowedComplete &&= complete
      for (const { rule, by } of shadows) shadowed.push({ ...at(chain.rules[rule], rule), by: by + 1 })
    }
  const { tested, packets } = countTests(rules, options)
  const all = tested.reduce((sum, { tests }) => sum + tests, 0)
  const share = (tests: number) => (all === 0 ? 0 : tests / all)
  const hooks = new Map<string, { packets: number; tests: number }>()
  for (const { hook, chain, packets: into, tests } of tested) {
    const sum = hooks.get(hook) ?? { packets: 0, tests: 0 }
    // Each table asks the same packets, or of nat only the first ones.
    if (chain === hook) sum.packets = Math.max(sum.packets, into)
    sum.tests += tests
    hooks.set(hook, sum)
  }
  return {
    name,
    rules: places.length,
    outcome: { ...lane.outcome, reasons: { ...lane.outcome.reasons } },
    hooks: [...hooks]
      .map(([hook, sum]) => ({ hook, ...sum, share: share(sum.tests) }))
      .sort((a, b) => b.share - a.share),
    chains: tested.map((of) => ({ ...of, share: share(of.tests) })).sort((a, b) => b.tests - a.tests),
    testedPackets: packets,
    hottest: places
      .filter((place) => place.packets > 0)
      .sort((a, b) => b.packets - a.packets)
      .slice(0, HOTTEST),
    dead: places.filter((place) => place.packets === 0).map(({ packets: _, ...place }) => place),
    shadowed,
    shadowedComplete,
  }
}

/** Walks the rules one by one under an engine that counts them; for very many rules with a part of the traffic. */
function countTests(
  ruleSet: RuleSet,
  { config, sets, traffic }: CostOptions,
): { readonly tested: Tested[]; readonly packets: number } {
  const { rules, read } = counting(ruleSet)
  const size = traffic.kind === 'flows' ? traffic.flows.length : traffic.packets.length
  const most = Math.max(Math.floor(TESTS_MOST / Math.max(countRules(ruleSet), 1)), FLOWS_LEAST)
  const lane = new Lane({ config, rules, sets, flows: size, interpreted: true })
  firstTime(
    lane,
    traffic.kind === 'flows'
      ? { kind: 'flows', flows: traffic.flows.slice(0, most) }
      : { kind: 'capture', packets: traffic.packets.slice(0, most) },
  )
  const tested = read((rule) => lane.engine.countersOf(rule, ruleSet.family))
  lane.close()
  return { tested, packets: lane.outcome.packets }
}
