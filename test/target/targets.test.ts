import { describe, expect, test } from 'vitest'
import { ACCEPT, DROP } from '../../src/hook/hook.ts'
import { CT_UNTRACKED } from '../../src/packet/packet.ts'
import { CONTINUE, RETURN } from '../../src/rule/define.ts'
import { int32, tcpPacket, udpPacket } from '../conntrack/bytes.ts'
import { packetOf, surrounding, targetOf } from '../match/rule-under-test.ts'

const FORWARD = 2
const between = { source: '10.0.0.1', destination: '10.0.0.2', sport: 1000, dport: 53 }
const packet = (changes: object = {}) => Object.assign(packetOf(udpPacket(between)), changes)

test('verdicts', () => {
  const { env } = surrounding()
  const say = (name: string) => targetOf(`-A FORWARD -j ${name}`, env)(packet(), FORWARD)
  expect([say('ACCEPT'), say('DROP'), say('RETURN')]).toEqual([ACCEPT, DROP, RETURN])
})

describe('REJECT drops, and sends', () => {
  test.each([
    ['', 'reject(2 3 3)'],
    ['--reject-with icmp-net-unreachable', 'reject(2 3 0)'],
    ['--reject-with icmp-host-unreachable', 'reject(2 3 1)'],
    ['--reject-with icmp-proto-unreachable', 'reject(2 3 2)'],
    ['--reject-with icmp-net-prohibited', 'reject(2 3 9)'],
    ['--reject-with icmp-host-prohibited', 'reject(2 3 10)'],
    ['--reject-with icmp-admin-prohibited', 'reject(2 3 13)'],
    ['--reject-with tcp-reset', 'reset(2)'],
  ])('%s: %s', (options, call) => {
    const { env, calls } = surrounding()
    const target = targetOf(`-A FORWARD -p tcp -j REJECT ${options}`, env)
    expect(target(packetOf(tcpPacket({ ...between, flags: 'S' })), FORWARD)).toBe(DROP)
    expect(calls).toEqual([call])
  })
})

describe('MARK goes on with the mark changed', () => {
  test.each([
    ['--set-mark 0x12', 0xff00, 0x12],
    ['--set-mark 0x12/0xff', 0xff34, 0xff12],
    ['--set-mark 0x100/0xff', 0xfeff, 0xff00],
    ['--set-xmark 0x11/0xf', 0x1f, 0x1],
    ['--and-mark 0xf0', 0x123, 0x20],
    ['--or-mark 0xf000000f', 0x10, 0xf000001f | 0],
    ['--xor-mark 0xff', 0x0f, 0xf0],
  ])('%s', (options, before, after) => {
    const p = packet({ mark: before })
    expect(targetOf(`-A FORWARD -j MARK ${options}`, surrounding().env)(p, FORWARD)).toBe(CONTINUE)
    expect(p.mark).toBe(after)
  })
})

describe('NOTRACK and CT', () => {
  const meet = (options: string, changes: object = {}) => {
    const { env, calls } = surrounding()
    const p = packet(changes)
    expect(targetOf(`-A PREROUTING -j ${options}`, env, 'raw')(p, 0)).toBe(CONTINUE)
    return [...calls, p.zone]
  }

  test('say that a packet is not tracked, or in which zone', () => {
    expect(meet('NOTRACK')).toEqual(['untrack()', 0])
    expect(meet('CT --notrack')).toEqual(['untrack()', 0])
    expect(meet('CT --zone 7')).toEqual([7])
    expect(meet('CT')).toEqual([0])
  })

  test('leave a packet alone that was told already, or has a flow', () => {
    expect(meet('CT --zone 7', { zone: 3 })).toEqual([3])
    expect(meet('NOTRACK', { zone: 3 })).toEqual([3])
    expect(meet('CT --zone 7', { ctinfo: CT_UNTRACKED })).toEqual([0])
    expect(meet('NOTRACK', { ct: 4 })).toEqual([0])
  })
})

describe('NAT targets ask for their range', () => {
  const ranges = (rule: string) => {
    const { env, calls } = surrounding()
    expect(targetOf(rule, env, 'nat')(packet(), FORWARD)).toBe(1)
    const [, name, json] = /^(\w+)\((?:2 )?([\d]? ?\{.*\})\)$/.exec(calls[0]) ?? []
    return [name, json]
  }
  const range = (flags: number, min = 0, max = min, ports: number[] = [0, 0, 0]) =>
    JSON.stringify({
      flags,
      min: min === 0 ? [] : [min],
      max: max === 0 ? [] : [max],
      minPort: ports[0],
      maxPort: ports[1],
      basePort: ports[2],
    })
  const a = int32('192.0.2.1')
  const b = int32('192.0.2.9')

  test.each([
    ['-A POSTROUTING -j SNAT --to-source 192.0.2.1', 'setup', `0 ${range(1, a)}`],
    ['-A POSTROUTING -j SNAT --to-source 192.0.2.1-192.0.2.9 --persistent', 'setup', `0 ${range(9, a, b)}`],
    ['-A POSTROUTING -p udp -j SNAT --to-source :5-7 --random', 'setup', `0 ${range(6, 0, 0, [5, 7, 0])}`],
    ['-A POSTROUTING -p udp -j SNAT --to 192.0.2.1:5 --random-fully', 'setup', `0 ${range(19, a, a, [5, 5, 0])}`],
    ['-A PREROUTING -j DNAT --to-destination 192.0.2.1', 'setup', `1 ${range(1, a)}`],
    ['-A PREROUTING -p udp -j DNAT --to 192.0.2.1:50-60/80', 'setup', `1 ${range(35, a, a, [50, 60, 80])}`],
    ['-A POSTROUTING -j MASQUERADE', 'masquerade', range(0)],
    ['-A POSTROUTING -p udp -j MASQUERADE --to-ports 5 --random-fully', 'masquerade', range(18, 0, 0, [5, 5, 0])],
    ['-A PREROUTING -j REDIRECT --random', 'redirect', range(4)],
    ['-A PREROUTING -p udp -j REDIRECT --to-ports 5-6', 'redirect', range(2, 0, 0, [5, 6, 0])],
  ])('%s', (rule, name, json) => {
    expect(ranges(rule)).toEqual([name, json])
  })
})
