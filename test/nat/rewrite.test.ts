// A rewritten packet has to be, byte for byte, the packet that its new sender would have built: the scenario language builds
// that one anew, with full sums.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MANIP_DST, MANIP_SRC } from '../../src/nat/range.ts'
import { rewrite, rewriteAt } from '../../src/nat/rewrite4.ts'
import { Slab } from '../../src/packet/slab.ts'
import { formatAddress } from '../../src/wire/address.ts'
import { fold, pseudoSum4 } from '../../src/wire/checksum.ts'
import { crc32c } from '../../src/wire/crc32c.ts'
import { bytesOf, lineOf, packetIn } from '../support/packets.ts'

const address = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 0xffff, 0xffff0000 | 0))
const port = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0xffff))
const end = fc.tuple(address, port)
const hex = (max: number) => fc.uint8Array({ maxLength: max }).map((bytes) => Buffer.from(bytes).toString('hex'))
const protocol = fc.constantFrom('tcp', 'udp', 'udp0', 'icmp', 'ip')

type End = readonly [address: number, port: number]

function line(kind: string, [source, sport]: End, [destination, dport]: End, payload: string, more = ''): string {
  const [s, d] = [formatAddress(source), formatAddress(destination)]
  const hexPart = payload === '' ? '' : ` hex ${payload}`
  switch (kind) {
    case 'tcp':
      return `tcp ${s}:${sport} > ${d}:${dport} P. seq 7 ack 9${hexPart}${more}`
    case 'udp':
      return `udp ${s}:${sport} > ${d}:${dport}${hexPart}${more}`
    case 'udp0':
      return `udp ${s}:${sport} > ${d}:${dport} sum 0x0${hexPart}${more}`
    case 'icmp':
      return `icmp ${s} > ${d} echo-request id ${sport} seq 3${hexPart}${more}`
    default:
      return `ip ${s} > ${d} proto 99${hexPart}${more}`
  }
}

const slab = new Slab(4)

function withPacket<T>(written: string, act: (p: ReturnType<typeof packetIn>) => T): T {
  const p = packetIn(slab, written)
  try {
    return act(p)
  } finally {
    slab.give(p.start)
  }
}

