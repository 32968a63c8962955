// What a rule set costs, for the eye: aligned columns, one question a paragraph.

import type { Cost, CostReport, RulePlace } from './cost.ts'
import type { KernelCost } from './kernel-cost.ts'
import type { Timing, Timings } from './rounds.ts'
import type { Spent } from './timed.ts'

/** Lines of a list of rules that may be long. */
const LISTED = 10

type Row = readonly string[]

export function printCost(report: CostReport): string {
  const { traffic, withoutRules, subjects } = report
  const of =
    traffic.kind === 'flows'
      ? `${whole(traffic.flows)} flow${traffic.flows === 1 ? '' : 's'}, ${whole(traffic.packets)} packets`
      : `${whole(traffic.packets)} packets of the capture`
  const head = `${subjects.map(({ name, rules }) => `${name}: ${whole(rules)} rule${rules === 1 ? '' : 's'}`).join('; ')}; ${of}\n`
  const named = (subject: Cost) => (subjects.length > 1 ? `${subject.name}: ` : '')
  return [
    head,
    aligned(timingRows(report)),
    ...(subjects.length > 1 ? [] : [printAbove(subjects[0].timings, withoutRules)]),
    ...subjects.map((subject) => `${named(subject)}${printOutcome(subject)}`),
    ...subjects.flatMap((subject) => [printTested(subject, named(subject)), ...printRules(subject, named(subject))]),
  ]
    .filter((part) => part !== '')
    .join('\n')
}

/** The columns that fit the traffic. */
export function timingRows({ traffic, withoutRules, subjects, kernel = [] }: CostReport): Row[] {
  const columns = traffic.kind === 'flows' ? ['new flow', 'established'] : ['empty flow table', 'flows known']
  const row = (name: string, timings: Timings) => [
    name,
    whole(timings.rules),
    ...[timings.new, timings.established].flatMap((timing) => [nanoseconds(timing), spread(timing)]),
  ]
  const rows: Row[] = [['ns a packet', 'rules', columns[0], 'spread', columns[1], 'spread']]
  rows.push(row('without rules', withoutRules))
  for (const subject of subjects) {
    rows.push(row(subject.name, subject.timings))
    for (const scaled of subject.scaled)
      rows.push(
        'skipped' in scaled
          ? [`  ${scaled.times} times`, '', `not measured: ${scaled.skipped}`, '', '', '']
          : row(`  ${scaled.times} times the rules`, scaled),
      )
  }
  if (subjects.length === 2) {
    const [a, b] = subjects.map(({ timings }) => timings)
    rows.push([
      'the second to the first',
      ratio(b.rules, a.rules),
      ratio(b.new?.median, a.new?.median),
      '',
      ratio(b.established?.median, a.established?.median),
      '',
    ])
  }
  for (const of of kernel) rows.push(...kernelRows(of, row))
  return rows
}

/** A packet's way in the kernel, the write into its device with it. */
function kernelRows({ tool, withoutRules, subjects }: KernelCost, row: (name: string, timings: Timings) => Row): Row[] {
  const rowOf = (name: string, timings: KernelCost['withoutRules']) =>
    'skipped' in timings ? [name, '', `not measured: ${timings.skipped}`, '', '', ''] : row(name, timings)
  if ('skipped' in withoutRules) return [rowOf(`kernel, ${tool}`, withoutRules)]
  return [
    rowOf(`kernel, ${tool}, none`, withoutRules),
    ...subjects.flatMap(({ name, by }) =>
      by.map((one) => rowOf(one.times === 1 ? `  ${name}` : `  ${one.times} times the rules`, one)),
    ),
  ]
}

function printAbove(timings: Timings, without: Timings): string {
  const more = (a: Timing | undefined, b: Timing | undefined) =>
    a === undefined || b === undefined ? '-' : `${Math.round(a.median - b.median)} ns`
  return (
    'rules, connection tracking and NAT, above plain routing: ' +
    `${more(timings.new, without.new)}, ${more(timings.established, without.established)}\n`
  )
}

function printOutcome({ outcome }: Cost): string {
  const parts = (['forwarded', 'answered', 'delivered', 'dropped', 'held'] as const).flatMap((what) =>
    outcome[what] > 0
      ? [`${what === 'delivered' ? 'taken by the router' : what} ${percent(outcome[what] / outcome.packets)}`]
      : [],
  )
  const reasons = Object.entries(outcome.reasons).sort(([, a], [, b]) => b - a)
  const why = reasons.map(([reason, n]) => `${reason} ${percent(n / outcome.packets)}`).join(', ')
  return `packets ${parts.join(', ')}${why === '' ? '' : `\n  stopped by: ${why}`}\n`
}

