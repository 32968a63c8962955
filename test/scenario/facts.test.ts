// The table of facts in README.md names files that are there, and has every line from 1 to 39.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const folder = import.meta.dirname
const rows = readFileSync(join(folder, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+\. /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))

test('every fact about Linux has a file for each family, and the file is there', () => {
  expect(rows.map(([, fact]) => Number.parseInt(fact!, 10))).toEqual(Array.from({ length: 39 }, (_, i) => i + 1))
  const missing = rows.flatMap(([, fact, four, six]) =>
    [four!, six!].flatMap((cell) =>
      cell
        .split(', ')
        .filter((name) => !existsSync(join(folder, pathOf(name))))
        .map((name) => `${fact}: "${name}"`),
    ),
  )
  expect(missing).toEqual([])
})

function pathOf(name: string): string {
  if (name === '`judge`') return '../kernel/judge/judge.test.ts'
  return name.startsWith('`') ? name.slice(1, -1) : `${name}.yaml`
}
