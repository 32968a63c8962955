// The lab with real clients: scripts/demo as a user runs it. Everything that it starts carries a mark in its environment,
// by which it is found afterwards.

import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { needsTun } from '../device/with-native.ts'
import { builtCommand, root } from '../support/build.ts'

builtCommand()

const PROGRAMS = ['ip', 'ping', 'curl', 'iperf3', 'unshare', 'setpriv', 'nsenter', 'mount']
const missing = PROGRAMS.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)

function needsLab(title: string) {
  const [name, options] = needsTun(title)
  if (options.skip || missing.length === 0) return [name, options] as const
  return [`${title} (skipped: needs ${missing.join(', ')})`, { skip: true }] as const
}

/** Processes that have the mark in their environment. */
function marked(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)
    } catch {
      return false
    }
  })
}

/** Names of network namespaces, and devices of this one. */
function surroundings(): string[] {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : []
  return [...names, ...readdirSync('/sys/class/net')].filter((name) => /client|server|^tun\d/.test(name))
}

const ARGUMENTS = [join(root, 'scripts/demo'), '--seconds', '1']
const CHECKS = [
  'ping',
  'ping gateway',
  'HTTP download',
  'seen by server',
  'TCP bulk',
  'UDP',
  'refused',
  'logged',
  'forwarded port',
  'flow table',
  'counters',
  'end',
]

describe('the demo', () => {
  for (const [who, command] of [
    ['as root', ['bash', ...ARGUMENTS]],
    ['with two workers', ['bash', ...ARGUMENTS, '--workers', '2']],
    ['as nobody in particular, in a user namespace', ['unshare', '--user', '--map-root-user', 'bash', ...ARGUMENTS]],
  ] as const) {
    test(...needsLab(`sends real clients through the gateway, ${who}, and leaves nothing behind`), () => {
      const mark = `TUNFILTER_TEST=${randomUUID()}`
      const before = surroundings()
      const { status, stdout, stderr } = spawnSync('env', [mark, 'NO_COLOR=1', ...command], { encoding: 'utf8' })
      expect([status, stderr], stdout).toEqual([0, ''])
      expect(
        [...stdout.matchAll(/^ {2}([✓✗]) (.{16}) /gm)].map(([, sign, name]) => `${sign} ${name.trimEnd()}`),
      ).toEqual(CHECKS.map((name) => `✓ ${name}`))
      expect(stdout).toMatch(/^ {2}ipv4 {5}2 tcp .*sport=\d+ dport=8080 src=10\.0\.1\.2 .*\[ASSURED\] mark=0 use=1$/m)
      expect(stdout).toMatch(/^ {2}\[[1-9]\d*:\d+\] -A POSTROUTING -s 10\.0\.1\.0\/24 -o tun1 -j MASQUERADE$/m)
      expect(marked(mark)).toEqual([])
      expect(surroundings()).toEqual(before)
    })
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    test(...needsLab(`leaves nothing behind when it is ended by ${signal}`), async () => {
      const mark = `TUNFILTER_TEST=${randomUUID()}`
      const before = surroundings()
      const demo = spawn('env', [mark, 'NO_COLOR=1', 'bash', ...ARGUMENTS, '--stay'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = new Promise((resolve) => demo.once('exit', resolve))
      let said = ''
      for await (const text of demo.stdout.setEncoding('utf8')) {
        said += text
        if (said.includes('TCP bulk')) break
      }
      expect(marked(mark).length).toBeGreaterThan(5)
      demo.kill(signal)
      await ended
      // The kernel ends the lab's processes on its own time.
      for (let i = 0; i < 100 && marked(mark).length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 50))
      expect(marked(mark)).toEqual([])
      expect(surroundings()).toEqual(before)
    })
  }
})
