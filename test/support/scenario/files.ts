// The scenario files of test/scenario/, or those that SCENARIO names (a part of the name), and how a test prints a run.

import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { disagreements, type StepResult } from './run.ts'
import { readScenario, type Scenario } from './scenario.ts'

const folder = fileURLToPath(new URL('../../scenario/', import.meta.url))

export function scenarios(): Scenario[] {
  const wanted = process.env.SCENARIO ?? ''
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml') && name.includes(wanted))
    .sort()
    .map((name) => readScenario(folder + name))
}

/** With SHOW set, prints all that happened: for who writes a scenario and asks what Linux does. */
export function show(who: string, scenario: Scenario, results: readonly StepResult[]): void {
  if (!process.env.SHOW) return
  const lines = [`== ${scenario.name} (${who}): ${scenario.what}`]
  for (const result of results) {
    const same = disagreements([result]).length === 0
    lines.push(`${same ? 'ok ' : 'NOT'} ${result.title}${result.skipped ? ` (skipped: ${result.skipped})` : ''}`)
    if (!same) lines.push(...result.expected.map((line) => `      expected ${line}`))
    lines.push(...result.got.map((line) => `      ${same ? '' : 'got      '}${line}`))
  }
  process.stderr.write(`${lines.join('\n')}\n`)
}
