// What a rule set costs: in memory, with an engine of its own for each variant, their rounds taken in turn (rounds.ts), one of them with
// a stop-watch at every hook and chain (timed.ts); on request in the kernel beside them (kernel-cost.ts). What is counted (outcomes, rules tested, hottest, dead) is the same in
// every run; only the nanoseconds are the machine's.

import { setImmediate } from 'node:timers/promises'
import type { RouterConfig } from '../config.ts'
import { inlineMore } from '../gateway/inlining.ts'
import { HOOK_NAMES } from '../hook/hook.ts'
import type { Rule, RuleSet } from '../rule/model.ts'
import { countRules, grown } from './grown.ts'
import { BesideKernel, type KernelCost } from './kernel-cost.ts'
import { Lane, type Outcome } from './lane.ts'
import {
  firstTime,
  measure,
  type RoundsOptions,
  type Timings,
  type Traffic,
  timingsOf,
  type Variant,
  variantOf,
} from './rounds.ts'
import { shadowedIn, textOf } from './shadowed.ts'
import { counting, type Tested } from './tested.ts'
import { type Spent, Timed, type TimedStep } from './timed.ts'

export interface Subject {
  /** What it is called: its file. */
  readonly name: string
  readonly rules: RuleSet
}

export interface CostOptions extends RoundsOptions {
  readonly config: RouterConfig
  readonly sets?: string
  /** Also with 10 and 100 times the rules. */
  readonly scale: boolean
  /** Also in the kernel, with each of its tools. */
  readonly kernel?: boolean
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
  /** Those that came to its rules. */
  readonly packets: number
  readonly tests: number
  /** Of all rules tested; of 1. */
  readonly share: number
  readonly spent: Spent
  /** What stands at the hook besides its chains. */
  readonly steps: readonly TimedStep[]
}

export interface ChainCost extends Tested {
  readonly share: number
  readonly spent: Spent
}

export interface Cost {
  readonly name: string
  readonly rules: number
  readonly timings: Timings
  readonly outcome: Outcome
  readonly hooks: readonly HookCost[]
  readonly chains: readonly ChainCost[]
  /** Outside the hooks: receiving, routing, sending. */
  readonly elsewhere: Spent
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
  /** Where it was asked for: the same in the kernel, by tool. */
  readonly kernel?: readonly KernelCost[]
}

const HOTTEST = 10
/** Rules times packets that are tried one by one to count what is tested, and the least packets for it. */
const TESTS_MOST = 100_000_000
const FLOWS_LEAST = 50
/** More rules than this are not made of a rule set. */
const RULES_MOST = 1_000_000
const TIMES = [10, 100]

/** Throws RefusedError for rules that name sets which are not there. */
export async function costOf(subjects: readonly Subject[], options: CostOptions): Promise<CostReport> {
  // As the gateway's worker does.
  inlineMore()
  const { config, sets, traffic, progress } = options
  const flows = traffic.kind === 'flows' ? traffic.flows.length : traffic.packets.length
  const variants: Variant[] = []
  const open = async (rules: RuleSet | undefined) => {
    await setImmediate()
    const lane = new Lane({ config, rules, sets, flows })
    const variant = variantOf(lane, rules === undefined ? 0 : countRules(rules), traffic)
    variants.push(variant)
    return { lane, variant }
  }
  progress('without rules', 0)
  const { variant: without } = await open(undefined)
  const bases: Variant[] = []
  const scaled: { times: number; skipped?: string; variant?: Variant }[][] = []
  const counted: Counted[] = []
  const timed: Timed[] = []
  for (const subject of subjects) {
    progress(`${subject.name}: every packet, counted`, 0)
    const { lane, variant } = await open(subject.rules)
    bases.push(variant)
    counted.push(count(subject, lane, options))
    await setImmediate()
    const stopwatch = new Timed(subject.rules, { config, sets, flows })
    timed.push(stopwatch)
    variants.push(variantOf(stopwatch, variant.rules, traffic))
    const more: (typeof scaled)[number] = []
    for (const times of options.scale ? TIMES : []) {
      const rules = countRules(subject.rules) * times
      if (rules > RULES_MOST) more.push({ times, skipped: `${rules} rules are more than ${RULES_MOST}` })
      else {
        progress(`${subject.name}: ${times} times the rules`, 0)
        more.push({ times, variant: (await open(grown(subject.rules, times))).variant })
      }
    }
    scaled.push(more)
  }
  const kernel = options.kernel
    ? new BesideKernel(subjects, options.scale ? TIMES.filter((times) => scaled.every(isMeasured(times))) : [], options)
    : undefined
  try {
    await measure([...variants, ...(kernel?.variants ?? [])], options)
    return {
      traffic: {
        kind: traffic.kind,
        flows: traffic.kind === 'flows' ? flows : 0,
        packets: counted[0].outcome.packets,
        established: bases[0].established,
      },
      withoutRules: timingsOf(without),
      subjects: subjects.map((_, i) => ({
        ...withTimes(counted[i], timed[i]),
        timings: timingsOf(bases[i]),
        scaled: scaled[i].map(({ times, skipped = '', variant }) =>
          variant === undefined ? { times, skipped } : { times, ...timingsOf(variant) },
        ),
      })),
      ...(kernel && { kernel: kernel.costs() }),
    }
  } finally {
    for (const { runner } of variants) runner.close()
    kernel?.close()
  }
}

function isMeasured(times: number): (of: readonly { readonly times: number; readonly skipped?: string }[]) => boolean {
  return (of) => of.some((one) => one.times === times && one.skipped === undefined)
}

/** A rule set's cost but for what is measured. */
interface Counted extends Omit<Cost, 'timings' | 'scaled' | 'hooks' | 'chains' | 'elsewhere'> {
  readonly hooks: readonly Omit<HookCost, 'spent' | 'steps'>[]
  readonly chains: readonly Omit<ChainCost, 'spent'>[]
}

/** Hooks in the order of a packet's way, those without rules too where something stands there. */
function withTimes(counted: Counted, timed: Timed): Omit<Cost, 'timings' | 'scaled'> {
  const times = timed.chains()
  const chains = counted.chains.map((of) => ({
    ...of,
    spent: times.find((one) => one.hook === of.hook && one.table === of.table && one.chain === of.chain)?.spent ?? NONE,
  }))
  const steps = timed.steps()
  const hooks = HOOK_NAMES.flatMap((hook): HookCost[] => {
    const own = steps.filter((step) => step.hook === hook)
    const its = times.filter((chain) => chain.hook === hook)
    const found = counted.hooks.find((one) => one.hook === hook)
    if (own.length + its.length === 0 && found === undefined) return []
    const spent = sumOf([...own, ...its].map((one) => one.spent))
    return [{ ...(found ?? { hook, packets: 0, tests: 0, share: 0 }), spent, steps: own }]
  })
  return { ...counted, hooks, chains, elsewhere: timed.elsewhere() }
}

const NONE: Spent = { new: undefined, established: undefined }

function sumOf(all: readonly Spent[]): Spent {
  const sum = (kind: keyof Spent) =>
    all.reduce<number | undefined>((total, spent) => {
      const more = spent[kind]
      return more === undefined ? total : (total ?? 0) + more
    }, undefined)
  return { new: sum('new'), established: sum('established') }
}

/** What is counted of a rule set, after its engine has seen every packet once. */
function count({ name, rules }: Subject, lane: Lane, options: CostOptions): Counted {
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
    hooks: [...hooks].map(([hook, sum]) => ({ hook, ...sum, share: share(sum.tests) })),
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
