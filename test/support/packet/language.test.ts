import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Bindings,
  bytesOf,
  decode,
  describePacket,
  encode,
  hexOf,
  packetsOf,
  parsePacket,
  printPacket,
} from './index.ts'
import { address6Number, address6Text } from './model.ts'

/** In canonical form: what a line becomes by way of its bytes. */
const lines = [
  'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5',
  'udp 10.0.1.2:1000 > 203.0.113.9:53',
  'udp 10.0.1.2:1000 > 203.0.113.9:53 sum 0x0 "hello" ttl 63',
  'udp 10.0.1.2:1000 > 203.0.113.9:53 sum bad hex 00ff',
  'udp 10.0.1.2:1000 > 203.0.113.9:53 ulen 9 len 5',
  'udp 10.0.1.2:1000 > 203.0.113.9:53 len 1000 cut 28',
  'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5 iplen 29',
  'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5 iplen 35',
  'udp 10.0.1.2 > 203.0.113.9 len 20 from 192 DF tos 0x10 ipid 7 frag 1480 ttl 1',
  'udp 10.0.1.2:1 > 203.0.113.9:2 len 8 ttl 9 opts 01010101 ipsum bad',
  'udp 10.0.1.2:1 > 203.0.113.9:2 len 8 ihl 3',
  'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1 win 100 <mss 1460,sackOK,ts 1 0,nop,wscale 7>',
  'tcp 10.0.1.2:1000 > 203.0.113.9:80 S.EW seq 4294967295 ack 5',
  'tcp 10.0.1.2:1000 > 203.0.113.9:80 . seq 1 ack 5 <nop,nop,sack 5:10 20:30> len 100',
  'tcp 10.0.1.2:1000 > 203.0.113.9:80 none urg 5 doff 2 res 3',
  'tcp 10.0.1.2:1000 > 203.0.113.9:80 none seq 77 cut 28',
  'tcp 10.0.1.2 > 203.0.113.9 hex 0101',
  'icmp 10.0.1.2 > 203.0.113.9 echo-request id 5 seq 1 len 8',
  'icmp 10.0.1.2 > 203.0.113.9 frag-needed mtu 1400 [ udp 1.2.3.4:5 > 6.7.8.9:10 len 2000 DF cut 548 ] tos 0xc0',
  'icmp 10.0.1.2 > 203.0.113.9 redirect-host gw 10.0.1.9 [ tcp 1.2.3.4:5 > 6.7.8.9:10 S seq 1 ]',
  'icmp 10.0.1.2 > 203.0.113.9 parameter-problem ptr 20 [ raw ]',
  'icmp 10.0.1.2 > 203.0.113.9 type 3 code 77',
  'icmp 10.0.1.2 > 203.0.113.9 type 42 rest 0x1020304 "x y\\"z"',
  'ip 10.0.1.2 > 203.0.113.9 hex 00000800 evil proto 47',
  'raw',
  'raw 45',
  'raw 6000000000000000',
  'udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 len 5',
  'udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 sum bad "hello" tc 0x2e flow 0x12345 hl 63',
  'udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 len 5 iplen 12',
  'udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 len 1000 cut 48',
  'udp 2001:db8:1::2 > 2001:db8:2::9 len 20 from 192 fh:1480+:7',
  'tcp [::1]:1000 > [fe80::1]:80 S seq 1 <mss 1440> hbh:010400000000 dst:010c000000000000000000000000',
  'tcp [2001:db8::1:0:0:1]:1000 > [ff02::1:ff00:1]:80 . ack 5 rt:010000000000 fh:0:4294967295',
  'icmp6 2001:db8:1::2 > 2001:db8:2::9 echo-request id 5 seq 1 len 8',
  'icmp6 2001:db8:1::2 > 2001:db8:2::9 packet-too-big mtu 1280 [ udp [2001:db8::1]:5 > [2001:db8::2]:10 len 2000 cut 1232 ]',
  'icmp6 :: > ff02::2 router-solicitation hl 255',
  'icmp6 :: > ff02::2 unknown-header ptr 40 [ ip 2001:db8::1 > 2001:db8::2 proto 200 ]',
  'icmp6 :: > ff02::2 type 200 rest 0x1020304',
  'ip 2001:db8:1::2 > 2001:db8:2::9 x51:0400000000000100000002000000000000000000000000 proto 50',
  'ip 2001:db8:1::2 > 2001:db8:2::9 hex 1100 proto 60',
  'ip 2001:db8:1::2 > 2001:db8:2::9 x44:ff000200000007 proto 99',
]

