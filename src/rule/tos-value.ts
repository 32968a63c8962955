// Values of the TOS byte by number and by name (RFC 1349), for match tos and target TOS.

import { parseNumber } from './number.ts'
import { type Option, unexpected, word } from './option.ts'

export interface MaskedByte {
  readonly value: number
  readonly mask: number
}

const NAMES: readonly (readonly [string, number])[] = [
  ['Minimize-Delay', 0x10],
  ['Maximize-Throughput', 0x08],
  ['Maximize-Reliability', 0x04],
  ['Minimize-Cost', 0x02],
  ['Normal-Service', 0x00],
]
const EXPECTS = `a number from 0 to 255, with or without /MASK, or one of ${NAMES.map(([name]) => name).join(', ')}`

/** @param mask what of the byte a name is about */
export function tosValue(mask: number): Option<MaskedByte, false, false> {
  return word<MaskedByte>(
    EXPECTS,
    (text) => {
      const named = NAMES.find(([name]) => name.toLowerCase() === text.toLowerCase())
      if (named !== undefined) return { value: named[1], mask }
      const [value, bits] = text.split(/\/(.*)/s).map((part) => parseNumber(part, 255))
      if (value === undefined || (text.includes('/') && bits === undefined)) return unexpected(text, EXPECTS)
      return { value, mask: bits ?? 0xff }
    },
    ({ value, mask: bits }) => `${hex(value)}/${hex(bits)}`,
  )
}

/** The name of a value; undefined where it has none, or where another mask than a name's is meant. */
export function tosName({ value, mask }: MaskedByte): string | undefined {
  return mask === 0x3f ? NAMES.find(([, named]) => named === value)?.[0] : undefined
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`
}
