// Addresses of a configuration whatever their family: as text in one form, so that they can be compared.

import { isOnLink, parseDestination, parseLinkAddress } from '../route/prefix.ts'
import { isIPv6, isOnLink6, parseDestination6, parseLinkAddress6 } from '../route/prefix6.ts'
import { formatAddress, parseAddress } from '../wire/address.ts'
import { format6, parse6 } from '../wire/address6.ts'

/** An address that a device has. */
export interface OwnAddress {
  readonly family: 4 | 6
  readonly address: string
  readonly prefixLength: number
  readonly peer: string | undefined
  /** Whether an address of the same family is reached without a router in between. */
  reaches(other: string): boolean
}

/** The one form of an address, or undefined where the text is none. */
export function canonical(text: string): string | undefined {
  if (isIPv6(text)) {
    const words = parse6(text)
    return words && format6(words)
  }
  const address = parseAddress(text)
  return address === undefined ? undefined : formatAddress(address)
}

/** `10.0.1.1/24`, `2001:db8::1/64`, `ADDRESS peer PREFIX`; undefined where the text is none of these. */
export function readOwn(text: string): OwnAddress | undefined {
  if (isIPv6(text)) {
    const own = parseLinkAddress6(text)
    if (own === undefined) return undefined
    const reaches = (other: string) => {
      const words = parse6(other)
      return words !== undefined && isOnLink6(own, words)
    }
    const { prefixLength, peer } = own
    return { family: 6, address: format6(own.address), prefixLength, peer: peer && format6(peer), reaches }
  }
  const own = parseLinkAddress(text)
  if (own === undefined) return undefined
  const reaches = (other: string) => {
    const address = parseAddress(other)
    return address !== undefined && isOnLink(own, address)
  }
  const peer = own.peer === undefined ? undefined : formatAddress(own.peer)
  return { family: 4, address: formatAddress(own.address), prefixLength: own.prefixLength, peer, reaches }
}

/**
 * A route's destination as `ADDRESS/LENGTH`, or undefined where the text is none.
 * @param family of `default`
 */
export function readDestination(text: string, family: 4 | 6): string | undefined {
  if (text === 'default') return family === 6 ? '::/0' : '0.0.0.0/0'
  if (isIPv6(text)) {
    const to = parseDestination6(text)
    return to && `${format6(to.address)}/${to.length}`
  }
  const to = parseDestination(text)
  return to && `${formatAddress(to.address)}/${to.length}`
}

/** fe80::/10: means something together with a device only. */
export function isLinkLocal(text: string): boolean {
  return /^fe[89ab]/i.test(text) && isIPv6(text)
}