describe('a rewritten packet', () => {
  it('is what its new sender or receiver would have built, and can be rewritten back', () => {
    fc.assert(
      fc.property(protocol, end, end, end, fc.boolean(), hex(40), (kind, a, b, now, source, payload) => {
        const manip = source ? MANIP_SRC : MANIP_DST
        const before = line(kind, a, b, payload)
        const expected = source ? line(kind, now, b, payload) : line(kind, a, now, payload)
        withPacket(before, (p) => {
          // ICMP has one identifier, which either end's rewriting changes.
          const number = kind === 'icmp' && !source ? a[1] : now[1]
          rewrite(p, manip, now[0], number)
          expect(lineOf(p.copy())).toBe(lineOf(bytesOf(expected)))
          expect(p.copy()).toEqual(bytesOf(expected))
          const was = source ? a : b
          expect(source ? p.source : p.destination).toBe(now[0])
          if (kind !== 'icmp' && kind !== 'ip') expect(source ? p.sport : p.dport).toBe(now[1])
          if (kind === 'icmp' && source) expect(p.sport).toBe(now[1])
          rewrite(p, manip, was[0], kind === 'icmp' && !source ? a[1] : was[1])
          expect(p.copy()).toEqual(bytesOf(before))
        })
      }),
      { numRuns: 700 },
    )
  })

  it('keeps a checksum that was wrong just as wrong', () => {
    fc.assert(
      fc.property(fc.constantFrom('tcp', 'udp', 'icmp'), end, end, end, hex(20), (kind, a, b, now, payload) => {
        withPacket(line(kind, a, b, payload, ' sum bad'), (p) => {
          rewrite(p, MANIP_SRC, now[0], now[1])
          // Right plus one; a sum of 0xffff and one of 0 are the same number to a receiver, so a UDP one may be off by that.
          const view = new DataView(p.copy().buffer)
          const at = 20 + (kind === 'tcp' ? 16 : kind === 'udp' ? 6 : 2)
          const right = new DataView(bytesOf(line(kind, now, b, payload)).slice().buffer).getUint16(at)
          expect((view.getUint16(at) + 0xffff - right) % 0xffff).toBe(1)
        })
      }),
      { numRuns: 400 },
    )
  })

  it('of an odd length, or with IP options, has right checksums too', () => {
    fc.assert(
      fc.property(fc.constantFrom('tcp', 'udp', 'icmp'), end, end, end, hex(41), (kind, a, b, now, payload) => {
        withPacket(line(kind, a, b, payload, ' opts 0101010194040000'), (p) => {
          rewrite(p, MANIP_SRC, now[0], now[1])
          expect(lineOf(p.copy())).not.toMatch(/sum/)
        })
      }),
      { numRuns: 300 },
    )
  })

  it('with a partial checksum has the sum of its new pseudo-header there, whatever the port', () => {
    fc.assert(
      fc.property(fc.constantFrom('tcp', 'udp'), end, end, end, fc.boolean(), (kind, a, b, now, source) => {
        withPacket(line(kind, a, b, '0102'), (p) => {
          const length = p.length - p.headerLength
          const field = p.transport + (kind === 'tcp' ? 16 : 6)
          const number = kind === 'tcp' ? 6 : 17
          p.partial = true
          p.view.setUint16(field, fold(pseudoSum4(a[0], b[0], number, length)))
          rewrite(p, source ? MANIP_SRC : MANIP_DST, now[0], now[1])
          const expected = source ? pseudoSum4(now[0], b[0], number, length) : pseudoSum4(a[0], now[0], number, length)
          expect(p.view.getUint16(field) % 0xffff).toBe(fold(expected) % 0xffff)
        })
      }),
      { numRuns: 300 },
    )
  })

  it('of UDP never has a checksum of 0, which would say that there is none', () => {
    let turned = 0
    withPacket('udp 10.0.0.1:0 > 10.0.0.2:53 len 2', (p) => {
      for (let sport = 0; sport <= 0xffff; sport++) {
        rewrite(p, MANIP_SRC, 0x0a000001, sport)
        const field = p.view.getUint16(p.transport + 6)
        expect(field).not.toBe(0)
        if (field !== 0xffff) continue
        turned++
        expect(p.copy()).toEqual(bytesOf(`udp 10.0.0.1:${sport} > 10.0.0.2:53 len 2`))
      }
    })
    expect(turned).toBe(1)
  })

  it('of SCTP has a new CRC32c over all of it', () => {
    fc.assert(
      fc.property(end, end, end, hex(30), (a, b, now, payload) => {
        const body = `000100020000000000000000${payload}`
        const ip = `ip ${formatAddress(a[0])} > ${formatAddress(b[0])} proto 132 hex ${body}`
        withPacket(ip, (p) => {
          rewrite(p, MANIP_DST, now[0], now[1])
          const bytes = p.copy()
          const view = new DataView(bytes.buffer)
          const stored = view.getUint32(28, true)
          view.setUint32(28, 0)
          expect([view.getUint16(20), view.getUint16(22)]).toEqual([1, now[1]])
          expect(stored).toBe(crc32c(view, 20, bytes.length - 20) >>> 0)
        })
      }),
      { numRuns: 200 },
    )
  })
})

describe('a header that is cut off, as in an ICMP error', () => {
  it('is rewritten as far as it is there, and nothing behind it', () => {
    for (const kind of ['tcp', 'udp', 'icmp', 'ip']) {
      const bytes = bytesOf(line(kind, [0x0a000001, 1000], [0x0a000002, 80], '00'.repeat(20)))
      // From here on the checksum is there too.
      const known = kind === 'tcp' ? 40 : kind === 'ip' ? 20 : 28
      for (let length = 20; length <= bytes.length; length++) {
        const buffer = new Uint8Array(200).fill(0xa5)
        buffer.set(bytes.subarray(0, length), 50)
        const view = new DataView(buffer.buffer)
        const transport = length > 20 ? 70 : 0
        rewriteAt(view, 50, transport, 50 + length, bytes[9]!, MANIP_SRC, 0x0a090909, 7, false)
        const expected = bytesOf(line(kind, [0x0a090909, 7], [0x0a000002, 80], '00'.repeat(20)))
        const got = buffer.subarray(50, 50 + length)
        expect(got.subarray(0, 20)).toEqual(expected.subarray(0, 20))
        if (length >= 28) expect(got.subarray(20, 24)).toEqual(expected.subarray(20, 24))
        if (length >= known) expect(got).toEqual(expected.subarray(0, length))
        expect(buffer.subarray(0, 50).every((byte) => byte === 0xa5)).toBe(true)
        expect(buffer.subarray(50 + length).every((byte) => byte === 0xa5)).toBe(true)
      }
    }
  })
})
