// What the matches on rarer transport headers find in packets is what the kernel finds, in both families.

import { describe, test } from 'vitest'
import { needsKernel } from '../kernel/with-kernel.ts'
import { expectTakenAlike, packet4, packet6 } from './beside-kernel.ts'

const SCTP = '03e8 0050 00000001 00000000'
const chunk = (type: number, flags: number, body = '') => {
  const length = 4 + body.length / 2
  const two = (n: number, digits: number) => n.toString(16).padStart(digits, '0')
  return `${two(type, 2)}${two(flags, 2)}${two(length, 4)}${body}${'00'.repeat((4 - (length % 4)) % 4)}`
}

const SCTP_BODIES = [
  `03e8 0051 00000001 00000000 ${chunk(1, 0, '0102030405060708')}`,
  `03e8 0050 00000001 00000000 ${chunk(1, 0, '01020304050607080910')}`,
  `0007 0050 00000001 00000000 ${chunk(0, 3, '010203040506070809')}`,
  `${SCTP}${chunk(0, 0x0b, '0102030405060708091011')}${chunk(3, 0)}`,
  `${SCTP}${chunk(0, 0x04, '010203040506070809101112')}${chunk(0, 0x03, '01')}${chunk(3, 0)}`,
  `${SCTP}${chunk(6, 1)}`,
  `${SCTP}${chunk(6, 0)}${chunk(6, 1)}`,
  `${SCTP}${chunk(14, 1)}${chunk(200, 0)}`,
  `${SCTP}${chunk(64, 0x0f, '00')}`,
  `${SCTP}${chunk(64, 0x00, '0000')}`,
  `${SCTP}${chunk(3, 0)}${chunk(1, 0)}${chunk(0, 0)}`,
  `${SCTP}00000040`,
  `${SCTP}0300000500`,
  `${SCTP}${chunk(193, 0)}${chunk(128, 0)}${chunk(130, 0)}${chunk(132, 0)}${chunk(192, 0)}${chunk(194, 0)}`,
  '03e8 0050 00000001',
  '03e8',
]

// Where a chunk is cut off a packet is dropped; by a rule whose chunks are negated Linux drops it too, but counts it.
const SCTP_BROKEN = [
  SCTP,
  `${SCTP}${chunk(3, 0)}0100`,
  `${SCTP}${chunk(3, 0)}01000000`,
  `${SCTP}${chunk(3, 0)}0000000300`,
]

const SCTP_RULES = [
  '',
  '--sport 1000',
  '! --sport 1000',
  '--dport 80:81',
  '! --dport 80',
  ...['all', 'any', 'only'].flatMap((way) =>
    ['DATA', 'INIT', 'DATA,SACK', 'DATA:UB,SACK', 'DATA:BE', 'DATA:be', 'DATA:I', 'DATA:i,SACK', 'ABORT:T', 'ABORT:t']
      .concat([
        'SHUTDOWN_COMPLETE:T',
        'I_DATA:IUBE',
        'I_DATA:u',
        'DATA,INIT,SACK',
        'ALL',
        'NONE',
        'ASCONF,ASCONF_ACK,RE_CONFIG,PAD,FORWARD_TSN,I_FORWARD_TSN',
      ])
      .flatMap((types) => [`--chunk-types ${way} ${types}`, `! --chunk-types ${way} ${types}`]),
  ),
  '--sport 1000 --dport 80 --chunk-types any INIT',
].map((o) => `-p sctp -m sctp ${o}`)

/** Type, options; with a sequence number of 24 or 48 bits. */
const dccp = (type: number, x: number, doff: number, rest = '') =>
  `03e80050${doff.toString(16).padStart(2, '0')}000000${((type << 1) | x).toString(16).padStart(2, '0')}000001${rest}`