describe('a line of the packet language', () => {
  test.each(lines)('%s is what its bytes are described as', (line) => {
    const canonical = line === lines[20] ? 'icmp 10.0.1.2 > 203.0.113.9 parameter-problem ptr 20' : line
    expect(describePacket(packetsOf(line)[0]!)).toBe(canonical)
  })

  test('has the bytes that tcpdump would read the same way', () => {
    expect(hexOf(packetsOf('udp 10.0.1.2:1000 > 203.0.113.9:53 "hello" DF')[0]!)).toBe(
      '45000021000040004011f3c00a000102cb00710903e80035000d70d968656c6c6f',
    )
    expect(hexOf(packetsOf('icmp 10.0.0.1 > 10.0.0.2 echo-request id 1 seq 2')[0]!)).toBe(
      '4500001c0000000040' + '0166df0a0000010a0000020800f7fc00010002',
    )
  })

  test('of IPv6 has the bytes that tcpdump would read the same way', () => {
    expect(hexOf(packetsOf('icmp6 2001:db8::1 > 2001:db8::2 echo-request id 1 seq 2 hl 63')[0]!)).toBe(
      '6000000000083a3f' +
        '20010db8000000000000000000000001' +
        '20010db8000000000000000000000002' +
        '80002445' +
        '00010002',
    )
  })

  test.each([
    ['udp 10.0.1.2:1 > 10.0.1.3', 'one port is missing'],
    ['udp 10.0.1.2:1 > 10.0.1.3:2 seq 5', '"seq" is not a field here'],
    ['udp 10.0.1.2:70000 > 10.0.1.3:2', '"70000" is not a number from 0 to 65535'],
    ['udp 10.0.1.256:1 > 10.0.1.3:2', '"10.0.1.256" is not an IPv4 address'],
    ['tcp 10.0.1.2:1 > 10.0.1.3:2 len 5', 'TCP flags are missing'],
    ['tcp 10.0.1.2:1 > 10.0.1.3:2 X', '"X" is not understood'],
    ['icmp 10.0.1.2 > 10.0.1.3 time-exceeded [ udp 1.1.1.1:1 > 2.2.2.2:2', '"]" was expected'],
    ['ip 10.0.1.2 > 10.0.1.3', '"proto N" is missing'],
    ['udp 10.0.1.2:1 > 10.0.1.3:2 ttl 1 ttl 2', '"ttl" is given twice'],
    ['udp 10.0.1.2:1 > 10.0.1.3:2 frag 9', 'frag counts bytes'],
    ['udp [2001:db8::1]:1 > 10.0.1.3:2', 'both addresses have to be of IPv6'],
    ['udp [2001:db8::1::2]:1 > [::1]:2', '"2001:db8::1::2" is not an IPv6 address'],
    ['udp [::2]:1 > [::1]:2 ttl 5', '"ttl" is not a field here'],
    ['udp [::2]:1 > [::1]:2 hbh:00', 'hbh takes 6, 14, 22, ... bytes'],
    ['udp [::2]:1 > [::1]:2 fh:9:1', 'no fragment header'],
    ['icmp ::2 > ::1 echo-request', 'in IPv6 it is icmp6'],
    ['sctp 10.0.1.2:1 > 10.0.1.3:2', '"sctp" is not a protocol'],
  ])('%s is refused: %s', (line, message) => {
    expect(() => packetsOf(line)).toThrow(message)
  })

  test('split makes the fragments that a router with that MTU would make', () => {
    const parts = packetsOf('udp 10.0.1.2:1 > 10.0.1.3:2 len 3000 ipid 5 split 1500').map(describePacket)
    expect(parts).toEqual([
      expect.stringMatching(/^udp 10\.0\.1\.2:1 > 10\.0\.1\.3:2 ulen 3008 sum 0x[0-9a-f]+ len 1472 MF ipid 5$/),
      'udp 10.0.1.2 > 10.0.1.3 len 1480 from 192 MF ipid 5 frag 1480',
      'udp 10.0.1.2 > 10.0.1.3 len 48 from 136 ipid 5 frag 2960',
    ])
  })
})

test('split makes the fragments of IPv6 that a sender with that MTU would make', () => {
  const parts = packetsOf('udp [::1]:1 > [::2]:2 len 1300 dst:010400000000 split 1280 ipid 5').map(describePacket)
  expect(parts).toEqual([
    expect.stringMatching(/^udp \[::1\]:1 > \[::2\]:2 ulen 1308 sum .* len 1216 fh:0\+:5 dst:010400000000$/),
    'ip ::1 > ::2 len 84 from 192 fh:1232:5 proto 60',
  ])
})

test.each([
  ['::', 0n],
  ['::1', 1n],
  ['1::', 1n << 112n],
  ['2001:db8::1:0:0:1', 0x20010db8000000000001000000000001n],
  ['1:0:0:2::', 0x00010000000000020000000000000000n],
  ['1:2:3:4:5:6:7:8', 0x00010002000300040005000600070008n],
  ['1:0:3:4:5:6:7:8', 0x00010000000300040005000600070008n],
])('the IPv6 address %s is written as RFC 5952 wants it', (text, number) => {
  expect([address6Number(text), address6Text(number)]).toEqual([number, text])
})

