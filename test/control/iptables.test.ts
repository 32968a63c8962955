// iptables' operations from TypeScript: the same on an engine in the process and through a control socket.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Commands } from '../../src/control/commands.ts'
import { ControlServer } from '../../src/control/server.ts'
import { Engine, Iptables, IptablesError, MemoryDevice, runCommand, VirtualClock } from '../../src/index.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { changeOf } from '../../src/rule/change.ts'
import { block, dropped, unblock } from '../examples/blocklist.ts'
import { bytesOf } from '../support/packets.ts'
import { DataPlane } from './data-plane.ts'

let engine: Engine
let device: MemoryDevice
let folder: string
let server: ControlServer

beforeEach(async () => {
  device = new MemoryDevice('lan')
  engine = Engine.open({
    config: { devices: { lan: { addresses: ['10.0.1.1/24'] } } },
    devices: new Map([['lan', device]]),
    clock: new VirtualClock(),
  })
  folder = mkdtempSync(join(tmpdir(), 'tunfilter-iptables-'))
  server = await ControlServer.listen(join(folder, 'socket'), [new Commands(new DataPlane(), () => {})])
})

afterEach(() => {
  engine.close()
  server.close()
  rmSync(folder, { recursive: true })
})

const ssh = ['-p', 'tcp', '--dport', '22', '-j', 'ACCEPT']
const http = ['-p', 'tcp', '--dport', '80', '-j', 'ACCEPT']
const drop = ['-s', '10.9.0.0/16', '-j', 'DROP']

