// `tunfilter check` and `link`: rule files judged, and the directory of drop-ins, without a gateway.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { builtCommand } from '../support/build.ts'

const command = builtCommand()
let folder: string
const run = (...args: string[]) => spawnSync(command, args, { cwd: folder, encoding: 'utf8' })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunfilter-check-'))
  writeFileSync(join(folder, 'right'), '*filter\n-A INPUT -p tcp --dport ssh -j ACCEPT\nCOMMIT\n')
  writeFileSync(join(folder, 'wrong'), '*filter\n-A INPUT -j ACEPT\n-A INPUT --dport 1\nCOMMIT\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

test('check says nothing of a file that is right, and prints it as it is saved with --print', () => {
  expect(run('check', 'right')).toMatchObject({ status: 0, stdout: '', stderr: '' })
  const { status, stdout } = run('check', '-4', '--print', 'right')
  expect([status, stdout]).toEqual([0, expect.stringContaining('-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n')])
})

test('check tells every mistake of every file, with status 1', () => {
  writeFileSync(join(folder, 'latin1'), Buffer.from('*filter\n# caf\xe9\nCOMMIT\n', 'latin1'))
  const { status, stderr } = run('check', 'wrong', 'right', 'missing', 'latin1')
  expect(status).toBe(1)
  expect(stderr.split('\n')).toEqual([
    expect.stringMatching(/^tunfilter: wrong:2:13: .*`ACEPT'.*did you mean 'ACCEPT'/),
    expect.stringMatching(/^tunfilter: wrong:3:10: unknown option "--dport"/),
    expect.stringMatching(/^tunfilter: missing: ENOENT/),
    expect.stringMatching(/^tunfilter: latin1:2: the line is not UTF-8/),
    '',
  ])
})

test('check -6 judges rules for IPv6', () => {
  writeFileSync(join(folder, 'six'), '*filter\n-A INPUT -s 2001:DB8::1 -p icmpv6 -j ACCEPT\nCOMMIT\n')
  const { status, stdout } = run('check', '-6', '--print', 'six')
  expect([status, stdout]).toEqual([0, expect.stringContaining('-A INPUT -s 2001:db8::1/128 -p ipv6-icmp -j ACCEPT\n')])
  expect(run('check', 'six')).toMatchObject({ status: 1, stderr: expect.stringContaining('2001:DB8::1') })
})

test('check --ipset judges the sets, and rules by them', () => {
  writeFileSync(join(folder, 'sets'), 'create a hash:ip\nadd a 10.0.0.1\ncreate six hash:net family inet6\n')
  const file = (...sets: string[]) =>
    `*filter\n${sets.map((set) => `-A INPUT -m set --match-set ${set} src\n`).join('')}COMMIT\n`
  writeFileSync(join(folder, 'rules'), file('a'))
  expect(run('check', '--ipset', 'sets', 'rules')).toMatchObject({ status: 0, stdout: '', stderr: '' })
  writeFileSync(join(folder, 'rules'), file('a', 'b', 'six'))
  expect(run('check', 'rules')).toMatchObject({ status: 0, stderr: '' })
  expect(run('check', '--ipset', 'sets', 'rules').stderr.split('\n')).toEqual([
    "tunfilter: rules:3:29: Set b doesn't exist.",
    'tunfilter: rules:4:29: The protocol family of set six is IPv6, which is not applicable.',
    '',
  ])
  writeFileSync(join(folder, 'sets'), 'create a hash:ip\nadd a 10.0.0.300\nadd b 10.0.0.1\n')
  const { status, stderr } = run('check', '--ipset', 'sets', 'rules')
  expect([status, stderr.split('\n').length]).toEqual([1, 3])
  expect(stderr).toContain('tunfilter: sets:2:7: ')
})

test('link makes the drop-ins, again too, and leaves what is not its own', () => {
  for (let i = 0; i < 2; i++)
    expect(run('link', 'bin')).toMatchObject({ status: 0, stdout: `export PATH=${folder}/bin:$PATH\n` })
  const names = readdirSync(join(folder, 'bin'))
  expect(names).toEqual(expect.arrayContaining(['iptables', 'iptables-nft-restore', 'ip6tables-legacy-save']))
  for (const name of names) expect(existsSync(readlinkSync(join(folder, 'bin', name)))).toBe(true)
  writeFileSync(join(folder, 'iptables'), '')
  expect(run('link', '.')).toMatchObject({ status: 1, stderr: expect.stringContaining('something else') })
})

test('without a gateway a drop-in says where it looked', () => {
  run('link', 'bin')
  const env = { ...process.env, TUNFILTER_CONTROL: join(folder, 'none') }
  const asked = spawnSync(join(folder, 'bin/iptables'), ['-L'], { env, encoding: 'utf8' })
  expect(asked).toMatchObject({ status: 4, stderr: expect.stringContaining(`no gateway listens on ${folder}/none`) })
})
