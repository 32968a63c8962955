// What this project makes of rules is what the real tools make of them: over the cases, over generated rule sets, and over
// real ones where the folder with them is there.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { ACCEPTED, fileOf } from './cases.ts'
import { ruleFile } from './generate.ts'
import { judge, needsIptables, tablesOf } from './real-tools.ts'
import { REFUSED, REFUSED_HERE } from './refused.ts'

const saved = (text: string, counters = false) =>
  tablesOf(save(parseRestore(text, { file: 'rules', family: 4, counters }), { counters }))

describe('the real tools agree', () => {
  test(...needsIptables('on what is accepted and how it is saved'), () => {
    const files = ACCEPTED.map(([written]) => fileOf(written))
    const judged = judge(files)
    for (const [i, file] of files.entries()) expect({ file, ...judged[i] }).toEqual({ file, saved: saved(file) })
  })

  test(...needsIptables('on what is refused'), () => {
    const rules = REFUSED.map(([rule]) => rule).filter((rule) => !REFUSED_HERE.has(rule))
    const judged = judge(rules.map(fileOf))
    const taken = rules.filter((_, i) => 'saved' in judged[i])
    // An open quote takes in the line's end there, which no device, prefix or name can hold.
    expect(taken).toEqual([])
  })

  test(...needsIptables('on generated rule sets, with and without counters'), () => {
    const files = fc.sample(ruleFile, { numRuns: 60, seed: 20 })
    const plain = judge(files)
    const counted = judge(files, { counters: true })
    for (const [i, file] of files.entries()) {
      expect({ file, ...plain[i] }).toEqual({ file, saved: saved(file) })
      expect({ file, ...counted[i] }).toEqual({ file, saved: saved(file, true) })
    }
  })

  test(...needsIptables('on what is accepted of damaged rules'), () => {
    const rules = ACCEPTED.map(([written]) => written).filter((rule) => rule.includes(' -A '))
    const random = fc.sample(
      fc.tuple(fc.constantFrom(...rules), fc.nat(), fc.nat(5), fc.constantFrom(...'019a,:/-!. =')),
      {
        numRuns: 400,
        seed: 7,
      },
    )
    const files: string[] = []
    for (const [rule, at, gone, put] of random) {
      const from = rule.indexOf(' -A ') + 1 + (at % (rule.length - rule.indexOf(' -A ')))
      const file = fileOf(rule.slice(0, from) + put + rule.slice(from + gone))
      try {
        saved(file)
        files.push(file)
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error
      }
    }
    expect(files.length).toBeGreaterThan(20)
    const judged = judge(files)
    for (const [i, file] of files.entries()) expect({ file, ...judged[i] }).toEqual({ file, saved: saved(file) })
  })
})
