import { describe, expect, test } from 'vitest'
import { HOTDROP } from '../../src/rule/define.ts'
import { icmpPacket, ipPacket, tcpPacket, udpPacket } from '../conntrack/bytes.ts'
import { matchOf, packetOf } from './rule-under-test.ts'

const from = { source: '10.0.0.1', destination: '10.0.0.2' }
const tcp = (flags = 'S', options?: number[], sport = 1000, dport = 80) =>
  packetOf(tcpPacket({ ...from, sport, dport, flags, options }))
const udp = (sport = 1000, dport = 53) => packetOf(udpPacket({ ...from, sport, dport }))
const icmp = (type: number, code = 0) => packetOf(icmpPacket({ ...from, type, code }))
const fragment = (protocol: number, offset: number) =>
  packetOf(ipPacket({ ...from, protocol, fragment: offset }, new Uint8Array(40)))

describe('tcp', () => {
  test('compares ports with ranges, ends included', () => {
    const match = matchOf('-p tcp -m tcp --sport 1000:1002 ! --dport 80')
    expect([999, 1000, 1002, 1003].map((sport) => match(tcp('S', [], sport, 81)))).toEqual([0, 1, 1, 0])
    expect(match(tcp('S', [], 1000, 80))).toBe(0)
  })

  test('looks at the flags of the mask alone', () => {
    const syn = matchOf('-p tcp --syn')
    expect(['S', 'SU', 'SA', 'SF', 'SR', 'A'].map((flags) => syn(tcp(flags)))).toEqual([1, 1, 0, 0, 0, 0])
    const not = matchOf('-p tcp ! --syn')
    expect(['S', 'SA'].map((flags) => not(tcp(flags)))).toEqual([0, 1])
    expect(matchOf('-p tcp --tcp-flags ALL NONE')(tcp(''))).toBe(1)
  })

  test('finds an option behind others and padding', () => {
    const has = matchOf('-p tcp --tcp-option 8')
    const hasNot = matchOf('-p tcp ! --tcp-option 8')
    const cases: [number[], number][] = [
      [[], 0],
      [[1, 1, 8, 2], 1],
      [[2, 4, 8, 8], 0],
      [[2, 4, 5, 180, 8, 2], 1],
      [[7, 0, 8, 2], 1],
      [[1, 1, 1, 8], 1],
    ]
    for (const [options, found] of cases) {
      expect(has(tcp('S', options)), String(options)).toBe(found)
      expect(hasNot(tcp('S', options)), String(options)).toBe(1 - found)
    }
  })

  test('drops what is cut off, and what its header says is cut off if options are asked for', () => {
    const bytes = tcpPacket({ ...from, sport: 1, dport: 80, flags: 'S', options: [1, 1, 1, 1] })
    const match = matchOf('-p tcp --dport 80')
    expect(match(packetOf(bytes, 39))).toBe(HOTDROP)
    expect(match(packetOf(bytes, 40))).toBe(1)
    expect(matchOf('-p tcp --tcp-option 8')(packetOf(bytes, 43))).toBe(HOTDROP)
    const short = tcp()
    short.view.setUint8(short.transport + 12, 0x40)
    expect(matchOf('-p tcp --tcp-option 8')(short)).toBe(HOTDROP)
  })

  test('does not match later fragments, and drops one that would overwrite the flags', () => {
    const match = matchOf('-p tcp -m tcp')
    expect(match(fragment(6, 1))).toBe(HOTDROP)
    expect(match(fragment(6, 2))).toBe(0)
    expect(match(fragment(6, 0x2000))).toBe(1)
  })
})

describe('udp', () => {
  test('compares ports', () => {
    const match = matchOf('-p udp --dport 53 ! --sport 1000:')
    expect([match(udp(999)), match(udp(1000)), match(udp(999, 54))]).toEqual([1, 0, 0])
  })

  test('a reversed range matches nothing, and negated everything', () => {
    expect(matchOf('-p udp --dport 54:52')(udp())).toBe(0)
    expect(matchOf('-p udp ! --dport 54:52')(udp())).toBe(1)
  })

  test('drops what is cut off and does not match later fragments', () => {
    expect(matchOf('-p udp -m udp')(packetOf(udpPacket({ ...from, sport: 1, dport: 2 }), 27))).toBe(HOTDROP)
    expect(matchOf('-p udp -m udp')(fragment(17, 1))).toBe(0)
  })
})

describe('icmp', () => {
  test('compares the type, and the code where it is given', () => {
    expect([8, 0, 3].map((type) => matchOf('-p icmp --icmp-type ping')(icmp(type)))).toEqual([1, 0, 0])
    const match = matchOf('-p icmp --icmp-type fragmentation-needed')
    expect([icmp(3, 4), icmp(3, 3), icmp(11, 4)].map(match)).toEqual([1, 0, 0])
    expect([icmp(3, 4), icmp(3, 3)].map(matchOf('-p icmp --icmp-type 3'))).toEqual([1, 1])
    expect([icmp(3, 4), icmp(8)].map(matchOf('-p icmp ! --icmp-type 3'))).toEqual([0, 1])
  })

  test('any matches every type, but no later fragment, and drops what is cut off', () => {
    const match = matchOf('-p icmp --icmp-type any')
    expect([icmp(0), icmp(255, 7)].map(match)).toEqual([1, 1])
    expect(match(fragment(1, 1))).toBe(0)
    expect(match(packetOf(icmpPacket({ ...from, type: 8 }), 27))).toBe(HOTDROP)
  })
})

describe('multiport', () => {
  test('looks at source, destination, or either', () => {
    const packets = [tcp('S', [], 80, 9), tcp('S', [], 9, 80), tcp('S', [], 7, 7)]
    expect(packets.map(matchOf('-p tcp -m multiport --sports 1,70:80'))).toEqual([1, 0, 0])
    expect(packets.map(matchOf('-p tcp -m multiport --dports 1,80:90'))).toEqual([0, 1, 0])
    expect(packets.map(matchOf('-p tcp -m multiport --ports 80'))).toEqual([1, 1, 0])
    expect(packets.map(matchOf('-p tcp -m multiport ! --ports 80'))).toEqual([0, 0, 1])
  })

  test('needs the ports alone of a header that is cut off', () => {
    const bytes = udpPacket({ ...from, sport: 1, dport: 2 })
    const match = matchOf('-p udp -m multiport --dports 2')
    expect(match(packetOf(bytes, 24))).toBe(1)
    expect(match(packetOf(bytes, 23))).toBe(HOTDROP)
    expect(match(fragment(17, 5))).toBe(0)
  })
})
