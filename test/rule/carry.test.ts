import { expect, it } from 'vitest'
import { parseRestore } from '../../src/iptables/restore.ts'
import { carried } from '../../src/rule/carry.ts'
import { countersIn } from '../../src/rule/counters.ts'
import type { Chain, Rule } from '../../src/rule/model.ts'
import { chain, change, entriesOf, environment, madeReady, rule, ruleSet } from './rules.ts'

const env = environment({ size: 1, name: () => '' })
const from = (port: number): Rule => rule('ACCEPT', [], { protocol: { value: port, not: false } })

/** Packets after a reload: of the policy, then of each rule. Before, the policy had 1000 and rule i had i + 1. */
function reload(before: Chain, after: Chain): number[] {
  const old = ruleSet([before])
  const program = madeReady(old, env)
  const base = program.tables.get('filter')?.get(before.name)
  program.entries.ledger.set(base!.counter, 1000, 2000)
  entriesOf(base!).forEach((entry, i) => {
    program.entries.ledger.set(entry, i + 1, 10 * (i + 1))
  })
  const now = carried(old, ruleSet([after]))
  change(program, old, now)
  const countersOf = countersIn(now, program)
  after = now.tables.get('filter')!.chains.get(after.name)!
  for (const of of [after, ...after.rules]) {
    const { packets, bytes } = countersOf(of)
    expect(bytes).toBe(packets * (of === after && packets === 1000 ? 2 : 10))
  }
  return [after, ...after.rules].map((of) => countersOf(of).packets)
}

const forward = (rules: Rule[], policy: 'ACCEPT' | 'DROP' = 'ACCEPT') => chain('FORWARD', rules, policy)

it('an unchanged rule keeps its counters wherever it stands now', () => {
  expect(reload(forward([from(1), from(2), from(3)]), forward([from(3), from(9), from(1)]))).toEqual([1000, 3, 0, 1])
})

it('equal rules are paired in order, and one too many begins anew', () => {
  expect(reload(forward([from(1), from(1)]), forward([from(1), from(1), from(1)]))).toEqual([1000, 1, 2, 0])
})

it('how a rule is kept does not matter', () => {
  const line = (comment: string) => `-A FORWARD -s 10.0.0.1 -m comment --comment "${comment}" -j ACCEPT\n`
  const read = (text: string) =>
    parseRestore(`*filter\n:FORWARD ACCEPT [0:0]\n${text}COMMIT\n`, { file: 'f', family: 4 }).tables
  const of = (text: string) => read(text).get('filter')!.chains.get('FORWARD')!
  // The second comment is read as a line like the one before it, and then by itself.
  expect(reload(of(line('a') + line('b')), of(line('b')))).toEqual([1000, 2])
})

it('another action, or the same with another match, is another rule', () => {
  const dropped = rule('DROP', [], { protocol: { value: 1, not: false } })
  const negated = rule('ACCEPT', [], { protocol: { value: 1, not: true } })
  expect(reload(forward([from(1)]), forward([dropped, negated]))).toEqual([1000, 0, 0])
})

it("another policy begins anew, and so does another chain's rule", () => {
  expect(reload(forward([from(1)]), forward([from(1)], 'DROP'))).toEqual([0, 1])
  expect(reload(forward([from(1)]), chain('INPUT', [from(1)], 'ACCEPT'))).toEqual([0, 0])
})

it('counters that the rules bring themselves win', () => {
  const brought = { ...from(1), counters: { packets: 77, bytes: 770 } }
  expect(reload(forward([from(1)]), forward([brought]))).toEqual([1000, 77])
})
