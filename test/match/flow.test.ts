import { describe, expect, test } from 'vitest'
import * as record from '../../src/conntrack/record.ts'
import {
  CT_ESTABLISHED,
  CT_INVALID,
  CT_NEW,
  CT_RELATED,
  CT_UNTRACKED,
  NO_FLOW,
  type Packet,
} from '../../src/packet/packet.ts'
import { int32, udpPacket } from '../conntrack/bytes.ts'
import { matchOf, packetOf, surrounding } from './rule-under-test.ts'

const packet = (ctinfo: number, ct = NO_FLOW, direction = 0): Packet => {
  const p = packetOf(udpPacket({ source: '10.0.0.1', destination: '10.0.0.2', sport: 1000, dport: 53 }))
  return Object.assign(p, { ctinfo, ct, direction })
}
const STATES = [CT_INVALID, CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_UNTRACKED]

/** A UDP flow 10.0.0.1:1000 > 10.0.0.2:53 whose replies come from 10.9.9.9:5353 to 192.0.2.1:40000. */
function flow(status: number, seconds = 30) {
  const around = surrounding()
  const { flows, time } = around
  const ct = flows.allocate()
  const base = ct * record.WORDS
  const tuple = [int32('10.0.0.1'), int32('10.0.0.2'), (1000 << 16) | 53]
  const reply = [int32('10.9.9.9'), int32('192.0.2.1'), (5353 << 16) | 40000]
  flows.words.set([...tuple, ...reply, record.key(17, 0)], base)
  flows.words[base + record.STATUS] |= status
  time.set(2 ** 31 - 1000)
  flows.words[base + record.EXPIRES] = (time.now + seconds * 1000) | 0
  const judge = (options: string, direction = 0, ctinfo = CT_ESTABLISHED) =>
    matchOf(`-m conntrack ${options}`, around.env)(packet(ctinfo, ct, direction))
  return { ct, around, judge }
}

describe('state', () => {
  test.each([
    ['NEW', [0, 1, 0, 0, 0]],
    ['RELATED,ESTABLISHED', [0, 0, 1, 1, 0]],
    ['INVALID,UNTRACKED', [1, 0, 0, 0, 1]],
  ])('%s', (names, expected) => {
    expect(STATES.map((state) => matchOf(`-m state --state ${names}`)(packet(state)))).toEqual(expected)
    const negated = expected.map((bit) => 1 - bit)
    expect(STATES.map((state) => matchOf(`-m state ! --state ${names}`)(packet(state)))).toEqual(negated)
  })
})

describe('conntrack', () => {
  test('knows the states of packets without a flow', () => {
    const invalid = matchOf('-m conntrack --ctstate INVALID')
    expect(STATES.map((state) => invalid(packet(state)))).toEqual([1, 0, 0, 0, 0])
  })

  test('asks nothing but the state of a packet without a flow', () => {
    expect(matchOf('-m conntrack --ctstate INVALID --ctproto 6')(packet(CT_INVALID))).toBe(1)
    expect(matchOf('-m conntrack --ctproto 17')(packet(CT_INVALID))).toBe(0)
    expect(matchOf('-m conntrack ! --ctproto 6')(packet(CT_UNTRACKED))).toBe(0)
  })

  test('SNAT and DNAT are states beside the real one', () => {
    const { judge } = flow(record.CONFIRMED | record.SRC_NAT)
    expect(judge('--ctstate SNAT')).toBe(1)
    expect(judge('--ctstate DNAT')).toBe(0)
    expect(judge('--ctstate ESTABLISHED')).toBe(1)
    expect(judge('! --ctstate RELATED,ESTABLISHED,DNAT', 0, CT_NEW)).toBe(1)
    expect(judge('! --ctstate SNAT')).toBe(0)
  })

  test.each([
    ['--ctproto udp', 1],
    ['! --ctproto udp', 0],
    ['--ctorigsrc 10.0.0.0/24 --ctorigdst 10.0.0.2', 1],
    ['--ctorigsrc 10.0.0.2', 0],
    ['--ctreplsrc 10.9.9.9 --ctrepldst 192.0.2.0/31', 1],
    ['--ctreplsrc 10.0.0.2', 0],
    ['! --ctrepldst 192.0.2.2', 1],
    // Bits outside the mask are not looked at.
    ['--ctorigsrc 10.0.0.77/24', 1],
    ['--ctorigsrcport 1000 --ctorigdstport 53', 1],
    ['--ctreplsrcport 5353 --ctrepldstport 40000', 1],
    ['--ctrepldstport 1000', 0],
    ['! --ctorigdstport 50:60', 0],
    ['--ctorigdstport 60:50', 0],
    ['--ctdir ORIGINAL', 1],
    ['--ctdir REPLY', 0],
  ])('%s', (options, expected) => {
    expect(flow(record.CONFIRMED).judge(options)).toBe(expected)
  })

  test('the direction is the packet’s', () => {
    expect(flow(record.CONFIRMED).judge('--ctdir REPLY', 1)).toBe(1)
  })

  test('one of the statuses is enough, and NONE is none of them', () => {
    const { judge } = flow(record.CONFIRMED | record.SEEN_REPLY)
    expect(judge('--ctstatus ASSURED,SEEN_REPLY')).toBe(1)
    expect(judge('--ctstatus ASSURED,EXPECTED')).toBe(0)
    expect(judge('! --ctstatus ASSURED')).toBe(1)
    expect(judge('--ctstatus NONE')).toBe(0)
    expect(judge('! --ctstatus NONE')).toBe(1)
  })

  test('counts whole seconds until the end, over the wrap of the clock, and 0 before the flow is confirmed', () => {
    const { judge, around } = flow(record.CONFIRMED, 30)
    expect(judge('--ctexpire 30')).toBe(1)
    around.time.set(around.time.wall + 1)
    expect(judge('--ctexpire 30')).toBe(0)
    expect(judge('--ctexpire 10:29')).toBe(1)
    around.time.set(around.time.wall + 60_000)
    expect(judge('--ctexpire 0')).toBe(1)
    expect(flow(0, 30).judge('--ctexpire 0')).toBe(1)
  })
})
