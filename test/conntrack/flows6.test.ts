// IPv6's flow table beside a Map, with real digests, and with digests of one bit, where nearly all flows have the same.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ADDRESS_WORDS, FlowTable6 } from '../../src/conntrack/flows6.ts'
import * as f from '../../src/conntrack/record.ts'

type Address = readonly [number, number, number, number]
interface Tuple {
  readonly source: Address
  readonly destination: Address
  readonly ports: number
}

/** Tells addresses apart by their last bit alone. */
class Colliding extends FlowTable6 {
  override digest(_0: number, _1: number, _2: number, word3: number): number {
    return word3 & 1
  }
}

function find(flows: FlowTable6, { source, destination, ports }: Tuple, key: number): number {
  const { sought } = flows
  flows.put(sought, ...source)
  flows.put(sought + ADDRESS_WORDS, ...destination)
  return flows.findAt(sought, flows.digest(...source), flows.digest(...destination), ports, key)
}

function write(flows: FlowTable6, ct: number, pair: readonly Tuple[], key: number): void {
  pair.forEach(({ source, destination, ports }, direction) => {
    flows.put(flows.sourceAt(ct, direction), ...source)
    flows.put(flows.destinationAt(ct, direction), ...destination)
    flows.digestTuple(ct, direction)
    flows.words[ct * f.WORDS + direction * f.TUPLE_WORDS + f.PORTS] = ports
  })
  flows.words[ct * f.WORDS + f.KEY] = key
  flows.words[ct * f.WORDS + f.REPLY_KEY] = key
}

const word = fc.constantFrom(0, 1, -1)
const address = fc.tuple(word, fc.constant(0), word, word)
const tuple = fc.record({ source: address, destination: address, ports: fc.constantFrom(0, 0x10000, -1) })
const key = fc.constantFrom(f.key(6, 0), f.key(17, 2))
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('insert' as const), pair: fc.tuple(tuple, tuple), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), nth: fc.nat(40) }) },
)

describe.each([
  ['digests', FlowTable6],
  ['digests that are nearly all the same', Colliding],
])('with %s', (_, Table) => {
  it('finds what was inserted and not removed, and nothing else', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 60 }), tuple, (seed, steps, other) => {
        const flows = new Table(12, seed)
        const found = new Map<string, number>()
        const live = new Map<number, string[]>()
        const name = (t: Tuple, k: number) => `${t.source} ${t.destination} ${t.ports} ${k}`
        for (const s of steps) {
          if (s.kind === 'insert') {
            const names = s.pair.map((t) => name(t, s.key))
            if (names[0] === names[1] || names.some((n) => found.has(n))) continue
            const ct = flows.allocate()
            if (ct < 0) continue
            write(flows, ct, s.pair, s.key)
            flows.insert(ct)
            names.forEach((n, direction) => {
              found.set(n, (ct << 1) | direction)
            })
            live.set(ct, names)
          } else {
            const [ct, names] = [...live][s.nth % Math.max(1, live.size)] ?? []
            if (ct === undefined) continue
            flows.remove(ct)
            flows.release(ct)
            live.delete(ct)
            for (const n of names!) found.delete(n)
          }
          for (const ct of live.keys())
            for (const direction of [0, 1]) {
              const base = ct * f.WORDS
              const its = {
                source: flows.sourceWords(ct, direction) as Address,
                destination: flows.destinationWords(ct, direction) as Address,
                ports: flows.words[base + direction * f.TUPLE_WORDS + f.PORTS]!,
              }
              expect(find(flows, its, flows.words[base + f.KEY]!)).toBe((ct << 1) | direction)
            }
          for (const k of [f.key(6, 0), f.key(17, 2)])
            expect(find(flows, other, k)).toBe(found.get(name(other, k)) ?? -1)
        }
      }),
      { numRuns: 300 },
    )
  })
})

it('digests spread hosts of one network and networks of one site', () => {
  const flows = new FlowTable6(1, 77)
  const fullest = (of: (i: number) => number) => {
    const places = new Int32Array(1 << 12)
    for (let i = 0; i < 1 << 12; i++) places[of(i) & 0xfff]!++
    return Math.max(...places)
  }
  // 4096 balls into 4096 bins: the fullest holds about 7.
  expect(fullest((i) => flows.digest(0x20010db8, 0, 0, i))).toBeLessThan(12)
  expect(fullest((i) => flows.digest(0x20010db8, i, 0, 1))).toBeLessThan(12)
  expect(fullest((i) => flows.digest(i << 20, 0, 0, 1))).toBeLessThan(12)
})

it('a record and its addresses cost sixteen words more than in IPv4', () => {
  const flows = new FlowTable6(1000, 1)
  expect(flows.addresses.byteLength).toBe(1001 * 64)
  expect(flows.arrays).toContain(flows.addresses)
})
