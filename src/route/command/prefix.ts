// Addresses and prefixes of either family, as iproute2 reads and writes them.

import { formatAddress, maskOf, parseAddress } from '../../wire/address.ts'
import { format6, maskWords6, parse6 } from '../../wire/address6.ts'
import type { Words as Address } from '../entry.ts'
import { IpFault } from './words.ts'

export type Family = 4 | 6

export const BITS = { 4: 32, 6: 128 } as const
const FAMILY_NAMES = { 4: 'inet', 6: 'inet6' } as const

export interface Prefix {
  readonly network: Address
  readonly length: number
}

export function formatWords(address: Address): string {
  return address.length === 1 ? formatAddress(address[0]) : format6(address)
}

/** Without the length where that is all bits. */
export function formatPrefix({ network, length }: Prefix): string {
  const whole = length === BITS[network.length === 1 ? 4 : 6]
  return whole ? formatWords(network) : `${formatWords(network)}/${length}`
}

export function readAddress(word: string, family: Family): Address | undefined {
  if (family === 6) return parse6(word)
  const address = parseAddress(word)
  return address === undefined ? undefined : [address]
}

export function addressOf(word: string, family: Family): Address {
  const address = readAddress(word, family)
  if (address === undefined)
    throw new IpFault(`Error: ${FAMILY_NAMES[family]} address is expected rather than "${word}".\n`, 1)
  return address
}

/** `default`, `any`, `all`, an address, or a prefix; bits beyond its length stay. */
export function readPrefix(word: string, family: Family): Prefix | undefined {
  if (word === 'default' || word === 'any' || word === 'all')
    return { network: family === 4 ? [0] : [0, 0, 0, 0], length: 0 }
  const [text, bits, ...more] = word.split('/')
  const network = readAddress(text, family)
  if (network === undefined || more.length > 0) return undefined
  if (bits === undefined) return { network, length: BITS[family] }
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > BITS[family]) return undefined
  return { network, length: Number(bits) }
}

export function prefixOf(word: string, family: Family): Prefix {
  const prefix = readPrefix(word, family)
  if (prefix === undefined) throw new IpFault(`Error: any valid prefix is expected rather than "${word}".\n`, 1)
  return prefix
}

export function masked({ network, length }: Prefix): Address {
  if (network.length === 1) return [network[0] & maskOf(length)]
  const mask = maskWords6(length)
  return network.map((word, i) => word & mask[i])
}
