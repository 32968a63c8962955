// Packets to begin with, and how a fuzzer changes them: bytes, lengths, pieces of each other, fragments; then, most of the time, lengths and
// the header's checksum are made right again, so that what was changed is read by more than the first parser.

import type { Chance } from '../kernel/judge/chance.ts'
import { packetsOf } from '../support/packet/index.ts'
import { bytesOf } from '../support/packets.ts'
import type { Input } from './twins.ts'

const CHUNKS: Readonly<Record<string, string>> = {
  init: '01000014000000010000ffff0001000100000001',
  'init-ack': '02000018000000020000ffff0001000100000001000700041122',
  abort: '06000004',
  heartbeat: '0400000c0001000811223344',
  'heartbeat-ack': '0500000c0001000811223344',
  shutdown: '0700000800000001',
  'shutdown-ack': '08000004',
  cookie: '0a00000811223344',
  'cookie-ack': '0b000004',
  complete: '0e000004',
  data: '0003001400000001000000000000000061626364',
}
const SIP =
  'INVITE sip:b@198.51.100.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.2:5060\r\nContact: <sip:a@10.0.1.2:5060>\r\nCSeq: 1 INVITE\r\nCall-ID: x\r\nContent-Type: application/sdp\r\nContent-Length: 90\r\n\r\nv=0\r\no=- 1 1 IN IP4 10.0.1.2\r\ns=-\r\nc=IN IP4 10.0.1.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n'

const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex')

/** Of hosts on both sides, in the words of a scenario. */
function lines(from: string, to: string, six: boolean): string[] {
  const at = (address: string, port: number) => (six ? `[${address}]:${port}` : `${address}:${port}`)
  const icmp = six ? 'icmp6' : 'icmp'
  const quoted = `udp ${at(to, 53)} > ${at(from, 1000)} len 20`
  const sctp = (chunks: string, tag = '00000001') => `ip ${from} > ${to} proto 132 hex 03e80050${tag}00000000${chunks}`
  const tcp = (port: number, rest: string) => `tcp ${at(from, 1000)} > ${at(to, port)} ${rest}`
  return [
    tcp(80, 'S seq 5 <mss 1460,sackOK,ts 5 0,nop,wscale 7>'),
    tcp(80, '. seq 6 ack 101'),
    tcp(80, 'P. seq 6 ack 101 len 40 <nop,nop,sack 200:300>'),
    tcp(80, 'F. seq 46 ack 101'),
    tcp(80, 'R seq 6'),
    tcp(21, 'S seq 5'),
    tcp(21, '. seq 6 ack 101'),
    tcp(21, `P. seq 6 ack 101 hex ${hex('PORT 10,0,1,2,4,1\r\n')}`),
    tcp(21, `P. seq 6 ack 101 hex ${hex('EPRT |2|2001:db8:1::2|1025|\r\n')}`),
    tcp(6667, `P. seq 6 ack 101 hex ${hex('PRIVMSG x :\x01DCC SEND f 167772418 1025 9\x01\r\n')}`),
    tcp(1723, `P. seq 6 ack 101 hex 009c00011a2b3c4d0001000001000000${'00'.repeat(140)}`),
    tcp(1723, `P. seq 6 ack 101 hex 00a800011a2b3c4d0007000000010001${'00'.repeat(152)}`),
    `udp ${at(from, 5060)} > ${at(to, 5060)} hex ${hex(SIP)}`,
    `udp ${at(from, 1000)} > ${at(to, 69)} hex ${hex('\0\x01file\0octet\0')}`,
    `udp ${at(from, 1000)} > ${at(to, 53)} len 30`,
    `udp ${at(from, 1000)} > ${at(to, 53)} len 1500`,
    `${icmp} ${from} > ${to} echo-request id 7 seq 1 len 50`,
    `${icmp} ${from} > ${to} port-unreachable [ ${quoted} ]`,
    `${icmp} ${from} > ${to} time-exceeded [ tcp ${at(to, 80)} > ${at(from, 1000)} S seq 5 ]`,
    ...Object.values(CHUNKS).map((chunk) => sctp(chunk)),
    sctp(CHUNKS.init!, '00000000'),
    sctp(`${CHUNKS.cookie}${CHUNKS.data}`),
    `ip ${from} > ${to} proto 33 hex 000100020600000000000000000000010203040500000000`,
    `ip ${from} > ${to} proto 33 hex 00010002060000020000000000000001000000000000000201020304`,
    `ip ${from} > ${to} proto 47 hex 3081880b00050001000000010000000200112233`,
    `ip ${from} > ${to} proto 47 hex 0000080045000014`,
    `ip ${from} > ${to} proto 50 hex 0011223344556677`,
    `ip ${from} > ${to} proto 51 hex 0604000000000001000000010011223300112233`,
    `ip ${from} > ${to} proto 136 hex 00010002000812340011`,
    `ip ${from} > ${to} proto 108 hex 06001234`,
    `ip ${from} > ${to} proto 99 len 8`,
    ...(six
      ? [
          `udp ${at(from, 1)} > ${at(to, 2)} hbh:050200000100 dst:010400000000 rt:000000000000 len 9`,
          `udp ${at(from, 1)} > ${at(to, 2)} fh:0:5 len 9`,
          `udp ${at(from, 1)} > ${at(to, 2)} fh:0+:6 len 24`,
          `ip ${from} > ${to} proto 17 len 40 fh:32:6`,
          `${icmp} ${from} > ${to} type 135 hex 20010db8000100000000000000000001 hl 255`,
        ]
      : [
          `udp ${at(from, 1)} > ${at(to, 2)} opts 0707040000000000940400004408050000000000 len 9`,
          `udp ${at(from, 1)} > ${at(to, 2)} ipid 6 MF len 24`,
          `ip ${from} > ${to} proto 17 ipid 6 frag 32 len 40`,
          `${icmp} ${from} > ${to} type 13 code 0 len 12`,
        ]),
  ]
}

