// Rewriting IPv6 packets: whatever is changed, the checksums are those of the packet that it became, and nothing else changes.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MANIP_DST, MANIP_SRC } from '../../src/nat/range.ts'
import { rewrite, rewriteAt } from '../../src/nat/rewrite6.ts'
import { Slab } from '../../src/packet/slab.ts'
import { format6 } from '../../src/wire/address6.ts'
import { fold } from '../../src/wire/checksum.ts'
import { pseudoSum } from '../../src/wire/ipv6.ts'
import { bytesOf, lineOf, packetIn } from '../support/packets.ts'

const slab = new Slab(2)
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const address = fc.tuple(word, word, word, word)
const port = fc.integer({ min: 0, max: 65535 })
const manip = fc.constantFrom(MANIP_SRC, MANIP_DST)
const text = (words: readonly number[]) => format6(words)

const kinds = {
  tcp: (s: string, d: string, sport: number, dport: number) => `tcp [${s}]:${sport} > [${d}]:${dport} S seq 5 len 7`,
  udp: (s: string, d: string, sport: number, dport: number) => `udp [${s}]:${sport} > [${d}]:${dport} len 7`,
  options: (s: string, d: string, sport: number, dport: number) =>
    `udp [${s}]:${sport} > [${d}]:${dport} len 7 dst:010400000000`,
  echo: (s: string, d: string, sport: number) => `icmp6 ${s} > ${d} echo-request id ${sport} seq 1 len 9`,
  esp: (s: string, d: string) => `ip ${s} > ${d} proto 50 hex 0102030405`,
}

describe('a rewritten packet', () => {
  it.each(Object.entries(kinds))('of %s is the one with the new address and port', (kind, line) => {
    fc.assert(
      fc.property(address, address, address, port, port, port, manip, (a, b, to, sport, dport, now, which) => {
        const p = packetIn(slab, line(text(a), text(b), sport, dport))
        rewrite(p, which, Int32Array.from([0, ...to]), 1, now)
        const source = which === MANIP_SRC
        const expected =
          kind === 'echo' || source
            ? line(text(source ? to : a), text(source ? b : to), now, dport)
            : line(text(a), text(to), sport, now)
        // The other zero is as right (RFC 1624); a sum is only printed where it is wrong.
        expect(lineOf(p.copy())).toBe(lineOf(bytesOf(expected)))
        const words = source
          ? [p.source, p.source1, p.source2, p.source3]
          : [p.destination, p.destination1, p.destination2, p.destination3]
        expect(words).toEqual([...to])
        slab.give(p.start)
      }),
      { numRuns: 200 },
    )
  })

  it('keeps a UDP checksum of 0, and an identifier of a message that is no echo', () => {
    const to = Int32Array.of(1, 2, 3, 4)
    const zero = packetIn(slab, 'udp [fd00::1]:5 > [fd00::2]:6 len 3 sum 0x0')
    rewrite(zero, MANIP_SRC, to, 0, 9)
    expect(lineOf(zero.copy())).toBe(lineOf(bytesOf('udp [0:1:0:2:0:3:0:4]:9 > [fd00::2]:6 len 3 sum 0x0')))
    slab.give(zero.start)
    const query = packetIn(slab, 'icmp6 fd00::1 > fd00::2 type 139 code 0 rest 0x00050006 len 3')
    rewrite(query, MANIP_DST, to, 0, 9)
    expect(lineOf(query.copy())).toBe(
      lineOf(bytesOf('icmp6 fd00::1 > 0:1:0:2:0:3:0:4 type 139 code 0 rest 0x00050006 len 3')),
    )
    slab.give(query.start)
  })

  it('with a partial checksum keeps the sum of its pseudo-header there', () => {
    fc.assert(
      fc.property(address, address, address, manip, (a, b, to, which) => {
        const p = packetIn(slab, kinds.tcp(text(a), text(b), 5, 6))
        const field = p.transport + 16
        const sum = () => fold(pseudoSum(p.view, p.start, 6, p.length - p.headerLength))
        p.view.setUint16(field, sum())
        p.partial = true
        rewrite(p, which, Int32Array.from(to), 0, 7)
        expect(p.view.getUint16(field) % 0xffff).toBe(sum() % 0xffff)
        slab.give(p.start)
      }),
    )
  })
})

it('a quoted packet is rewritten as far as it is there, and nothing behind it', () => {
  const whole = bytesOf('tcp [fd00::1]:5 > [fd00::2]:6 S seq 5 len 7')
  for (let length = 40; length <= whole.length; length++) {
    const p = packetIn(slab, whole)
    const { start } = p
    const end = start + length
    rewriteAt(p.view, start, start + 40, end, 6, MANIP_SRC, Int32Array.of(1, 2, 3, 4), 0, 9, false)
    const behind = slab.bytes.slice(end, start + whole.length)
    expect([...behind], `${length}`).toEqual([...whole.slice(length)])
    if (length >= 44) expect(p.view.getUint16(start + 40)).toBe(9)
    slab.give(start)
  }
})
