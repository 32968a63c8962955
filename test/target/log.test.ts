// Lines of packets that are cut off, damaged or rare; what scenarios say of LOG is in test/scenario/log-*.yaml. All of these are
// what kernel 6.18 wrote for such packets.

import { expect, test } from 'vitest'
import { CONTINUE } from '../../src/rule/define.ts'
import { icmpPacket, ipPacket, tcpPacket, udpPacket } from '../conntrack/bytes.ts'
import { packetOf, surrounding, targetOf } from '../match/rule-under-test.ts'

const INPUT = 1
const FORWARD = 2
const OUTPUT = 3
const ends = { source: '10.0.0.1', destination: '10.0.0.2' }
const IP = 'SRC=10.0.0.1 DST=10.0.0.2'

function lineOf(bytes: Uint8Array, { options = '', length = bytes.length, mark = 0, hook = FORWARD } = {}): string {
  const { env, calls } = surrounding()
  const p = Object.assign(packetOf(bytes, length), { mark })
  if (hook === OUTPUT) p.inLink = 0
  expect(targetOf(`-A FORWARD -j LOG ${options}`, env)(p, hook)).toBe(CONTINUE)
  expect(calls).toHaveLength(1)
  return calls[0]
}

test('TCP, with prefix and level', () => {
  const bytes = tcpPacket({ ...ends, sport: 1000, dport: 80, flags: 'SAPU', seq: 0xffffffff, ack: 7, window: 512 })
  expect(lineOf(bytes, { options: '--log-prefix "abc: " --log-level 7' })).toBe(
    `7 abc: IN=tun0 OUT=tun1 MAC= ${IP} LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=0 PROTO=TCP SPT=1000 DPT=80 WINDOW=512 RES=0x00 URG ACK PSH SYN URGP=0 `,
  )
  expect(lineOf(bytes, { options: '--log-tcp-sequence' })).toContain('DPT=80 SEQ=4294967295 ACK=7 WINDOW=512')
})

test('options of TCP and IP in hexadecimal', () => {
  const options = [2, 4, 5, 180, 1, 1, 4, 2]
  const tcp = tcpPacket({ ...ends, sport: 1, dport: 2, flags: 'S', options })
  expect(lineOf(tcp, { options: '--log-tcp-options' })).toContain('URGP=0 OPT (020405B401010402) ')
  expect(lineOf(tcp)).not.toContain('OPT')
  const ip = ipPacket({ ...ends, protocol: 99, options: [7, 3, 4, 0] }, [1])
  expect(lineOf(ip, { options: '--log-ip-options' })).toContain('ID=0 OPT (07030400) PROTO=99 ')
})

test('UDP, type of service, identification and flags', () => {
  const udp = udpPacket({ ...ends, sport: 5, dport: 6 }).subarray(20)
  const bytes = ipPacket({ ...ends, protocol: 17, tos: 0xff, id: 4711, fragment: 0xe000 }, udp)
  expect(lineOf(bytes)).toContain('LEN=28 TOS=0x1E PREC=0xE0 TTL=64 ID=4711 CE DF MF PROTO=UDP SPT=5 DPT=6 LEN=8 ')
})

test('a later fragment has no ports', () => {
  expect(lineOf(ipPacket({ ...ends, protocol: 6, fragment: 185 }, new Uint8Array(30)))).toMatch(
    /ID=0 FRAG:185 PROTO=TCP $/,
  )
})

test('reserved bits of TCP, and the flag that is one of them', () => {
  const header = [0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x5f, 0xff, 0, 5, 0, 6, 0, 7]
  expect(lineOf(ipPacket({ ...ends, protocol: 6 }, header))).toMatch(
    /SPT=1 DPT=2 WINDOW=5 RES=0x38 AE CWR ECE URG ACK PSH RST SYN FIN URGP=7 $/,
  )
})

test('TCP options that are cut off', () => {
  const bytes = tcpPacket({ ...ends, sport: 1, dport: 2, flags: 'S', options: [1, 1, 1, 1] })
  expect(lineOf(bytes, { length: 43, options: '--log-tcp-options' })).toMatch(/SYN URGP=0 OPT \(TRUNCATED\)$/)
})

