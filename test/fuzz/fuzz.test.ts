// A minute of fuzzing in continuous integration, some seconds elsewhere; SEED=7 SECONDS=600 goes elsewhere and on for longer, and so does
// `npm run fuzz -- --seconds 600 --seed 7`. The seed of a failure is in its message.

import { expect, test } from 'vitest'
import { fuzz } from './fuzz.ts'

const SECONDS = Number(process.env.SECONDS ?? (process.env.CI ? 60 : 8))
const SEED = Number(process.env.SEED ?? 1)

test(`${SECONDS} s of packets that reach further and further, seed ${SEED}: no exception, and nothing beside a packet counts`, {
  timeout: SECONDS * 1000 + 120_000,
}, () => {
  const { inputs, packets, kept, reached } = fuzz({ seed: SEED, seconds: SECONDS })
  console.log(
    `${inputs} inputs of ${packets} packets, ${kept} times something new, ${reached} characters of source reached`,
  )
  expect(inputs).toBeGreaterThan(300)
  expect(kept).toBeGreaterThan(5)
})
