// iptables-restore and iptables-save with each of their options, one call after the other: what they do, print and end with here is what
// they do under the real tools, of both families.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyCommand } from '../../src/iptables/apply.ts'
import { applyRestore, applySave } from '../../src/iptables/apply-file.ts'
import { type Program, programOf } from '../../src/iptables/program.ts'
import type { RuleSet } from '../../src/rule/model.ts'
import { needsIptables } from './real-tools.ts'

const FIRST = `# made by hand
*filter
:INPUT DROP [3:4]
:foo - [0:0]
:bar - [0:0]
[5:6] -A INPUT -j foo
-A foo -p tcp --dport 80 -j ACCEPT
# between
-A foo -i eth0 -j bar
COMMIT
*nat
:PREROUTING ACCEPT [7:8]
-A PREROUTING -p udp -j ACCEPT
COMMIT
`
const COMMANDS = `*filter
:baz - [0:0]
-N more
-F baz
-I INPUT -j more
-I INPUT 2 -p tcp -j baz
-R INPUT 1 -p udp -j more
-C INPUT -p udp -j more
-D INPUT -p udp -j more
-P FORWARD DROP
-E more most
-Z
-X most
-F
-X
COMMIT
`

/** The words of a call, and its input. */
type Call = readonly [words: string, input?: string]

const CALLS: readonly Call[] = [
  ['restore', FIRST],
  ['save'],
  ['save -c'],
  ['save -t nat'],
  ['save -c --table=filter'],
  ['restore -c', FIRST],
  ['save --counters'],
  ['restore -v', FIRST],
  ['restore --verbose --noflush', '*filter\n:bar - [0:0]\n# c\n-A bar -j ACCEPT\nCOMMIT\n'],
  ['save'],
  ['restore -v', COMMANDS],
  ['save -c'],
  ['restore -t', FIRST],
  ['restore --test -v', FIRST],
  ['save'],
  ['restore -T nat', FIRST],
  ['save'],
  ['restore --table=filter -c -w', FIRST],
  ['save -c'],
  ['restore -n -w 5', '*filter\n-A foo -j ACCEPT\nCOMMIT\n'],
  ['restore -nw5 -W 1000', '*filter\n-A foo -j DROP\nCOMMIT\n'],
  ['restore -w -W 1000 -n', '*filter\n-A foo -j DROP\nCOMMIT\n'],
  ['restore -W 1000 -n', '*filter\n-A foo -j DROP\nCOMMIT\n'],
  ['restore -w 5 -W x -n', '*filter\n-A foo -j DROP\nCOMMIT\n'],
  ['restore --verb -b', FIRST],
  ['restore --ver', FIRST],
  ['restore --noflush=1', FIRST],
  ['restore -M /sbin/modprobe -tv', FIRST],
  ['save --modprobe=/sbin/modprobe -ct filter'],
  ['save -b -d'],
  ['restore --wait=5 --wait-interval=1 --noflush', '*filter\n-D foo -j DROP\nCOMMIT\n'],
  ['save -t filter'],
  ['restore -n', '*filter\n-D foo -j RETURN\nCOMMIT\n'],
  ['restore -n', '*filter\n-A foo -j NOTHING\nCOMMIT\n'],
  ['restore -n', '*nothing\nCOMMIT\n'],
  ['restore -n', '*filter\n-A nothing -j ACCEPT\nCOMMIT\n'],
  ['restore -n', '*filter\n:foo - [0:0]\nCOMMIT\n'],
  ['restore', ''],
  ['restore', 'COMMIT\n'],
  ['restore', '*filter\n'],
  ['restore -n', '*filter\n-X foo\nCOMMIT\n'],
  ['restore -n', '*filter\n-N foo\nCOMMIT\n'],
  ['restore -4', ''],
  ['save -6'],
  ['restore', '*filter\n-4 -A INPUT -s 1.2.3.4\n-6 -A INPUT -s ::1\nCOMMIT\n'],
  ['save'],
  ['save -V'],
  ['restore -V'],
  ['restore --nothing', ''],
  ['save --nothing'],
  ['save word'],
  ['save -t nothing'],
  ['restore -w x', ''],
  ['command -t nat -S'],
]

