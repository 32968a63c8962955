import { describe, expect, test } from 'vitest'
import { describePacket, packetsOf } from '../support/packet/index.ts'
import { Correspondence, compareConntrack, compareCounters, compareSent } from './compare.ts'

const packet = (line: string) => packetsOf(line)[0]!
const sent = (line: string) => new Map([['tun1', packetsOf(line)]])

describe('kernel and engine', () => {
  test('agree where all bytes are the same', () => {
    const line = 'udp 203.0.113.1:2000 > 203.0.113.9:53 len 5 ipid 3'
    expect(compareSent('', sent(line), sent(line), new Correspondence())).toEqual([])
  })

  test.each([
    ['ttl', 'udp 10.0.0.1:1 > 10.0.0.2:2 ttl 62'],
    ['payload', 'udp 10.0.0.1:1 > 10.0.0.2:2 ttl 63 len 1'],
    ['address', 'udp 10.0.0.3:1 > 10.0.0.2:2 ttl 63'],
    ['class of port', 'udp 10.0.0.1:1025 > 10.0.0.2:2 ttl 63'],
    ['protocol', 'ip 10.0.0.1 > 10.0.0.2 proto 99 ttl 63'],
  ])('differ in the %s', (_, line) => {
    const differences = compareSent('x', sent('udp 10.0.0.1:1 > 10.0.0.2:2 ttl 63'), sent(line), new Correspondence())
    expect(differences).toHaveLength(1)
  })

  test('differ where one sends nothing', () => {
    expect(compareSent('x', sent('raw 45'), new Map(), new Correspondence())).toEqual([
      { where: 'x, packet 1 out of tun1', kernel: 'raw 45', engine: 'nothing' },
    ])
  })

  test('may pick different ports of one class, and must keep to them', () => {
    const pairs = new Correspondence()
    const of = (port: number, to = 53) => sent(`udp 203.0.113.1:${port} > 203.0.113.9:${to} len 5`)
    expect(compareSent('', of(2000), of(3000), pairs)).toEqual([])
    expect(compareSent('', of(2000, 54), of(3000, 54), pairs)).toEqual([])
    expect(compareSent('', of(2000, 55), of(3001, 55), pairs)).toHaveLength(1)
    expect(compareSent('', of(2001, 55), of(3000, 55), pairs)).toHaveLength(1)
    expect(describePacket(pairs.translate(packet('udp 203.0.113.9:53 > 203.0.113.1:2000')))).toContain(':3000')
    const flow = (port: number) => `ipv4 2 udp 17 30 src=1.2.3.4 sport=1 dport=${port} use=1`
    expect(compareConntrack('', flow(2000), flow(3000), pairs)).toEqual([])
    expect(compareConntrack('', flow(2000), flow(3001), pairs)).toHaveLength(1)
  })

  test('may give packets of their own any IP id, and none to what they forward', () => {
    const pairs = new Correspondence()
    pairs.translate(packet('icmp 10.0.0.2 > 10.0.0.1 echo-request id 1 seq 1 ipid 7'))
    const of = (ipid: number) => sent(`icmp 10.0.0.1 > 10.0.0.2 echo-reply id 1 seq 1 ipid ${ipid}`)
    expect(compareSent('', of(7), of(200), pairs)).toHaveLength(1)
    // What was handed in earlier says nothing about a packet of the router's own.
    expect(compareSent('', of(100), of(200), pairs)).toEqual([])
    expect(compareSent('', of(7), of(200), pairs)).toEqual([])
  })

  test('are compared by the tables that the engine has', () => {
    const kernel = '*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [1:20]\nCOMMIT\n'
    expect(compareCounters('', kernel, '*filter\n:INPUT ACCEPT [1:20]\nCOMMIT\n')).toEqual([])
    expect(compareCounters('', kernel, '*filter\n:INPUT ACCEPT [2:40]\nCOMMIT\n')).toHaveLength(1)
  })
})
