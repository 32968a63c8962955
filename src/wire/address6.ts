// IPv6 addresses as text and as four int32 words: read as inet_pton reads them (RFC 4291, 2.2), written as inet_ntop writes
// them (RFC 5952, with a dotted tail for IPv4-compatible and IPv4-mapped addresses).

import { formatAddress, parseAddress } from './address.ts'

/** Four parts without leading zeros. */
const DOTTED = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/

export function parse6(text: string): readonly number[] | undefined {
  // An IPv4 address may stand in the place of the last two groups.
  const tail = /(^|:)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.exec(text)
  if (tail !== null) {
    if (!DOTTED.test(tail[2])) return undefined
    const inner = parseAddress(tail[2])
    if (inner === undefined) return undefined
    const high = (inner >>> 16).toString(16)
    const low = (inner & 0xffff).toString(16)
    return parse6(`${text.slice(0, text.length - tail[2].length)}${high}:${low}`)
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')))
  if (groups.flat().some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  const given = groups.flat().length
  if (halves.length === 1 ? given !== 8 : given > 7) return undefined
  const all = halves.length === 1 ? groups[0] : [...groups[0], ...Array<string>(8 - given).fill('0'), ...groups[1]]
  const numbers = all.map((group) => Number.parseInt(group, 16))
  return [0, 2, 4, 6].map((i) => (numbers[i] << 16) | numbers[i + 1])
}

export function format6(words: readonly number[]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff])
  // The longest run of zeros, the first of equals, at least two groups.
  let best = -1
  let longest = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > longest) {
      longest = end - i
      best = i
    }
    if (end > i) i = end
  }
  // inet_ntop writes IPv4-compatible and IPv4-mapped addresses with a dotted tail.
  const dotted = best === 0 && (longest === 6 || (longest === 5 && groups[5] === 0xffff))
  const text = (list: readonly number[]) => list.map((group) => group.toString(16)).join(':')
  if (dotted) return `::${longest === 5 ? 'ffff:' : ''}${formatAddress(words[3])}`
  if (best < 0) return text(groups)
  return `${text(groups.slice(0, best))}::${text(groups.slice(best + longest))}`
}

/** The four words of a prefix length's mask, 0 to 128. */
export function maskWords6(length: number): readonly number[] {
  return [0, 32, 64, 96].map((before) => {
    const bits = Math.min(Math.max(length - before, 0), 32)
    return bits === 0 ? 0 : -1 << (32 - bits)
  })
}

export function equal6(a: readonly number[], b: readonly number[]): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3]
}

/** How many leading bits two addresses have in common, 0 to 128. */
export function commonBits6(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < 4; i++) {
    const differing = a[i] ^ b[i]
    if (differing !== 0) return 32 * i + Math.clz32(differing)
  }
  return 128
}
