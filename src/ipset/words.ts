// Numbers, addresses and names as ipset's command line has them. What is not understood throws a SetError with the text of
// ipset 7.17, which now and then stacks the messages of several attempts.

import { formatAddress, maskOf } from '../wire/address.ts'
import { format6, parse6 } from '../wire/address6.ts'
import { SetError } from './fault.ts'

export type SetFamily = 4 | 6

export const FAMILY_NAMES: Readonly<Record<SetFamily, string>> = { 4: 'inet', 6: 'inet6' }

/** Bytes of a set's, type's or device's name are limited. */
export const NAME_MAX = 31
const IFACE_MAX = 15

export function syntax(message: string, word?: string): SetError {
  return new SetError(`Syntax error: ${message}`, { word })
}

/** strtoull's view with base 0; undefined where the text is no number at all. */
function bigNumber(text: string): bigint | undefined {
  const found = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)$/.exec(text)
  if (found === null) return undefined
  const [, sign, digits] = found
  const octal = /^0\d/.test(digits)
  if (octal && /[89]/.test(digits)) return undefined
  const value = BigInt(octal ? `0o${digits.slice(1)}` : digits)
  return sign === '-' ? -value : value
}

/** @throws SetError where it is no number, or outside */
export function bigNumberIn(text: string, min: bigint, max: bigint): bigint {
  const value = bigNumber(text)
  if (value === undefined) throw syntax(`'${text}' is invalid as number`, text)
  if (value < min || value > max) throw syntax(`'${text}' is out of range ${min}-${max}`, text)
  return value
}

export function numberIn(text: string, min: number, max: number): number {
  return Number(bigNumberIn(text, BigInt(min), BigInt(max)))
}

export function prefixLength(text: string, family: SetFamily, min = 0): number {
  // As ipset does it: first a byte, then within bounds.
  if (min === 0) numberIn(text, 0, 255)
  return numberIn(text, min, bits(family))
}

export function bits(family: SetFamily): number {
  return family === 4 ? 32 : 128
}

/** Words of an address. */
export function wordsOf(family: SetFamily): number {
  return family === 4 ? 1 : 4
}

/**
 * An address in the resolver's numeric forms: IPv4 with one to four parts, the last one filling what is left, decimal or
 * octal. Host names are not looked up.
 */
export function address(text: string, family: SetFamily): readonly number[] {
  const bare = unescaped(text)
  const found = family === 4 ? parse4(bare) : parse6(bare)
  if (found === undefined) throw syntax(`cannot parse ${text}: resolving to IPv${family} address failed`, text)
  return found
}

function parse4(text: string): readonly number[] | undefined {
  let value = 0
  let parts = 0
  for (let at = 0; ; ) {
    const dot = text.indexOf('.', at)
    const part = dot < 0 ? text.slice(at) : text.slice(at, dot)
    if (++parts > 4 || !/^\d{1,11}$/.test(part)) return undefined
    const octal = part.length > 1 && part[0] === '0'
    if (octal && /[89]/.test(part)) return undefined
    const number = octal ? Number.parseInt(part, 8) : Number(part)
    if (dot < 0) {
      const room = 2 ** (8 * (5 - parts))
      return number < room ? [(value * room + number) | 0] : undefined
    }
    if (number > 255) return undefined
    value = value * 256 + number
    at = dot + 1
  }
}

/** `[...]` around a part keeps separators in it from counting. */
export function unescaped(text: string): string {
  if (text[0] !== '[') return text
  if (!text.endsWith(']')) throw syntax(`cannot find closing escape character ']' in ${text}`, text)
  return text.slice(1, -1)
}

/** Place of a separator outside of brackets, or -1. At either end of the text a separator is an ordinary character. */
export function separatorAt(text: string, separator: string): number {
  if (text[0] === separator || text[text.length - 1] === separator) return -1
  const close = text[0] === '[' ? text.indexOf(']') : -1
  return text.indexOf(separator, Math.max(0, close))
}

export function formatIp(words: ArrayLike<number>, at: number, family: SetFamily): string {
  return family === 4 ? formatAddress(words[at]) : format6([words[at], words[at + 1], words[at + 2], words[at + 3]])
}

/** Word i of the mask of a prefix length. */
export function maskWord(length: number, i: number): number {
  const rest = length - 32 * i
  return rest >= 32 ? -1 : rest <= 0 ? 0 : maskOf(rest)
}

export function setName(text: string): string {
  if (Buffer.byteLength(text) > NAME_MAX) throw syntax(`setname '${text}' is longer than ${NAME_MAX} characters`, text)
  return text
}

export function interfaceName(text: string): string {
  if (Buffer.byteLength(text) > IFACE_MAX)
    throw syntax(`interface name '${text}' is longer than ${IFACE_MAX} characters`, text)
  return text
}

/** A MAC address as two words: four bytes, and two in the upper half of the second. */
export function etherAddress(text: string): readonly [number, number] {
  const parts = text.split(':')
  if (parts.length !== 6 || parts.some((part) => !/^[0-9a-fA-F]{1,2}$/.test(part)))
    throw syntax(`cannot parse '${text}' as ethernet address`, text)
  const bytes = parts.map((part) => Number.parseInt(part, 16))
  return [(bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3], (bytes[4] << 24) | (bytes[5] << 16)]
}

export function formatEther(high: number, low: number): string {
  const bytes = [high >>> 24, high >>> 16, high >>> 8, high, low >>> 24, low >>> 16]
  return bytes.map((byte) => (byte & 255).toString(16).toUpperCase().padStart(2, '0')).join(':')
}
