// Lines that are like one before are read without the reader of rules. Whatever the line: the same comes of it, or the same is
// complained of.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { plainRule } from '../../src/rule/kept-rule.ts'
import type { Family } from '../../src/rule/model.ts'
import { ruleFile } from './generate.ts'
import '../support/seed.ts'

function outcome(text: string, family: Family, withTemplates: boolean, counters = false) {
  try {
    // Whoever wants to be told of every line has each of them read.
    const { tables } = parseRestore(text, { file: 'f', family, counters, ...(!withTemplates && { told: () => {} }) })
    return [...tables].map(([name, { chains }]) => [
      name,
      [...chains.values()].map((chain) => ({ ...chain, rules: chain.rules.map(plainRule) })),
    ])
  } catch (error) {
    if (error instanceof RefusedError) return error.complaints
    throw error
  }
}

function expectAlike(text: string, family: Family = 4, counters = false): void {
  expect(outcome(text, family, true, counters)).toEqual(outcome(text, family, false, counters))
}

const file = (...lines: string[]) =>
  `*filter\n:own - [0:0]\n:other - [0:0]\n${lines.map((line) => `${line}\n`).join('')}COMMIT\n`

test.each([
  [
    'other addresses',
    '-A FORWARD -s 10.0.0.1/32 -d 10.1.0.0/16 -j DROP',
    '-A FORWARD -s 10.0.0.2 -d 10.2.0.0/15 -j DROP',
  ],
  ['an address that is none', '-A FORWARD -s 10.0.0.1 -j DROP', '-A FORWARD -s 10.0.0.256 -j DROP'],
  ['an address in another form', '-A FORWARD -s 10.0.0.1 -j DROP', '-A FORWARD -s 10.1/255.255.0.0 -j DROP'],
  ['host bits', '-A FORWARD -s 10.0.0.0/24 -j DROP', '-A FORWARD -s 10.0.0.9/24 -j DROP'],
  [
    'every address',
    '-A FORWARD -s 10.0.0.1 -j DROP',
    '-A FORWARD -s 0.0.0.0/0 -j DROP',
    '-A FORWARD ! -s 0.0.0.0/0 -j DROP',
  ],
  ['several addresses', '-A FORWARD -s 10.0.0.1 -j DROP', '-A FORWARD -s 10.0.0.1,10.0.0.2 -j DROP'],
  ['an address twice', '-A FORWARD -s 10.0.0.1 -j DROP', '-A FORWARD -s 10.0.0.1 -s 10.0.0.2 -j DROP'],
  ['no address at all', '-A FORWARD -s 10.0.0.1 -j DROP', '-A FORWARD -s  10.0.0.1 -j DROP', '-A FORWARD -s'],
  ['another chain', '-A own -s 10.0.0.1 -j DROP', '-A other -s 10.0.0.1 -j DROP', '-A nosuch -s 10.0.0.1 -j DROP'],
  ['a built-in chain', '-A own -i eth0 -s 10.0.0.1', '-A FORWARD -i eth0 -s 10.0.0.1', '-A OUTPUT -i eth0 -s 10.0.0.1'],
  ['another jump', '-A FORWARD -j own', '-A FORWARD -j other', '-A FORWARD -j nosuch', '-A FORWARD -j DROP'],
  ['a jump that is none', '-A FORWARD -m comment --comment -j own', '-A FORWARD -m comment --comment -j -j own'],
  ['another comment', '-A own -m comment --comment "a b" -j DROP', '-A own -m comment --comment "c d" -j DROP'],
  ['an odd comment', '-A own -m comment --comment "a b" -j DROP', '-A own -m comment --comment "c\\" d" -j DROP'],
  ['an empty comment', '-A own -m comment --comment "a b" -j DROP', '-A own -m comment --comment "" -j DROP'],
  [
    'a long comment',
    '-A own -m comment --comment "a" -j DROP',
    `-A own -m comment --comment "${'x'.repeat(300)}" -j DROP`,
  ],
  [
    'two comments',
    '-A own -m comment --comment "a" -m comment --comment "b"',
    '-A own -m comment --comment "c" -j DROP',
  ],
  ['a quote that stays open', '-A own -m comment --comment "a" -j DROP', '-A own -m comment --comment "a -j DROP'],
  ['-s as a value', '-A own -m comment --comment -s -j DROP', '-A own -m comment --comment -s 10.0.0.1 -j DROP'],
  ['tabs and blanks', '-A own -s 10.0.0.1 -j DROP', '-A own\t-s 10.0.0.1 -j DROP', '-A own -s 10.0.0.1 -j DROP '],
  ['a chain that goes', '-A own -s 10.0.0.1 -j other', '-F own', '-X other', '-A own -s 10.0.0.1 -j other'],
  [
    'a rule that is inserted',
    '-A own -s 10.0.0.1',
    '-I own -s 10.0.0.1',
    '-A own -s 10.0.0.2',
    '-D own 1',
    '-A own -s 1.2.3.4',
  ],
])('a line with %s', (_, ...lines) => {
  expectAlike(file(...lines))
  expectAlike(file(...lines, ...lines))
})

test('counters are those of the line', () => {
  const lines = ['[1:2] -A own -s 10.0.0.1 -j DROP', '[3:4] -A own -s 10.0.0.2 -j DROP', '-A own -s 10.0.0.3 -j DROP']
  expectAlike(file(...lines), 4, true)
  expectAlike(file(...lines), 4, false)
})

test('IPv6 likewise', () => {
  const rule = (address: string) => `-A own -s ${address} -p tcp -m tcp --dport 80 -j DROP`
  expectAlike(file(...['2001:db8::/32', '2001:db9::1', '::/0', '2001:db8::1/32', 'fe80::1%x', '10.0.0.1'].map(rule)), 6)
})

test('rules with nothing else in common than their words share it', () => {
  const { tables } = parseRestore(
    file('-A own -s 10.0.0.1 -p tcp -m tcp --dport 80 -j DROP', '-A own -s 10.0.0.2 -p tcp -m tcp --dport 80 -j DROP'),
    { file: 'f', family: 4 },
  )
  const [one, two] = tables.get('filter')!.chains.get('own')!.rules
  expect(two!.matches).toBe(one!.matches)
  expect(two!.action).toBe(one!.action)
})

test('whatever the file, its lines twice, and once more with other addresses', () => {
  fc.assert(
    fc.property(ruleFile, (text) => {
      const again = (line: string) => {
        if (!line.includes('-A ')) return [line]
        const other = line
          .replace(/-([sd]) [\d.]+/g, (_, letter) => `-${letter} 10.9.8.7`)
          .replace(/--comment "[^"\\]*"/, '--comment "other words"')
        return [line, line, other]
      }
      expectAlike(text.split('\n').flatMap(again).join('\n'))
    }),
    { numRuns: 150 },
  )
})
