// What the project is to reach, goal by goal, and what was reached: one table over all parts, made of their figures. Ratios
// are of medians of one run. A goal whose part was not run, or lacks a peer, is said to be not measured.

import type { Figure, Target } from './figure.ts'
import { KERNEL_LEGACY, KERNEL_NFT, MANY, NONE } from './path/chains.ts'
import * as m from './path/measure.ts'
import { BYTES, ESTABLISHED as IN_MEMORY } from './path/memory.ts'
import { KERNEL } from './path/tun.ts'
import type { Recorded } from './report.ts'
import { ESTABLISHED, NEW } from './rules/path.ts'

export interface Goal {
  readonly what: string
  readonly wanted: string
  readonly reached: string
  /** Undefined: not measured, or not all of it. */
  readonly held: boolean | undefined
  /** Whether anything of it was measured. */
  readonly measured: boolean
}

/** One number that has to be at least or at most so much. */
interface Check {
  readonly name: string
  readonly value: number | undefined
  readonly unit?: string
  readonly least?: number
  readonly most?: number
}

const OURS = 'tunfilter'
const BARE = 'bare C'

export function goalsOf(recorded: readonly Recorded[]): Goal[] {
  const part = (name: string) => recorded.find((one) => one.part === name)
  const find = (name: string, what: string, where: string, who?: string): Figure | undefined =>
    part(name)?.figures.find((f) => f.what === what && f.where === where && (who === undefined || f.who === who))
  const value = (...of: Parameters<typeof find>) => find(...of)?.value
  const ratio = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined || b === 0 ? undefined : a / b
  const against = (name: string, what: string, where: string, peer: string, who = OURS) =>
    ratio(value(name, what, where, who), value(name, what, where, peer))
  const targets = (name: string, begins: string) =>
    part(name)?.targets.filter((target) => target.what.startsWith(begins)) ?? []
  const bystander = find('tun', m.BYSTANDER, m.MEDIAN, OURS)
  const million = (name: string, what: string, where: string) => ratio(1e3, value(name, what, where))
  const processor = (who: string) => find('tun', m.FLOOD, m.AT_RECEIVER, who)?.also

  return [
    goal('one TCP stream through NAT, offload on', [
      { name: `of ${BARE}, there`, value: against('tun', m.TCP, m.THERE, BARE), least: 0.95 },
      { name: 'back', value: against('tun', m.TCP, m.BACK, BARE), least: 0.95 },
      { name: `of ${KERNEL}, there`, value: against('tun', m.TCP, m.THERE, KERNEL), least: 0.75 },
      { name: 'back', value: against('tun', m.TCP, m.BACK, KERNEL), least: 0.75 },
    ]),
    goal(
      '64-byte UDP through NAT, flood',
      [
        { name: `of ${BARE}`, value: against('tun', m.FLOOD, m.AT_RECEIVER, BARE), least: 0.9 },
        { name: `of ${KERNEL}`, value: against('tun', m.FLOOD, m.AT_RECEIVER, KERNEL), least: 1.4 },
      ],
      [OURS, BARE, KERNEL]
        .flatMap((who) => {
          const busy = processor(who)?.busyCores
          return busy === undefined ? [] : [`${who} ${busy} cores busy`]
        })
        .join(', '),
    ),
    goal('64-byte UDP through NAT, highest rate with at most 0.5 % loss', [
      { name: `of ${BARE}`, value: against('tun', m.FASTEST, m.AT_MOST_LOST, BARE), least: 0.9 },
      { name: `of ${KERNEL}`, value: against('tun', m.FASTEST, m.AT_MOST_LOST, KERNEL), least: 1.4 },
    ]),
    goal('processor time of a packet at 100,000 a second', [
      { name: `of ${BARE}`, value: against('tun', m.PACED, m.OF_GATEWAY, BARE), most: 1.2 },
    ]),
    goal('request and response', [
      { name: `of ${KERNEL}, median`, value: against('tun', m.ROUND_TRIP, m.MEDIAN, KERNEL), most: 1.4 },
      { name: '99th percentile', value: against('tun', m.ROUND_TRIP, m.P99, KERNEL), most: 1.4 },
      {
        name: 'spinning, median',
        value: against('tun', m.ROUND_TRIP, m.MEDIAN, KERNEL, `${OURS}, busy poll`),
        most: 1.1,
      },
      {
        name: '99th percentile',
        value: against('tun', m.ROUND_TRIP, m.P99, KERNEL, `${OURS}, busy poll`),
        most: 1.1,
      },
    ]),
    goal("a bystander's delay while another flow floods", [
      { name: 'median', value: bystander?.value, unit: 'us', most: 500 },
      { name: 'lost', value: bystander?.also?.lost, most: 0 },
    ]),
    goal('64-byte UDP with 10,000 rules in FORWARD that do not match', [
      {
        name: 'of ours without',
        value: ratio(value('chains', m.FLOOD, MANY, OURS), value('chains', m.FLOOD, NONE, OURS)),
        least: 0.97,
      },
      { name: 'of iptables-legacy', value: against('chains', m.FLOOD, MANY, KERNEL_LEGACY), least: 30 },
      { name: 'of iptables-nft', value: against('chains', m.FLOOD, MANY, KERNEL_NFT), least: 70 },
    ]),
    goal(
      'new flows a second, of ours without rules',
      ['10,000 rules', 'kube-proxy, 10,000 services'].map((where) => ({
        name: where,
        value: ratio(value('rules', NEW, 'no other rules'), value('rules', NEW, where)),
        least: 0.8,
      })),
    ),
    goal('in memory, established NAT flow, 10,000 flows', [
      { name: '100 rules', value: million('rules', ESTABLISHED, '100 rules'), unit: 'million a second', least: 8 },
      { name: '100,000 rules', value: million('rules', ESTABLISHED, '100,000 rules'), unit: 'million', least: 8 },
      {
        name: 'apart',
        value: apart(ratio(value('rules', ESTABLISHED, '100,000 rules'), value('rules', ESTABLISHED, '100 rules'))),
        unit: '%',
        most: 5,
      },
    ]),
    goal('in memory, 1,000,000 flows in random order', [
      {
        name: '',
        value: million('memory', IN_MEMORY, '1,000,000 flows'),
        unit: 'million a second',
        least: 3,
      },
    ]),
    goal('bytes a flow at 1,000,000 flows, all counted', [
      { name: 'resident', value: value('memory', BYTES, '1,000,000 flows'), most: 128 },
      { name: 'reserved', value: find('memory', BYTES, '1,000,000 flows')?.also?.tablesOnly, most: 128 },
    ]),
    goal('100,000 rules', [
      {
        name: "load, of iptables-nft-restore's time",
        value: against('rules', 'a restore', '100,000 rules', 'iptables-nft'),
        most: 1,
      },
      {
        name: 'bytes a rule',
        value: value('rules', 'memory of a rule, data plane and control side', '100,000 rules'),
        most: 300,
      },
    ]),
    fromTargets('heap growth and garbage collection on the data path', 'none', targets('memory', 'heap')),
    fromTargets(
      'a soak at full rate with rule reloads every second',
      'no loss, no growth, p99.9 steady',
      part('soak')?.targets ?? [],
    ),
  ]
}

