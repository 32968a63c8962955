// The flow table beside a Map, in tables so small that clusters form, wrap around the index's end and are shifted back.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FlowTable } from '../../src/conntrack/flows.ts'
import * as f from '../../src/conntrack/record.ts'
import { BLOCK, sequencesAt } from '../../src/conntrack/sequences.ts'

interface Tuple {
  readonly source: number
  readonly destination: number
  readonly ports: number
}
type Pair = readonly [Tuple, Tuple]

const text = ({ source, destination, ports }: Tuple, key: number) => `${source} ${destination} ${ports} ${key}`

function write(flows: FlowTable, ct: number, pair: Pair, key: number): void {
  pair.forEach(({ source, destination, ports }, direction) => {
    const at = ct * f.WORDS + direction * f.TUPLE_WORDS
    flows.words[at + f.SOURCE] = source
    flows.words[at + f.DESTINATION] = destination
    flows.words[at + f.PORTS] = ports
  })
  flows.words[ct * f.WORDS + f.KEY] = key
  flows.words[ct * f.WORDS + f.REPLY_KEY] = key
}

/** A table and what it ought to hold. */
class Modelled {
  readonly flows: FlowTable
  readonly #found = new Map<string, number>()
  readonly #all = new Map<number, { pair: Pair; key: number }>()

  constructor(max: number, seed: number) {
    this.flows = new FlowTable(max, seed)
  }

