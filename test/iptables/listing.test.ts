// How rules are listed, with and without -n, is how the real tools list them: over rules made from the declarations. TUNFILTER_GENERATED
// and TUNFILTER_SEED are those of declared.test.ts.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BUILTIN } from '../../src/iptables/builtin.ts'
import { listTable } from '../../src/iptables/list.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import type { Family, TableName } from '../../src/rule/model.ts'
import { type Case, fileOf, Generator } from './declared.ts'
import { needsIptables } from './real-tools.ts'

const cases = Number(process.env.TUNFILTER_GENERATED ?? 400)
const seed = Number(process.env.TUNFILTER_SEED ?? 1)

/** What they list otherwise: addresses by a name of their own, four characters of a timeout policy's name. */
const SHOWN_OTHERWISE = /--timeout \S{5}/

/** Numbers, and names: addresses are not looked up here. */
const FORMS = ['-nvL own', '-L own'] as const

function isTaken(one: Case): boolean {
  try {
    parseRestore(fileOf(one), { file: 'rules', family: one.family })
    return true
  } catch {
    return false
  }
}

/** What each rule's line is, form by form; undefined where the real tool does not take the rule. */
function there(rules: readonly Case[], family: Family): (readonly string[] | undefined)[] {
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-listing-'))
  const tool = family === 4 ? 'iptables-legacy' : 'ip6tables-legacy'
  try {
    const script = rules.map((one, i) => {
      writeFileSync(join(folder, `${i}.rules`), fileOf(one))
      const lists = FORMS.map((form, j) => `timeout 5 ${tool} -t ${one.table} ${form} > ${i}.${j}`).join('; ')
      return `if ${tool}-restore < ${i}.rules 2> /dev/null; then ${lists}; fi`
    })
    writeFileSync(join(folder, 'run'), `export XTABLES_LOCKFILE=${folder}/lock\n${script.join('\n')}\n`)
    spawnSync('unshare', ['-n', 'sh', 'run'], { cwd: folder })
    return rules.map((_, i) => {
      try {
        return FORMS.map((__, j) => readFileSync(join(folder, `${i}.${j}`), 'utf8').split('\n')[2])
      } catch {
        return undefined
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function here(one: Case): string[] {
  const { family, table } = one
  const ruleSet = parseRestore(fileOf(one), { file: 'rules', family })
  const options = [{ family, numeric: true, verbose: true }, { family }]
  return options.map((each) => listTable(ruleSet.tables.get(table as TableName)!, each, 'own').split('\n')[2])
}

describe.each([4, 6] as const)('IPv%i', (family) => {
  test(...needsIptables('the real tools list rules made from the declarations in the same words'), () => {
    const declarations = BUILTIN.declarations.filter(({ name }) => name.toLowerCase() !== 'set')
    const generator = new Generator(declarations, family, seed)
    const rules: Case[] = []
    for (let i = 0; i < cases; i++) {
      const made = generator.next()
      const one = { ...made, rule: made.rule.replace(/^-A \S+/, '-A own') }
      if (isTaken(one) && !SHOWN_OTHERWISE.test(one.rule)) rules.push(one)
    }
    const real = there(rules, family)
    expect(real.filter((lines) => lines !== undefined).length).toBeGreaterThan(cases / 10)
    const wrong: string[] = []
    for (const [i, one] of rules.entries())
      for (const [j, line] of (real[i] ?? []).entries()) {
        const ours = here(one)[j]
        if (ours !== line) wrong.push(`${one.table} ${one.rule}\n  there: ${line}\n  here:  ${ours}`)
      }
    expect(wrong.join('\n')).toBe('')
  })
})
