// What a million members take: bytes of all the set's typed arrays, in which everything stands but comments.

import { expect, test } from 'vitest'
import { asks, bare } from './packet.ts'
import { newStore, run } from './sets.ts'

const MILLION = 1_000_000
const LIMIT = 64 * 2 ** 20

/** Different for every i below 2^24. */
const scattered = (i: number) => Math.imul(i + 1, 0x9e3779b1)

test.each([
  ['hash:net', 4, ''],
  ['hash:net', 6, ' family inet6'],
  ['hash:net', 6, ' family inet6 timeout 1000'],
] as const)('a million members of %s for IPv%i%s take at most 64 MB', { timeout: 60_000 }, (type, family, options) => {
  const store = newStore()
  run(store, `create s ${type}${options} maxelem ${MILLION}`)
  const { set } = store.get('s')
  const p = bare(family)
  const ask = asks('src')
  const put = (i: number) => {
    if (family === 4) p.source = scattered(i)
    if (family === 6) [p.source, p.source1, p.source2, p.source3] = [0x20010db8, scattered(i), 0, i]
  }
  for (let i = 0; i < MILLION; i++) {
    put(i)
    if (set.add(p, ask) !== 0) throw new Error(`member ${i} was not added`)
  }
  expect(set.count).toBe(MILLION)
  expect(set.byteLength).toBeLessThan(LIMIT)
  // A key and what belongs to it cannot take less.
  expect(set.byteLength).toBeGreaterThan(MILLION * (family === 4 ? 8 : 20))
  for (let i = 0; i < MILLION; i += 997) {
    put(i)
    expect(set.test(p, ask)).toBe(1)
    put(MILLION + i)
    expect(set.test(p, ask)).toBe(0)
  }
})
