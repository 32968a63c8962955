// Rates of match hashlimit as text and as numbers. A packet rate is the time between two packets in millionths of a second. A
// byte rate is kept as Linux keeps it, as 2^32 divided by chunks of 16 bytes, so that it is saved rounded in the same way.

import { Problem, unexpected } from '../rule/option.ts'

export interface HashRate {
  readonly bytes: boolean
  /** Millionths of a second for a packet; or, of a byte rate, the cost of a chunk. */
  readonly average: number
  /** Packets in a unit as written, of a packet rate. */
  readonly packets: number
  /** Seconds that the written unit has. */
  readonly unit: number
}

/** Millionths of a second. */
export const RATE_SCALE = 1_000_000
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['min', 60],
  ['sec', 1],
] as const
const NAMES = ['second', 'minute', 'hour', 'day'] as const
const SECONDS = [1, 60, 3600, 86_400] as const
const MAX = 0xffffffff
const CHUNK = 16

export const EXPECTS_RATE = 'a rate such as 5/second, 10/minute or 512kb/s, at most 1000000/second'
export const EXPECTS_SIZE = 'a number from 1 to 1000000, or for a byte rate a size such as 200kb'

export function readRate(text: string): HashRate | Problem {
  if (text.includes('b/s')) {
    const size = readSize(text.slice(0, text.indexOf('/')), MAX * (1 << 20))
    return size === undefined
      ? unexpected(text, EXPECTS_RATE)
      : { bytes: true, average: chunkCost(size), packets: 0, unit: 15 }
  }
  const found = /^\s*(\d+)[^/]*(?:\/([a-z]+))?$/i.exec(text)
  const unit = (found?.[2] ?? 'second').toLowerCase()
  const at = NAMES.findIndex((name) => name.startsWith(unit))
  const packets = Number(found?.[1])
  if (found === null || at < 0 || !(packets > 0)) return unexpected(text, EXPECTS_RATE)
  const scaled = RATE_SCALE * SECONDS[at]
  if (packets > scaled) return new Problem(`${text} is too fast: expected ${EXPECTS_RATE}`)
  return { bytes: false, average: Math.floor(scaled / packets), packets, unit: SECONDS[at] }
}

/** `200`, `200b`, `200kb`, `2mb`; undefined where it is none. */
export function readSize(text: string, most = MAX): number | undefined {
  const found = /^\s*(\d+)([km]?)/.exec(text)
  if (found === null) return undefined
  const value = Number(found[1]) * (found[2] === 'm' ? 1 << 20 : found[2] === 'k' ? 1024 : 1)
  return value > 0 && value <= most ? value : undefined
}

/** The packet rate's unit for printing: the finest in which it comes out nearly whole. */
function unitOf(average: number): number {
  let best = 0
  for (let i = 1; i < UNITS.length; i++) {
    const scaled = UNITS[i][1] * RATE_SCALE
    if (average > scaled || Math.floor(scaled / average) < scaled % average) break
    best = i
  }
  return best
}

export function rateText({ bytes, average }: HashRate): string {
  if (!bytes) {
    const [name, seconds] = UNITS[unitOf(average)]
    return `${Math.floor((seconds * RATE_SCALE) / average)}/${name}`
  }
  const size = bytesPerSecond(average)
  // A rounder rate that costs the same is the one that was meant.
  for (const [unit, name] of [
    [1 << 20, 'mb'],
    [1024, 'kb'],
  ] as const)
    if (size >= unit && size <= MAX && chunkCost(size - (size % unit)) === average)
      return `${Math.floor(size / unit)}${name}/s`
  return `${size}b/s`
}

function chunkCost(bytesPerSecond: number): number {
  return Math.floor(MAX / (Math.floor(bytesPerSecond / CHUNK) + 1))
}

/** The bytes a second that a byte rate stands for. */
export function bytesPerSecond(average: number): number {
  return (Math.floor(MAX / average) - 1) * CHUNK
}

/** A burst of a byte rate: whole units, rounded down. */
export function sizeText(bytes: number): string {
  if (bytes >= 1 << 20) return `${Math.floor(bytes / (1 << 20))}mb`
  return bytes >= 1024 ? `${Math.floor(bytes / 1024)}kb` : `${bytes}b`
}

/** Seconds that the printed unit has. */
export function printedUnit({ average }: HashRate): number {
  return UNITS[unitOf(average)][1]
}
