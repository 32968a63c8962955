// Which of its addresses the router speaks by: the rules of RFC 6724, section 5, as far as they can tell a router's addresses apart
// (none is deprecated, temporary or a home address), with Linux's policy table. Of equals the first candidate wins.

import { commonBits6, equal6 } from '../wire/address6.ts'
import * as ipv6 from '../wire/ipv6.ts'

export interface Candidate {
  readonly address: readonly number[]
  readonly prefixLength: number
  readonly link: number
}

const SCOPE_GLOBAL = 14
const SCOPE_SITE = 5

/** @param link the device that the packet leaves by */
export function bestSource(
  candidates: readonly Candidate[],
  link: number,
  destination: readonly number[],
): readonly number[] | undefined {
  let best: Candidate | undefined
  for (const own of candidates) {
    if (best === undefined || compare(own, best, link, destination) > 0) best = own
  }
  return best?.address
}

/** Above 0 when a is the better one. */
function compare(a: Candidate, b: Candidate, link: number, destination: readonly number[]): number {
  const same = Number(equal6(a.address, destination)) - Number(equal6(b.address, destination))
  if (same !== 0) return same
  const scope = scopeScore(a.address, destination) - scopeScore(b.address, destination)
  if (scope !== 0) return scope
  const device = Number(a.link === link) - Number(b.link === link)
  if (device !== 0) return device
  const label = labelOf(destination)
  const labels = Number(labelOf(a.address) === label) - Number(labelOf(b.address) === label)
  if (labels !== 0) return labels
  return matching(a, destination) - matching(b, destination)
}

/** The smallest scope that is wide enough is best; of those that are too small the widest. */
function scopeScore(address: readonly number[], destination: readonly number[]): number {
  const scope = scopeOf(address)
  return scope >= scopeOf(destination) ? -scope : scope - 128
}

function scopeOf([word0, word1, word2, word3]: readonly number[]): number {
  if (ipv6.isMulticast(word0)) return ipv6.multicastScope(word0)
  if (ipv6.isLinkLocal(word0) || ipv6.isLoopback(word0, word1, word2, word3)) return ipv6.SCOPE_LINK
  return ipv6.isSiteLocal(word0) ? SCOPE_SITE : SCOPE_GLOBAL
}

function matching({ address, prefixLength }: Candidate, destination: readonly number[]): number {
  return Math.min(commonBits6(address, destination), prefixLength)
}

/** Linux's default table of labels: prefix, length, label; the longest that matches. */
const LABELS: readonly (readonly [readonly number[], number, number])[] = [
  [[0, 0, 0, 1], 128, 0],
  [[0, 0, 0xffff, 0], 96, 4],
  [[0, 0, 0, 0], 96, 3],
  [[0x20010000, 0, 0, 0], 32, 6],
  [[0x20010010, 0, 0, 0], 28, 7],
  [[0x20020000, 0, 0, 0], 16, 2],
  [[0x3ffe0000, 0, 0, 0], 16, 12],
  [[0xfec00000 | 0, 0, 0, 0], 10, 11],
  [[0xfc000000 | 0, 0, 0, 0], 7, 5],
]

function labelOf(address: readonly number[]): number {
  return LABELS.find(([prefix, length]) => commonBits6(prefix, address) >= length)?.[2] ?? 1
}
