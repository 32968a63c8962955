// What happened, in a few aligned lines, or as JSON.

import type { EngineCounters } from '../engine-counters.ts'

export interface Summary extends EngineCounters {
  /** Packets of the capture, those that no device was there for, and the time that it spans. */
  readonly capture: { readonly packets: number; readonly skipped: number; readonly seconds: number }
  readonly flows: number
}

export function print(summary: Summary, json: boolean): string {
  if (json) return `${JSON.stringify(summary)}\n`
  const { packets, skipped, seconds } = summary.capture
  const passedOver = skipped > 0 ? `, ${skipped} passed over` : ''
  const flows = `${summary.flows} flow${summary.flows === 1 ? '' : 's'}`
  return `${packets} packets in ${seconds.toFixed(3)} s${passedOver}; ${flows}\n${printTotals(summary)}`
}

/** Packets and bytes by device, then drops by reason. */
export function printTotals({ links, dropped }: EngineCounters): string {
  const rows = [
    ['device', 'in', 'bytes', 'out', 'bytes', 'errors'],
    ...Object.entries(links).map(([name, c]) =>
      [name, c.rxPackets, c.rxBytes, c.txPackets, c.txBytes, c.rxErrors + c.txErrors + c.txDropped].map(String),
    ),
  ]
  const reasons = Object.entries(dropped).filter(([, count]) => count > 0)
  const drops = [
    ['dropped', reasons.length === 0 ? 'none' : ''],
    ...reasons.map(([name, n]) => [`  ${name}`, String(n)]),
  ]
  return `${aligned(rows)}${aligned(drops)}`
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')
  return `${rows.map((row) => line(row).trimEnd()).join('\n')}\n`
}
