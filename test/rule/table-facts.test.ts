// A table that is judged by what differs from the one before is judged as one that is read anew, whatever the commands are.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyCommand } from '../../src/iptables/apply.ts'
import { applyRestore } from '../../src/iptables/apply-file.ts'
import { type Program, programOf } from '../../src/iptables/program.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import type { RuleSet, Table } from '../../src/rule/model.ts'
import { judgeTable, usesOf } from '../../src/rule/table-facts.ts'
import { validateTable } from '../../src/rule/validate.ts'
import { changedMap, differences } from '../../src/rule/versioned-map.ts'

/** Which of several names is hinted at depends on their order, and is not at issue. */
const unhinted = (text: string) => text.replace(/; did you mean '.*'\?/g, '')
const around = { program: programOf('iptables') as Program }
const restoring = { program: programOf('iptables-restore') as Program }
const OWN = ['a', 'b', 'c']
const ROOTS = ['PREROUTING', 'OUTPUT']
const ALL = [...OWN, ...ROOTS]

const chain = fc.constantFrom(...ALL)
const own = fc.constantFrom(...OWN)
const rule = fc.oneof(
  { weight: 3, arbitrary: own.map((to) => `-j ${to}`) },
  { weight: 2, arbitrary: own.map((to) => `-s 10.0.0.1 -j ${to}`) },
  own.map((to) => `-g ${to}`),
  // Each may be reached from some built-in chains only.
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '-j MASQUERADE',
      '-p tcp -j REDIRECT',
      '-j ACCEPT',
      '-s 10.0.0.2 -j RETURN',
      '-m owner --uid-owner 0',
    ),
  },
)
const number = fc.integer({ min: 1, max: 3 })
const line = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('-A', '-I'), chain, rule).map((words) => words.join(' ')) },
  { weight: 2, arbitrary: fc.tuple(chain, number).map(([name, n]) => `-D ${name} ${n}`) },
  fc.tuple(chain, number, rule).map(([name, n, text]) => `-R ${name} ${n} ${text}`),
  fc.tuple(fc.constantFrom('-N', '-X', '-F'), own).map((words) => words.join(' ')),
  fc.tuple(fc.constantFrom('-F', '-Z'), chain).map((words) => words.join(' ')),
  fc.tuple(own, own).map(([from, to]) => `-E ${from} ${to}`),
)
const BEGIN = `*nat\n${OWN.map((name) => `:${name} - [0:0]\n`).join('')}COMMIT\n`

function judged(table: Table): { messages: string[]; uses: Record<string, number> } {
  const uses: Record<string, number> = Object.fromEntries([...table.chains.keys()].map((name) => [name, 0]))
  for (const { rules } of table.chains.values())
    for (const { action } of rules) if (action?.kind === 'jump') uses[action.chain]++
  return { messages: validateTable(table).map(({ message }) => message), uses }
}

/** The same table without anything known of it. */
const anew = (table: Table): Table => ({ name: table.name, chains: new Map(table.chains) })

function expectRight(ruleSet: RuleSet): void {
  const table = ruleSet.tables.get('nat')
  if (table === undefined) return
  const { messages, uses } = judged(anew(table))
  expect(messages).toEqual([])
  expect(Object.fromEntries([...table.chains.keys()].map((name) => [name, usesOf(table, name)]))).toEqual(uses)
}

test('commands are refused as where the whole table is judged, and jumps to each chain are counted', () => {
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 40 }), (lines) => {
      let ruleSet = parseRestore(BEGIN, { file: 'rules', family: 4 })
      for (const each of lines) {
        const words = ['-t', 'nat', ...each.split(' ')]
        const { status, stderr, ruleSet: after } = applyCommand(ruleSet, words, around)
        // The same on a rule set of which nothing is known.
        const tables = new Map([...ruleSet.tables].map(([name, table]) => [name, anew(table)]))
        const { status: wanted, stderr: said } = applyCommand({ ...ruleSet, tables }, words, around)
        expect({ each, status, stderr }).toEqual({ each, status: wanted, stderr: said })
        ruleSet = after
        expectRight(ruleSet)
      }
    }),
    { numRuns: 400 },
  )
})

