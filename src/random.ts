// Chance, handed in: the program seeds from the system's random source, replay and tests from a number, so that the same
// seed gives the same ports. The generator is sfc32 (public domain, from PractRand): small, fast, no short cycles.

import { randomFillSync } from 'node:crypto'

export type Random = () => number

/** A generator of int32 values from four words of state. */
function sfc32(a: number, b: number, c: number, d: number): Random {
  return () => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t
  }
}

/** The same sequence for the same seed. */
export function seededRandom(seed: number): Random {
  const next = sfc32(0x9e3779b9 | 0, 0x243f6a88, 0xb7e15162 | 0, seed | 0)
  for (let i = 0; i < 15; i++) next()
  return next
}

/** Generators that no seed repeats. */
const fromSystem = new WeakSet<Random>()

/** Seeded from the system's random source. */
export function systemRandom(): Random {
  const [a, b, c, d] = randomFillSync(new Int32Array(4))
  const random = sfc32(a, b, c, d)
  fromSystem.add(random)
  return random
}

/**
 * Where a generator's user finds numbers for keys: who has seen enough of what sfc32 gives knows what it gives next, so beside the system's
 * these come from the system's source itself. Beside a seeded one they are its own, and come again with the seed.
 */
export function secretOf(random: Random): Random {
  return fromSystem.has(random) ? () => randomFillSync(new Int32Array(1))[0] : random
}
