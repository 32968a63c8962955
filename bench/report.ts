// What was measured, as Markdown.

import type { Figure, Result } from './figure.ts'
import { describe, type Machine } from './machine.ts'

export const PARTS = ['micro', 'memory', 'tun'] as const
export type Part = (typeof PARTS)[number]

export interface Recorded extends Result {
  readonly part: Part
  readonly quick: boolean
  readonly taken: string
  readonly machine: Machine
  readonly failed: readonly string[]
}

export function table(recorded: Recorded): string {
  const { figures, targets, skipped, failed, machine, taken } = recorded
  const lines = [`Taken ${taken.slice(0, 10)} on ${describe(machine)}.${recorded.quick ? ' A quick run.' : ''}`, '']
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

/** tunfilter and the kernel in one line, with the ratio. */
function beside(figures: readonly Figure[]): string[] {
  const lines = [
    '| | | unit | tunfilter | lowest to highest | kernel | lowest to highest | tunfilter / kernel | tunfilter: also | kernel: also |',
    '|---|---|---|---:|---:|---:|---:|---:|---|---|',
  ]
  for (const ours of figures.filter(({ who }) => who === 'tunfilter')) {
    const theirs = figures.find((f) => f.who === 'kernel' && f.what === ours.what && f.where === ours.where)
    const ratio = theirs === undefined ? '' : (ours.value / theirs.value).toFixed(2)
    const other = theirs === undefined ? ['', '', ratio] : [`${theirs.value}`, `${theirs.low} to ${theirs.high}`, ratio]
    const cells = [ours.what, ours.where, ours.unit, `${ours.value}`, `${ours.low} to ${ours.high}`, ...other]
    lines.push(`| ${[...cells, extras(ours), theirs === undefined ? '' : extras(theirs)].join(' | ')} |`)
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
}

function extras({ also = {} }: Figure): string {
  return Object.entries(also)
    .map(([name, value]) => `${value} ${NAMES[name] ?? name}`)
    .join(', ')
}
