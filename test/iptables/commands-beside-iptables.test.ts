// What a command line does, prints and ends with here is what it does, prints and ends with under iptables-legacy: sequences
// of commands, made at random, on both.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyCommand } from '../../src/iptables/apply.ts'
import { applySave } from '../../src/iptables/apply-file.ts'
import { type Program, programOf } from '../../src/iptables/program.ts'
import type { RuleSet } from '../../src/rule/model.ts'
import { commandLine, wordsOf } from './command-lines.ts'
import { needsIptables } from './real-tools.ts'

interface Done {
  readonly line: string
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  readonly saved: string
}

/** Each line in turn, in tables that begin empty. */
function byRealTool(lines: readonly string[]): Done[] {
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-commands-'))
  try {
    writeFileSync(
      join(folder, 'run'),
      `export XTABLES_LOCKFILE=${folder}/lock
       ${lines
         .map(
           (line, i) => `iptables-legacy ${line} > ${i}.out 2> ${i}.err; echo $? > ${i}.status
       { iptables-legacy-save -t filter; iptables-legacy-save -t nat; } | grep -v '^#' > ${i}.saved`,
         )
         .join('\n')}\n`,
    )
    const run = spawnSync('unshare', ['-n', 'sh', 'run'], { cwd: folder, encoding: 'utf8' })
    if (run.status !== 0) throw new Error(`the real tools failed: ${run.stderr}`)
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    return lines.map((line, i) => ({
      line,
      status: Number(read(`${i}.status`)),
      stdout: read(`${i}.out`),
      stderr: read(`${i}.err`),
      saved: read(`${i}.saved`),
    }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function here(lines: readonly string[]): Done[] {
  let ruleSet: RuleSet = { family: 4, tables: new Map() }
  const around = { program: programOf('iptables') as Program }
  const save = (table: string) =>
    applySave(ruleSet, ['-t', table], { program: programOf('iptables-save') as Program }).stdout
  return lines.map((line) => {
    const { status, stdout, stderr, ruleSet: after } = applyCommand(ruleSet, wordsOf(line), around)
    ruleSet = after
    return { line, status, stdout, stderr, saved: save('filter') + save('nat') }
  })
}

/** What people read may be said better here; programs read the rest. */
function comparable(done: Done): Done {
  if (done.status >= 2) return { ...done, stdout: '', stderr: '' }
  return {
    ...done,
    stderr: done.stderr.replace(
      /^(iptables: (?:Invalid argument|Bad policy name|Too many levels of symbolic links)\.).*$/m,
      '$1',
    ),
  }
}

test(...needsIptables('the real tool does, prints and returns the same for sequences of commands'), () => {
  const statuses = new Set<number>()
  for (const seed of [1, 2, 3]) {
    const lines = fc.sample(commandLine, { numRuns: 300, seed })
    const real = byRealTool(lines)
    const own = here(lines)
    for (const [i, done] of own.entries())
      expect({ seed, i, ...comparable(done) }).toEqual({ seed, i, ...comparable(real[i]) })
    // Nothing is compared by a sequence in which nothing happens.
    for (const { status } of real) statuses.add(status)
    expect(new Set(real.map(({ saved }) => saved)).size).toBeGreaterThan(30)
  }
  expect(statuses).toEqual(new Set([0, 1, 2, 3]))
})
