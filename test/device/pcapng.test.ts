// Capture files: what is written is read back, what other programs write is read, and what is broken is told.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { PcapngReader } from '../../src/device/pcapng/reader.ts'
import { PcapngWriter } from '../../src/device/pcapng/writer.ts'
import { Playback } from '../../src/device/pcapng.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Slab } from '../../src/packet/slab.ts'

const directory = mkdtempSync(join(tmpdir(), 'tunfilter-pcapng-'))
const file = join(directory, 'a.pcapng')
afterAll(() => rmSync(directory, { recursive: true }))

interface Read {
  name: string | undefined
  time: bigint | undefined
  original: number
  data: string
}

function readAll(): Read[] {
  const reader = new PcapngReader(file)
  const packets: Read[] = []
  try {
    for (let p = reader.next(); p !== undefined; p = reader.next()) {
      const data = Buffer.from(p.data).toString('hex')
      packets.push({ name: p.interface.name, time: p.time, original: p.originalLength, data })
    }
  } finally {
    reader.close()
  }
  return packets
}

/** Blocks by hand, in either byte order. */
class Blocks {
  readonly parts: Buffer[] = []
  readonly little: boolean

  constructor(little: boolean) {
    this.little = little
  }

  u16(...values: number[]): Buffer {
    return Buffer.concat(values.map((v) => Buffer.from(this.#order([v & 255, v >>> 8]))))
  }

  u32(...values: number[]): Buffer {
    return Buffer.concat(
      values.map((v) => Buffer.from(this.#order([v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24]))),
    )
  }

  #order(bytes: number[]): number[] {
    return this.little ? bytes : bytes.reverse()
  }

  option(code: number, value: Uint8Array): Buffer {
    return Buffer.concat([this.u16(code, value.length), value, Buffer.alloc(-value.length & 3)])
  }

  block(type: number, ...body: Uint8Array[]): this {
    const length = 12 + body.reduce((sum, part) => sum + part.length, 0)
    this.parts.push(this.u32(type, length), ...body.map((part) => Buffer.from(part)), this.u32(length))
    return this
  }

  section(): this {
    return this.block(0x0a0d0d0a, this.u32(0x1a2b3c4d), this.u16(1, 0), this.u32(0xffffffff, 0xffffffff))
  }

  interface(name: string, ...options: Buffer[]): this {
    return this.block(1, this.u16(101, 0), this.u32(0), this.option(2, Buffer.from(name)), ...options, this.u32(0))
  }

  enhanced(number: number, high: number, low: number, data: string, original?: number): this {
    const bytes = Buffer.from(data, 'hex')
    const padding = Buffer.alloc(-bytes.length & 3)
    return this.block(6, this.u32(number, high, low, bytes.length, original ?? bytes.length), bytes, padding)
  }

  bytes(): Buffer {
    return Buffer.concat(this.parts)
  }

  write(): void {
    writeFileSync(file, this.bytes())
  }
}

describe('writing and reading back', () => {
  const packets = fc.array(
    fc.record({
      number: fc.nat(2),
      micros: fc.bigInt(0n, (1n << 53n) - 1n),
      data: fc.uint8Array({ maxLength: 200 }),
    }),
    { maxLength: 20 },
  )

  for (const resolution of [6, 9] as const) {
    test(`packets keep bytes, interface, order and time stamp (10^-${resolution} s)`, () => {
      fc.assert(
        fc.property(packets, (given) => {
          const names = ['tun0', 'tun1', 'a']
          const writer = new PcapngWriter(
            file,
            names.map((name) => ({ name })),
            { resolution },
          )
          for (const { number, micros, data } of given) writer.write(number, micros * 1000n, data)
          writer.close()
          expect(readAll()).toEqual(
            given.map(({ number, micros, data }) => ({
              name: names[number],
              time: micros * 1000n,
              original: data.length,
              data: Buffer.from(data).toString('hex'),
            })),
          )
        }),
        { numRuns: 50 },
      )
    })
  }

  test('a file larger than any buffer is read whole, with the largest packets there can be', () => {
    const writer = new PcapngWriter(file, [{ name: 'tun0' }], { resolution: 9 })
    const data = new Uint8Array(65_535)
    for (let i = 0; i < 100; i++) writer.write(0, BigInt(i), data.fill(i))
    writer.close()
    const read = readAll()
    expect(read).toHaveLength(100)
    expect(read.map(({ data }) => data.slice(-2))).toEqual(
      Array.from({ length: 100 }, (_, i) => i.toString(16).padStart(2, '0')),
    )
  })
})

describe('reading', () => {
  for (const little of [true, false]) {
    test(`${little ? 'little' : 'big'}-endian: sections, resolutions, offsets, other blocks, simple packets`, () => {
      const b = new Blocks(little)
      const offset = Buffer.concat(little ? [b.u32(10, 0)] : [b.u32(0, 10)])
      b.section()
      b.interface('tun0').interface('nano', b.option(9, Uint8Array.of(9)), b.option(14, offset))
      b.interface('binary', b.option(9, Uint8Array.of(0x80 | 10)))
      b.enhanced(0, 1, 2, '4500', 90)
      b.block(5, b.u32(1, 2, 3))
      b.block(0x80000bad, b.u32(1))
      b.enhanced(1, 0, 1_500_000_000, '450001')
      b.enhanced(2, 0, 1536, '')
      b.block(3, b.u32(3), Buffer.from('45000200', 'hex'))
      b.section().interface('again').enhanced(0, 0, 7, 'ff')
      b.write()
      expect(readAll()).toEqual([
        { name: 'tun0', time: ((1n << 32n) + 2n) * 1000n, original: 90, data: '4500' },
        { name: 'nano', time: 11_500_000_000n, original: 3, data: '450001' },
        { name: 'binary', time: 1_500_000_000n, original: 0, data: '' },
        { name: 'tun0', time: undefined, original: 3, data: '450002' },
        { name: 'again', time: 7000n, original: 1, data: 'ff' },
      ])
    })

    test(`${little ? 'little' : 'big'}-endian: classic pcap`, () => {
      const b = new Blocks(little)
      for (const [magic, nanoseconds] of [
        [0xa1b2c3d4, 5000n],
        [0xa1b23c4d, 5n],
      ] as const) {
        const header = Buffer.concat([b.u32(magic), b.u16(2, 4), b.u32(0, 0, 65535, 101)])
        writeFileSync(file, Buffer.concat([header, b.u32(7, 5, 2, 40), Buffer.from('4500', 'hex')]))
        const time = 7_000_000_000n + nanoseconds
        expect(readAll()).toEqual([{ name: undefined, time, original: 40, data: '4500' }])
      }
    })
  }

  test('sections may differ in byte order', () => {
    const [a, b] = [true, false].map((little) => new Blocks(little).section().interface('x').enhanced(0, 0, 1, '45'))
    writeFileSync(file, Buffer.concat([a.bytes(), b.bytes()]))
    expect(readAll()).toHaveLength(2)
  })
})

describe('a broken file', () => {
  const good = new Blocks(true).section().interface('tun0').enhanced(0, 0, 1, '45000000')
  const bytes = good.bytes()
  // Where the interface's and the packet's block begin.
  const [second, third] = [28, 28 + 12 + 8 + 8 + 4]

  test('cut off anywhere but between blocks: the error says where and what was expected', () => {
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(file, bytes.subarray(0, length))
      if (length === second || length === third) expect(readAll()).toEqual([])
      else expect(readAll, `cut to ${length}`).toThrow(/a\.pcapng: offset \d+: .*expected /)
    }
  })

  test.each([
    ['no capture at all', (copy: Buffer) => copy.write('PNG!'), /offset 0: expected a pcapng section header/],
    ['byte-order magic', (copy: Buffer) => copy.writeUInt32LE(5, 8), /offset 8: byte-order magic 05000000: expected/],
    ['version 2', (copy: Buffer) => copy.writeUInt16LE(2, 12), /offset 0: pcapng version 2: expected 1/],
    ['length not of 4', (copy: Buffer) => copy.writeUInt32LE(33, second + 4), /offset 28: block length 33: expected a/],
    ['length 8', (copy: Buffer) => copy.writeUInt32LE(8, second + 4), /offset 28: block length 8: expected a/],
    [
      'length of 4 GB',
      (copy: Buffer) => copy.writeUInt32LE(0xfffffffc, third + 4),
      /offset 60: block length 4294967292/,
    ],
    ['second length', (copy: Buffer) => copy.writeUInt32LE(36, third - 4), /offset 28: block length 32 is 36 at/],
    [
      'packet too long',
      (copy: Buffer) => copy.writeUInt32LE(9, third + 20),
      /offset 60: an enhanced packet of 9 bytes/,
    ],
    [
      'interface 7',
      (copy: Buffer) => copy.writeUInt32LE(7, third + 8),
      /offset 60: a packet of interface 7: expected one/,
    ],
    ['option too long', (copy: Buffer) => copy.writeUInt16LE(99, second + 18), /offset 28: option 2 of 99 bytes/],
  ])('%s', (_, breakIt, expected) => {
    const copy = Buffer.from(bytes)
    breakIt(copy)
    writeFileSync(file, copy)
    expect(readAll).toThrow(expected)
  })

  test('any bytes at all: packets or an error with an offset, nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
        const copy = Buffer.from(bytes)
        for (const [at, value] of changes) copy[at] = value
        writeFileSync(file, copy)
        try {
          readAll()
        } catch (error) {
          expect((error as Error).message).toMatch(/a\.pcapng: offset \d+: /)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('one that is not there', () => {
    expect(() => new PcapngReader('/nonexistent/x.pcapng')).toThrow(/\/nonexistent\/x.pcapng: ENOENT/)
  })
})

describe('devices of a capture', () => {
  const out = join(directory, 'out.pcapng')

  test('receive their packets in the order of the file, and what they transmit gets its time stamp', () => {
    const b = new Blocks(true).section().interface('tun1').interface('tun0')
    b.enhanced(0, 0, 5, '4501').enhanced(1, 0, 6, '4502').write()
    const playback = new Playback({ input: file, output: out, devices: ['tun0', 'tun1'] })
    const slab = new Slab(4)
    const batch = new Batch()
    batch.set(0, slab.take(), 0)
    const seen: unknown[] = []
    while (playback.next()) {
      for (const device of playback.devices.values()) {
        const n = device.receive(slab, batch, 1)
        if (n === 0) continue
        seen.push([device.name, playback.time, slab.bytes[batch.start(0) + 1], batch.length(0)])
        batch.count = 1
        playback.devices.get('tun1')!.transmit(slab, batch)
      }
    }
    playback.close()
    expect(seen).toEqual([
      ['tun1', 5000n, 1, 2],
      ['tun0', 6000n, 2, 2],
    ])
    writeFileSync(file, readFileSync(out))
    const reader = new PcapngReader(file)
    reader.next()
    expect(reader.interfaces.map(({ name, linkType, resolution }) => [name, linkType, resolution])).toEqual([
      ['tun0', 101, 6],
      ['tun1', 101, 6],
    ])
    reader.close()
    expect(readAll().map(({ name, time, data }) => [name, time, data])).toEqual([
      ['tun1', 5000n, '4501'],
      ['tun1', 6000n, '4502'],
    ])
  })

  test('interfaces without a device are an error that names them all, or passed over if that is asked for', () => {
    const b = new Blocks(true).section().interface('eth0').interface('tun0').interface('wlan0')
    b.enhanced(0, 0, 5, '4501').enhanced(1, 0, 6, '4502').write()
    const options = { input: file, devices: ['tun0'] }
    expect(() => new Playback(options).next()).toThrow(/no device is named after: 'eth0', 'wlan0'; expected 'tun0'/)
    const playback = new Playback({ ...options, skipUnknown: true })
    expect([playback.next(), playback.time, playback.next()]).toEqual([true, 6000n, false])
    expect([playback.read, playback.skipped]).toEqual([2, 1])
    playback.close()
  })

  test('another link type is an error that names it', () => {
    const b = new Blocks(true).section()
    b.block(1, b.u16(1, 0), b.u32(0), b.option(2, Buffer.from('tun0')), b.u32(0)).write()
    expect(() => new Playback({ input: file, devices: ['tun0'] }).next()).toThrow(
      /'tun0' has link type 1: expected 101 \(RAW\)/,
    )
  })

  test('a packet longer than a slot is cut, and its length still told', () => {
    new Blocks(true).section().interface('tun0').enhanced(0, 0, 1, 'ff'.repeat(70_000)).write()
    const playback = new Playback({ input: file, devices: ['tun0'] })
    const slab = new Slab(2)
    const batch = new Batch()
    batch.set(0, slab.take(), 0)
    playback.next()
    expect(playback.devices.get('tun0')!.receive(slab, batch, 1)).toBe(1)
    expect(batch.length(0)).toBe(70_000)
    expect(slab.bytes[65_600]).toBe(0)
    playback.close()
  })
})
