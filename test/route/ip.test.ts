// The commands of `ip` on an engine: what the real one has no equal of, and what is refused because nothing here could obey it.

import { expect, it } from 'vitest'
import { runCommand } from '../../src/control/in-process.ts'
import { routerOf } from './ip-router.ts'

const CONFIG = { devices: { tun0: { addresses: ['10.0.1.1/24'] } }, tables: { uplink: 42 } }

it('tables have the names that the configuration gives them', () => {
  using router = routerOf(CONFIG)
  expect(runCommand(router, ['ip', 'route', 'add', 'default', 'via', '10.0.1.9', 'table', 'uplink']).status).toBe(0)
  expect(router.ip(['rule', 'add', 'fwmark', '1', 'lookup', 'uplink']).status).toBe(0)
  expect(router.ip(['rule']).stdout).toContain('32765:\tfrom all fwmark 0x1 lookup uplink\n')
  expect(router.ip(['route', 'show', 'table', '42']).stdout).toBe('default via 10.0.1.9 dev tun0 \n')
  expect(router.ip(['route', 'show', 'table', 'all']).stdout).toContain('default via 10.0.1.9 dev tun0 table uplink \n')
})

it.each([
  ['rule add uidrange 0-99 lookup 5', /"uidrange" is not supported here/],
  ['route add 10.9.0.0/16 via 10.0.1.9 window 5', /"window" is not supported here/],
  ['addr add 10.9.0.1/16 brd 10.9.0.7 dev tun0', /"10.9.0.7" is not supported here/],
  ['link', /Object "link" is unknown/],
  ['-b file', /Option "-b" is unknown/],
  ['', /^Usage: ip/],
])('ip %s is refused, and changes nothing', (command, expected) => {
  using router = routerOf(CONFIG)
  const before = router.ip(['route', 'show', 'table', 'all']).stdout
  const { status, stdout, stderr } = router.ip(command.split(' ').filter(Boolean))
  expect(status).not.toBe(0)
  expect(stdout).toBe('')
  expect(stderr).toMatch(expected)
  expect(router.ip(['route', 'show', 'table', 'all']).stdout).toBe(before)
})
