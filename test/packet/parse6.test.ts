import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_PROTOCOL, Packet } from '../../src/packet/packet.ts'
import { PARSED } from '../../src/packet/parse.ts'
import { FRAGMENT_HEADER_SEEN, parse6 } from '../../src/packet/parse6.ts'
import { REASONS } from '../../src/packet/reason.ts'
import { Slab } from '../../src/packet/slab.ts'
import { MF } from '../../src/wire/ipv4.ts'
import { find, isExtension } from '../../src/wire/ipv6-extension.ts'

const slab = new Slab(2)
const start = slab.take()
const ADDRESSES = '20010db80001000000000000000000ff' + 'fe800000000000008000000000000001'

/** A header with these addresses and what follows it, in hexadecimal. */
function ipv6(next: number, rest: string, payloadLength = rest.length / 2): Uint8Array {
  const length = payloadLength.toString(16).padStart(4, '0')
  return Uint8Array.from(
    Buffer.from(`60000000${length}${next.toString(16).padStart(2, '0')}40${ADDRESSES}${rest}`, 'hex'),
  )
}

/** The descriptor, and 'parsed' or the reason. */
function parse(bytes: Uint8Array, length?: number): [string, Packet] {
  slab.bytes.fill(0xff, start - 64, start + 65536)
  slab.bytes.set(bytes.subarray(0, 65536), start)
  const p = new Packet(slab)
  p.begin(start, length ?? bytes.length, 2)
  const said = parse6(p)
  return [said === PARSED ? 'parsed' : REASONS[said]!, p]
}

const UDP = '03e80035000a00000102'
const TCP = `03e80050${'00'.repeat(16)}`
const ECHO = '8000000012340001'

describe('what is wrong with a header', () => {
  it.each<[string, Uint8Array, string]>([
    ['nothing at all', new Uint8Array(0), 'truncated'],
    ['39 bytes', ipv6(59, '').subarray(0, 39), 'truncated'],
    ['a payload length beyond the packet', ipv6(17, UDP, 11), 'truncated'],
    ['a payload length beyond the packet, behind a hop-by-hop header', ipv6(0, '3b00010400000000', 9), 'truncated'],
    ['nothing wrong', ipv6(17, UDP), 'parsed'],
    ['no payload', ipv6(59, ''), 'parsed'],
  ])('%s: %s', (_, bytes, expected) => {
    expect(parse(bytes)[0]).toBe(expected)
  })

  it('is its version', () => {
    for (const version of [0, 4, 5, 7, 15]) {
      const bytes = ipv6(17, UDP)
      bytes[0] = version << 4
      expect(parse(bytes)[0]).toBe('version')
    }
  })

  it('is oversize beyond 65,535 bytes, and not at them', () => {
    const bytes = new Uint8Array(65535)
    bytes.set(ipv6(99, '', 65495))
    expect(parse(bytes)[0]).toBe('parsed')
    expect(parse(bytes, 65536)[0]).toBe('oversize')
  })
})

it('bytes behind the payload length are cut', () => {
  const [said, p] = parse(ipv6(17, `${UDP}ffff`, 10))
  expect([said, p.length]).toEqual(['parsed', 50])
})

it('bytes behind no payload length are cut, but for a hop-by-hop header, which may say the length', () => {
  expect(parse(ipv6(17, UDP, 0))[1].length).toBe(40)
  expect(parse(ipv6(0, `3b00010400000000${UDP}`, 0))[1].length).toBe(58)
})

it('addresses are four int32 words, the most significant first', () => {
  const [, p] = parse(ipv6(17, UDP))
  expect([p.family, p.source, p.source1, p.source2, p.source3]).toEqual([6, 0x20010db8, 0x00010000, 0, 0xff])
  expect([p.destination, p.destination1, p.destination2, p.destination3]).toEqual([
    0xfe800000 | 0,
    0,
    0x80000000 | 0,
    1,
  ])
})