test('a restore that keeps what is there is refused as where the whole table is judged', () => {
  const block = fc.array(line, { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 12 }), (blocks) => {
      let ruleSet = parseRestore(BEGIN, { file: 'rules', family: 4 })
      for (const lines of blocks) {
        const text = `*nat\n${lines.join('\n')}\nCOMMIT\n`
        const outcome = applyRestore(ruleSet, ['--noflush'], text, restoring)
        const tables = new Map([...ruleSet.tables].map(([name, table]) => [name, anew(table)]))
        const wanted = applyRestore({ ...ruleSet, tables }, ['--noflush'], text, restoring)
        expect({
          text,
          status: outcome.status,
          stderr: unhinted(outcome.stderr),
          saved: save(outcome.ruleSet),
        }).toEqual({
          text,
          status: wanted.status,
          stderr: unhinted(wanted.stderr),
          saved: save(wanted.ruleSet),
        })
        ruleSet = outcome.ruleSet
        expectRight(ruleSet)
      }
    }),
    { numRuns: 300 },
  )
})

test('a circle that nothing reaches may stand, until a built-in chain jumps there', () => {
  const run = (ruleSet: RuleSet, text: string) => applyCommand(ruleSet, ['-t', 'nat', ...text.split(' ')], around)
  let ruleSet = parseRestore(BEGIN, { file: 'rules', family: 4 })
  for (const each of ['-A a -j b', '-A b -j a']) {
    const { status, ruleSet: after } = run(ruleSet, each)
    expect(status).toBe(0)
    ruleSet = after
  }
  const { status, stderr } = run(ruleSet, '-A OUTPUT -j a')
  expect([status, stderr]).toEqual([1, expect.stringContaining('symbolic links. jumps run in a circle: a -> b -> a.')])
})

test('a table is judged by what differs from it, without a look at the rest', () => {
  const text = Array.from({ length: 3000 }, (_, i) => `:own${i} - [0:0]\n-A OUTPUT -j own${i}\n-A own${i} -j a\n`)
  const before = parseRestore(`*nat\n:a - [0:0]\n${text.join('')}COMMIT\n`, { file: 'rules', family: 4 })
  const [table] = before.tables.values()
  const read = new Set<string>()
  const chains = [...table.chains].map(([name, chain]) => {
    const { rules } = chain
    const seen = { name, counters: chain.counters, ...(chain.policy && { policy: chain.policy }) }
    return [name, Object.defineProperty(seen, 'rules', { get: () => read.add(name) && rules, enumerable: true })]
  })
  const watched: Table = {
    name: 'nat',
    chains: new Map(chains as [string, typeof table.chains extends ReadonlyMap<string, infer C> ? C : never][]),
  }
  expect(judgeTable(watched)).toEqual([])
  read.clear()
  const { status, ruleSet } = applyCommand(
    { family: 4, tables: new Map([['nat', watched]]) },
    ['-t', 'nat', '-A', 'own7', '-j', 'own8'],
    around,
  )
  expect([status, ruleSet.tables.get('nat')?.chains.get('own7')?.rules.length]).toEqual([0, 2])
  expect([...read].sort()).toEqual(['a', 'own7', 'own8'])
})

test('a version of a map says what one that was made anew says, and leaves those before it as they were', () => {
  const key = fc.integer({ min: 0, max: 400 }).map(String)
  const change = fc.tuple(key, fc.option(fc.nat(9), { nil: undefined }))
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 20 }), { maxLength: 60 }), (steps) => {
      let map: ReadonlyMap<string, number> = new Map(Array.from({ length: 300 }, (_, i) => [String(i), i]))
      let plain = new Map(map)
      for (const step of steps) {
        const before = map
        const after = new Map(plain)
        for (const [name, value] of step) {
          if (value === undefined) after.delete(name)
          else after.set(name, value)
        }
        map = changedMap(map, new Map(step))
        const different = [...new Set([...plain.keys(), ...after.keys()])].filter((k) => plain.get(k) !== after.get(k))
        expect([...differences(before, map)].sort()).toEqual(different.sort())
        expect(map.size).toBe(after.size)
        expect([...map].sort()).toEqual([...after].sort())
        expect([...before].sort()).toEqual([...plain].sort())
        for (const name of plain.keys())
          expect([map.has(name), map.get(name)]).toEqual([after.has(name), after.get(name)])
        plain = after
      }
    }),
    { numRuns: 60 },
  )
})
