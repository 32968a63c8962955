// Several ways of one route: each flow takes one, by a hash of what net.ipv4.fib_multipath_hash_policy names, in the shares that the
// ways' weights say (fib_select_multipath). Both directions of a flow have the same hash: of two addresses, and of two ports, the
// order does not count. The hash itself is seeded at random, as in Linux.
//
//   0  addresses; of an ICMP error those of the packet that it quotes (IPv6: flow label and protocol too)
//   1  addresses, protocol and ports; of fragments without the ports
//   2  addresses within a tunnel (IPIP, 6in4, GRE), or as 0 where there is none
//   3  what the bits of fib_multipath_hash_fields say

import type { Hop } from './entry.ts'
import { FlowFields } from './flow-fields.ts'
import type { FlowKey } from './key.ts'

export interface HashPolicy {
  readonly policy: number
  /** For policy 3. */
  readonly fields: number
  readonly seed: number
}

const HASH_BITS = 31

/** The highest hash of each hop's share, in the hops' order. */
export function boundsOf(hops: readonly Hop[]): number[] {
  const total = hops.reduce((sum, { weight }) => sum + weight, 0)
  let before = 0
  return hops.map(({ weight }) => {
    before += weight
    return Math.round((before / total) * 2 ** HASH_BITS) - 1
  })
}

/** The way of a look-up's flow; one by whose address the router speaks already comes before the others. */
export function choose<T extends { readonly bound: number; readonly source?: number }>(
  paths: readonly T[],
  key: FlowKey,
  policy: HashPolicy,
): T {
  const hash = hashOf(key, policy)
  const own = key.hasSource ? key.source : 0
  let by: T | undefined
  for (const path of paths) {
    const isOwn = own !== 0 && path.source === own
    if (hash <= path.bound && (isOwn || own === 0)) return path
    if (by === undefined ? isOwn || hash <= path.bound : isOwn && by.source !== own) by = path
  }
  return by ?? paths[0]
}

const outer = new FlowFields()
const inner = new FlowFields()

// Bits of fib_multipath_hash_fields; those of the headers within a tunnel are INNER times as large.
const SOURCE = 1
const DESTINATION = 2
const PROTOCOL = 4
const LABEL = 8
const SPORT = 16
const DPORT = 32
const INNER = 64

const ADDRESSES = SOURCE | DESTINATION
const FLOW = ADDRESSES | PROTOCOL | SPORT | DPORT

/** 31 bits. */
function hashOf(key: FlowKey, { policy, fields, seed }: HashPolicy): number {
  const { packet } = key
  if (packet === undefined) outer.ofKey(key)
  else outer.ofPacket(packet)
  const addresses = outer.family === 4 ? ADDRESSES : ADDRESSES | PROTOCOL | LABEL
  switch (policy) {
    case 1:
      return mix(outer, FLOW, seed) >>> 1
    case 2:
      if (packet !== undefined && inner.within(packet))
        return mix(inner, inner.family === 4 ? ADDRESSES : ADDRESSES | PROTOCOL | LABEL, seed) >>> 1
      break
    case 3: {
      const hash = mix(outer, fields & (INNER - 1), seed)
      if (fields < INNER || packet === undefined || !inner.within(packet)) return hash >>> 1
      return mix(inner, fields >> 6, hash) >>> 1
    }
  }
  if (packet !== undefined) outer.ofQuoted(packet)
  return mix(outer, addresses, seed) >>> 1
}

function mix(of: FlowFields, fields: number, seed: number): number {
  const from = (fields & SOURCE) !== 0 ? of.source : NONE
  const to = (fields & DESTINATION) !== 0 ? of.destination : NONE
  const ahead = isBefore(from, to)
  let hash = seed
  for (let i = 0; i < 4; i++) hash = stir(hash, (ahead ? from : to)[i])
  for (let i = 0; i < 4; i++) hash = stir(hash, (ahead ? to : from)[i])
  const sport = (fields & SPORT) !== 0 ? of.sport : 0
  const dport = (fields & DPORT) !== 0 ? of.dport : 0
  hash = stir(hash, sport < dport ? (sport << 16) | dport : (dport << 16) | sport)
  hash = stir(hash, (fields & PROTOCOL) !== 0 ? of.protocol : 0)
  hash = stir(hash, (fields & LABEL) !== 0 ? of.label : 0)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

const NONE = new Int32Array(4)

function isBefore(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < 4; i++) if (a[i] !== b[i]) return a[i] < b[i]
  return true
}

function stir(hash: number, word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51)
  const turned = hash ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0
}