/** What two hosts say to each other through the router, each behind what the other said before. */
function talks(): Input[] {
  const four = ['10.0.1.2', '198.51.100.9', '203.0.113.1'] as const
  const six = ['2001:db8:1::2', '2001:db8:7::9', '2001:db8:2::1'] as const
  return [four, six].flatMap(([client, server, own]) => {
    const at = (address: string, port: number) =>
      address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
    const there = (line: string) => ['lan', bytesOf(line)] as const
    const back = (line: string) => ['wan', bytesOf(line)] as const
    const [out, answer] = [`${client} > ${server} proto 132 hex 03e80050`, `${server} > ${own} proto 132 hex 005003e8`]
    const tcp = [21, 80, 1723, 5060].map((port) => [
      there(`tcp ${at(client, 1000)} > ${at(server, port)} S seq 5 <mss 1460,sackOK,ts 5 0,nop,wscale 7>`),
      back(`tcp ${at(server, port)} > ${at(own, 1000)} S. seq 100 ack 6 <mss 1460,sackOK,ts 5 5,nop,wscale 7>`),
      there(`tcp ${at(client, 1000)} > ${at(server, port)} . seq 6 ack 101`),
      there(`tcp ${at(client, 1000)} > ${at(server, port)} P. seq 6 ack 101 hex ${hex('PORT 10,0,1,2,4,1\r\n')}`),
    ])
    const association = [
      there(`ip ${out}0000000000000000${CHUNKS.init}`),
      back(`ip ${answer}0000000100000000${CHUNKS['init-ack']}`),
      there(`ip ${out}0000000200000000${CHUNKS.cookie}`),
      back(`ip ${answer}0000000100000000${CHUNKS['cookie-ack']}`),
    ]
    return [
      ...tcp.map((packets) => ({ packets, pause: 0 })),
      { packets: association, pause: 0 },
      // Both begin, and one begins anew.
      { packets: [...association, association[0]!, back(`ip ${answer}0000000000000000${CHUNKS.init}`)], pause: 0 },
    ]
  })
}

