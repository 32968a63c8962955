// Names of hosts in commands: what iptables itself makes of the same /etc/hosts is a rule for each address.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { HostAddresses } from '../../src/control/host-addresses.ts'

const folder = mkdtempSync(join(tmpdir(), 'tunfilter-hosts-'))
const hosts = join(folder, 'hosts')
writeFileSync(hosts, '127.0.0.1 localhost\n192.0.2.7 Two.example two # alias\n192.0.2.8 two\n2001:db8::2 two\n')
afterAll(() => rmSync(folder, { recursive: true }))

const asked: string[] = []
const ask = async (name: string) => {
  asked.push(name)
  if (name === 'slow.example') return new Promise<string[]>(() => {})
  return name === 'far.example' ? ['198.51.100.1', '198.51.100.1', '198.51.100.2'] : Promise.reject(new Error('none'))
}
const names = (family: 4 | 6 = 4) => new HostAddresses(family, { hosts, ask, commandMs: 200 })

test.each([
  ['a name of the hosts file', '-A INPUT -s localhost -j ACCEPT', '-A INPUT -s 127.0.0.1 -j ACCEPT'],
  ['all addresses of a name', '-A INPUT --dst TWO', '-A INPUT --dst 192.0.2.7,192.0.2.8'],
  ['masks, and addresses beside', '-A INPUT -s 10.1,two/24', '-A INPUT -s 10.1,192.0.2.7/24,192.0.2.8/24'],
  [
    'names that a server knows, each address once',
    '-A INPUT ! -d far.example',
    '-A INPUT ! -d 198.51.100.1,198.51.100.2',
  ],
  ['no names that nobody knows', '-A INPUT -s nosuch.example', '-A INPUT -s nosuch.example'],
  ['no names that take too long', '-A INPUT -s slow.example', '-A INPUT -s slow.example'],
  [
    'nothing elsewhere',
    '-A INPUT -i localhost -m set --match-set two src',
    '-A INPUT -i localhost -m set --match-set two src',
  ],
  ['no remark', '-A INPUT -m comment --comment -s localhost', '-A INPUT -m comment --comment -s localhost'],
  ['no "any"', '-A INPUT -s two/0', '-A INPUT -s two/0'],
])('%s', async (_, line, numeric) => {
  expect((await names().inWords(line.split(' '))).join(' ')).toBe(numeric)
  const rules = (of: string) => `*filter\n${of}\n-A INPUT -s 10.0.0.1/32 -j DROP\nCOMMIT\n`
  expect(await names().inText(rules(line))).toBe(rules(numeric))
})

test('IPv6 has names of its own', async () => {
  expect(await names(6).inWords(['-s', 'two'])).toEqual(['-s', '2001:db8::2'])
  expect(await names(6).inWords(['-s', 'fe80::1'])).toEqual(['-s', 'fe80::1'])
})

test('words of a restore keep their quotes, and what is quoted is no option', async () => {
  const line = '[1:2] -A INPUT -m comment --comment "drop -s localhost" -s localhost -j DROP'
  expect(await names().inText(line)).toBe(line.replace(' -s localhost -j', ' -s 127.0.0.1 -j'))
})

test('no server is asked for addresses, nor twice for the same name', async () => {
  asked.length = 0
  await names().inText('-A INPUT -s 10.0.0.0/8 -d 0x7f.1\n-A INPUT -s far.example\n-A FORWARD -d far.example\n')
  expect(asked).toEqual(['far.example'])
})
