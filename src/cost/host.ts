// Addresses that a host somewhere can have, and networks as lists of words: one of IPv4, four of IPv6.

import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'

export type Words = readonly number[]

/** Neither "this" network, loopback, multicast nor reserved; of IPv6 not of a link alone either. */
export function isHost(address: Words): boolean {
  if (address.length === 1) {
    const first = address[0] >>> 24
    return first !== 0 && first < 240 && !ip.isLoopback(address[0]) && !ip.isMulticast(address[0])
  }
  const [a, b, c, d] = address
  if (ipv6.isLinkLocal(a) || ipv6.isMulticast(a) || ipv6.isLoopback(a, b, c, d)) return false
  return (a | b | c | d) !== 0
}

export function isWithin(address: Words, { address: network, mask }: { address: Words; mask: Words }): boolean {
  return mask.every((word, i) => ((address[i] ^ network[i]) & word) === 0)
}