export function seeds(): Input[] {
  const ways = [
    ['lan', '10.0.1.2', '198.51.100.9'],
    ['lan', '10.0.1.2', '10.0.1.1'],
    ['wan', '198.51.100.9', '203.0.113.1'],
    ['lan', '2001:db8:1::2', '2001:db8:7::9'],
    ['lan', '2001:db8:1::2', '2001:db8:1::1'],
    ['wan', '2001:db8:7::9', '2001:db8:2::1'],
  ] as const
  return talks().concat(
    ways.flatMap(([device, from, to]) =>
      lines(from, to, from.includes(':')).map((line) => ({ packets: [[device, bytesOf(line)]] as const, pause: 0 })),
    ),
  )
}

/** Datagrams in fragments, as a sender makes them. */
export function fragments(chance: Chance): Uint8Array[] {
  const pieces = packetsOf(
    chance.once(2)
      ? `udp 10.0.1.2:1000 > 198.51.100.9:53 ipid ${chance.below(4)} len ${chance.between(100, 3000)} split ${chance.pick([68, 200, 576])}`
      : `udp [2001:db8:1::2]:1000 > [2001:db8:7::9]:53 len ${chance.between(1300, 4000)} split 1280 ipid ${chance.below(4)}`,
  )
  for (let i = chance.below(3); i > 0; i--) pieces.splice(chance.below(pieces.length + 1), 0, chance.pick(pieces))
  if (chance.once(4) && pieces.length > 1) pieces.splice(chance.below(pieces.length), 1)
  return chance.once(3) ? pieces.reverse() : pieces
}

const INTERESTING = [0, 1, 2, 4, 5, 7, 8, 16, 19, 20, 40, 44, 60, 127, 128, 254, 255]

/** The bytes changed somewhere, perhaps with a part of others. */
export function mutated(chance: Chance, from: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = Uint8Array.from(from)
  // Cut off and nothing else: what parsers count on least.
  if (chance.once(6)) {
    bytes = bytes.slice(0, chance.below(Math.min(bytes.length, 200) + 1))
    repair(bytes)
    return bytes
  }
  for (let n = chance.between(1, 4); n > 0; n--) {
    const near = Math.min(bytes.length, chance.once(4) ? bytes.length : 90)
    const at = near === 0 ? 0 : chance.below(near)
    switch (chance.below(9)) {
      case 0:
        bytes = bytes.slice(0, chance.below(bytes.length + 1))
        break
      case 1:
        if (near > 0) bytes[at] = chance.below(256)
        break
      case 2:
        if (near > 0) bytes[at] ^= 1 << chance.below(8)
        break
      case 3:
        if (near > 0) bytes[at] = chance.pick(INTERESTING)
        break
      case 4: {
        const value = chance.pick([0, 1, bytes.length, bytes.length - at, 0xffff, chance.below(65_536)])
        if (at + 2 <= bytes.length) bytes.set([(value >> 8) & 255, value & 255], at)
        break
      }
      case 5: {
        const piece = other.subarray(chance.below(other.length + 1)).subarray(0, chance.below(64))
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...piece, ...bytes.subarray(at)])
        break
      }
      case 6:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + chance.below(12))])
        break
      case 7:
        // A chunk, an option or a header once more.
        bytes = Uint8Array.from([
          ...bytes.subarray(0, at),
          ...bytes.subarray(at).subarray(0, 32),
          ...bytes.subarray(at),
        ])
        break
      default:
        if (at < other.length && at < bytes.length) bytes.set(other.subarray(at, bytes.length).subarray(0, 16), at)
    }
  }
  if (bytes.length > 65_535) bytes = bytes.slice(0, 65_535)
  if (!chance.once(8)) repair(bytes)
  return bytes
}

/** Version, lengths and the checksum of an IPv4 header as they should be. */
function repair(bytes: Uint8Array): void {
  if (bytes.length < 20) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = bytes[0]! >> 4
  if (version === 6) {
    if (bytes.length >= 40) view.setUint16(4, Math.min(bytes.length - 40, 0xffff))
    return
  }
  bytes[0] = 0x40 | (bytes[0]! & 15)
  const header = (bytes[0] & 15) * 4
  if (header < 20 || header > bytes.length) return
  view.setUint16(2, bytes.length)
  view.setUint16(10, 0)
  let sum = 0
  for (let i = 0; i < header; i += 2) sum += view.getUint16(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(10, ~sum & 0xffff)
}
