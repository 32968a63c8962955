// Which rules are told to be unreachable: only what is certain.

import { expect, test } from 'vitest'
import { shadowedIn } from '../../src/cost/shadowed.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import type { Chain } from '../../src/rule/model.ts'

function shadows(...rules: string[]): string[] {
  const text = `*filter\n:SIDE -\n${rules.map((rule) => `-A FORWARD ${rule}\n`).join('')}COMMIT\n`
  const chain = parseRestore(text, { file: 'rules', family: 4 }).tables.get('filter')?.chains.get('FORWARD') as Chain
  return shadowedIn(chain).shadows.map(({ rule, by }) => `${rule} by ${by}`)
}

test.each([
  ['a network within another', '-s 10.0.0.0/8 -j DROP', '-s 10.1.0.0/16 -d 192.0.2.1 -j ACCEPT'],
  ['a port within a range', '-p tcp --dport 1:1024 -j DROP', '-p tcp -s 10.0.0.1 --dport 80 -j ACCEPT'],
  [
    'ports of multiport within a range',
    '-p tcp --dport 1:1024 -j DROP',
    '-p tcp -m multiport --dports 22,80:90 -j ACCEPT',
  ],
  ['a device within a wildcard', '-i eth+ -j DROP', '-i eth0 -j ACCEPT'],
  ['fewer states', '-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT', '-m state --state NEW -j DROP'],
  ['a comment changes nothing', '-m comment --comment all -j REJECT', '-p udp -j ACCEPT'],
  ['a further match narrows', '-p tcp -j DROP', '-p tcp -m limit --limit 1/s -j ACCEPT'],
  ['goto and RETURN end the walk too', '-p tcp -g SIDE', '-p tcp --dport 1 -j RETURN'],
])('shadowed: %s', (_, first, then) => {
  expect(shadows(first, then)).toEqual(['1 by 0'])
  expect(shadows('-s 172.16.0.1 -j DROP', first, then)).toEqual(['2 by 1'])
})

test.each([
  ['the network is wider', '-s 10.1.0.0/16 -j DROP', '-s 10.0.0.0/8 -j ACCEPT'],
  ['the first one goes on', '-p tcp -j LOG', '-p tcp -j ACCEPT'],
  ['the first one jumps, and may come back', '-p tcp -j SIDE', '-p tcp -j ACCEPT'],
  ['the first one only counts', '-p tcp', '-p tcp -j ACCEPT'],
  ['the first one asks what is not understood', '-p tcp -m limit --limit 1/s -j DROP', '-p tcp -j ACCEPT'],
  ['the first one is negated', '! -s 10.0.0.0/8 -j DROP', '-s 192.0.2.1 -j ACCEPT'],
  ['the later one is negated', '-s 10.0.0.0/8 -j DROP', '! -s 10.0.0.0/8 -j ACCEPT'],
  [
    'the first one compares ports, which fragments have not',
    '-p tcp --dport 0:65535 --sport 1:65535 -j DROP',
    '-p tcp -j ACCEPT',
  ],
  ['another protocol', '-p tcp -j DROP', '-p udp -j DROP'],
  ['a port more', '-p tcp --dport 1:1024 -j DROP', '-p tcp -m multiport --dports 80,2000 -j ACCEPT'],
  ['a state more', '-m state --state NEW -j DROP', '-m state --state NEW,INVALID -j DROP'],
  ['the device is a wildcard', '-i eth0 -j DROP', '-i eth+ -j DROP'],
  ['flags of TCP', '-p tcp --syn -j DROP', '-p tcp -j DROP'],
])('not shadowed: %s', (_, first, then) => {
  expect(shadows(first, then)).toEqual([])
})

test('networks of IPv6 are compared in all their words', () => {
  const text =
    '*filter\n-A FORWARD -s 2001:db8::/33 -j DROP\n-A FORWARD -s 2001:db8:8000::/34 -j DROP\n-A FORWARD -s 2001:db8:1::1 -j DROP\nCOMMIT\n'
  const chain = parseRestore(text, { file: 'rules', family: 6 }).tables.get('filter')?.chains.get('FORWARD') as Chain
  expect(shadowedIn(chain).shadows).toEqual([{ rule: 2, by: 0 }])
})
