// Generations: made beside the rules in force, put in force in one step, or not at all.

import { expect, test } from 'vitest'
import { ACCEPT, DROP, FORWARD } from '../../src/hook/hook.ts'
import { Slab } from '../../src/packet/slab.ts'
import { changeOf } from '../../src/rule/change.ts'
import { countersIn } from '../../src/rule/counters.ts'
import type { Environment } from '../../src/rule/environment.ts'
import { Interpreter } from '../../src/rule/interpreter.ts'
import { countsAt } from '../../src/rule/ledger.ts'
import type { Chain, Rule, RuleSet } from '../../src/rule/model.ts'
import { ADDRESSES } from '../../src/rule/run.ts'
import { Shared } from '../../src/rule/shared.ts'
import { packetIn } from '../support/packets.ts'
import { chain, change, does, entriesOf, environment, madeReady, rule, ruleSet } from './rules.ts'

const env = environment({ size: 1, name: () => '' })
const packet = packetIn(new Slab(1), 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5')
const forward = (...rules: Rule[]) => chain('FORWARD', rules, 'ACCEPT')
const source = (n: number): Rule =>
  rule('', [], { source: { value: { address: [0x0a000000 + n], mask: [-1] }, not: false } })

function walk(program: ReturnType<typeof madeReady>) {
  return new Interpreter().run(program.base('filter', FORWARD)!, program.entries, packet, FORWARD)
}

/** A change of which nothing is in force yet. */
function begun(program: ReturnType<typeof madeReady>, before: RuleSet, after: RuleSet) {
  const build = program.begin()
  for (const piece of changeOf(before, after)) build.take(piece)
  return build
}

test('rules that stay are the same entries, in the same chain, and count on', () => {
  const [a, b, c] = [rule(''), rule('', [], { protocol: { value: 17, not: false } }), rule('ACCEPT')]
  const before = ruleSet([forward(a!, b!, c!)])
  const program = madeReady(before, env)
  walk(program)
  const base = program.base('filter', FORWARD)!
  const entries = entriesOf(base)
  const after = ruleSet([forward(rule(''), b!, a!, rule(''), c!)])
  change(program, before, after)
  expect(program.base('filter', FORWARD)).toBe(base)
  const now = entriesOf(base)
  expect([now[1], now[2], now[4]]).toEqual([entries[1], entries[0], entries[2]])
  walk(program)
  const countersOf = countersIn(after, program)
  expect(
    after.tables
      .get('filter')!
      .chains.get('FORWARD')!
      .rules.map((r) => countersOf(r).packets),
  ).toEqual([1, 2, 2, 1, 2])
})

test('what is counted while the next generation is made is not lost, and is judged by the rules in force', () => {
  const kept = rule('')
  const before = ruleSet([forward(kept, rule('ACCEPT'))])
  const program = madeReady(before, env)
  const after = ruleSet([forward(kept, rule('DROP'))])
  const build = begun(program, before, after)
  expect(walk(program)).toBe(ACCEPT)
  build.complete()
  expect(walk(program)).toBe(ACCEPT)
  build.commit()
  expect(walk(program)).toBe(DROP)
  const countersOf = countersIn(after, program)
  const { rules } = after.tables.get('filter')!.chains.get('FORWARD')!
  expect(rules.map((r) => countersOf(r).packets)).toEqual([3, 1])
})

test('a change that fails leaves rules, counters, memory and shared state as they were', () => {
  const shared = new Shared()
  const withShared = { ...env, shared } as unknown as Environment
  const before = ruleSet([forward(rule(''), rule('-j a')), chain('a', [rule('DROP')])])
  const program = madeReady(before, withShared)
  walk(program)
  const taker = does(() => ACCEPT)
  const asks = (name: string): Rule => {
    if (taker.action?.kind !== 'target') throw new Error('no target')
    const target = () => {
      shared.of('list', name, () => ({ name }))
      return () => ACCEPT
    }
    return { ...taker, action: { ...taker.action, declaration: { ...taker.action.declaration, target } } }
  }
  const gone = ruleSet([forward(asks('x'), rule('-j NOWHERE'))])
  for (let i = 0; i < 3; i++) {
    const build = begun(program, before, gone)
    expect(() => build.complete()).toThrow("FORWARD: there is no chain 'NOWHERE'")
    build.abandon()
    expect(build.clear()).toBe(true)
  }
  expect(walk(program)).toBe(DROP)
  const countersOf = countersIn(before, program)
  const chains = [...before.tables.get('filter')!.chains.values()]
  expect(chains.map((c) => c.rules.map((r) => countersOf(r).packets))).toEqual([[2, 2], [2]])
  const made = shared.of('list', 'x', () => 'new')
  expect(made).toBe('new')
  // Five places are taken; the three of the change that failed are there again, each time.
  expect(program.entries.ledger.take(0, 0)).toBeLessThan(8)
})

test('a chain that rules which stay jump to cannot go', () => {
  const jump = rule('-j a')
  const before = ruleSet([forward(jump), chain('a', [])])
  const program = madeReady(before, env)
  expect(() => change(program, before, ruleSet([forward(jump)]))).toThrow('a: it is jumped to and cannot go')
  expect(walk(program)).toBe(ACCEPT)
  change(program, before, ruleSet([forward()]))
  expect(program.tables.get('filter')!.has('a')).toBe(false)
})

test('a chain with a new name keeps its entries, and who jumps there goes to the new one', () => {
  const inner = [rule(''), rule('DROP')]
  const before = ruleSet([forward(rule('-j a')), chain('a', inner)])
  const program = madeReady(before, env)
  walk(program)
  const entries = entriesOf(program.tables.get('filter')!.get('a')!)
  change(program, before, ruleSet([forward(rule('-j b')), chain('b', inner)]))
  const renamed = program.tables.get('filter')!.get('b')!
  expect(entriesOf(renamed)).toEqual(entries)
  expect(walk(program)).toBe(DROP)
  expect(countsAt(program.entries.counters, renamed.entry(0))).toEqual({ packets: 2, bytes: 66 })
})

test('a table that is gone is walked no more, and its places are used again', () => {
  const before = ruleSet(Array.from({ length: 3 }, (_, i) => chain(i === 0 ? 'FORWARD' : `c${i}`, [source(i)])))
  const program = madeReady(before, env)
  change(program, before, { family: 4, tables: new Map() })
  expect(program.base('filter', FORWARD)).toBeUndefined()
  const again = new Set(Array.from({ length: 6 }, () => program.entries.ledger.take(0, 0)))
  expect(again).toEqual(new Set([0, 1, 2, 3, 4, 5]))
})

test('any change leads from any rules to any others, entry by entry', () => {
  // Numbers stand for rules; the same number is the same object.
  const rules = Array.from({ length: 40 }, (_, i) => source(i))
  let seed = 7
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  const some = (name: string, from: number[]): Chain =>
    chain(
      name,
      [...new Set(from)].map((n) => rules[n]!),
    )
  let before = ruleSet([forward()])
  const program = madeReady(before, env)
  for (let round = 0; round < 300; round++) {
    const picked = Array.from({ length: random(30) }, () => random(40))
    if (round % 3 === 0) picked.sort((a, b) => a - b)
    const after = ruleSet([{ ...some('FORWARD', picked), policy: 'ACCEPT' }])
    change(program, before, after)
    const { rules: wanted } = after.tables.get('filter')!.chains.get('FORWARD')!
    const entries = entriesOf(program.base('filter', FORWARD)!)
    expect(entries.map((entry) => program.entries.word(entry, ADDRESSES))).toEqual(
      wanted.map((r) => r.source!.value.address[0]),
    )
    expect(new Set(entries).size).toBe(entries.length)
    before = after
  }
})

test('a long chain is changed at one place in the array that it has, once the change is put in force', () => {
  const rules = Array.from({ length: 100 }, (_, i) => source(i))
  const program = madeReady(ruleSet([forward(...rules)]), env)
  const base = program.base('filter', FORWARD)!
  const { places } = base
  const first = entriesOf(base)
  let before = ruleSet([forward(...rules)])
  for (const [at, gone, added] of [
    [50, 0, 1],
    [0, 0, 2],
    [103, 0, 1],
    [7, 3, 1],
    [40, 2, 0],
  ] as const) {
    const now = entriesOf(base)
    const old = before.tables.get('filter')!.chains.get('FORWARD')!.rules
    const after = ruleSet([forward(...old.toSpliced(at, gone, ...Array.from({ length: added }, () => source(200))))])
    const build = begun(program, before, after)
    build.complete()
    expect(entriesOf(base)).toEqual(now)
    const made = build.commit()
    expect(build.clear(0)).toBe(true)
    expect(base.places).toBe(places)
    expect(entriesOf(base)).toEqual(now.toSpliced(at, gone, ...made))
    before = after
  }
  expect(entriesOf(base).filter((entry) => first.includes(entry))).toHaveLength(95)
})

test('what only rules that are gone had is given back, of a change that is made and of one that is not', () => {
  const acts = () => does(() => ACCEPT)
  const before = ruleSet([forward(acts(), rule('DROP'))])
  const program = madeReady(before, env)
  const { actions, tests } = program.entries
  const used = (all: readonly unknown[]) => all.filter((each) => each !== undefined).length
  const inUse = [used(actions), used(tests)]
  const build = begun(program, before, ruleSet([forward(acts(), acts(), rule('ACCEPT'))]))
  build.abandon()
  build.clear()
  expect([used(actions), used(tests)]).toEqual(inUse)
  change(program, before, ruleSet([forward(acts(), rule('ACCEPT'))]))
  expect([used(actions), used(tests)]).toEqual(inUse)
  change(program, ruleSet([forward(acts())]), { family: 4, tables: new Map() })
  expect([used(actions), used(tests)]).toEqual([0, 0])
})
