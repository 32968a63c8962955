// Keys beside chance: what a generator gives can be computed by who has seen enough of it, a key cannot.

import { expect, test } from 'vitest'
import { secretOf, seededRandom, systemRandom } from '../../src/random.ts'

const eight = (random: () => number) => Array.from({ length: 8 }, random)

test("beside the system's generator a secret comes from another source, and the generator goes on as if nothing had been asked", () => {
  const random = systemRandom()
  const secret = secretOf(random)
  expect(secret).not.toBe(random)
  const given = new Set([...eight(secret), ...eight(random)])
  expect(given.size).toBe(16)
})

test('beside a seeded one a secret comes again with the seed', () => {
  expect(eight(secretOf(seededRandom(7)))).toEqual(eight(seededRandom(7)))
})
