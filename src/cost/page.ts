// What a rule set costs as one HTML page without outside resources: the cost against the number of rules as SVG, and the tables.

import type { Cost, CostReport, Timings } from './cost.ts'
import { percent, testedRows, timingRows } from './print.ts'

const WIDTH = 640
const HEIGHT = 320
const LEFT = 60
const BOTTOM = 40
const TOP = 20
const RIGHT = 20
const COLOURS = ['#1f77b4', '#d62728']
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
<p>Rules tested a packet, walked one by one; the share is of all rules tested.</p>
${table([['hook and chain', 'packets in', 'rules a packet', 'share'], ...testedRows(cost, LISTED)])}
<h3>Hottest rules</h3>
${table([['table', 'rule', '', 'packets'], ...hottest.map((rule) => [...place(rule), rule.packets.toLocaleString('en')])], 2)}
<h3>Never matched in this traffic: ${dead.length}</h3>
${table([['table', 'rule', ''], ...dead.slice(0, LISTED).map(place)], 2)}
<h3>Never reached, an earlier rule takes all of it: ${shadowed.length}</h3>
${table([['table', 'rule', '', 'by rule'], ...shadowed.slice(0, LISTED).map((rule) => [...place(rule), String(rule.by)])], 2)}`
}

interface Point {
  readonly rules: number
  readonly cost: number
}

/** The number of rules is drawn by its logarithm. */
function plot({ withoutRules, subjects }: CostReport): string {
  const lines = subjects.flatMap(({ name, timings, scaled }, i) => {
    const measured: Timings[] = [withoutRules, timings, ...scaled.flatMap((one) => ('skipped' in one ? [] : [one]))]
    return (['new', 'established'] as const).map((kind) => ({
      name: `${name}, ${kind}`,
      colour: COLOURS[i % COLOURS.length],
      dashed: kind === 'new',
      points: measured.flatMap((one): Point[] => {
        const cost = one[kind]?.median
        return cost === undefined ? [] : [{ rules: one.rules, cost }]
      }),
    }))
  })
  const points = lines.flatMap((line) => line.points)
  const most = Math.max(...points.map(({ cost }) => cost), 1)
  const widest = Math.log10(Math.max(...points.map(({ rules }) => rules), 1) + 1)
  const x = (rules: number) => LEFT + (Math.log10(rules + 1) / widest) * (WIDTH - LEFT - RIGHT)
  const y = (cost: number) => HEIGHT - BOTTOM - (cost / most) * (HEIGHT - TOP - BOTTOM)
  const at = ({ rules, cost }: Point) => `${x(rules).toFixed(1)},${y(cost).toFixed(1)}`
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const cost = Math.round(most * part)
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(cost)}" y2="${y(cost)}" stroke="#ddd"/><text x="${LEFT - 6}" y="${y(cost) + 4}" text-anchor="end">${cost}</text>`
  })
  const numbers = [...new Set(points.map(({ rules }) => rules))].map(
    (rules) =>
      `<text x="${x(rules).toFixed(1)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${rules.toLocaleString('en')}</text>`,
  )
  const drawn = lines.map(
    ({ colour, dashed, points: of, name }) =>
      `<g><title>${escaped(name)}</title><polyline points="${of.map(at).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ''}/>` +
      `${of.map((point) => `<circle cx="${x(point.rules).toFixed(1)}" cy="${y(point.cost).toFixed(1)}" r="3" fill="${colour}"/>`).join('')}</g>`,
  )
  const legend = subjects.map(({ name }, i) => `<tspan fill="${COLOURS[i % COLOURS.length]}">${escaped(name)}</tspan>`)
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" role="img" font-size="11" font-family="system-ui,sans-serif">
<title>Nanoseconds a packet against the number of rules</title>
${ticks.join('')}${numbers.join('')}${drawn.join('')}
<text x="${LEFT}" y="12">ns a packet; line: established, dashes: new flows; ${legend.join(', ')}</text>
<text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">rules</text>
</svg>`
}

/** @param text which column, if any, is a rule's text */
function table([head, ...rows]: readonly (readonly string[])[], text = -1): string {
  if (rows.length === 0) return '<p>none</p>'
  const row = (cells: readonly string[]) =>
    `<tr>${cells.map((cell, i) => `<td${i === text ? ' class="text"' : ''}>${escaped(cell)}</td>`).join('')}</tr>`
  return `<table><tr>${head.map((cell) => `<th>${escaped(cell)}</th>`).join('')}</tr>
${rows.map(row).join('\n')}</table>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
