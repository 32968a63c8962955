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

  test('of any packet are described by a line that gives them back', () => {
    fc.assert(
      fc.property(fc.oneof(packets, fc.uint8Array({ maxLength: 100 })), (bytes) => {
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
