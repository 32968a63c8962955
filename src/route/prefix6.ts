// IPv6 addresses with prefix lengths as a configuration writes them, in the forms of ip(8).

import type { LinkAddress6 } from '../device/link.ts'
import { commonBits6, equal6, maskWords6, parse6 } from '../wire/address6.ts'

export interface Prefix6 {
  /** Four int32 words. */
  readonly address: readonly number[]
  readonly length: number
}

/** Whether a text of the configuration is about IPv6; which it then is, is for the parsers to say. */
export function isIPv6(text: string): boolean {
  return text.includes(':')
}

/** `2001:db8::1/64`, or an address alone, which is a /128; undefined where the text is neither. */
export function parsePrefix6(text: string): Prefix6 | undefined {
  const slash = text.indexOf('/')
  const address = parse6(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  if (slash < 0) return { address, length: 128 }
  const digits = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > 128) return undefined
  return { address, length: Number(digits) }
}

/** A route's destination: an address, or a prefix without bits beyond its length. */
export function parseDestination6(text: string): Prefix6 | undefined {
  const prefix = parsePrefix6(text)
  if (prefix === undefined) return undefined
  const mask = maskWords6(prefix.length)
  return prefix.address.every((word, i) => (word & ~mask[i]) === 0) ? prefix : undefined
}

/** `2001:db8::1/64`, or `2001:db8::1 peer 2001:db8::2/128`; undefined where the text is neither. */
export function parseLinkAddress6(text: string): LinkAddress6 | undefined {
  const [local, word, peer, ...more] = text.trim().split(/\s+/)
  if (word === undefined) {
    const own = text.includes('/') ? parsePrefix6(local) : undefined
    return own && { address: own.address, prefixLength: own.length }
  }
  const address = parse6(local)
  const other = parsePrefix6(peer ?? '')
  if (word !== 'peer' || more.length > 0 || address === undefined || other === undefined) return undefined
  return { address, prefixLength: other.length, peer: other.address }
}

/** Whether the device with this address reaches `other` without a router in between. */
export function isOnLink6(own: LinkAddress6, other: readonly number[]): boolean {
  return commonBits6(own.peer ?? own.address, other) >= own.prefixLength && !equal6(own.address, other)
}