/** Lines of a table that the tools judge by themselves, or have the kernel judge: by the exit status programs see which. */
const LINES = [
  ...[
    ':INPUT FOO [0:0]',
    ':INPUT',
    ':',
    ':foo DROP [0:0]',
    ':foo',
    ':foo -',
    ':ACCEPT - [0:0]',
    ':-x - [0:0]',
    ':LOG - [0:0]',
  ],
  ...[
    ':INPUT - [0:0]',
    ':aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa - [0:0]',
    '[0:0 -A INPUT',
    '[0:0]-A INPUT',
    '[0:0] ',
    '-P INPUT FOO',
    '-P INPUT',
  ],
  ...[
    '-P FOO ACCEPT',
    '-N',
    '-N -x',
    '-N INPUT',
    '-N LOG',
    '-X',
    '-X INPUT',
    '-F INPUT FOO',
    '-Z FOO',
    '-D INPUT 0',
    '-D INPUT 1',
  ],
  ...[
    '-I INPUT 0',
    '-I INPUT 1 -j DROP',
    '-I INPUT 2 -j DROP',
    '-R INPUT',
    '-R INPUT 1 -j DROP',
    '-E a',
    '-E a b',
    '-E INPUT b',
  ],
  ...[
    '-A',
    '-A INPUT foo',
    'foo',
    ' -A INPUT',
    '-A INPUT -j',
    '-A INPUT -t nat',
    '-A INPUT -n',
    '-A INPUT -v',
    '-A INPUT -c 1',
    '*nat',
  ],
  ...[
    '-A INPUT -A FORWARD',
    '-A INPUT -j DROP -j DROP',
    '-A INPUT -g INPUT',
    '-A INPUT -j INPUT',
    '-A INPUT -o lo',
    '-A OUTPUT -i lo',
  ],
  ...[
    '-A INPUT -p 256',
    '-A INPUT ! -j DROP',
    '-A INPUT -s ! 1.2.3.4',
    '-A INPUT --',
    '-A INPUT -6 -s ::1',
    '-A INPUT -4 -s 1.2.3.4',
  ],
  ...[
    '-C INPUT -j DROP',
    '-A FOO -j DROP',
    '-A INPUT -j DROP # foo',
    '-A INPUT -m nosuch',
    '-A INPUT -j nosuch',
    '-A INPUT -m tcp',
  ],
  ...[
    '-A INPUT -p tcp --dport',
    '-A INPUT -m conntrack',
    '-A INPUT -i aaaaaaaaaaaaaaaa',
    '-A INPUT -j ""',
    '-A "" -j DROP',
    'commit',
  ],
]

/** Each into tables of which the kernel has none yet: which of them it has afterwards. */
const REACHED: readonly Call[] = [
  ['restore --test', '*mangle\nCOMMIT\n'],
  ['restore --test', '*mangle\n:foo - [0:0]\n-A foo -j foo\nCOMMIT\n*raw\nCOMMIT\n'],
  ['restore --test -T raw', '*mangle\n-A INPUT -j ACCEPT\nCOMMIT\n*raw\nCOMMIT\n'],
  ['restore', '*mangle\n-A INPUT -j NOSUCH\nCOMMIT\n*raw\nCOMMIT\n'],
  ['restore', '*mangle\n-A INPUT -j ACCEPT\n'],
  ['restore', '*mangle\nCOMMIT\n*raw\n-A FOO -j ACCEPT\nCOMMIT\n*nat\nCOMMIT\n'],
  ['restore', '*foo\nCOMMIT\n*nat\nCOMMIT\n'],
  ['restore -n', '*security\nfoo\nCOMMIT\n'],
  ['restore', 'garbage\n*nat\nCOMMIT\n'],
  ['restore', '*mangle\n-A INPUT -m limit --limit 1/day\nCOMMIT\n*raw\nCOMMIT\n'],
  ['restore -T nat', '*mangle\n-A INPUT -j ACCEPT\nCOMMIT\n*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n'],
]

