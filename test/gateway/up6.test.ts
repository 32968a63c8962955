// `tunfilter up` with both families, from outside: real clients speak IPv6 through the gateway.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { needsTun } from '../device/with-native.ts'
import { newDirectory, newNamespace, RunningGateway, reason } from './lab.ts'

const [name, options] = needsTun('IPv6 goes through the gateway under its own rules, which are read again and listed')

const RULES6 = `*nat
-A POSTROUTING -o tun1 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i tun0 -m conntrack --ctstate NEW -j ACCEPT
COMMIT
`

test(reason === '' ? name : `${name} (skipped: ${reason})`, {
  ...options,
  skip: options.skip || reason !== '',
}, async () => {
  const [client, server] = [newNamespace(), newNamespace()]
  const config = `devices:
  tun0:
    addresses: [10.0.1.1/24, "2001:db8:1::1/64"]
    netns: ${client.path}
    peer: { addresses: [10.0.1.2/24, "2001:db8:1::2/64"], routes: [default, "::/0"] }
  tun1:
    addresses: [203.0.113.1/24, "2001:db8:2::1/64"]
    netns: ${server.path}
    peer: { addresses: [203.0.113.2/24, "2001:db8:2::2/64"] }
`
  const directory = newDirectory({ 'gateway.yaml': config, 'rules.v4': '', 'rules.v6': RULES6 })
  const files = ['--config', 'gateway.yaml', '--rules', 'rules.v4', '--rules6', 'rules.v6']
  const gateway = new RunningGateway(directory, files)
  await gateway.until('"started"')
  const echo = (to: string, identifier: number, patience = 10) =>
    client.run('ping', '-c1', `-W${patience}`, '-e', String(identifier), to).status === 0
  // The server has no way back to the client: that it answers shows that it sees the router's address.
  expect([echo('2001:db8:2::2', 77), echo('2001:db8:2::1', 78)]).toEqual([true, true])
  let listed = await gateway.list()
  expect(listed).toMatch(
    /^ipv6 +10 icmpv6 +58 \d+ src=2001:db8:1::2 dst=2001:db8:2::2 .* src=2001:db8:2::2 dst=2001:db8:2::1 /m,
  )
  expect(listed).toContain('[1:104] -A FORWARD -i tun0 -m conntrack --ctstate NEW -j ACCEPT\n')

  // A mistake in one file changes neither family.
  writeFileSync(join(directory, 'rules.v4'), '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n')
  writeFileSync(join(directory, 'rules.v6'), RULES6.replace('--ctstate NEW', '--ctstate NEWW'))
  gateway.signal('SIGHUP')
  await gateway.until('the old rules stay')
  expect([echo('2001:db8:2::2', 79), gateway.stderr.includes('rules.v6:7:')]).toEqual([true, true])

  writeFileSync(join(directory, 'rules.v6'), RULES6.replace(/.*ctstate NEW.*\n/, ''))
  gateway.signal('SIGHUP')
  await gateway.until('rules loaded')
  expect([echo('2001:db8:2::2', 77), echo('2001:db8:2::2', 80, 1)]).toEqual([true, false])
  listed = await gateway.list()
  expect(listed).not.toContain('--ctstate NEW')
  expect(listed).toMatch(/:FORWARD DROP \[1:104\]/)
})