function apart(ratio: number | undefined): number | undefined {
  return ratio === undefined ? undefined : Math.abs(ratio - 1) * 100
}

function goal(what: string, checks: readonly Check[], beside = ''): Goal {
  const shown = (value: number) => Number(value.toPrecision(3)).toString()
  const wanted = checks.map(({ name, unit = '', least, most }) =>
    `${name} ${least === undefined ? `at most ${most}` : `at least ${least}`} ${unit}`.trim(),
  )
  const reached = checks.map(({ name, value, unit = '' }) =>
    `${name} ${value === undefined ? 'not measured' : `${shown(value)} ${unit}`}`.trim(),
  )
  const held = checks.every(
    ({ value = Number.NaN, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY }) =>
      Number.isNaN(value) || (value >= least && value <= most),
  )
  const missing = checks.some(({ value }) => value === undefined || Number.isNaN(value))
  return {
    what,
    wanted: wanted.join('; '),
    reached: [...reached, ...(beside === '' || checks.every(({ value }) => value === undefined) ? [] : [beside])].join(
      '; ',
    ),
    // What was measured and does not hold is known, whatever else is missing.
    held: missing && held ? undefined : held,
    measured: checks.some(({ value }) => value !== undefined),
  }
}

function fromTargets(what: string, wanted: string, targets: readonly Target[]): Goal {
  if (targets.length === 0) return { what, wanted, reached: 'not measured', held: undefined, measured: false }
  const failed = targets.filter(({ held }) => !held)
  const reached =
    failed.length === 0
      ? `all ${targets.length} checks held`
      : failed.map((one) => `${one.what}: ${one.got}`).join('; ')
  return { what, wanted, reached, held: failed.length === 0, measured: true }
}

export function goalsTable(goals: readonly Goal[]): string {
  const lines = ['| goal | wanted | reached | |', '|---|---|---|---|']
  for (const { what, wanted, reached, held } of goals)
    lines.push(
      `| ${what} | ${wanted} | ${reached} | ${held === undefined ? 'not measured' : held ? 'held' : '**not held**'} |`,
    )
  return lines.join('\n')
}
