// The gateway's log, on standard error: lines for people on a terminal, JSON for programs elsewhere. Standard output is
// for what was asked for.

import { writeSync } from 'node:fs'
import { type Logger, pino } from 'pino'

export type LogFormat = 'text' | 'json'

export function openLog(format: LogFormat = process.stderr.isTTY === true ? 'text' : 'json'): Logger {
  const stream = format === 'json' ? { write: writeError } : { write: (line: string) => writeError(forPeople(line)) }
  return pino({ base: null, level: 'debug', timestamp: pino.stdTimeFunctions.isoTime }, stream)
}

/** Synchronously, so that nothing is lost at the end; a log that nobody reads any more must not end the gateway. */
function writeError(text: string): void {
  try {
    writeSync(2, text)
  } catch {}
}

const NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }
const COLOURS: Readonly<Record<number, number>> = { 20: 2, 30: 32, 40: 33, 50: 31, 60: 31 }

function forPeople(json: string): string {
  const { level, time, msg, ...rest } = JSON.parse(json) as { level: number; time: string; msg?: string }
  const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined
  const name = (NAMES[level] ?? String(level)).padEnd(5)
  const shown = colour ? `\x1b[${COLOURS[level] ?? 0}m${name}\x1b[0m` : name
  const more = Object.entries(rest).map(([key, value]) => ` ${key}=${shownValue(value)}`)
  return `${time.replace('T', ' ').slice(0, 23)} ${shown} ${msg ?? ''}${more.join('')}\n`
}

function shownValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(String).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, v]) => `${key} ${String(v)}`)
      .join(', ')}}`
  return String(value)
}
