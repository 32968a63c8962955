// Addresses with prefix lengths as a configuration writes them, in the forms of ip(8).

import type { LinkAddress } from '../device/link.ts'
import { maskOf, parseAddress } from '../wire/address.ts'

export interface Prefix {
  readonly address: number
  readonly length: number
}

/** `10.0.1.1/24`, or an address alone, which is a /32; undefined where the text is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  if (slash < 0) return { address, length: 32 }
  const digits = text.slice(slash + 1)
  if (!/^\d{1,2}$/.test(digits) || Number(digits) > 32) return undefined
  return { address, length: Number(digits) }
}

/** A route's destination: `default`, an address, or a prefix without bits beyond its length. */
export function parseDestination(text: string): Prefix | undefined {
  if (text === 'default') return { address: 0, length: 0 }
  const prefix = parsePrefix(text)
  return prefix === undefined || (prefix.address & ~maskOf(prefix.length)) !== 0 ? undefined : prefix
}

/** `10.0.1.1/24`, or `10.0.1.1 peer 10.0.1.2/32`; undefined where the text is neither. */
export function parseLinkAddress(text: string): LinkAddress | undefined {
  const [local, word, peer, ...more] = text.trim().split(/\s+/)
  if (word === undefined) {
    const own = text.includes('/') ? parsePrefix(local) : undefined
    return own && { address: own.address, prefixLength: own.length }
  }
  const address = parseAddress(local)
  const other = parsePrefix(peer ?? '')
  if (word !== 'peer' || more.length > 0 || address === undefined || other === undefined) return undefined
  return { address, prefixLength: other.length, peer: other.address }
}

/** Whether the device with this address reaches `other` without a router in between. */
export function isOnLink(own: LinkAddress, other: number): boolean {
  return (((own.peer ?? own.address) ^ other) & maskOf(own.prefixLength)) === 0
}