interface Done {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

const nameOf = (family: 4 | 6, words: string) => {
  const [what, ...rest] = words.split(' ')
  const base = family === 4 ? 'iptables' : 'ip6tables'
  return [what === 'command' ? base : `${base}-${what}`, ...rest]
}

function there(family: 4 | 6, calls = CALLS): Done[] {
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-restore-'))
  try {
    const script = calls.map(([words, input = ''], i) => {
      writeFileSync(join(folder, `${i}.in`), input)
      const [name, ...rest] = nameOf(family, words)
      const real = name.replace(/tables/, 'tables-legacy')
      return `${[real, ...rest].join(' ')} < ${i}.in > ${i}.out 2> ${i}.err; echo $? > ${i}.status`
    })
    writeFileSync(join(folder, 'run'), `export XTABLES_LOCKFILE=${folder}/lock\n${script.join('\n')}\n`)
    spawnSync('unshare', ['-n', 'sh', 'run'], { cwd: folder })
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    return calls.map((_, i) => ({
      status: Number(read(`${i}.status`)),
      stdout: read(`${i}.out`).replace(/^# (Generated by|Completed on) .*\n/gm, ''),
      stderr: read(`${i}.err`),
    }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function here(family: 4 | 6, calls = CALLS): Done[] {
  let ruleSet: RuleSet = { family, tables: new Map() }
  return calls.map(([words, input = '']) => {
    const [name, ...rest] = nameOf(family, words)
    const program = programOf(name) as Program
    const done =
      program.kind === 'restore'
        ? applyRestore(ruleSet, rest, input, { program })
        : (program.kind === 'save' ? applySave : applyCommand)(ruleSet, rest, { program })
    ruleSet = done.ruleSet
    return { status: done.status, stdout: done.stdout, stderr: done.stderr }
  })
}

/** What is said of a mistake is said better here; that something is said is all that is compared. */
const comparable = ({ status, stdout, stderr }: Done) => ({
  status,
  stdout: status === 0 ? stdout : '',
  stderr: status === 0 ? stderr : stderr !== '',
})

describe.each([4, 6] as const)('IPv%i', (family) => {
  test(...needsIptables('the real tools do, print and return the same'), () => {
    const real = there(family)
    for (const [i, done] of here(family).entries())
      expect({ call: CALLS[i], ...comparable(done) }).toEqual({ call: CALLS[i], ...comparable(real[i]) })
  })

  test(...needsIptables('each line ends with the exit status of the real tools'), () => {
    const calls = LINES.map((line): Call => ['restore', `*filter\n${line}\nCOMMIT\n`])
    const statuses = (done: readonly Done[]) => done.map(({ status }, i) => `${status} ${LINES[i]}`)
    expect(statuses(here(family, calls))).toEqual(statuses(there(family, calls)))
  })

  test(...needsIptables('a file that is refused, or only tried, leaves the tables that it came to'), () => {
    for (const call of REACHED) {
      const calls: Call[] = [call, ['save']]
      expect({ call, done: here(family, calls).map(comparable) }).toEqual({
        call,
        done: there(family, calls).map(comparable),
      })
    }
  })
})

test(
  ...needsIptables('iptables-nft-restore says what the real one says where programs read it, with its exit statuses'),
  () => {
    const rules = [
      ':a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -j a\n-A INPUT -j a',
      ':a - [0:0]\n-A a -j a',
      '-A INPUT -j NOSUCH',
      '-A FOO -j ACCEPT',
      '-A INPUT --foo',
      '-A INPUT foo',
      '-A INPUT -j MASQUERADE',
      '-A INPUT -p tcp -m hashlimit --hashlimit-name a --hashlimit-upto 1/day --hashlimit-burst 1000000',
      '-A INPUT -m rateest --rateest A --rateest-lt --rateest-bps 5bit',
      '-D INPUT -j ACCEPT',
      '-D INPUT 1',
      '-R INPUT 1 -j ACCEPT',
      '-I INPUT 7 -j ACCEPT',
      '-X foo',
      '-N foo\n-N foo',
      '-E foo bar',
      '-P FOO DROP',
      '-C INPUT -j ACCEPT',
      ':foo - [0:0]\n-A INPUT -j foo\n-X foo',
      ':foo - [0:0]\n-A foo -j ACCEPT\n-X foo',
      ':INPUT FOO [0:0]',
    ].map((lines) => `*filter\n${lines}\nCOMMIT\n`)
    const files = [...rules, '*filter\n-A INPUT -j ACCEPT\n', '*foo\nCOMMIT\n', 'garbage\n', '']
    const first = (text: string) => /\((?:Too|Invalid|Numerical|No such|Device)[^)]*/.exec(text)?.[0] ?? ''
    const program = programOf('iptables-nft-restore') as Program
    const statuses = new Set<number>()
    for (const file of files) {
      const real = spawnSync('unshare', ['-n', 'iptables-nft-restore'], { input: file, encoding: 'utf8' })
      const ours = applyRestore({ family: 4, tables: new Map() }, [], file, { program })
      expect({ file, status: ours.status, why: first(ours.stderr) }).toEqual({
        file,
        status: real.status,
        why: first(real.stderr),
      })
      statuses.add(ours.status)
    }
    expect(statuses).toEqual(new Set([0, 1, 2, 4]))
  },
)
