// A route as a table holds it, of either family: what `ip route` shows and changes. The tries that packets are looked up in
// (fib.ts, fib6.ts) are made of these. Addresses are lists of words: one for IPv4, four for IPv6.

import { commonBits6, equal6 } from '../wire/address6.ts'

export type Words = readonly number[]

/** One way of a route. */
export interface Hop {
  /** Index of the outgoing device, never 0. */
  readonly link: number
  /** The next router; undefined for destinations on the link itself. */
  readonly via?: Words
  /** Share of the flows, 1 to 256. */
  readonly weight: number
  /** `via` is on the link whatever the addresses say. */
  readonly onLink: boolean
}

export interface RouteEntry {
  readonly table: number
  readonly network: Words
  readonly prefixLength: number
  /** route/type.ts */
  readonly type: number
  /** None for types that lead nowhere. */
  readonly hops: readonly Hop[]
  /** Preferred source of the router's own packets. */
  readonly source?: Words
  /** 0: the device's. */
  readonly mtu: number
  readonly mtuLocked: boolean
  readonly advmss: number
  /** Smaller wins between routes of the same prefix. */
  readonly metric: number
  /** Who made it (rt_protos): the kernel 2, boot 3, static 4. */
  readonly protocol: number
  /** How far the destination is (rt_scopes): global 0, link 253, host 254. */
  readonly scope: number
}

export const PROTOCOL_KERNEL = 2
export const PROTOCOL_BOOT = 3

export const SCOPE_GLOBAL = 0
export const SCOPE_LINK = 253
export const SCOPE_HOST = 254

// Tables that every router has.
export const TABLE_DEFAULT = 253
export const TABLE_MAIN = 254
export const TABLE_LOCAL = 255

/** The key of a route within its table: Linux has no two of the same prefix and metric but those that were appended. */
export function sameKey(a: RouteEntry, b: RouteEntry): boolean {
  return a.metric === b.metric && samePrefix(a, b)
}

export function samePrefix(a: RouteEntry, b: RouteEntry): boolean {
  return a.prefixLength === b.prefixLength && sameWords(a.network, b.network)
}

export function sameWords(a: Words, b: Words): boolean {
  return a.length === 1 ? a[0] === b[0] : equal6(a, b)
}

/** How many leading bits two addresses of a family have in common. */
export function commonBits(a: Words, b: Words): number {
  return a.length === 1 ? Math.clz32(a[0] ^ b[0]) : commonBits6(a, b)
}

/** Whether the prefix holds the address. */
export function holds(network: Words, prefixLength: number, address: Words): boolean {
  return commonBits(network, address) >= prefixLength
}
