// A fixed share of the generated cases in every run; `npm run test:kernel -- --cases N --seed S` tries as many as wanted.

import { afterAll, describe, expect, test } from 'vitest'
import { differenceText } from '../compare.ts'
import { needsKernel } from '../with-kernel.ts'
import { caseOf, caseText, Judge } from './case.ts'

const SEED = 9000
const CASES = 150

const judges: Judge[] = []
const judge = (silence: number) => {
  const made = new Judge(silence)
  judges.push(made)
  return made
}
afterAll(async () => {
  for (const each of judges) await each.close()
})

describe('generated networks, rules and conversations', () => {
  test(...needsKernel(`${CASES} of them go through the engine as through Linux`), async () => {
    const [quick, patient] = [judge(0.5), judge(20)]
    let packets = 0
    for (let seed = SEED; seed < SEED + CASES; seed++) {
      const one = caseOf(seed)
      const outcome = await quick.run(one)
      packets += outcome.packets
      if (outcome.differences.length === 0) continue
      // The kernel may only have been slow.
      const { differences } = await patient.run(one)
      if (differences.length > 0) expect.fail(`${caseText(one)}\n${differenceText(differences)}`)
    }
    expect(packets).toBeGreaterThan(1000)
  })
})
