import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  changeOf32,
  checksum,
  fold,
  pseudoSum4,
  sumOf,
  update16,
  update32,
  updatePartialBy,
} from '../../src/wire/checksum.ts'
import { crc32c } from '../../src/wire/crc32c.ts'
import { headerSum, writeChecksum, writeHeader } from '../../src/wire/ipv4.ts'
import { plainSum } from '../support/packets.ts'

const word = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 1, 0xfffe, 0xffff))
const address = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 0x0000ffff, 0xffff0000 | 0, 0x7fffffff, -0x80000000))
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
/** One's complement has two zeros. */
const same = (a: number, b: number) => a % 0xffff === b % 0xffff

describe('full sums', () => {
  it('agree with adding word by word, for every length and place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, before) => {
        const moved = new Uint8Array(before + bytes.length + 3).fill(0xa5)
        moved.set(bytes, before)
        const sum = plainSum(bytes)
        expect(same(fold(sumOf(viewOf(moved), before, bytes.length)), sum)).toBe(true)
        expect(same(checksum(viewOf(moved), before, bytes.length), 0xffff - sum)).toBe(true)
      }),
    )
  })

  it('do not overflow over 65,535 bytes of 0xff and a pseudo-header of all ones', () => {
    const bytes = new Uint8Array(65535).fill(0xff)
    const sum = sumOf(viewOf(bytes), 0, bytes.length)
    expect(sum).toBe(32767 * 0xffff + 0xff00)
    const pseudo = pseudoSum4(-1, -1, 255, 65535)
    expect(same(fold(sum + pseudo), Number((BigInt(sum) + BigInt(pseudo)) % 0xffffn))).toBe(true)
  })

  it('fold to 16 bits whatever there is below 2^32', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (sum) => {
        const folded = fold(sum)
        expect(folded).toBeLessThanOrEqual(0xffff)
        expect(same(folded, sum)).toBe(true)
        expect(folded === 0).toBe(sum === 0)
      }),
    )
    for (const sum of [0x10000, 0x1ffff, 0xffff0000, 0xfffeffff, 0xffffffff]) expect(same(fold(sum), sum)).toBe(true)
  })

  it('of the pseudo-header take addresses above 2^31 as unsigned', () => {
    expect(pseudoSum4(-1, 0, 0, 0)).toBe(0x1fffe)
    expect(pseudoSum4(0x80000001 | 0, 0x00010000, 17, 8)).toBe(0x8001 + 1 + 17 + 8)
  })
})

describe('incremental updates', () => {
  it('of a changed word give what a full sum gives', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 2, maxLength: 30 }), fc.nat(), word, (words, where, now) => {
        // Somewhere a word that is not zero, as in every header, so that a full sum never is +0.
        const bytes = new Uint8Array((words.length + 1) * 2)
        const view = viewOf(bytes)
        words.forEach((w, i) => {
          view.setUint16(i * 2, w)
        })
        view.setUint16(words.length * 2, 0x4500)
        const at = (where % words.length) * 2
        const before = view.getUint16(at)
        const field = checksum(view, 0, bytes.length)
        view.setUint16(at, now)
        expect(update16(field, before, now)).toBe(checksum(view, 0, bytes.length))
      }),
    )
  })

  it('of a changed address give what a full sum gives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 60 }), address, (bytes, now) => {
        const view = viewOf(bytes)
        view.setUint8(0, 0x45)
        const before = view.getInt32(4)
        const field = checksum(view, 0, bytes.length)
        view.setInt32(4, now)
        expect(update32(field, before, now)).toBe(checksum(view, 0, bytes.length))
      }),
    )
  })

  it('leave a checksum right that arrived as the other zero, 0xffff', () => {
    // The words sum to 0xffff, so the checksum is 0; some senders write 0xffff, which every receiver takes.
    const bytes = Uint8Array.of(0x45, 0x00, 0xba, 0xff, 0xff, 0xff)
    const view = viewOf(bytes)
    expect(fold(sumOf(view, 0, 6))).toBe(0xffff)
    for (const now of [0, 1, 0x4500, 0xfffe, 0xffff]) {
      const field = update16(0xffff, 0x4500, now)
      const sum = fold(now + 0xbaff + field)
      expect(sum, `now ${now}`).toBe(0xffff)
    }
  })

  it('and back again restore the field', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xfffe }), address, address, (field, a, b) => {
        const back = update32(update32(field, a, b), b, a)
        expect(same(back, field)).toBe(true)
      }),
    )
  })

  it('of a partial checksum give the sum of the new pseudo-header', () => {
    fc.assert(
      fc.property(address, address, address, fc.integer({ min: 8, max: 65515 }), (source, destination, now, length) => {
        const field = fold(pseudoSum4(source, destination, 6, length))
        expect(updatePartialBy(field, changeOf32(source, now))).toBe(fold(pseudoSum4(now, destination, 6, length)))
      }),
    )
  })
})

describe('the IPv4 header', () => {
  it('is written with a checksum that is right', () => {
    const u8 = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(word, word, word, u8, u8, u8, address, address, (length, id, fragment, ttl, protocol, tos, s, d) => {
        const view = new DataView(new ArrayBuffer(64))
        writeHeader(view, 12, length, id, fragment, ttl, protocol, tos, s, d)
        expect(plainSum(new Uint8Array(view.buffer, 12, 20))).toBe(0xffff)
        expect(headerSum(view, 12, 20)).toBe(0xffff)
      }),
    )
  })

  it('has the same sum with options, up to 60 bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 15 }), fc.uint8Array({ minLength: 60, maxLength: 60 }), (ihl, bytes) => {
        const view = viewOf(bytes)
        view.setUint8(0, 0x40 | ihl)
        writeChecksum(view, 0, ihl * 4)
        expect(plainSum(bytes.subarray(0, ihl * 4))).toBe(0xffff)
        expect(headerSum(view, 0, ihl * 4)).toBe(0xffff)
      }),
    )
  })
})

describe('CRC32c', () => {
  it('gives the known values of RFC 3720, B.4', () => {
    const of = (bytes: Uint8Array) => crc32c(viewOf(bytes), 0, bytes.length) >>> 0
    expect(of(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
    expect(of(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(of(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(of(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  })
})