  get live(): number[] {
    return [...this.#all.keys()]
  }

  insert(pair: Pair, key: number): void {
    const texts = pair.map((tuple) => text(tuple, key))
    if (texts.some((t) => this.#found.has(t)) || texts[0] === texts[1]) return
    const ct = this.flows.allocate()
    expect(ct < 0).toBe(this.#all.size === this.flows.max)
    if (ct < 0) return
    write(this.flows, ct, pair, key)
    this.flows.insert(ct)
    texts.forEach((t, direction) => {
      this.#found.set(t, (ct << 1) | direction)
    })
    this.#all.set(ct, { pair, key })
  }

  remove(nth: number): void {
    const ct = this.live[nth % Math.max(1, this.#all.size)]
    if (ct === undefined) return
    const { pair, key } = this.#all.get(ct)!
    this.flows.remove(ct)
    this.flows.release(ct)
    for (const tuple of pair) this.#found.delete(text(tuple, key))
    this.#all.delete(ct)
  }

  check(): void {
    expect(this.flows.count).toBe(this.#all.size)
    for (const [ct, { pair, key }] of this.#all) {
      for (const [direction, { source, destination, ports }] of pair.entries())
        expect(this.flows.find(source, destination, ports, key)).toBe((ct << 1) | direction)
    }
  }

  find({ source, destination, ports }: Tuple, key: number): void {
    expect(this.flows.find(source, destination, ports, key)).toBe(
      this.#found.get(text({ source, destination, ports }, key)) ?? -1,
    )
  }

  /** How many entries stand before their home, since the cluster went around the end. */
  wrapped(): number {
    // A quarter of the places has no entry of its own where three quarters of a power of two are enough.
    const [entries, homeOf] =
      this.flows.max <= 6 ? [16, (h: number) => h & 15] : [24, (h: number) => ((h & 31) * 3) >>> 2]
    let count = 0
    for (const { pair, key } of this.#all.values()) {
      for (const { source, destination, ports } of pair) {
        const hash = this.flows.hash(source, destination, ports, key)
        const home = homeOf(hash)
        for (let step = 0; home + step < entries * 2; step++) {
          const there = this.flows.near(hash, step)
          if (there < 0) break
          if (there === this.flows.find(source, destination, ports, key) >> 1 && home + step >= entries) {
            count++
            break
          }
        }
      }
    }
    return count
  }
}

const few = fc.integer({ min: -2, max: 2 })
const tuple = fc.record({ source: few, destination: few, ports: fc.constantFrom(0, 1, -1, 0x10000, 0x7fffffff) })
const key = fc.constantFrom(f.key(6, 0), f.key(17, 0), f.key(6, 3))
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('insert' as const), pair: fc.tuple(tuple, tuple), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), nth: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('find' as const), tuple, key }) },
)

describe('beside a Map', () => {
  it('finds what was inserted and not removed, and nothing else', () => {
    let wrapped = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 11 }),
        fc.integer(),
        fc.array(step, { minLength: 10, maxLength: 80 }),
        (max, seed, steps) => {
          const model = new Modelled(max, seed)
          for (const s of steps) {
            if (s.kind === 'insert') model.insert(s.pair, s.key)
            else if (s.kind === 'remove') model.remove(s.nth)
            else model.find(s.tuple, s.key)
            model.check()
          }
          wrapped += model.wrapped()
        },
      ),
      { numRuns: 300 },
    )
    // Otherwise this would not have tried what it is for.
    expect(wrapped).toBeGreaterThan(5)
  })

  it('holds as many flows as it was made for, and no more, over and over', () => {
    const flows = new FlowTable(1000, 12345)
    for (let round = 0; round < 3; round++) {
      const cts: number[] = []
      for (let i = 0; i < 1000; i++) {
        const ct = flows.allocate()
        cts.push(ct)
        write(
          flows,
          ct,
          [
            { source: i, destination: -i, ports: round },
            { source: ~i, destination: i, ports: round },
          ],
          6,
        )
        flows.insert(ct)
      }
      expect(flows.allocate()).toBe(-1)
      expect(new Set(cts).size).toBe(1000)
      for (const ct of cts)
        expect([flows.find(flows.source(ct, 1), flows.destination(ct, 1), round, 6) >> 1, flows.inUse(ct)]).toEqual([
          ct,
          true,
        ])
      for (const ct of cts) {
        flows.remove(ct)
        flows.release(ct)
      }
      expect([flows.count, flows.used]).toEqual([0, 1000])
      for (let i = 0; i < 100; i++) expect(flows.find(i, -i, round, 6)).toBe(-1)
    }
  })

  it('keeps TCP flows to blocks of their own while there are others, and takes whatever is left in the end', () => {
    const max = 3 * BLOCK + 10
    const flows = new FlowTable(max, 5)
    const plain = flows.byteLength
    const given = new Map<number, number>()
    const take = (protocol: number) => {
      const ct = flows.allocate(protocol)
      expect(given.has(ct)).toBe(false)
      given.set(ct, protocol)
      if (protocol === 6)
        expect(flows.sequences.of(ct).length).toBeGreaterThanOrEqual(sequencesAt(ct) + f.SEQUENCE_WORDS)
      return ct
    }
    for (let i = 0; i < BLOCK; i++) expect(flows.sequences.has(take(17))).toBe(false)
    expect(flows.byteLength).toBe(plain)
    for (let i = 0; i < BLOCK; i++) take(6)
    expect(flows.byteLength).toBe(plain + BLOCK * f.SEQUENCE_WORDS * 4)
    for (let i = 0; i < BLOCK; i++) take(17)
    while (given.size < max) take(6)
    expect([flows.allocate(6), flows.allocate(17), flows.used]).toEqual([-1, -1, max])
    for (const ct of given.keys()) flows.release(ct)
    given.clear()
    while (given.size < max) take(6)
    expect(flows.allocate(6)).toBe(-1)
    expect(flows.byteLength).toBe(plain + max * f.SEQUENCE_WORDS * 4)
  })

  it('a record is given out clear', () => {
    const flows = new FlowTable(1, 1)
    const ct = flows.allocate()
    flows.words.fill(-1, 0, f.WORDS)
    flows.release(ct)
    expect(flows.allocate()).toBe(ct)
    expect([...flows.words.subarray(0, f.WORDS)].filter((word, i) => i !== f.STATUS && word !== 0)).toEqual([])
  })
})

