// `tunfilter bench` as users run it: standard input, JSON, the page, and what it refuses.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { opening } from '../../src/cost/packets.ts'
import { PcapngWriter } from '../../src/device/pcapng/writer.ts'
import { builtCommand } from '../support/build.ts'

const command = builtCommand()
let folder: string
const RULES = '*filter\n-A FORWARD -i lan -o wan -p tcp --dport 80 -j ACCEPT\n-A FORWARD -j DROP\nCOMMIT\n'
const QUICK = ['--flows', '50', '--seconds', '0']
const run = (args: string[], input?: string) =>
  spawnSync(command, ['bench', ...args], { cwd: folder, encoding: 'utf8', input, timeout: 60_000 })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunfilter-bench-'))
  writeFileSync(join(folder, 'rules'), RULES)
})
afterEach(() => rmSync(folder, { recursive: true }))

test('reads rules from standard input, and says nothing on standard error that is no terminal', () => {
  const { status, stdout, stderr } = run(['-', ...QUICK], RULES)
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^standard input: 2 rules; 50 flows, /)
  expect(stdout).toMatch(/^without rules +0 /m)
  expect(stdout).toMatch(/-A FORWARD -i lan -o wan -p tcp -m tcp --dport 80 -j ACCEPT$/m)
})

test('--json gives every figure, of both rule sets with --against', () => {
  writeFileSync(join(folder, 'second'), '*filter\n-A FORWARD -j ACCEPT\nCOMMIT\n')
  const { status, stdout } = run(['rules', '--against', 'second', '--json', ...QUICK])
  expect(status).toBe(0)
  const report = JSON.parse(stdout)
  const timing = {
    median: expect.any(Number),
    low: expect.any(Number),
    high: expect.any(Number),
    rounds: expect.any(Number),
  }
  expect(report.withoutRules).toMatchObject({ rules: 0, new: timing, established: timing })
  expect(report.subjects.map(({ name, rules }: { name: string; rules: number }) => [name, rules])).toEqual([
    ['rules', 2],
    ['second', 1],
  ])
  const [{ outcome }] = report.subjects
  const { packets, forwarded, answered, delivered, dropped, held } = outcome
  expect(forwarded + answered + delivered + dropped + held).toBe(packets)
  expect(run(['rules', '--against', 'second', ...QUICK]).stdout).toMatch(/^the second to the first +0\.50 x/m)
})

test('--html writes a page', () => {
  expect(run(['rules', '--html', 'cost.html', ...QUICK]).status).toBe(0)
  expect(readFileSync(join(folder, 'cost.html'), 'utf8')).toMatch(/^<!doctype html>.*<svg.*<\/html>\n$/s)
})

test('--traffic takes the packets of a capture, whose interfaces are the devices', () => {
  const capture = (name: string) => {
    const writer = new PcapngWriter(join(folder, 'in.pcapng'), [{ name }], { resolution: 6 })
    const flow = { source: [0x0ac9_0009], destination: [0x0808_0808], protocol: 6, sport: 1000 }
    for (const dport of [80, 81, 82]) writer.write(0, 0n, opening({ ...flow, dport }))
    writer.close()
  }
  capture('lan')
  const { status, stdout } = run(['rules', '--traffic', 'in.pcapng', '--json', '--seconds', '0'])
  expect(status).toBe(0)
  const { traffic, subjects } = JSON.parse(stdout)
  expect(traffic).toMatchObject({ kind: 'capture', packets: 3 })
  expect(subjects[0].outcome).toMatchObject({ packets: 3, forwarded: 1, dropped: 2 })
  capture('eth7')
  const refused = run(['rules', '--traffic', 'in.pcapng', '--seconds', '0'])
  expect([refused.status, refused.stderr]).toEqual([
    1,
    "tunfilter: in.pcapng: interface 'eth7' is no device: expected 'lan', 'wan'\n",
  ])
})

test('refuses rules with all their complaints, and measures nothing', () => {
  writeFileSync(join(folder, 'wrong'), '*filter\n-A INPUT -j ACEPT\n-A INPUT --dport 1\nCOMMIT\n')
  const { status, stdout, stderr } = run(['wrong', '--html', 'cost.html', ...QUICK])
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^tunfilter: wrong:2:13: .*\ntunfilter: wrong:3:10: .*\n$/)
  expect(existsSync(join(folder, 'cost.html'))).toBe(false)
  expect(run(['missing']).stderr).toMatch(/^tunfilter: missing: ENOENT/)
  expect(run(['rules', '--mix', 'sctp=1'])).toMatchObject({ status: 2, stderr: expect.stringContaining('tcp=70') })
})

test('--kernel says why the kernel was not measured, and measures the rest', () => {
  const args = [command, 'bench', 'rules', '--kernel', ...QUICK]
  const without = { cwd: folder, encoding: 'utf8', timeout: 60_000, env: { PATH: folder } } as const
  const { status, stdout } = spawnSync(process.execPath, args, without)
  expect(status).toBe(0)
  expect(stdout).toMatch(/^rules +2 +[\d,]+ /m)
  expect(stdout).toMatch(/^kernel, iptables-legacy +not measured: (it needs root|there is no )/m)
  expect(stdout).toMatch(/^kernel, iptables-nft +not measured: /m)
})
