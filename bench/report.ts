// What was measured, as Markdown.

import type { Figure, Result } from './figure.ts'
import { describe, type Machine } from './machine.ts'

export interface Recorded extends Result {
  readonly part: string
  readonly quick: boolean
  readonly taken: string
  /** How long it took. */
  readonly seconds: number
  readonly machine: Machine
  readonly failed: readonly string[]
}

export function table(recorded: Recorded): string {
  const { figures, targets, skipped, failed, machine, taken, seconds } = recorded
  const lines = [
    `Taken ${taken.slice(0, 10)} in ${seconds} s on ${describe(machine)}.${recorded.quick ? ' A quick run.' : ''}`,
    '',
  ]
  if (figures.length > 0)
    lines.push(...(figures.some(({ who }) => who !== undefined) ? beside(figures) : alone(figures)), '')
  if (targets.length > 0) {
    lines.push('| promised | | measured | |', '|---|---|---|---|')
    for (const { what, wanted, got, held } of targets)
      lines.push(`| ${what} | ${wanted} | ${got} | ${held ? 'held' : '**not held**'} |`)
    lines.push('')
  }
  for (const line of [...skipped, ...failed]) lines.push(`- ${line}`)
  return lines.join('\n').trimEnd()
}

function alone(figures: readonly Figure[]): string[] {
  const lines = ['| | | median | lowest to highest | unit | |', '|---|---|---:|---:|---|---|']
  for (const f of figures)
    lines.push(`| ${f.what} | ${f.where} | ${f.value} | ${f.low} to ${f.high} | ${f.unit} | ${extras(f)} |`)
  return lines
}

/** Everybody's figures of one quantity under each other, ours first, and each in relation to ours. */
function beside(figures: readonly Figure[]): string[] {
  const lines = [
    '| | | who | median | lowest to highest | unit | tunfilter in relation | |',
    '|---|---|---|---:|---:|---|---:|---|',
  ]
  const seen = new Set<string>()
  for (const { what, where } of figures) {
    if (seen.has(`${what} ${where}`)) continue
    seen.add(`${what} ${where}`)
    const same = figures.filter((f) => f.what === what && f.where === where)
    const ours = same.find(({ who }) => who === 'tunfilter')
    for (const [i, f] of same.entries()) {
      const ratio = ours === undefined || f === ours || f.value === 0 ? '' : (ours.value / f.value).toFixed(2)
      const cells = [
        i === 0 ? what : '',
        i === 0 ? where : '',
        f.who ?? '',
        f.value,
        `${f.low} to ${f.high}`,
        f.unit,
        ratio,
        extras(f),
      ]
      lines.push(`| ${cells.join(' | ')} |`)
    }
  }
  return lines
}

const NAMES: Readonly<Record<string, string>> = {
  millionPacketsASecond: 'million packets a second',
  processorNanoseconds: 'ns of processor time a packet',
  collections: 'garbage collections',
  tablesOnly: 'bytes in tables',
  busyCores: 'cores busy',
  gatewayCores: 'cores for the gateway',
  gatewayNanosecondsAPacket: 'ns of processor time a packet',
  lost: 'lost',
  p99: 'at the 99th percentile',
}

function extras({ also = {} }: Figure): string {
  return Object.entries(also)
    .map(([name, value]) => `${value} ${NAMES[name] ?? name}`)
    .join(', ')
}
