// `npm run fuzz -- --seconds N --seed S`: fuzzing for as long as wanted, one seed after the other until the seconds are over. Prints what was
// reached, and of a failure the seed, the input and its bytes. Exit status 1 when there was one.

import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(`Usage: npm run fuzz -- [--seconds N] [--seed S]
  Sends packets that reach further and further into the sources through all parsers, and through two routers that differ in the bytes
  around each packet. Every ten minutes the next seed begins anew. All inputs follow from the seed.`)
  process.exit(0)
}
const [seconds, first] = [Number(values.seconds), Number(values.seed)]
if (!(seconds > 0) || !Number.isSafeInteger(first)) {
  console.error('fuzz: --seconds is a number above 0, --seed a whole number')
  process.exit(2)
}
const ROUND = 600
for (let seed = first, left = seconds; left > 0; seed++, left -= ROUND) {
  try {
    const { inputs, packets, kept, reached } = fuzz({ seed, seconds: Math.min(left, ROUND) })
    console.log(
      `seed ${seed}: ${inputs} inputs of ${packets} packets, ${kept} times something new, ${reached} characters of source reached`,
    )
  } catch (error) {
    console.error((error as Error).message)
    process.exit(1)
  }
}