test.each([
  [6, 19, 'PROTO=TCP INCOMPLETE [19 bytes] '],
  [17, 7, 'PROTO=UDP INCOMPLETE [7 bytes] '],
  [136, 0, 'PROTO=UDPLITE INCOMPLETE [0 bytes] '],
  [1, 7, 'PROTO=ICMP INCOMPLETE [7 bytes] '],
  [50, 7, 'PROTO=ESP INCOMPLETE [7 bytes] '],
  [51, 11, 'PROTO=AH INCOMPLETE [11 bytes] '],
])('protocol %d with %d bytes is incomplete', (protocol, length, text) => {
  expect(lineOf(ipPacket({ ...ends, protocol }, new Uint8Array(length)))).toMatch(
    new RegExp(`ID=0 ${text.replace(/[[\]]/g, '\\$&')}$`),
  )
})

test('later fragments of ESP and AH', () => {
  expect(lineOf(ipPacket({ ...ends, protocol: 50, fragment: 9 }, new Uint8Array(30)))).toMatch(/FRAG:9 PROTO=ESP $/)
  expect(lineOf(ipPacket({ ...ends, protocol: 51, fragment: 9 }, new Uint8Array(30)))).toMatch(/FRAG:9 $/)
})

test('ESP and AH by their index', () => {
  const payload = [0xab, 0xcd, 0, 1, 0xff, 0xee, 0, 2, 0, 0, 0, 0]
  expect(lineOf(ipPacket({ ...ends, protocol: 50 }, payload))).toMatch(/PROTO=ESP SPI=0xabcd0001 $/)
  expect(lineOf(ipPacket({ ...ends, protocol: 51 }, payload))).toMatch(/PROTO=AH SPI=0xffee0002 $/)
})

test('an ICMP error with the packet that it quotes, but not what that quotes', () => {
  const inner = udpPacket({ source: '1.1.1.1', destination: '2.2.2.2', sport: 3, dport: 4 })
  const bytes = icmpPacket({ ...ends, type: 3, code: 4, payload: inner })
  new DataView(bytes.buffer).setUint16(26, 1400)
  const quoted = 'SRC=1.1.1.1 DST=2.2.2.2 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=0 PROTO=UDP SPT=3 DPT=4 LEN=8 '
  expect(lineOf(bytes)).toMatch(new RegExp(`PROTO=ICMP TYPE=3 CODE=4 \\[${quoted}\\] MTU=1400 $`))
  const twice = icmpPacket({ ...ends, type: 11, payload: bytes })
  expect(lineOf(twice)).toMatch(/PROTO=ICMP TYPE=11 CODE=0 \[SRC=10.0.0.1 .* PROTO=ICMP TYPE=3 CODE=4 MTU=1400 \] $/)
})

test('an ICMP error that quotes less than a header is incomplete', () => {
  expect(lineOf(icmpPacket({ ...ends, type: 3, payload: new Uint8Array(19) }))).toMatch(
    /TYPE=3 CODE=0 INCOMPLETE \[27 bytes\] $/,
  )
})

test('redirects name the gateway, parameter problems the place', () => {
  const quote = ipPacket({ ...ends, protocol: 99 }, [])
  const redirect = icmpPacket({ ...ends, type: 5, code: 1, payload: quote })
  new DataView(redirect.buffer).setUint32(24, 0x0a000063)
  expect(lineOf(redirect)).toContain('TYPE=5 CODE=1 GATEWAY=10.0.0.99 [SRC=')
  const problem = icmpPacket({ ...ends, type: 12, payload: quote })
  problem[24] = 20
  expect(lineOf(problem)).toMatch(/TYPE=12 CODE=0 PARAMETER=20 $/)
})

test('the mark stands at the end, each device where a packet has it', () => {
  const bytes = ipPacket({ ...ends, protocol: 2 }, [])
  expect(lineOf(bytes, { mark: -1 })).toMatch(/PROTO=2 MARK=0xffffffff $/)
  expect(lineOf(bytes, { hook: OUTPUT })).toMatch(/^4 IN= OUT=tun1 SRC=/)
  expect(lineOf(bytes, { hook: INPUT })).toMatch(/^4 IN=tun0 OUT= MAC= SRC=/)
})
