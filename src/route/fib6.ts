// Longest-prefix match for IPv6: a trie of strides of eight bits with pushed-down prefixes, as fib.ts has it for IPv4. The
// local table's routes are put in last, so that they win over the main one's whatever their length, as with Linux's order of
// tables; one look-up answers for both.

import { NO_LINK } from '../device/link.ts'
import { commonBits6, maskWords6 } from '../wire/address6.ts'
import type { RouteEntry } from './entry.ts'
import { isBetter } from './fib.ts'

/** A route; addresses are four int32 words. */
export interface Route6 {
  readonly network: readonly number[]
  /** 0 to 128. */
  readonly prefixLength: number
  /** route/type.ts */
  readonly type: number
  /** Index of the outgoing device, 0 for types without one. */
  readonly link: number
  /** Next hop; undefined for destinations on the link itself. */
  readonly gateway: readonly number[] | undefined
  /** Preferred source of the router's own packets. */
  readonly source: readonly number[] | undefined
  /** 0: the link's. */
  readonly mtu: number
  /** The length at which a packet is not even forwarded: the route's where that is locked, the link's otherwise. */
  readonly forwardMtu?: number
  /** Smaller wins between routes of the same prefix; between equals the one that was given first. */
  readonly metric: number
  /** Where there are several ways: each flow takes one. `link` and `gateway` are the first one's. */
  readonly paths?: readonly Path6[]
  /** What it is in the table, for who shows it. */
  readonly entry?: RouteEntry
}

/** One of several ways; the fields as a route has them. */
export interface Path6 {
  readonly link: number
  readonly gateway: readonly number[] | undefined
  readonly mtu: number
  readonly forwardMtu?: number
  /** Flows whose hash of 31 bits is at most this take it, unless an earlier one has them. */
  readonly bound: number
}

const STRIDE = 8
const FANOUT = 1 << STRIDE

export class Fib6 {
  readonly routes: readonly Route6[]
  /** Nodes of 256 entries: 0 nothing, n > 0 route n - 1, n < 0 the node ~n. */
  readonly #entries: Int32Array

  /** @param tables in the order in which they are asked: what an earlier one holds hides the later ones' */
  constructor(...tables: readonly (readonly Route6[])[]) {
    const routes = tables.flat()
    this.routes = routes
    const entries: number[] = new Array(FANOUT).fill(0)
    let first = routes.length
    for (const table of [...tables].reverse()) {
      first -= table.length
      // Shorter prefixes first: longer ones overwrite them. Among equals the better metric comes last.
      const order = table.map((_, i) => i)
      order.sort((a, b) => {
        const [x, y] = [table[a], table[b]]
        return x.prefixLength - y.prefixLength || y.metric - x.metric || b - a
      })
      for (const i of order) insert(entries, table[i].network, table[i].prefixLength, first + i + 1)
    }
    this.#entries = Int32Array.from(entries)
  }

  /** Index into `routes` of the route for the address, or -1. */
  find(word0: number, word1: number, word2: number, word3: number): number {
    let entry = this.#step(-1, word0)
    if (entry < 0) entry = this.#step(entry, word1)
    if (entry < 0) entry = this.#step(entry, word2)
    if (entry < 0) entry = this.#step(entry, word3)
    return entry - 1
  }

  /** The same among the routes that may leave by a device; those that lead nowhere count for every one. */
  findBy(address: readonly number[], device: number): number {
    let best = -1
    this.routes.forEach((route, i) => {
      const { network, prefixLength, link, paths } = route
      if (commonBits6(network, address) < prefixLength) return
      if (link !== NO_LINK && link !== device && !paths?.some((path) => path.link === device)) return
      if (best < 0 || isBetter(route, this.routes[best])) best = i
    })
    return best
  }

  /** Four levels down from the node ~`entry`. */
  #step(entry: number, word: number): number {
    const entries = this.#entries
    entry = entries[(~entry << STRIDE) + (word >>> 24)]
    if (entry < 0) entry = entries[(~entry << STRIDE) + ((word >>> 16) & 255)]
    if (entry < 0) entry = entries[(~entry << STRIDE) + ((word >>> 8) & 255)]
    if (entry < 0) entry = entries[(~entry << STRIDE) + (word & 255)]
    return entry
  }
}

/** Byte `i` of an address. */
function byteOf(words: readonly number[], i: number): number {
  return (words[i >> 2] >>> (24 - 8 * (i & 3))) & 255
}

/** Writes `value` over everything that the prefix covers. */
function insert(entries: number[], network: readonly number[], prefixLength: number, value: number): void {
  const mask = maskWords6(prefixLength)
  const prefix = network.map((word, i) => word & mask[i])
  let node = 0
  let depth = 0
  while (prefixLength > depth + STRIDE) {
    const at = (node << STRIDE) + byteOf(prefix, depth >> 3)
    if (entries[at] >= 0) {
      const child = entries.length >>> STRIDE
      const pushed = entries[at]
      for (let i = 0; i < FANOUT; i++) entries.push(pushed)
      entries[at] = ~child
    }
    node = ~entries[at]
    depth += STRIDE
  }
  const first = (node << STRIDE) + byteOf(prefix, depth >> 3)
  // What hung below is hidden whole.
  for (let at = first; at < first + (1 << (depth + STRIDE - prefixLength)); at++) entries[at] = value
}
