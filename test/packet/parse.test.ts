import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { REASONS } from '../../src/packet/reason.ts'
import { Slab } from '../../src/packet/slab.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { writeChecksum } from '../../src/wire/ipv4.ts'
import { bytesOf, packetIn, type Written } from '../support/packets.ts'

const slab = new Slab(2)
const start = slab.take()

/** The descriptor, and 'parsed' or the reason. */
function parse(written: Written, length?: number): [string, Packet] {
  const bytes = bytesOf(written)
  slab.bytes.fill(0xff, start - 64, start + 65536)
  slab.bytes.set(bytes.subarray(0, 65536), start)
  const p = new Packet(slab)
  p.begin(start, length ?? bytes.length, 2)
  const said = parse4(p)
  return [said === PARSED ? 'parsed' : REASONS[said]!, p]
}

describe('what is wrong with a header', () => {
  const udp = 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5'
  it.each([
    ['', 'truncated'],
    [`${udp} cut 19`, 'truncated'],
    [`${udp} cut 32`, 'truncated'],
    [`${udp} iplen 34`, 'truncated'],
    [`${udp} iplen 19`, 'total-length'],
    [`${udp} iplen 0`, 'total-length'],
    [`${udp} ihl 4`, 'header-length'],
    [`${udp} ihl 0`, 'header-length'],
    [`${udp} ihl 9`, 'header-length'],
    [`${udp} ihl 6`, 'header-checksum'],
    [`${udp} ipsum bad`, 'header-checksum'],
    [udp, 'parsed'],
    [`${udp} opts 01010100`, 'parsed'],
    [`${udp} opts 01010100 iplen 23`, 'total-length'],
  ])('%s: %s', (line, expected) => {
    expect(parse(line === '' ? new Uint8Array(0) : line)[0]).toBe(expected)
  })

  it('is its version, above all but its length', () => {
    for (const version of [0, 5, 6, 15]) {
      const bytes = bytesOf(udp).slice()
      bytes[0] = (version << 4) | 5
      expect(parse(bytes)[0]).toBe('version')
    }
  })

  it('is oversize beyond 65,535 bytes, and not at them', () => {
    const bytes = new Uint8Array(65535)
    bytes.set(bytesOf('ip 10.0.1.2 > 203.0.113.9 proto 99 iplen 65535'))
    expect(parse(bytes)[0]).toBe('parsed')
    expect(parse(bytes, 65536)[0]).toBe('oversize')
    expect(parse(bytes, 70000)[0]).toBe('oversize')
  })
})

it('bytes behind the total length are cut', () => {
  const bytes = new Uint8Array([...bytesOf('udp 10.0.1.2:1000 > 203.0.113.9:53 len 5'), 1, 2, 3])
  const [said, p] = parse(bytes)
  expect([said, p.length]).toEqual(['parsed', 33])
})

it('addresses are int32, above 2^31 too', () => {
  const [, p] = parse('udp 240.1.2.3:65535 > 255.255.255.254:65535')
  expect([p.source, p.destination, p.sport, p.dport]).toEqual([
    parseAddress('240.1.2.3'),
    parseAddress('255.255.255.254'),
    65535,
    65535,
  ])
  expect(p.source).toBeLessThan(0)
})

describe('the transport header', () => {
  const at = (line: string) => {
    const [, p] = parse(line)
    return [p.transport === 0 ? 0 : p.transport - p.start, p.sport, p.dport]
  }
  it.each<[string, number[]]>([
    ['tcp 10.0.1.2:1000 > 10.0.1.3:80 S', [20, 1000, 80]],
    ['tcp 10.0.1.2:1000 > 10.0.1.3:80 S opts 01010100', [24, 1000, 80]],
    ['icmp 10.0.1.2 > 10.0.1.3 echo-request id 7 seq 1', [20, 7, 0x0800]],
    ['icmp 10.0.1.2 > 10.0.1.3 port-unreachable', [20, 0, 0x0303]],
    ['udp 10.0.1.2:1000 > 10.0.1.3:53 MF', [20, 1000, 53]],
    ['udp 10.0.1.2 > 10.0.1.3 len 40 frag 80', [0, 0, 0]],
    ['ip 10.0.1.2 > 10.0.1.3 proto 17 hex 00010002000812', [0, 0, 0]],
    [`ip 10.0.1.2 > 10.0.1.3 proto 6 hex ${'00'.repeat(19)}`, [0, 0, 0]],
    ['ip 10.0.1.2 > 10.0.1.3 proto 1 hex 08000000000000', [0, 0, 0]],
    ['ip 10.0.1.2 > 10.0.1.3 proto 132 hex 0001000200000000000000', [0, 0, 0]],
    ['ip 10.0.1.2 > 10.0.1.3 proto 132 hex 000100020000000000000000', [20, 1, 2]],
    ['ip 10.0.1.2 > 10.0.1.3 proto 99 hex 00', [20, 0, 0]],
    ['ip 10.0.1.2 > 10.0.1.3 proto 99', [0, 0, 0]],
  ])('%s', (line, expected) => {
    expect(at(line)).toEqual(expected)
  })
})

it('no bytes make it throw, and what it says lies inside the packet', () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    // Mostly whole: the right version, lengths that are near the truth.
    fc
      .tuple(
        fc.uint8Array({ minLength: 20, maxLength: 120 }),
        fc.integer({ min: 4, max: 15 }),
        fc.integer({ min: -8, max: 1 }),
        fc.constantFrom(1, 2, 6, 17, 33, 47, 50, 132, 136),
      )
      .map(([bytes, ihl, more, protocol]) => {
        const view = new DataView(bytes.buffer)
        bytes[0] = 0x40 | ihl
        bytes[9] = protocol
        view.setUint16(2, bytes.length + more)
        if (ihl * 4 <= bytes.length) writeChecksum(view, 0, ihl * 4)
        return bytes
      }),
  )
  let parsed = 0
  fc.assert(
    fc.property(garbage, (bytes) => {
      const [said, p] = parse(bytes)
      if (said !== 'parsed') return
      parsed++
      expect(p.length).toBeLessThanOrEqual(bytes.length)
      expect(p.headerLength).toBeGreaterThanOrEqual(20)
      expect(p.headerLength).toBeLessThanOrEqual(p.length)
      if (p.transport === 0) return
      expect(p.transport).toBe(p.start + p.headerLength)
      const fixed = new Map([
        [6, 20],
        [17, 8],
        [136, 8],
        [1, 8],
        [132, 12],
      ]).get(p.protocol)
      expect(p.start + p.length - p.transport).toBeGreaterThanOrEqual(fixed ?? 1)
    }),
    { numRuns: 3000 },
  )
  expect(parsed).toBeGreaterThan(300)
})

it('a new packet remembers nothing of the last one', () => {
  const other = new Slab(1)
  const p = packetIn(other, 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5')
  const fresh = new Packet(other)
  const decided = ['outLink', 'nexthop', 'mtu', 'routeType', 'partial', 'mark', 'ct', 'ctinfo', 'direction', 'zone']
  const hung = ['begins', 'trace', 'fragmentMax', 'depth']
  const fields = [...decided, ...hung]
  const value = (field: string, of: object) => [field, Reflect.get(of, field)]
  for (const field of fields) Reflect.set(p, field, field === 'partial' || field === 'begins' ? true : 3)
  p.begin(64, 0, 0)
  expect(fields.map((field) => value(field, p))).toEqual(fields.map((field) => value(field, fresh)))
})
