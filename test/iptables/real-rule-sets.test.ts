// Rule sets of real projects with the form in which the kernel's tools save them, where the folder that holds them is there:
// $TUNFILTER_CORPUS, or shared/corpus beside the repository.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { save } from '../../src/iptables/save.ts'

const folder = process.env.TUNFILTER_CORPUS ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const names = existsSync(folder) ? readdirSync(join(folder, 'rules')).filter((name) => name.endsWith('.v4.rules')) : []
const title = 'real rule sets load and are saved as the kernel’s tools save them, or name what is not enforced yet'

test.skipIf(names.length === 0)(names.length === 0 ? `${title} (skipped: no ${folder})` : title, ({ annotate }) => {
  const missing = new Map<string, number>()
  let exact = 0
  for (const name of names) {
    try {
      const text = readFileSync(join(folder, 'rules', name), 'utf8')
      const saved = save(parseRestore(text, { file: name, family: 4 }))
      expect(saved, name).toBe(readFileSync(join(folder, 'expected', name.replace(/rules$/, 'save')), 'utf8'))
      exact++
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      const reasons = new Set(error.complaints.map(({ message }) => message.replace(/ is not enforced yet.*/, '')))
      for (const reason of reasons) {
        expect(`${name}: ${reason}`).toMatch(/: (match|target) \w+$/)
        missing.set(reason, (missing.get(reason) ?? 0) + 1)
      }
    }
  }
  const most = [...missing].sort(([, a], [, b]) => b - a).map(([reason, sets]) => `${reason} (${sets})`)
  annotate(
    `${exact} of ${names.length} rule sets load and are saved exactly; missing, by rule sets: ${most.join(', ')}`,
  )
  expect(exact).toBeGreaterThanOrEqual(24)
})
