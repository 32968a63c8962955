// One routing table for IPv4: longest-prefix match over a trie with a stride of eight bits and pushed leaves, so that a
// look-up is at most four dependent reads however many prefixes there are. Built whole from a list of routes and never
// changed afterwards; a change of routes builds a new one.

import { NO_LINK } from '../device/link.ts'
import { maskOf } from '../wire/address.ts'
import type { RouteEntry } from './entry.ts'

export interface Route {
  /** Network address (int32) and prefix length 0 to 32. */
  readonly network: number
  readonly prefixLength: number
  /** One of route/type.ts. */
  readonly type: number
  /** Link index, 0 for types without a device. */
  readonly link: number
  /** Next hop, 0 for destinations on the link itself. */
  readonly gateway: number
  /** Preferred source of the router's own packets, 0 for none. */
  readonly source: number
  /** 0: the link's. */
  readonly mtu: number
  /** Smaller wins between routes of the same prefix; between equals the one that was given first. */
  readonly metric: number
  /** Where there are several ways: each flow takes one. `link` and `gateway` are the first one's. */
  readonly paths?: readonly Path[]
  /** What it is in the table, for who shows it. */
  readonly entry?: RouteEntry
}

/** One of several ways; the fields as a route has them. */
export interface Path {
  readonly link: number
  readonly gateway: number
  readonly mtu: number
  /** The address by which the router speaks on this way. */
  readonly source: number
  /** Flows whose hash of 31 bits is at most this take it, unless an earlier one has them. */
  readonly bound: number
}

/** Whether packets by this route may leave by the device. */
export function leavesBy({ link, paths }: Route, device: number): boolean {
  return paths === undefined ? link === device : paths.some((path) => path.link === device)
}

const STRIDE = 8
const FANOUT = 1 << STRIDE

export class Fib {
  readonly routes: readonly Route[]
  /** Nodes of 256 entries: 0 nothing, n > 0 route n - 1, n < 0 the node ~n. */
  readonly #entries: Int32Array

  constructor(routes: readonly Route[]) {
    // Shorter prefixes first: longer ones overwrite them. Among equals the better metric comes last.
    const order = routes.map((_, i) => i)
    order.sort((a, b) => {
      const [x, y] = [routes[a], routes[b]]
      return x.prefixLength - y.prefixLength || y.metric - x.metric || b - a
    })
    this.routes = routes
    const entries: number[] = new Array(FANOUT).fill(0)
    for (const i of order) insert(entries, routes[i].network, routes[i].prefixLength, i + 1)
    this.#entries = Int32Array.from(entries)
  }

  /** Index into `routes` of the longest prefix that holds the address, or -1. */
  find(address: number): number {
    const entries = this.#entries
    let entry = entries[address >>> 24]
    if (entry < 0) entry = entries[(~entry << STRIDE) + ((address >>> 16) & 255)]
    if (entry < 0) entry = entries[(~entry << STRIDE) + ((address >>> 8) & 255)]
    if (entry < 0) entry = entries[(~entry << STRIDE) + (address & 255)]
    return entry - 1
  }

  /** The same among the routes that may leave by a device; those that lead nowhere count for every one. */
  findBy(address: number, device: number): number {
    let best = -1
    this.routes.forEach((route, i) => {
      if (((address ^ route.network) & maskOf(route.prefixLength)) !== 0) return
      if (route.link !== NO_LINK && !leavesBy(route, device)) return
      if (best < 0 || isBetter(route, this.routes[best])) best = i
    })
    return best
  }
}

/** Of two routes that hold an address. */
export function isBetter(a: Measured, b: Measured): boolean {
  return a.prefixLength > b.prefixLength || (a.prefixLength === b.prefixLength && a.metric < b.metric)
}

interface Measured {
  readonly prefixLength: number
  readonly metric: number
}

/** Writes `value` over everything that the prefix covers; prefixes come in order of their length. */
function insert(entries: number[], network: number, prefixLength: number, value: number): void {
  const prefix = network & maskOf(prefixLength)
  let node = 0
  let depth = 0
  while (prefixLength > depth + STRIDE) {
    const at = (node << STRIDE) + ((prefix >>> (24 - depth)) & 255)
    if (entries[at] >= 0) {
      const child = entries.length >>> STRIDE
      const pushed = entries[at]
      for (let i = 0; i < FANOUT; i++) entries.push(pushed)
      entries[at] = ~child
    }
    node = ~entries[at]
    depth += STRIDE
  }
  const first = (node << STRIDE) + ((prefix >>> (24 - depth)) & 255)
  const count = 1 << (depth + STRIDE - prefixLength)
  for (let at = first; at < first + count; at++) overwrite(entries, at, value)
}

function overwrite(entries: number[], at: number, value: number): void {
  if (entries[at] >= 0) {
    entries[at] = value
    return
  }
  const child = ~entries[at] << STRIDE
  for (let i = child; i < child + FANOUT; i++) overwrite(entries, i, value)
}
