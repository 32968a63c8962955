import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { plainRule } from '../../src/rule/kept-rule.ts'
import type { RuleSet } from '../../src/rule/model.ts'
import { ACCEPTED, fileOf } from './cases.ts'
import { ruleFile } from './generate.ts'

const parse = (text: string) => parseRestore(text, { file: 'rules', family: 4, counters: true })

/** All that matters of a rule set: tables by name, chains by name, rules. */
function meaning({ tables }: RuleSet) {
  const chains = (name: 'raw' | 'nat' | 'filter') =>
    [...(tables.get(name)?.chains.values() ?? [])]
      .map((chain) => ({ ...chain, rules: chain.rules.map(plainRule) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  return { raw: chains('raw'), nat: chains('nat'), filter: chains('filter') }
}

test('what is saved means the same when it is read again', () => {
  fc.assert(
    fc.property(ruleFile, (text) => {
      const rules = parse(text)
      const saved = save(rules, { counters: true })
      expect(meaning(parse(saved))).toEqual(meaning(rules))
    }),
    { numRuns: 300 },
  )
})

test('the saved form is saved as it is', () => {
  for (const [, saved] of ACCEPTED.filter(([written]) => !written.includes(' ; '))) {
    if (saved === undefined) continue
    const once = save(parse(fileOf(saved)))
    expect(save(parse(once))).toBe(once)
  }
})

test('damaged rule files are refused with complaints, or read; nothing else is thrown', () => {
  const cases = ACCEPTED.map(([written]) => fileOf(written))
  const damage = fc.record({
    file: fc.oneof(fc.constantFrom(...cases), ruleFile),
    edits: fc.array(
      fc.tuple(
        fc.nat(),
        fc.nat(8),
        fc.oneof(
          fc.string({ maxLength: 6 }),
          fc.constantFrom('\n', '"', '!', ' ', '\0', '-', ':', ',', '/', '[', '\\', '\r', '999999999999'),
        ),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  })
  let refused = 0
  let read = 0
  fc.assert(
    fc.property(damage, ({ file, edits }) => {
      let text = file
      for (const [at, gone, put] of edits) {
        const from = at % (text.length + 1)
        text = text.slice(0, from) + put + text.slice(from + gone)
      }
      try {
        save(parse(text), { counters: true })
        read++
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error
        refused++
        const lines = text.split('\n')
        for (const { line, column, message } of error.complaints) {
          expect(message).toMatch(/^[^\n\r\0]{5,}$/)
          expect(line).toBeLessThanOrEqual(lines.length)
          expect(column).toBeGreaterThan(0)
          expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 2)
        }
      }
    }),
    { numRuns: 3000 },
  )
  expect(refused).toBeGreaterThan(500)
  expect(read).toBeGreaterThan(0)
})

test('what iptables-save loses of a rule is kept where it is saved to be read again, and tells rules from each other', () => {
  const rules = [
    '! -i +',
    '-p tcp -m tcp ! --dport 0:65535',
    '-p tcp -m tcp --tcp-flags NONE SYN',
    '-p esp -m esp ! --espspi 0:4294967295',
    '-p ipcomp -m ipcomp --ipcompspi 0:4294967295',
    '-m connbytes --connbytes 0:0 --connbytes-mode bytes --connbytes-dir both',
    '-m conntrack --ctorigsrcport 5:0',
    '-m hashlimit --hashlimit-upto 5/min --hashlimit-burst 5 --hashlimit-name a --hashlimit-rate-interval 7',
    '-p tcp -m osf --genre "Windows XP"',
    '-j RATEEST --rateest-name "a b" --rateest-interval 250.0ms --rateest-ewmalog 1.0s',
  ].map((rule) => `-A INPUT ${rule}`)
  const whole = save(parse(fileOf(`filter ${rules.join(' ; ')}`)), { whole: true })
  expect(whole.match(/^-A.*/gm)).toEqual(rules)
  expect(save(parse(whole), { whole: true })).toBe(whole)
  for (const rule of rules.slice(0, 4)) {
    const lossy = save(parse(fileOf(`filter ${rule}`))).match(/^-A (.*)/m)?.[1]
    expect(`-A ${lossy}`).not.toBe(rule)
    expect(() => parse(fileOf(`filter ${rule} ; -D ${lossy}`)), rule).toThrow('no such rule')
    expect(save(parse(fileOf(`filter ${rule} ; -D ${rule.slice(3)}`)))).not.toContain('-A')
  }
})