describe.each<[string, () => Iptables]>([
  ['an engine in this process', () => Iptables.of(engine)],
  ['a control socket', () => Iptables.at({ path: join(folder, 'socket') })],
])('on %s', (_, open) => {
  test('rules are appended, inserted, replaced, looked for and deleted', async () => {
    const iptables = open()
    expect(await iptables.exists('filter', 'INPUT', ssh)).toBe(false)
    await iptables.append('filter', 'INPUT', ssh)
    await iptables.appendUnique('filter', 'INPUT', ssh)
    await iptables.insert('filter', 'INPUT', 1, drop)
    await iptables.insertUnique('filter', 'INPUT', 1, drop)
    expect(await iptables.exists('filter', 'INPUT', ssh)).toBe(true)
    expect(await iptables.list('filter', 'INPUT')).toEqual([
      '-P INPUT ACCEPT',
      '-A INPUT -s 10.9.0.0/16 -j DROP',
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    ])
    await iptables.replace('filter', 'INPUT', 2, http)
    expect(await iptables.listById('filter', 'INPUT', 2)).toBe('-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT')
    expect(await iptables.listById('filter', 'INPUT', 3)).toBe('')
    await iptables.deleteById('filter', 'INPUT', 1)
    await iptables.delete('filter', 'INPUT', http)
    await iptables.deleteIfExists('filter', 'INPUT', http)
    expect(await iptables.list('filter', 'INPUT')).toEqual(['-P INPUT ACCEPT'])
  })

  test('chains come, are renamed, cleared and go', async () => {
    const iptables = open()
    await iptables.newChain('nat', 'MINE')
    expect(await iptables.chainExists('nat', 'MINE')).toBe(true)
    expect(await iptables.chainExists('nat', 'OTHER')).toBe(false)
    expect(await iptables.listChains('nat')).toEqual(['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING', 'MINE'])
    await iptables.append('nat', 'MINE', ['-j', 'RETURN'])
    await iptables.clearChain('nat', 'MINE')
    await iptables.clearChain('nat', 'MORE')
    expect(await iptables.list('nat', 'MINE')).toEqual(['-N MINE'])
    await iptables.renameChain('nat', 'MINE', 'YOURS')
    await iptables.append('nat', 'YOURS', ['-j', 'RETURN'])
    await iptables.clearAndDeleteChain('nat', 'YOURS')
    await iptables.clearAndDeleteChain('nat', 'YOURS')
    await iptables.deleteChain('nat', 'MORE')
    expect(await iptables.listChains('nat')).toHaveLength(4)
    await iptables.changePolicy('filter', 'FORWARD', 'DROP')
    expect(await iptables.list('filter', 'FORWARD')).toEqual(['-P FORWARD DROP'])
  })

  test('statistics are read field by field', async () => {
    const iptables = open()
    await iptables.newChain('filter', 'A-CHAIN-WITH-A-LONG-NAME')
    const rules = [
      ['-p', 'tcp', '-j', 'A-CHAIN-WITH-A-LONG-NAME'],
      ['-s', '10.0.0.0/8', '!', '-d', '10.1.0.0/16', '!', '-p', 'udp', '-i', 'lan', '-f'],
      ['!', '-o', 'lan+', '-m', 'comment', '--comment', 'a b', '-g', 'A-CHAIN-WITH-A-LONG-NAME'],
      ['!', '-f', '-j', 'REJECT'],
    ]
    for (const rule of rules) await iptables.append('filter', 'FORWARD', rule)
    const anywhere = { source: '0.0.0.0/0', destination: '0.0.0.0/0' }
    const any = { packets: 0n, bytes: 0n, protocol: '0', fragment: '--', input: '*', output: '*', ...anywhere }
    expect(await iptables.stats('filter', 'FORWARD')).toEqual([
      { ...any, target: 'A-CHAIN-WITH-A-LONG-NAME', protocol: '6', options: '' },
      {
        ...{ ...any, target: '', protocol: '!17', fragment: '-f', input: 'lan', options: '' },
        ...{ source: '10.0.0.0/8', destination: '!10.1.0.0/16' },
      },
      { ...any, target: 'A-CHAIN-WITH-A-LONG-NAME', output: '!lan+', options: '[goto]  /* a b */' },
      { ...any, target: 'REJECT', fragment: '!f', options: 'reject-with icmp-port-unreachable' },
    ])
    expect(await iptables.listWithCounters('filter', 'FORWARD')).toContain(
      '-A FORWARD ! -f -c 0 0 -j REJECT --reject-with icmp-port-unreachable',
    )
  })

  test.each<[string, string, number, (iptables: Iptables) => Promise<unknown>]>([
    ['a rule that is not there', 'ERR_IPTABLES_NOT_FOUND', 1, (i) => i.delete('filter', 'INPUT', ssh)],
    ['a chain that is not there', 'ERR_IPTABLES_NOT_FOUND', 1, (i) => i.list('filter', 'NOWHERE')],
    ['a place that is not there', 'ERR_IPTABLES_NOT_FOUND', 1, (i) => i.deleteById('filter', 'INPUT', 9)],
    ['a built-in chain made anew', 'ERR_IPTABLES_REFUSED', 1, (i) => i.newChain('filter', 'INPUT')],
    ['an unknown option', 'ERR_IPTABLES_USAGE', 2, (i) => i.append('filter', 'INPUT', ['--nonsense'])],
    ['the same where it is looked for', 'ERR_IPTABLES_USAGE', 2, (i) => i.exists('filter', 'INPUT', ['--nonsense'])],
    ['no such table', 'ERR_IPTABLES_USAGE', 3, (i) => i.list('nonsense' as 'filter', 'INPUT')],
  ])('%s is refused with a code and the exit status', async (_, code, status, act) => {
    const error = await act(open()).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(IptablesError)
    expect(error).toMatchObject({ code, status, stderr: expect.stringContaining('iptables') })
  })

  test('the example blocks what it is told, once, and lets go of it', async () => {
    const iptables = open()
    const told = vi.spyOn(console, 'error').mockImplementation(() => {})
    for (let i = 0; i < 2; i++)
      expect(await block(iptables, ['192.0.2.0/24', 'nonsense', '198.51.100.7'])).toEqual([
        '192.0.2.0/24',
        '198.51.100.7',
      ])
    expect(told).toHaveBeenCalledTimes(2)
    told.mockRestore()
    expect(await iptables.list('filter', 'INPUT')).toEqual(['-P INPUT ACCEPT', '-A INPUT -j BLOCKLIST'])
    await unblock(iptables)
    expect(await iptables.listChains('filter')).toEqual(['INPUT', 'FORWARD', 'OUTPUT'])
  })
})

test('what is changed on an engine holds for its next packet, and is counted', async () => {
  const iptables = Iptables.of(engine)
  await block(iptables, ['10.0.1.7'])
  device.inject(bytesOf('icmp 10.0.1.7 > 10.0.1.1 echo-request id 1 seq 1 len 8'))
  device.inject(bytesOf('icmp 10.0.1.8 > 10.0.1.1 echo-request id 1 seq 1 len 8'))
  engine.step()
  expect(device.take()).toHaveLength(1)
  expect(await dropped(iptables)).toEqual(new Map([['10.0.1.7', 1n]]))
  await iptables.append('filter', 'INPUT', drop)
  expect(await dropped(iptables)).toEqual(new Map([['10.0.1.7', 1n]]))
})

