// Matches that remember: what they hold is bounded, and it is forgotten when it has to be.

import { describe, expect, test } from 'vitest'
import { BucketTable } from '../../src/match/hashlimit-table.ts'
import { Shared } from '../../src/rule/shared.ts'
import { udpPacket } from '../conntrack/bytes.ts'
import { matchOf, packetOf, surrounding } from './rule-under-test.ts'

const from = (last: number) =>
  packetOf(udpPacket({ source: `10.0.${last >> 8}.${last & 255}`, destination: '10.0.0.2', sport: 1000, dport: 53 }))

describe('recent', () => {
  test('keeps 100 addresses, and pushes out the one that was longest without being set', () => {
    const { env } = surrounding()
    const set = matchOf('-m recent --set --name A', env)
    const check = matchOf('-m recent --rcheck --name A', env)
    for (let i = 0; i < 100; i++) expect(set(from(i))).toBe(1)
    set(from(0))
    set(from(1000))
    expect([check(from(0)), check(from(1)), check(from(2)), check(from(1000))]).toEqual([1, 0, 1, 1])
  })

  test('keeps as many times as the largest hit count needs', () => {
    const { env, time } = surrounding()
    const update = matchOf('-m recent --update --seconds 10 --hitcount 3 --name A', env)
    const set = matchOf('-m recent --set --name A', env)
    time.set(1_000_000)
    set(from(1))
    const seen = [1, 2, 3, 4].map(() => {
      const said = update(from(1))
      set(from(1))
      return said
    })
    expect(seen).toEqual([0, 0, 1, 1])
    time.set(1_010_001)
    expect(update(from(1))).toBe(0)
  })
})

function bucketOf(table: BucketTable, source: number, destination: number, ports: number, now: number): number {
  table.sought.set([source, destination, ports])
  return table.bucket(now)
}

describe('hashlimit', () => {
  const shape = { max: 200, interval: 1000, expire: 2500, credit: 7, bursts: 0 }

  test('forgets what was not used for its time, at the next collection', () => {
    const table = new BucketTable(shape, 3, 1, 0)
    bucketOf(table, 1, 2, 3, 100)
    bucketOf(table, 4, 5, 6, 2000)
    table.credit[bucketOf(table, 4, 5, 6, 2000)] = 1
    bucketOf(table, 7, 8, 9, 2900)
    expect(table.size).toBe(3)
    expect(table.credit[bucketOf(table, 4, 5, 6, 3000)]).toBe(1)
    expect(table.size).toBe(2)
  })

  test('finds each of many, and takes no more than its bound', () => {
    const table = new BucketTable(shape, 3, 1, 0)
    for (let i = 0; i < 200; i++) {
      const at = bucketOf(table, i, -i, 0, 1)
      table.credit[at] = 1000 + i
    }
    expect(bucketOf(table, 1, 1, 1, 1)).toBe(-1)
    for (let i = 0; i < 200; i++) {
      const at = bucketOf(table, i, -i, 0, 1)
      expect(table.credit[at]).toBe(1000 + i)
    }
    expect(bucketOf(table, 1, 1, 1, 4000)).toBe(0)
    expect(table.size).toBe(1)
  })

  test('refills one packet a period, never above the burst', () => {
    const { env, time } = surrounding()
    time.set(1_000_000)
    const match = matchOf('-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 2 --hashlimit-name A', env)
    const burst = () => [1, 2, 3].map(() => match(from(1))).reduce((a, b) => a + b)
    expect(burst()).toBe(2)
    time.set(1_000_199)
    expect(burst()).toBe(0)
    time.set(1_000_200)
    expect(burst()).toBe(1)
    time.set(1_100_000)
    expect(burst()).toBe(2)
  })
})

test('statistic takes about as many as its probability says', () => {
  const { env } = surrounding()
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return state
  }
  const match = matchOf('-m statistic --mode random --probability 0.25', { ...env, random })
  let hits = 0
  for (let i = 0; i < 10_000; i++) hits += match(from(1))
  expect(hits).toBeGreaterThan(2300)
  expect(hits).toBeLessThan(2700)
})

describe('time', () => {
  const at = (when: string, options: string) => {
    const { env, time } = surrounding()
    time.set(Date.parse(when))
    return matchOf(`-m time ${options}`, env)(from(1))
  }

  test.each([
    // 2026-03-01 is a Sunday.
    ['2026-03-01T10:00:00Z', '--weekdays Sun', 1],
    ['2026-03-01T10:00:00Z', '! --weekdays Sun', 0],
    ['2026-03-01T10:00:00Z', '--monthdays 1', 1],
    ['2024-02-29T23:59:59Z', '--monthdays 29', 1],
    ['2026-12-31T10:00:00Z', '--monthdays 31 --weekdays Thu', 1],
    ['2026-03-01T10:00:00Z', '--timestart 10:00 --timestop 11:00', 1],
    ['2026-03-01T11:00:00Z', '--timestart 10:00 --timestop 11:00', 1],
    ['2026-03-01T11:00:01Z', '--timestart 10:00 --timestop 11:00', 0],
    ['2026-03-01T00:30:00Z', '--timestart 23:00 --timestop 01:00', 1],
    ['2026-03-01T22:30:00Z', '--timestart 23:00 --timestop 01:00', 0],
    ['2026-03-01T00:30:00Z', '--timestart 23:00 --timestop 01:00 --weekdays Sat', 0],
    ['2026-03-01T00:30:00Z', '--timestart 23:00 --timestop 01:00 --weekdays Sat --contiguous', 1],
    ['2026-03-01T10:00:00Z', '--datestart 2026-03-01T10:00:01', 0],
    ['2026-03-01T10:00:00Z', '--datestop 2026-03-01T10:00:00', 1],
  ])('%s, %s', (when, options, expected) => {
    expect(at(when, options)).toBe(expected)
  })
})

test('what rules share by a name lives until no rule names it', () => {
  const shared = new Shared()
  let held: readonly string[] = []
  const generation = (...names: string[]) => {
    const found = names.map((name) => shared.of('list', name, () => ({})))
    const before = held
    held = shared.taken()
    shared.release(before)
    return found
  }
  const [a, b] = generation('a', 'b')
  expect(generation('a')[0]).toBe(a)
  expect(generation('b')[0]).not.toBe(b)
  expect(generation('b', 'b')[0]).toBe(generation('b')[0])
})
