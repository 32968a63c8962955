// A fixed share of the generated cases in every run; `npm run test:kernel -- --cases N --seed S` tries as many as wanted.

import { afterAll, describe, expect, test } from 'vitest'
import { BUILTIN } from '../../../src/iptables/builtin.ts'
import { differenceText } from '../compare.ts'
import { needsKernel } from '../with-kernel.ts'
import { caseOf, caseText } from './case.ts'
import { Judge } from './judge.ts'
import { MATCHES, NO_MATCHES } from './matches.ts'
import { NO_TARGETS, TARGETS } from './targets.ts'

const SEED = 9000
const CASES = 100

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
  test(...needsKernel(`${CASES} of them, of IPv4, IPv6 and both, go through the engine as through Linux`), async () => {
    const [quick, patient] = [judge(0.5), judge(20)]
    let packets = 0
    for (let seed = SEED; seed < SEED + CASES; seed++) {
      const one = caseOf(seed, 'both')
      const outcome = await quick.run(one)
      packets += outcome.packets
      if (outcome.differences.length === 0) continue
      // The kernel may only have been slow.
      const { differences } = await patient.run(one)
      if (differences.length > 0) expect.fail(`${caseText(one)}\n${differenceText(differences)}`)
    }
    expect(packets).toBeGreaterThan(4000)
  })

  test('rule sets use every match and target with every option, but for those that are left out for a reason', () => {
    const missing = BUILTIN.declarations.flatMap(({ kind, name, options }) => {
      const [used, left] = kind === 'match' ? [MATCHES, NO_MATCHES] : [TARGETS, NO_TARGETS]
      if (left[name] !== undefined) return []
      const uses = used[name]
      if (uses === undefined) return [name]
      // What is not enforced expects not to be used.
      return Object.entries(options)
        .filter(
          ([option, { kind: value }]) => value.expects !== 'not to be used' && left[`${name} ${option}`] === undefined,
        )
        .filter(([option]) => uses.options[option] === undefined)
        .map(([option]) => `${name} --${option}`)
    })
    expect(missing).toEqual([])
  })
})