describe('chains by source', () => {
  it('hold the flows of a source until they are unlinked, whatever the order', () => {
    const operation = fc.tuple(fc.boolean(), fc.nat(1), fc.nat(1), fc.nat(60))
    fc.assert(
      fc.property(fc.integer(), fc.array(operation, { maxLength: 120 }), (seed, operations) => {
        const flows = new FlowTable(12, seed)
        const linked = new Map<number, string>()
        for (const [link, source, sport, nth] of operations) {
          if (link) {
            const ct = flows.allocate()
            if (ct < 0) continue
            const tuple = { source, destination: 1, ports: (sport << 16) | 80 }
            write(flows, ct, [tuple, tuple], 6)
            flows.linkBySource(ct)
            linked.set(ct, `${source} ${sport}`)
          } else {
            const ct = [...linked.keys()][nth % Math.max(1, linked.size)]
            if (ct === undefined) continue
            flows.unlinkBySource(ct)
            // Twice does no harm.
            flows.unlinkBySource(ct)
            flows.release(ct)
            linked.delete(ct)
          }
          for (let s = 0; s <= 1; s++) {
            for (let port = 0; port <= 1; port++) {
              const chain: number[] = []
              for (let ct = flows.firstBySource(s, port, 6); ct >= 0; ct = flows.nextBySource(ct)) {
                expect(chain).not.toContain(ct)
                chain.push(ct)
              }
              const own = chain.filter((ct) => flows.source(ct, 0) === s && flows.sport(ct, 0) === port)
              const expected = [...linked].filter(([, of]) => of === `${s} ${port}`).map(([ct]) => ct)
              expect(own.sort()).toEqual(expected.sort())
            }
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})

it('another seed gives other places', () => {
  const a = new FlowTable(8, 1)
  const b = new FlowTable(8, 2)
  const places = (flows: FlowTable) => Array.from({ length: 64 }, (_, i) => flows.hash(i, 2, 3, 6) & 15).join()
  expect(places(a)).not.toBe(places(b))
})

/** A good mixer with a seed in it, as hashes of tables often are. */
function seededHash(seed: number, source: number, destination: number, ports: number, key: number): number {
  let h = Math.imul(source ^ seed, 0x85ebca6b)
  h = Math.imul((h ^ (h >>> 15)) + destination, 0xc2b2ae35)
  h = Math.imul((h ^ (h >>> 13)) + ports, 0x27d4eb2f)
  h = Math.imul((h ^ (h >>> 15)) + key, 0x165667b1)
  h = Math.imul(h ^ (h >>> 13), 0x85ebca6b)
  return h ^ (h >>> 16)
}

// A difference of the highest bit passes through every multiplication as what it is; the word that is added next takes it back.
it('tuples that meet in a hash that is merely seeded, whatever its seed, do not meet here', () => {
  let there = 0
  let here = 0
  for (let seed = 1; seed <= 20; seed++) {
    const flows = new FlowTable(16, seed)
    for (let i = 0; i < 1000; i++) {
      const [source, destination, ports] = [Math.imul(i, 0x9e3779b1), Math.imul(i, 0x85ebca6b), (i << 16) | 53]
      for (const by of [0x80040000, 0x7ffc0000]) {
        const others = [destination ^ 0x80000000, (ports + by) | 0] as const
        if (seededHash(seed, source, destination, ports, 6) === seededHash(seed, source, ...others, 6)) there++
        if (flows.hash(source, destination, ports, 6) === flows.hash(source, ...others, 6)) here++
      }
    }
  }
  expect([there, here]).toEqual([20_000, 0])
})

it('tuples that differ in zone or protocol alone do not stand together', () => {
  const flows = new FlowTable(16, 3)
  const places = new Set<number>()
  for (let zone = 0; zone < 4096; zone++)
    for (const protocol of [6, 17]) places.add(flows.hash(1, 2, 3, f.key(protocol, zone)))
  expect(places.size).toBeGreaterThan(8180)
})

it('the hash spreads addresses and ports that count up', () => {
  const flows = new FlowTable(100_000, 77)
  const places = new Int32Array(1 << 12)
  for (let i = 0; i < 1 << 12; i++) places[flows.hash(0x0a000002, 0x08080808, ((1024 + i) << 16) | 53, 17) & 0xfff]!++
  // 4096 balls into 4096 bins: the fullest holds about 7.
  expect(Math.max(...places)).toBeLessThan(12)
})

it.each([0, -1, 16_000_001, 1.5])('a table for %s flows is refused', (max) => {
  expect(() => new FlowTable(max, 1)).toThrow(expect.objectContaining({ code: 'ERR_FLOW_TABLE_SIZE' }))
})
