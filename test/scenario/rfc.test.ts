// The table of what RFCs ask of a NAT (src/nat/README.md): each row names scenarios that are there, and each scenario that is written
// for an RFC stands in it.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const page = readFileSync(new URL('../../src/nat/README.md', import.meta.url), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| no.') && !line.startsWith('| ---'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
const scenarios = new Set(
  readdirSync(new URL('.', import.meta.url))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.replace('.yaml', '')),
)

describe('what the RFCs ask of a NAT', () => {
  test('has a row for each requirement of the four, at least', () => {
    expect(rows.length).toBeGreaterThanOrEqual(50)
  })

  test.each(rows.map((cells) => [`${cells[1]}: ${cells[2]}`, cells] as const))('%s', (_title, cells) => {
    const [, , , held, , named = ''] = cells
    expect(['yes', 'no', 'rules']).toContain(held)
    const missing = named.split(', ').filter((name) => !scenarios.has(name))
    expect(missing).toEqual([])
  })

  test('names every scenario that is written for an RFC', () => {
    const written = [...scenarios].filter((name) => name.startsWith('rfc'))
    expect(written.filter((name) => !page.includes(name))).toEqual([])
  })
})