describe('the upper layer', () => {
  const dst = (next: string, length = '00', data = '010400000000') => `${next}${length}${data}`
  const fragment = (next: string, word: string) => `${next}00${word}0000abcd`
  it.each<[string, number, string, [number, number, number, number, number]]>([
    // protocol, headerLength, transport, sport, dport
    ['udp', 17, UDP, [17, 40, 40, 1000, 53]],
    ['tcp', 6, TCP, [6, 40, 40, 1000, 80]],
    ['tcp that is cut off', 6, TCP.slice(2), [6, 40, 0, 0, 0]],
    ['an echo request', 58, ECHO, [58, 40, 40, 0x1234, 0x8000]],
    ['an ICMPv6 error', 58, '0100000012340001', [58, 40, 40, 0, 0x0100]],
    ['ICMPv6 that is cut off', 58, '80000000123400', [58, 40, 0, 0, 0]],
    ['ESP', 50, '0000000100000002', [50, 40, 40, 0, 0]],
    ['no next header', 59, '00', [59, 40, 40, 0, 0]],
    ['no next header, and nothing', 59, '', [59, 40, 0, 0, 0]],
    ['destination options', 60, dst('11') + UDP, [17, 48, 48, 1000, 53]],
    ['a hop-by-hop header', 0, dst('11') + UDP, [17, 48, 48, 1000, 53]],
    ['hop-by-hop, routing and destination options', 0, dst('2b') + dst('3c') + dst('06') + TCP, [6, 64, 64, 1000, 80]],
    ['destination options of 16 bytes', 60, dst('11', '01', `010c${'00'.repeat(12)}`) + UDP, [17, 56, 56, 1000, 53]],
    ['an authentication header', 51, `110400000000000100000002${'00'.repeat(12)}${UDP}`, [17, 64, 64, 1000, 53]],
    ['an extension header without its second byte', 60, '11', [NO_PROTOCOL, 41, 0, 0, 0]],
    ['an extension header that is missing', 60, '', [NO_PROTOCOL, 40, 0, 0, 0]],
    ['an extension header of which two bytes are there', 60, '1100', [17, 42, 0, 0, 0]],
    ['an extension header that ends beyond the packet', 60, dst('11', '03') + UDP, [17, 58, 0, 0, 0]],
    [
      'an extension header that ends beyond the packet, before another',
      60,
      dst('3c', '03'),
      [NO_PROTOCOL, 48, 0, 0, 0],
    ],
    ['the first fragment', 44, fragment('11', '0001') + UDP, [17, 48, 48, 1000, 53]],
    ['a later fragment', 44, fragment('11', '0009') + UDP, [17, 48, 0, 0, 0]],
    ['a later fragment whose header is cut off', 44, '1100000a', [17, 44, 0, 0, 0]],
    ['a fragment header without its offset', 44, '1100', [NO_PROTOCOL, 42, 0, 0, 0]],
    [
      'a later fragment of what begins with an extension header',
      44,
      fragment('3c', '0009') + UDP,
      [NO_PROTOCOL, 58, 0, 0, 0],
    ],
    ['a later fragment of no next header', 44, fragment('3b', '0009') + UDP, [59, 48, 0, 0, 0]],
    ['a later fragment behind options', 60, dst('2c') + fragment('06', '0009') + TCP, [6, 56, 0, 0, 0]],
  ])('%s', (_, next, rest, [protocol, headerLength, transport, sport, dport]) => {
    const [said, p] = parse(ipv6(next, rest))
    expect(said).toBe('parsed')
    const at = p.transport === 0 ? 0 : p.transport - p.start
    expect([p.protocol, p.headerLength, at, p.sport, p.dport]).toEqual([
      protocol,
      headerLength,
      transport,
      sport,
      dport,
    ])
  })

  it.each<[string, string, number]>([
    ['offset 0, no more', '0000', FRAGMENT_HEADER_SEEN],
    ['offset 0, more', '0001', FRAGMENT_HEADER_SEEN | MF],
    ['offset 8', '0008', FRAGMENT_HEADER_SEEN | 1],
    ['the largest offset, more', 'fff9', FRAGMENT_HEADER_SEEN | MF | 0x1fff],
    ['bits that are reserved', '0006', FRAGMENT_HEADER_SEEN],
  ])("the fragment header's word has IPv4's bits: %s", (_, word, expected) => {
    expect(parse(ipv6(44, fragment('11', word) + UDP))[1].fragment).toBe(expected)
  })

  it('without a fragment header the word is 0', () => {
    expect(parse(ipv6(17, UDP))[1].fragment).toBe(0)
  })
})

