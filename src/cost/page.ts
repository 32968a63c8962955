// What a rule set costs as one HTML page without outside resources: the cost against the number of rules as SVG, and the tables.

import type { Cost, CostReport } from './cost.ts'
import { COLOURS, escaped, type Line, type Point, plotSvg } from './plot.ts'
import { percent, testedHead, testedRows, timingRows } from './print.ts'
import type { Timings } from './rounds.ts'

const STYLE = `body{font:14px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.15rem .8rem .15rem 0;text-align:right;white-space:pre}
td:first-child,th:first-child,td.text{text-align:left}th{font-weight:600;border-bottom:1px solid #999}
td.text{font-family:ui-monospace,monospace;white-space:normal}h2{font-size:1.1rem;margin-top:2rem}`
/** Rules of a list that may be long. */
const LISTED = 1000

export function costPage(report: CostReport): string {
  const title = `What ${report.subjects.map(({ name }) => name).join(' and ')} costs`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(title)}</h1>
<p>${report.traffic.packets.toLocaleString('en')} packets, in memory, one core: median of several rounds.</p>
${table(timingRows(report))}
${plot(report)}
${report.subjects.map(subjectSection).join('\n')}
</body></html>
`
}

function subjectSection(cost: Cost): string {
  const { outcome, hottest, dead, shadowed } = cost
  const shares = (['forwarded', 'answered', 'delivered', 'dropped', 'held'] as const).map((what) => [
    what,
    outcome[what].toLocaleString('en'),
    percent(outcome[what] / outcome.packets),
  ])
  const place = ({ table: of, number, text }: Cost['dead'][number]) => [of, String(number), text]
  return `<h2>${escaped(cost.name)}</h2>
${table([['packets', '', ''], ...shares])}
<p>Nanoseconds of a packet at each place, on average of all packets, new and established; rules tested by a packet that comes in, walked
one by one, and the share of all rules tested.</p>
${table([testedHead(cost), ...testedRows(cost, LISTED)])}
<h3>Hottest rules</h3>
${table([['table', 'rule', '', 'packets'], ...hottest.map((rule) => [...place(rule), rule.packets.toLocaleString('en')])], 2)}
<h3>Never matched in this traffic: ${dead.length}</h3>
${table([['table', 'rule', ''], ...dead.slice(0, LISTED).map(place)], 2)}
<h3>Never reached, an earlier rule takes all of it: ${shadowed.length}</h3>
${table([['table', 'rule', '', 'by rule'], ...shadowed.slice(0, LISTED).map((rule) => [...place(rule), String(rule.by)])], 2)}`
}

/** The number of rules is drawn by its logarithm. */
function plot({ withoutRules, subjects, kernel = [] }: CostReport): string {
  const lines = subjects.flatMap(({ name, timings, scaled }, i): Line[] => {
    const measured: Timings[] = [withoutRules, timings, ...scaled.flatMap((one) => ('skipped' in one ? [] : [one]))]
    return (['established', 'new'] as const).map((kind) => ({
      name: `${name}, ${kind}`,
      colour: COLOURS[i % COLOURS.length],
      dashed: kind === 'new',
      points: measured.flatMap((one): Point[] => {
        const cost = one[kind]?.median
        return cost === undefined ? [] : [{ x: one.rules, y: cost }]
      }),
    }))
  })
  for (const [i, { tool, withoutRules: none, subjects: of }] of kernel.entries()) {
    const measured = [none, ...of.flatMap(({ by }) => by)].flatMap((one) => ('skipped' in one ? [] : [one]))
    for (const kind of ['established', 'new'] as const)
      lines.push({
        name: `kernel, ${tool}, ${kind}`,
        colour: COLOURS[2 + i],
        dashed: kind === 'new',
        points: measured
          .flatMap((one): Point[] => {
            const cost = one[kind]?.median
            return cost === undefined ? [] : [{ x: one.rules, y: cost }]
          })
          .sort((a, b) => a.x - b.x),
      })
  }
  const numbers = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))]
  return plotSvg({
    title: 'Nanoseconds a packet against the number of rules',
    x: { label: 'rules', log: true, ticks: numbers.map((at) => ({ at, text: at.toLocaleString('en') })) },
    y: { label: 'ns a packet', log: kernel.length > 0 },
    lines,
  })
}

/** @param text which column, if any, is a rule's text */
function table([head, ...rows]: readonly (readonly string[])[], text = -1): string {
  if (rows.length === 0) return '<p>none</p>'
  const row = (cells: readonly string[]) =>
    `<tr>${cells.map((cell, i) => `<td${i === text ? ' class="text"' : ''}>${escaped(cell)}</td>`).join('')}</tr>`
  return `<table><tr>${head.map((cell) => `<th>${escaped(cell)}</th>`).join('')}</tr>
${rows.map(row).join('\n')}</table>`
}