describe('bytes', () => {
  const byte = fc.nat(255)
  const address = fc.constantFrom(0x0a000102, 0xcb007109, 0xffffffff)
  /** Headers that hold together more often than chance would have them, then anything. */
  const packets = fc
    .record({
      head: fc.tuple(fc.constantFrom(0x45, 0x45, 0x45, 0x46, 0x44, 0x4f), byte),
      lengthOff: fc.constantFrom(0, 0, 0, 0, -3, 5, 1000),
      middle: fc.tuple(byte, byte, fc.constantFrom(0, 0, 0, 0x40, 0x20, 0x60, 0x80), fc.constantFrom(0, 0, 0, 9), byte),
      protocol: fc.constantFrom(1, 1, 6, 6, 17, 17, 47),
      source: address,
      destination: address,
      body: fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc
          .tuple(fc.constantFrom(3, 4, 5, 8, 0, 11, 12), fc.uint8Array({ minLength: 7, maxLength: 60 }))
          .map(([type, rest]) => Uint8Array.of(type, ...rest.subarray(0, 7), 0x45, ...rest.subarray(7))),
      ),
      sums: fc.boolean(),
    })
    .map(({ head, lengthOff, middle, protocol, source, destination, body, sums }) => {
      const bytes = new Uint8Array(20 + body.length)
      const view = new DataView(bytes.buffer)
      bytes.set(head)
      view.setUint16(2, Math.max(0, bytes.length + lengthOff))
      bytes.set([...middle, protocol], 4)
      view.setUint32(12, source)
      view.setUint32(16, destination)
      bytes.set(body, 20)
      if (!sums) return bytes
      const packet = decode(bytes)
      if (packet.proto === 'raw') return bytes
      delete packet.fields.ipsum
      delete packet.fields.sum
      return encode(packet)
    })

  /** Chains of extension headers, now and then with a wrong length, before a transport header. */
  const extended = fc
    .record({
      head: fc.tuple(byte, byte, byte),
      lengthOff: fc.constantFrom(0, 0, 0, -3, 5, 1000),
      headers: fc.array(fc.tuple(fc.constantFrom(0, 43, 44, 51, 60), fc.constantFrom(0, 0, 0, 1, 9), fc.nat()), {
        maxLength: 4,
      }),
      protocol: fc.constantFrom(58, 58, 6, 17, 59, 47),
      body: fc.uint8Array({ maxLength: 80 }),
    })
    .map(({ head, lengthOff, headers, protocol, body }) => {
      const chain = headers.flatMap(([, length, rest], i) => {
        const bytes = Buffer.alloc(8)
        bytes.writeUInt32BE(rest, 2)
        bytes[0] = headers[i + 1]?.[0] ?? protocol
        bytes[1] = length
        return [...bytes]
      })
      const bytes = new Uint8Array(40 + chain.length + body.length)
      bytes.set([0x60 | (head[0] & 15), head[1], head[2]])
      new DataView(bytes.buffer).setUint16(4, Math.max(0, bytes.length - 40 + lengthOff))
      bytes[6] = headers[0]?.[0] ?? protocol
      bytes[7] = 64
      bytes[23] = 1
      bytes[39] = 2
      bytes.set(chain, 40)
      bytes.set(body, 40 + chain.length)
      return bytes
    })

  test('of any packet are described by a line that gives them back', () => {
    fc.assert(
      fc.property(fc.oneof(packets, extended, fc.uint8Array({ maxLength: 100 })), (bytes) => {
        const line = describePacket(bytes)
        expect(packetsOf(line).map(hexOf)).toEqual([hexOf(bytes)])
        expect(printPacket(parsePacket(line))).toBe(line)
      }),
      { numRuns: 5000 },
    )
  })

  test('with right checksums need neither sum nor raw', () => {
    const bytes = packetsOf('tcp 10.0.0.1:1 > 10.0.0.2:2 P. seq 1 ack 1 "GET / HTTP/1.0"')[0]!
    expect(describePacket(bytes)).not.toMatch(/sum|raw|hex/)
    bytes[bytes.length - 1]! ^= 1
    expect(describePacket(bytes)).toMatch(/ sum (bad|0x)/)
  })

  test('of garbage are raw', () => {
    expect(describePacket(bytesOf('00112233'))).toBe('raw 00112233')
  })
})

describe('a place-holder', () => {
  const seen = decode(packetsOf('udp 203.0.113.1:2000 > 203.0.113.9:53 len 5 ipid 77 ttl 63')[0]!)
  const expected = parsePacket('udp 203.0.113.1:$p[1024-65535] > 203.0.113.9:53 len 5 ipid $any ttl 63')

  test('takes the value that is seen first and keeps it', () => {
    const bindings = new Bindings()
    expect(printPacket(bindings.fill(expected, seen))).toBe(printPacket(seen))
    expect(printPacket(bindings.fill(parsePacket('udp 203.0.113.9:53 > 203.0.113.1:$p')))).toBe(
      'udp 203.0.113.9:53 > 203.0.113.1:2000',
    )
    expect(bindings.fillText('dport=$p ID=$any')).toBe('dport=2000 ID=$any')
  })

  test('takes no value outside its range', () => {
    const low = parsePacket('udp 203.0.113.1:$p[1-511] > 203.0.113.9:53 len 5')
    expect(printPacket(new Bindings().fill(low, seen))).toContain(':$p[1-511]')
  })

  test('that nothing has filled cannot be sent', () => {
    expect(() => packetsOf('udp 203.0.113.1:$p > 203.0.113.9:53')).toThrow('place-holder $p')
  })
})