test('each family has rules of its own, and sets of its own are for both', async () => {
  const [four, six] = [Iptables.of(engine), Iptables.of(engine, { family: 6 })]
  await six.append('filter', 'INPUT', ['-s', '2001:db8::/32', '-j', 'DROP'])
  expect(await six.list('filter', 'INPUT')).toEqual(['-P INPUT ACCEPT', '-A INPUT -s 2001:db8::/32 -j DROP'])
  expect(await six.stats('filter', 'INPUT')).toMatchObject([
    { target: 'DROP', protocol: '0', fragment: '--', input: '*', source: '2001:db8::/32', destination: '::/0' },
  ])
  expect(await four.list('filter', 'INPUT')).toEqual(['-P INPUT ACCEPT'])
  engine.ipset(['create', 'six', 'hash:net', 'family', 'inet6'])
  await six.append('filter', 'INPUT', ['-m', 'set', '--match-set', 'six', 'src'])
  expect(engine.ipset(['destroy', 'six']).status).toBe(1)
  await expect(four.append('filter', 'INPUT', ['-m', 'set', '--match-set', 'six', 'src'])).rejects.toMatchObject({
    code: 'ERR_IPTABLES_USAGE',
  })
})

test('a set that goes while rules that name it are made ready takes their change with it', () => {
  engine.ipset(['create', 'a', 'hash:ip'])
  const after = parseRestore('*filter\n-A INPUT -m set --match-set a src -j DROP\nCOMMIT\n', { file: 'f', family: 4 })
  for (const made of [[], [['create', 'a', 'hash:ip']]]) {
    const build = engine.beginChange(4)
    for (const piece of changeOf(engine.ruleSet, after)) build.take(piece)
    for (const words of [['destroy', 'a'], ...made]) expect(engine.ipset(words).status).toBe(0)
    expect(() => build.complete()).toThrow("Set a doesn't exist.")
    build.abandon()
    engine.ipset(['create', 'a', 'hash:ip'])
  }
  engine.changeRules(after)
  expect(engine.ipset(['destroy', 'a']).status).toBe(1)
})

test('sets and rules of one engine know each other', () => {
  const run = (line: string, input?: string) => runCommand(engine, line.split(' '), input)
  const done = { status: 0, stdout: '', stderr: '' }
  expect(run('iptables -A INPUT -m set --match-set a src -j DROP')).toMatchObject({ status: 2 })
  expect(() => engine.load('*filter\n-A INPUT -m set --match-set a src -j DROP\nCOMMIT\n', { file: 'f' })).toThrow(
    "f:2:29: Set a doesn't exist.",
  )
  expect(run('ipset create a hash:ip')).toEqual(done)
  expect(run('iptables -A INPUT -m set --match-set a src -j DROP')).toEqual(done)
  expect(run('ipset destroy a')).toMatchObject({ status: 1, stderr: expect.stringContaining('in use') })
  expect(run('ipset restore', 'add a 10.0.1.7\n')).toEqual(done)
  device.inject(bytesOf('icmp 10.0.1.7 > 10.0.1.1 echo-request id 1 seq 1 len 8'))
  engine.step()
  expect(device.take()).toEqual([])
  expect(run('iptables-restore', '*filter\nCOMMIT\n')).toEqual(done)
  expect(run('ipset destroy a')).toEqual(done)
  expect(() => runCommand(engine, ['cat'])).toThrow("there is no command 'cat'")
})

test('on a control socket names of hosts stand for their addresses, where they have any', async () => {
  const iptables = Iptables.at({ path: join(folder, 'socket') })
  await iptables.append('filter', 'INPUT', ['-s', 'localhost,192.0.2.1', '-j', 'DROP'])
  const rules = ['-A INPUT -s 127.0.0.1/32 -j DROP', '-A INPUT -s 192.0.2.1/32 -j DROP']
  expect((await iptables.list('filter', 'INPUT')).slice(1)).toEqual(rules)
  await expect(iptables.append('filter', 'INPUT', ['-s', 'nosuch.invalid', '-j', 'DROP'])).rejects.toThrow(
    'nosuch.invalid',
  )
  await iptables.delete('filter', 'INPUT', ['-s', 'localhost', '-j', 'DROP'])
  expect((await iptables.list('filter', 'INPUT')).slice(1)).toEqual(rules.slice(1))
})
