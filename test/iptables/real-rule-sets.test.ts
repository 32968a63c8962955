// Rule sets of real projects with the form in which the kernel's tools save them, where the folder that holds them is there:
// $TUNFILTER_CORPUS, or shared/corpus beside the repository.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'
import { tablesOf } from './real-tools.ts'

const folder = process.env.TUNFILTER_CORPUS ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const names = existsSync(folder) ? readdirSync(join(folder, 'rules')).filter((name) => name.endsWith('.rules')) : []

const hasPairedQuotes = (line: string) => line.replace(/\\./g, '').split('"').length % 2 === 1

describe.each([4, 6] as const)('IPv%i', (family) => {
  const mine = names.filter((name) => name.endsWith(`.v${family}.rules`))
  const title = 'real rule sets load and are saved as the kernel’s tools save them'

  test.skipIf(mine.length === 0)(mine.length === 0 ? `${title} (skipped: no ${folder})` : title, () => {
    for (const name of mine) {
      const text = readFileSync(join(folder, 'rules', name), 'utf8')
      const ruleSet = parseRestore(text, { file: name, family })
      const expected = readFileSync(join(folder, 'expected', name.replace(/rules$/, 'save')), 'utf8')
      expect(save(ruleSet), name).toBe(expected)
      // Nothing was counted, and the file's own counters are not read without --counters.
      expect(save(ruleSet, { counters: true }), name).toBe(expected.replace(/^-A /gm, '[0:0] -A '))
      // What was saved is a rule set that says the same; tables stand the other way round then.
      // (A comment with a line break in it cannot be read again, there neither.)
      if (expected.split('\n').every(hasPairedQuotes))
        expect(tablesOf(save(parseRestore(expected, { file: name, family }))), name).toBe(tablesOf(expected))
    }
  })
})
