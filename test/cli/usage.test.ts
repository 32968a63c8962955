// The command line itself: help, version, and the exit status of wrong usage.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PcapngWriter } from '../../src/device/pcapng/writer.ts'
import { builtCommand, root } from '../support/build.ts'

const command = builtCommand()
const run = (...args: string[]) => spawnSync(command, args, { encoding: 'utf8' })

test('--version prints the version of the package, and help is no error', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  expect(run('--version')).toMatchObject({ status: 0, stdout: `tunfilter ${version}\n` })
  expect(run('--help')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Usage: tunfilter/) })
  for (const name of ['up', 'replay'])
    expect(run(name, '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--config <file>') })
})

test.each([
  [[], /^Usage: tunfilter/],
  [['fly'], /^tunfilter: unknown command 'fly'/],
  [['up'], /^tunfilter: required option '--config <file>' not specified/],
  [['up', '--config', 'a', '--fast'], /^tunfilter: unknown option '--fast'/],
  [
    ['up', '--config', 'a', '--log-format', 'xml'],
    /^tunfilter: option '--log-format <format>' argument 'xml' is invalid/,
  ],
  [['replay', '--config', 'a', '--rules', 'b'], /^tunfilter: missing required argument 'in.pcapng'/],
  [
    ['replay', '--config', 'a', '--rules', 'b', '--seed', 'x', 'c'],
    /'x' is invalid. Expected a whole number from 0 to/,
  ],
  [['replay', '--config', 'a', '--rules', 'b', 'c', 'd'], /^tunfilter: too many arguments/],
])('%j is wrong usage: status 2', (args, expected) => {
  const { status, stdout, stderr } = run(...args)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(expected)
})

test('errors are one line each, without colour where nobody looks', () => {
  const { status, stderr } = run('up', '--config', '/nonexistent/g.yaml')
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^tunfilter: \/nonexistent\/g\.yaml: ENOENT[^\n]*\n$/)])
})

test('without the native addon, replay works, and up says what is missing and how to get it', () => {
  const copy = mkdtempSync(join(tmpdir(), 'tunfilter-no-addon-'))
  try {
    for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(copy, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    writeFileSync(join(copy, 'g.yaml'), 'devices: { tun0: { addresses: [10.0.1.1/24] } }\n')
    writeFileSync(join(copy, 'rules.v4'), '*filter\nCOMMIT\n')
    new PcapngWriter(join(copy, 'in.pcapng'), [{ name: 'tun0' }], { resolution: 6 }).close()
    const inCopy = (...args: string[]) => spawnSync('dist/cli/main.js', args, { cwd: copy, encoding: 'utf8' })
    const { status, stderr } = inCopy('up', '--config', 'g.yaml')
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^tunfilter: the native addon.*scripts\/build-native/)])
    const replayed = inCopy('replay', '--config', 'g.yaml', '--rules', 'rules.v4', 'in.pcapng')
    expect([replayed.status, replayed.stdout]).toEqual([0, expect.stringMatching(/^0 packets /)])
  } finally {
    rmSync(copy, { recursive: true })
  }
})
