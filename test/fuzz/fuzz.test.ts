// A minute of fuzzing in continuous integration, some seconds elsewhere; SEED=7 SECONDS=600 goes elsewhere and on for longer, and so does
// `npm run fuzz -- --seconds 600 --seed 7`. The seed of a failure is in its message.

import { expect, test } from 'vitest'
import { fuzz } from './fuzz.ts'

const SECONDS = Number(process.env.SECONDS ?? (process.env.CI ? 60 : 8))
/** All that there is to begin with, and something more. */
const LEAST = 500
const SEED = Number(process.env.SEED ?? 1)

test(`${SECONDS} s of packets that reach further and further, seed ${SEED}: no exception, and nothing beside a packet counts`, {
  timeout: SECONDS * 1000 + 120_000,
}, () => {
  const { inputs, packets, kept, reached } = fuzz({ seed: SEED, seconds: SECONDS, least: LEAST })
  console.log(
    `${inputs} inputs of ${packets} packets, ${kept} times something new, ${reached} characters of source reached`,
  )
  expect(inputs).toBeGreaterThanOrEqual(LEAST)
  expect(kept).toBeGreaterThan(5)
})