function printTested(cost: Cost, named: string): string {
  const rows: Row[] = [testedHead(cost), ...testedRows(cost, LISTED)]
  const part =
    cost.testedPackets < cost.outcome.packets ? `  (counted with ${whole(cost.testedPackets)} packets)\n` : ''
  return `${named}${aligned(rows)}${part}`
}

export function testedHead({ timings }: Cost): Row {
  const columns = timings.established === undefined ? ['ns, new', ''] : ['ns, new', 'ns, est.']
  return ['of a packet, where', ...columns, 'packets in', 'rules tested', 'share']
}

/** Hooks, and under each what stands there, the chains with the most rules tested first; then what is no hook. */
export function testedRows({ hooks, chains, elsewhere }: Cost, most: number): Row[] {
  const numbers = ({ packets, tests, share }: { packets: number; tests: number; share: number }) => [
    whole(packets),
    packets === 0 ? '-' : (tests / packets).toFixed(1),
    percent(share),
  ]
  const rows = hooks.flatMap((at): Row[] => {
    const own = chains.filter((chain) => chain.hook === at.hook)
    const empty = at.packets === 0 ? ['', '', ''] : numbers(at)
    return [
      [at.hook, ...spentCells(at.spent), ...empty],
      ...at.steps.map(({ step, spent }) => [`  ${step}`, ...spentCells(spent), '', '', '']),
      ...own
        .slice(0, most)
        .map((chain) => [`  ${chain.table} ${chain.chain}`, ...spentCells(chain.spent), ...numbers(chain)]),
      ...(own.length > most ? [[`  and ${whole(own.length - most)} chains more`, '', '', '', '', '']] : []),
    ]
  })
  return [...rows, ['outside the hooks', ...spentCells(elsewhere), '', '', '']]
}

/** Averages of all packets: so they can be added. */
function spentCells(spent: Spent): Row {
  return [spent.new, spent.established].map((value) => (value === undefined ? '' : whole(Math.round(value))))
}

function printRules(cost: Cost, named: string): string[] {
  const { hottest, dead, shadowed, outcome } = cost
  const list = (places: readonly (RulePlace & { readonly by?: number })[]) => [
    ...places
      .slice(0, LISTED)
      .map(
        (place) =>
          `  ${place.table}  ${place.text}${place.by === undefined ? '' : `   (rule ${place.number}, by rule ${place.by})`}\n`,
      ),
    ...(places.length > LISTED ? [`  and ${whole(places.length - LISTED)} more (--json has all)\n`] : []),
  ]
  const incomplete = cost.shadowedComplete ? '' : ' (not every rule was looked at)'
  return [
    hottest.length === 0
      ? ''
      : `${named}hottest rules, by packets\n${aligned(
          hottest.map(({ packets, table, text }) => [
            `  ${percent(packets / outcome.packets)}`,
            whole(packets),
            table,
            text,
          ]),
          3,
        )}`,
    dead.length === 0 ? '' : `${named}never matched in this traffic: ${whole(dead.length)}\n${list(dead).join('')}`,
    shadowed.length === 0 && incomplete === ''
      ? ''
      : `${named}never reached, an earlier rule takes all of it: ${whole(shadowed.length)}${incomplete}\n${list(shadowed).join('')}`,
  ]
}

function nanoseconds(timing: Timing | undefined): string {
  return timing === undefined ? '-' : whole(Math.round(timing.median))
}

function spread(timing: Timing | undefined): string {
  return timing === undefined ? '' : `${Math.round(timing.low)}-${Math.round(timing.high)}`
}

function ratio(a: number | undefined, b: number | undefined): string {
  return a === undefined || b === undefined || b === 0 ? '-' : `${(a / b).toFixed(2)} x`
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function whole(n: number): string {
  return n.toLocaleString('en')
}

/** The first column and those from `text` on to the left, the others to the right. */
function aligned(rows: readonly Row[], text = 99): string {
  if (rows.length === 0) return ''
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => (row[i].startsWith('not ') ? 0 : row[i].length))))
  const line = (row: Row) =>
    row.map((cell, i) => (i === 0 || i >= text - 1 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')
  return `${rows.map((row) => line(row).trimEnd()).join('\n')}\n`
}