describe('an extension header is found', () => {
  const options = '3c00010400000000'
  const routing = '2c00000000000000'
  const chain = `2b00010400000000${routing}1100000000000001${UDP}`
  it.each<[string, number, string, number, number]>([
    ['hop-by-hop', 0, chain, 0, 40],
    ['routing', 0, chain, 43, 48],
    ['fragment', 0, chain, 44, 56],
    ['the upper layer', 0, chain, 17, 64],
    ['the first of two', 60, options + options.replace('3c', '3b'), 60, 40],
    ['not: none there', 0, chain, 60, -1],
    ['not: behind a later fragment', 44, `3c00000800000001${options}`, 60, -1],
    ['not: behind the upper layer', 17, options, 60, -1],
    ['not: the chain is cut off', 60, '2b', 43, -2],
    ['not: it would lie beyond the packet', 60, '2b03010400000000', 43, -2],
  ])('%s', (_, next, rest, wanted, expected) => {
    const [, p] = parse(ipv6(next, rest))
    const at = find(p.view, p.start, p.start + p.length, wanted)
    expect(at < 0 ? at : at - p.start).toBe(expected)
  })
})

it('no bytes make it throw, and what it says lies inside the packet', () => {
  const kinds = fc.constantFrom(0, 43, 44, 51, 59, 60, 6, 17, 58, 132, 136, 50, 99)
  // Headers of 8 bytes, mostly, that lead from one to the next.
  const header = fc
    .tuple(kinds, fc.constantFrom(0, 0, 0, 1, 255), fc.uint8Array({ minLength: 6, maxLength: 6 }))
    .map(([next, length, rest]) => [next, length, ...rest])
  const chains = fc
    .tuple(kinds, fc.array(header, { maxLength: 8 }), fc.uint8Array({ maxLength: 24 }), fc.integer({ min: -3, max: 1 }))
    .map(([next, headers, rest, more]) => {
      const bytes = Buffer.from([...headers.flat(), ...rest]).toString('hex')
      return ipv6(next, bytes, Math.max(0, bytes.length / 2 + more))
    })
  let parsed = 0
  fc.assert(
    fc.property(fc.oneof(chains, fc.uint8Array({ maxLength: 100 })), (bytes) => {
      const [said, p] = parse(bytes)
      if (said !== 'parsed') return
      parsed++
      expect(p.length).toBeLessThanOrEqual(bytes.length)
      expect(p.headerLength).toBeGreaterThanOrEqual(40)
      expect(p.headerLength).toBeLessThanOrEqual(p.length)
      expect(isExtension(p.protocol)).toBe(false)
      for (const kind of [0, 43, 44, 51, 60]) {
        const at = find(p.view, p.start, p.start + p.length, kind)
        if (at >= 0) expect(at).toBeLessThanOrEqual(p.start + p.length)
      }
      if (p.transport === 0) return
      expect(p.transport).toBe(p.start + p.headerLength)
      const fixed = new Map([
        [6, 20],
        [17, 8],
        [136, 8],
        [58, 8],
        [132, 12],
      ]).get(p.protocol)
      expect(p.start + p.length - p.transport).toBeGreaterThanOrEqual(fixed ?? 1)
    }),
    { numRuns: 3000 },
  )
  expect(parsed).toBeGreaterThan(300)
})
