// conntrack 1.4.7 beside ours: the same commands, one after the other, on the kernel's flow table in a namespace of its own and
// on ours. What is printed, what is said on standard error and the exit status have to be the same; the order of flows may
// differ, and ids are each side's own.

import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/conntrack/command/fault.ts'
import { LabelNames } from '../../src/conntrack/command/labels.ts'
import { OwnFlowSource } from '../../src/conntrack/command/own-source.ts'
import { runConntrack } from '../../src/conntrack/command/run.ts'
import { Conntrack4 } from '../../src/conntrack/conntrack4.ts'
import { Conntrack6 } from '../../src/conntrack/conntrack6.ts'
import { protocolNumber } from '../../src/rule/names.ts'
import { sysctls } from '../../src/sysctl.ts'
import { SystemClock, Time } from '../../src/time.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { SCRIPTS } from './command-lines.ts'

const LABELS = '0 zero\n1 one\n# a comment\n2 two\n127 last\n'

interface Said {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Splits a line as a shell does that knows only blanks and single quotes. */
const wordsOf = (line: string) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)

/** Runs every line of a script with the real tool, in a namespace with a name file for labels. */
function real(lines: readonly string[], sysctl: Record<string, number>): Said[] {
  const mark = '<<<END>>>'
  const script = [
    'ip link set lo up',
    'mkdir -p /etc/xtables && mount -t tmpfs none /etc/xtables',
    `printf '${LABELS.replaceAll('\n', '\\n')}' > /etc/xtables/connlabel.conf`,
    // Flows can carry labels while a rule asks for them.
    'iptables-legacy -A OUTPUT -m connlabel --label one',
    ...Object.entries(sysctl).map(([name, value]) => `sysctl -qw ${name}=${value}`),
    ...lines.map((line) => `conntrack ${line} </dev/null; s=$?; echo '${mark}'$s; echo '${mark}' >&2`),
  ].join('\n')
  const { stdout, stderr } = spawnSync('unshare', ['-n', '-m', 'sh', '-c', script], { encoding: 'latin1' })
  const outs = stdout.split(new RegExp(`${mark}(\\d+)\n`))
  const errs = stderr.split(`${mark}\n`)
  return lines.map((_, i) => ({ stdout: outs[2 * i]!, status: Number(outs[2 * i + 1]), stderr: errs[i]! }))
}

async function ours(lines: readonly string[], sysctl: Record<string, number>): Promise<Said[]> {
  const clock = new SystemClock()
  const time = new Time()
  time.set(clock.now())
  const parts = { time, sysctl: sysctls({ 'net.netfilter.nf_conntrack_max': 1000, ...sysctl }) }
  const conntracks = [new Conntrack4(parts, 1), new Conntrack6(parts, 1)]
  for (const conntrack of conntracks) conntrack.flows.extensions.label()
  const source = new OwnFlowSource(conntracks)
  const said: Said[] = []
  for (const line of lines) {
    time.set(clock.now())
    let stdout = ''
    let stderr = ''
    let status: number
    const client = {
      gone: false,
      unread: 0,
      onGone: () => {},
      drained: () => Promise.resolve(),
      readInput: () => Promise.resolve(''),
      readFile: () => Promise.reject(new Error('no such file')),
      print: (text: string) => {
        stdout += text
      },
      printError: (text: string) => {
        stderr += text
      },
    }
    const environment = { protocolNumber, labels: () => new LabelNames(LABELS) }
    try {
      status = await runConntrack(wordsOf(line), source, client, environment, 1)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      status = error.status
      stderr += error.stderr
    }
    said.push({ status, stdout, stderr })
  }
  return said
}

/** In an order of its own, and without what is each side's own: ids, moments, the last second. */
function settled({ status, stdout, stderr }: Said): string {
  const lines = stdout
    .replace(/\bid=\d+/g, 'id=N')
    .replace(/<id>\d+</g, '<id>N<')
    .replace(/(start|stop)>\d+</g, '$1>T<')
    .replace(/\[(start|stop)=[^\]]+\]/g, '[$1=T]')
    .replace(/delta-time=\d+/g, 'delta-time=S')
    .replace(/<deltatime>\d+/g, '<deltatime>S')
    .replace(/^(\S+ +(?:\d+ \w+ +)?\d+ )(\d+)/gm, (_, head: string, seconds: string) => head + tens(seconds))
    .replace(/ -t (\d+)/g, (_, seconds: string) => ` -t ${tens(seconds)}`)
    .replace(/<timeout>(\d+)/g, (_, seconds: string) => `<timeout>${tens(seconds)}`)
    .split('\n')
    .sort()
  return `${lines.join('\n')}\n${stderr}status ${status}`
}

/** Timeouts in the scripts end in a round number of tens. */
const tens = (seconds: string) => String(Math.round(Number(seconds) / 10) * 10)

describe('conntrack says what the real tool says', () => {
  for (const { name, sysctl = {}, lines } of SCRIPTS)
    test(...needsKernel(name), async () => {
      const [theirs, own] = [real(lines, sysctl), await ours(lines, sysctl)]
      const differing = lines.flatMap((line, i) => {
        const [a, b] = [settled(theirs[i]!), settled(own[i]!)]
        return a === b ? [] : [`conntrack ${line}\n--- real\n${a}\n--- ours\n${b}`]
      })
      expect(differing.join('\n\n')).toBe('')
    })
})
