// One micro benchmark: a loop over many operations, so that the call's own cost does not count, run by benny. The cost
// of one operation is the loop's time by its number of operations.

import { add, complete, cycle, suite } from 'benny'
import { type Figure, round, say } from '../figure.ts'

export interface Case {
  readonly what: string
  readonly where: string
  /** Operations that one call of `run` makes. */
  readonly operations: number
  /** Returns something that depends on the work, so that none of it can be left out. */
  readonly run: () => number
}

/** What the loops came to: kept where the optimiser cannot know that nobody reads it. */
export const sink = new Int32Array(1)

/** @param seconds how long each case is measured; benny takes at least five samples */
export async function measure(name: string, cases: readonly Case[], seconds: number): Promise<Figure[]> {
  const options = { minTime: seconds / 10, maxTime: seconds, minSamples: 5 }
  const entries = cases.map(({ what, where, run }) => {
    const test = () => {
      sink[0] ^= run()
    }
    return add(`${what}, ${where}`, test, options)
  })
  const told = cycle((result) => {
    say(`  ${result.name}: ${nanoseconds(result.details.median, cases, result.name).toFixed(1)} ns`)
    return undefined
  })
  const summary = await suite(
    name,
    ...entries,
    told,
    complete(() => undefined),
  )
  return summary.results.map((result, i) => {
    const { what, where, operations } = cases[i]
    const ns = (seconds: number) => round((seconds * 1e9) / operations)
    const { details } = result
    return {
      what,
      where,
      unit: 'ns',
      value: ns(details.median),
      low: ns(details.min),
      high: ns(details.max),
      rounds: result.samples,
    }
  })
}

function nanoseconds(seconds: number, cases: readonly Case[], name: string): number {
  const found = cases.find(({ what, where }) => `${what}, ${where}` === name)
  return (seconds * 1e9) / (found?.operations ?? 1)
}
