// Every set type, and every example of ipset's manual page, against what ipset 7.17 said on a kernel that has all types
// (cases/all-types.txt): the kernel that the tests run on may lack some.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runIpset } from '../../src/ipset/command.ts'
import { newStore } from './sets.ts'

const transcript = readFileSync(new URL('cases/all-types.txt', import.meta.url), 'utf8')

const comparable = (text: string) =>
  text
    .replace(/initval(>| )0x[0-9a-f]{8}/g, 'initval$1X')
    .replace(/(Size in memory: |<memsize>|Revision: |<revision>)\d+/g, '$1X')
    .replace(/timeout(>| )[1-9]\d*/g, 'timeout$1X')
    .split('\n')
    .filter((line) => line !== '')
    .sort()

test('sets of all types take, refuse and print what ipset does on a kernel that has them', () => {
  const store = newStore()
  const cases = transcript.split('\n$ ').slice(1)
  expect(cases.length).toBeGreaterThan(350)
  for (const each of cases) {
    const lines = each.trimEnd().split('\n')
    const command = lines[0]!
    const status = Number(lines.at(-1)!.slice(2))
    const said = runIpset(store, command.split(' '))
    const here = { command, status: said.status, printed: comparable(said.stdout + said.stderr) }
    expect(here).toEqual({ command, status, printed: lines.slice(1, -1).sort() })
  }
})