const DCCP_BODIES = [
  dccp(0, 1, 5, '0000000100000000'),
  dccp(0, 1, 6, '00000001000000000001 2403'),
  dccp(0, 1, 7, '0000000100000000 24042122 22020101'),
  dccp(0, 0, 5, '00000000 24022203'),
  dccp(2, 1, 4, '00000001'),
  dccp(2, 1, 5, '00000001 2400ff22'),
  dccp(2, 0, 4, '24002201 11'),
  dccp(4, 1, 7, '00000001 0000000000000000 00012402 00'),
  dccp(7, 1, 8, '00000001 0000000000000000 00000000 24002222'),
  dccp(8, 1, 6, '00000001 0000000000000000 010203'),
  dccp(9, 1, 6, '00000001 0000000000000000 01020304'),
  dccp(10, 1, 12, `00000001${'24'.repeat(32)}`),
  dccp(15, 0, 9, `00000001${'22'.repeat(21)}`),
  '03e80050050000000100',
  '03e8',
]

// The same with options.
const DCCP_BROKEN = [
  dccp(1, 1, 8, '000000010000000000000000 00000000 24'),
  dccp(3, 1, 7, '00000001 0000000000000000 2422 00'),
  dccp(4, 1, 9, '00000001 0000000000000000 0001'),
  dccp(10, 1, 6, '00000001 0000000000000000 0102030405'),
  dccp(0, 1, 2, '0000000100000000000000'),
]

const DCCP_RULES = [
  '',
  '--sport 1000',
  '! --dport 80',
  '--sport 5:4',
  '--dccp-types REQUEST',
  '! --dccp-types REQUEST,DATA',
  '--dccp-types RESPONSE,ACK,DATAACK,CLOSEREQ,CLOSE',
  '--dccp-types RESET,SYNC,SYNCACK,INVALID',
  '--dccp-types INVALID',
  '! --dccp-types INVALID',
  ...[1, 2, 0x22, 0x24, 0xff].flatMap((n) => [`--dccp-option ${n}`, `! --dccp-option ${n}`]),
  '--dccp-types DATA --dccp-option 36',
].map((o) => `-p dccp -m dccp ${o}`)

const IPCOMP_BODIES = ['0400000511', '040000051122', '0400ffff112233', '04000005', '040000', '']
const IPCOMP_RULES = [
  '',
  '--ipcompspi 5',
  '! --ipcompspi 5',
  '--ipcompspi 5:65535',
  '--ipcompspi 6:5',
  '--ipcompspi 0:4294967295',
  '--ipcompspi 5 --compres',
].map((o) => `-p ipcomp -m ipcomp ${o}`)

const packetsOf = (protocol: number, bodies: readonly string[]) => ({
  4: [
    ...bodies.map((body) => packet4(protocol, body)),
    packet4(protocol, `${bodies[0]}0102030405`, { fragment: 0x2000 }),
    packet4(protocol, `${bodies[0]}010203040506`, { fragment: 1 }),
    packet4(protocol, `${bodies[0]}01020304050607`, { fragment: 5 }),
  ],
  6: [
    ...bodies.map((body) => packet6(protocol, body)),
    packet6(60, `${protocol.toString(16).padStart(2, '0')}00010400000000${bodies[1]}`),
    packet6(44, `${protocol.toString(16).padStart(2, '0')}00000100000001${bodies[1]}`),
    packet6(44, `${protocol.toString(16).padStart(2, '0')}00001100000001${bodies[1]}`),
  ],
})

describe.each([
  ['sctp', SCTP_RULES, packetsOf(132, SCTP_BODIES)],
  ['dccp', DCCP_RULES, packetsOf(33, DCCP_BODIES)],
  ['ipcomp', IPCOMP_RULES, packetsOf(108, IPCOMP_BODIES)],
  ['sctp, broken', SCTP_RULES.filter((rule) => !rule.includes('!')), packetsOf(132, SCTP_BROKEN)],
  ['dccp, broken', DCCP_RULES.filter((rule) => !rule.includes('!')), packetsOf(33, DCCP_BROKEN)],
] as const)('%s', (_, rules, packets) => {
  for (const family of [4, 6] as const)
    test(...needsKernel(`takes in IPv${family} what it takes in the kernel`), () =>
      expectTakenAlike(family, rules, packets[family]),
    )
})
