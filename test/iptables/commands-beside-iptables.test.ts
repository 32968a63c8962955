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
function byRealTool(lines: readonly string[], tool = 'iptables-legacy'): Done[] {
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-commands-'))
  try {
    writeFileSync(
      join(folder, 'run'),
      `export XTABLES_LOCKFILE=${folder}/lock
       ${lines
         .map(
           (line, i) => `${tool} ${line} > ${i}.out 2> ${i}.err; echo $? > ${i}.status
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

function here(lines: readonly string[], tool = 'iptables'): Done[] {
  let ruleSet: RuleSet = { family: 4, tables: new Map() }
  const around = { program: programOf(tool) as Program }
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

test(...needsIptables('rate estimators are there, shared and listed for commands as the real tool has it'), () => {
  const made = '-A FORWARD -j RATEEST --rateest-name'
  const of = '-A INPUT -m rateest'
  const lines = [
    `${of} --rateest A --rateest-lt --rateest-bps 8bit`,
    `${made} A --rateest-interval 250ms --rateest-ewmalog 500ms`,
    `${of} --rateest A --rateest-lt --rateest-bps 8bit`,
    '-t nat -A OUTPUT -m rateest --rateest A --rateest-lt --rateest-bps 8bit',
    `${made} A --rateest-interval 250ms --rateest-ewmalog 2s`,
    `${made} A --rateest-interval 230ms --rateest-ewmalog 500ms`,
    '-D FORWARD 1',
    '-F FORWARD',
    `${of} --rateest A ! --rateest-gt --rateest-pps 5`,
    '-t nat -F',
    '-F INPUT',
    `${of} --rateest A --rateest-eq --rateest-pps 5`,
    `${made} A --rateest-interval 250ms --rateest-ewmalog 2s`,
    `${made} B --rateest-interval 4s --rateest-ewmalog 300s`,
    `${of} --rateest A --rateest-gt --rateest-pps 5 --rateest-bps 1Mibit`,
    `${of} --rateest-delta --rateest A --rateest-bps1 8bit ! --rateest-eq --rateest-bps2 16bit --rateest-pps2 7`,
    `${of} --rateest1 A --rateest-lt --rateest-bps --rateest2 B`,
    `${of} --rateest1 A ! --rateest-lt --rateest-bps --rateest-pps --rateest2 B`,
    `${of} --rateest-delta --rateest1 A --rateest-bps1 5kbit --rateest-lt --rateest2 B --rateest-bps2 9kbit --rateest-pps1 3`,
    '-nL',
    '-C INPUT -m rateest --rateest1 A --rateest-lt --rateest-bps --rateest2 B',
    '-C INPUT -m rateest --rateest1 C --rateest-lt --rateest-bps --rateest2 B',
  ]
  const real = byRealTool(lines).map(comparable)
  expect(real.map(({ status }) => status).join('')).toBe('1000100000010000000001')
  expect(here(lines).map(comparable)).toEqual(real)
})

test(...needsIptables('tables that were asked for are there from then on'), () => {
  const lines = ['-t mangle -S', '-t raw -C PREROUTING -j ACCEPT', '-t nat -V', '-t nat -F']
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-commands-'))
  const script = lines.map(
    (line) => `iptables-legacy ${line} > /dev/null 2>&1; iptables-legacy-save | grep '^[*]'; echo`,
  )
  const run = spawnSync('unshare', ['-n', 'sh', '-c', `export XTABLES_LOCKFILE=${folder}/lock\n${script.join('\n')}`])
  rmSync(folder, { recursive: true })
  let ruleSet: RuleSet = { family: 4, tables: new Map() }
  const named = lines.map((line) => {
    ruleSet = applyCommand(ruleSet, wordsOf(line), { program: programOf('iptables') as Program }).ruleSet
    const saved = applySave(ruleSet, [], { program: programOf('iptables-save') as Program }).stdout
    return `${saved.match(/^[*].*\n/gm)?.join('') ?? ''}\n`
  })
  expect(named.join('')).toBe(run.stdout.toString())
  expect([...ruleSet.tables.keys()]).toEqual(['mangle', 'raw', 'nat'])
})

test(
  ...needsIptables('iptables-nft says what the real one says, with its exit statuses, where programs read it'),
  () => {
    const lines = [
      ...['-N a', '-N a', '-A missing -j ACCEPT', '-A INPUT -j missing', '-D INPUT -j ACCEPT', '-C INPUT -j ACCEPT'],
      ...[
        '-C missing -j ACCEPT',
        '-D INPUT 5',
        '-X missing',
        '-F missing',
        '-A INPUT -j a',
        '-X a',
        '-F INPUT',
        '-A a -j ACCEPT',
      ],
      ...['-X a', '-P missing DROP', '-P a DROP', '-E missing b', '-E a INPUT', '-E a a', '-I INPUT 5 -j ACCEPT'],
      ...['-R INPUT 1 -j ACCEPT', '-L missing', '-S missing', '-S INPUT 99', '-t nosuch -L', '-Z missing', '--version'],
      ...['-A INPUT --nosuch', '-A INPUT -m nosuch', '', '-N c', '-A c -j c', '-A INPUT -j c', '-N INPUT', '-F'],
      ...[
        '-X INPUT',
        '-A FORWARD -j ACCEPT',
        '-X FORWARD',
        '-F FORWARD',
        '-X FORWARD',
        '-P FORWARD DROP',
        '-X FORWARD',
      ],
      ...['-P FORWARD ACCEPT', '-A INPUT -m rateest --rateest A --rateest-lt --rateest-bps 5bit', '-P INPUT RETURN'],
      ...['-A INPUT -m rateest --rateest A', '-D INPUT -m rateest --rateest A', '-C INPUT -m rateest --rateest A'],
      '-A INPUT -m hashlimit --hashlimit-name a --hashlimit-upto 1/day --hashlimit-burst 1000000',
      ...['-A INPUT -j REJECT --reject-with tcp-reset', '-A INPUT -o eth0', '-t raw -A PREROUTING -j CT --helper foo'],
      ...['-Z INPUT 7', '-L INPUT 7', '-S INPUT 7', '-N ACCEPT', '-N -x', '-P INPUT a', '-t nat -P PREROUTING DROP'],
      ...['-I INPUT 2 -j ACCEPT', '-A INPUT -g missing', '-D INPUT -j missing', '-A INPUT -j MARK', '-t broute -L'],
      ...['-t nat -A INPUT -j MASQUERADE', '-C INPUT -j missing', '-D missing 1', '-R missing 1 -j ACCEPT', '-X'],
    ]
    const said = (done: Done) => {
      const { line, status, stdout, stderr } = comparable(done)
      // The rules are looked at by the legacy tool too.
      return { line, status, stdout, stderr: stderr.replace(/^# Warning: iptables-legacy .*\n/m, '') }
    }
    const real = byRealTool(lines, 'iptables-nft').map(said)
    expect(here(lines, 'iptables-nft').map(said)).toEqual(real)
    expect(new Set(real.map(({ status }) => status))).toEqual(new Set([0, 1, 2, 3, 4]))
  },
)
