// Addresses and networks of both families as rule files write them, and as iptables prints them: int32 words, one for
// IPv4 and four for IPv6. Three manners of reading, as iptables has three: loose (-s and -d: `10.1` is 10.1.0.0, parts may
// be hexadecimal or octal), strict (inet_pton: NAT's addresses), and the text form of IPv6 (RFC 4291; printed as RFC 5952).

import { formatAddress, maskOf, prefixLengthOf } from '../wire/address.ts'
import { format6, parse6 } from '../wire/address6.ts'
import type { Family, Network } from './model.ts'
import { parseNumber } from './number.ts'

/** Exactly four decimal parts without leading zeros (IPv4), or IPv6's text form. */
export function parseStrict(text: string, family: Family): readonly number[] | undefined {
  if (family === 6) return parse6(text)
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined
  return parts4(text.split('.').map(Number))
}

/** As -s and -d read an IPv4 address: one to four parts, missing ones are 0 at the end. */
export function parseLoose(text: string, family: Family): readonly number[] | undefined {
  if (family === 6) return parse6(text)
  const parts = text.split('.')
  if (parts.length > 4) return undefined
  const numbers = parts.map((part) => parseNumber(part, 255))
  while (numbers.length < 4) numbers.push(0)
  return parts4(numbers)
}

/** As inet_aton reads an IPv4 address: one to four parts, of which the last takes up all bytes that are left. */
export function parseAton(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length > 4 || /\s|\+/.test(text)) return undefined
  let address = 0
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1
    const value = parseNumber(part, last ? 2 ** (8 * (4 - i)) - 1 : 255)
    if (value === undefined) return undefined
    address |= last ? value : value << (24 - 8 * i)
  }
  return address
}

function parts4(parts: readonly (number | undefined)[]): readonly number[] | undefined {
  let address = 0
  for (const part of parts) {
    if (part === undefined || part > 255) return undefined
    address = (address << 8) | part
  }
  return [address]
}

/** `24`, `255.255.255.0`, or for IPv6 `64` or `ffff:ffff::`. */
export function parseMask(text: string, family: Family): readonly number[] | undefined {
  const length = parseNumber(text, family === 4 ? 32 : 128)
  if (length !== undefined) return maskWords(length, family)
  if (family === 6) return parse6(text)
  return text.split('.').length === 4 ? parseLoose(text, 4) : undefined
}

export function maskWords(length: number, family: Family): readonly number[] {
  return family === 4 ? MASKS_4[length] : [0, 32, 64, 96].map((before) => maskOf(clamp(length - before)))
}

// Thousands of rules share these.
const MASKS_4: readonly (readonly number[])[] = Array.from({ length: 33 }, (_, length) => [maskOf(length)])
const clamp = (length: number) => Math.max(0, Math.min(32, length))

/** Length of a contiguous mask, or undefined where it has holes. */
export function maskLength(mask: readonly number[]): number | undefined {
  let length = 0
  let ended = false
  for (const word of mask) {
    const part = prefixLengthOf(word)
    if (part === undefined || (ended && part > 0)) return undefined
    length += part
    ended ||= part < 32
  }
  return length
}

/** `10.0.0.0/8`, or `10.0.2.0/255.0.255.0` where the mask has holes. */
export function formatNetwork(network: Network): string {
  const length = maskLength(network.mask)
  return `${formatAny(network.address)}/${length ?? formatAny(network.mask)}`
}

export function formatAny(address: readonly number[]): string {
  return address.length === 1 ? formatAddress(address[0]) : format6(address)
}

/** The network's address with the bits outside the mask cleared. */
export function masked(network: Network): Network {
  return { address: network.address.map((word, i) => word & network.mask[i]), mask: network.mask }
}
