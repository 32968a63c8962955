// Every option of the matches and targets beyond the first ones, as rules in extensions/NAME.txt: `TABLE RULE`, and below it, indented,
// how iptables 1.8.9 saves it (nothing where it saves the same words), or `refused`. NAME.ip6.txt is ip6tables'. `+ TABLE RULE` is loaded
// before each of the cases below it, in a table that they do not name.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import type { Family } from '../../src/rule/model.ts'
import { fileOf } from './cases.ts'
import { judge, needsIptables } from './real-tools.ts'

interface Case {
  readonly rule: string
  /** Rules of another table that are loaded before it. */
  readonly before: readonly string[]
  /** The rule as it is saved, or `refused`. */
  readonly expected: string
}

const folder = fileURLToPath(new URL('extensions/', import.meta.url))

function casesOf(file: string): Case[] {
  const cases: Case[] = []
  const before: string[] = []
  for (const line of readFileSync(folder + file, 'utf8').split('\n')) {
    if (line.startsWith('    ')) cases.push({ ...cases.pop()!, expected: line.slice(4) })
    else if (line.startsWith('+ ')) before.push(line.slice(2))
    else if (line !== '') cases.push({ rule: line, before: [...before], expected: line.slice(line.indexOf(' ') + 1) })
  }
  return cases
}

const ruleOf = (saved: string) => /^-A .*/m.exec(saved)?.[0] ?? 'no rule'

const textOf = ({ rule, before }: Case) => [...before, rule].map(fileOf).join('')

function ours(one: Case, family: Family): string {
  try {
    return ruleOf(save(parseRestore(textOf(one), { file: 'rules', family })))
  } catch (error) {
    if (error instanceof RefusedError) return 'refused'
    throw error
  }
}

describe.each(readdirSync(folder))('%s', (file) => {
  const cases = casesOf(file)
  const family = file.endsWith('.ip6.txt') ? 6 : 4

  test('is read, saved and refused as it says', () => {
    expect(cases.map((one) => ({ ...one, expected: ours(one, family) }))).toEqual(cases)
  })

  test(...needsIptables('says what the real tools say'), () => {
    const judged = judge(cases.map(textOf), { family })
    const said = judged.map((one) => ('saved' in one ? ruleOf(one.saved) : 'refused'))
    expect(cases.map((one, i) => ({ ...one, expected: said[i] }))).toEqual(cases)
  })
})
