// Every parser of the wire, over well-made, damaged and random bytes: none throws, none reads or writes outside of what it was given. The view
// that they read by knows where the packet lies, and says what was read beside it. INPUTS=5000000 SEED=7 npx vitest run
// test/fuzz/parsers.test.ts --testTimeout=3600000 goes on for longer.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keysAt } from '../../src/conntrack/gre.ts'
import { Quoted6 } from '../../src/conntrack/quoted6.ts'
import { FrameReader, frame } from '../../src/control/frame.ts'
import { Links } from '../../src/device/link.ts'
import { PcapngReader } from '../../src/device/pcapng/reader.ts'
import { PcapngWriter } from '../../src/device/pcapng/writer.ts'
import { TunfilterError } from '../../src/errors.ts'
import { PREROUTING } from '../../src/hook/hook.ts'
import { readOffload } from '../../src/packet/offload.ts'
import { checkOptions6 } from '../../src/packet/options6.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { parse6 } from '../../src/packet/parse6.ts'
import { Slab } from '../../src/packet/slab.ts'
import { logText } from '../../src/rule/log-text.ts'
import { checkOptions } from '../../src/wire/ipv4-options.ts'
import * as extension from '../../src/wire/ipv6-extension.ts'
import * as vnet from '../../src/wire/vnet.ts'
import { Chance } from '../kernel/judge/chance.ts'
import { hostile, stray } from '../kernel/judge/hostile.ts'
import { network, type World } from '../kernel/judge/network.ts'
import { encodeAll, parsePacket } from '../support/packet/index.ts'

const INPUTS = Number(process.env.INPUTS ?? 60_000)
const SEED = Number(process.env.SEED ?? 1)

const Base = DataView as new (buffer: ArrayBufferLike) => DataView

/** Reads and writes outside of [low, high) are errors. */
class WatchedView extends Base {
  low = 0
  high = Number.MAX_SAFE_INTEGER

  #at(offset: number, size: number): number {
    if (offset < this.low || offset + size > this.high)
      throw new RangeError(`${size} bytes at ${offset - this.low} of ${this.high - this.low}`)
    return offset
  }
  override getUint8(at: number): number {
    return super.getUint8(this.#at(at, 1))
  }
  override getInt8(at: number): number {
    return super.getInt8(this.#at(at, 1))
  }
  override getUint16(at: number, little?: boolean): number {
    return super.getUint16(this.#at(at, 2), little)
  }
  override getUint32(at: number, little?: boolean): number {
    return super.getUint32(this.#at(at, 4), little)
  }
  override getInt32(at: number, little?: boolean): number {
    return super.getInt32(this.#at(at, 4), little)
  }
  override setUint8(at: number, value: number): void {
    super.setUint8(this.#at(at, 1), value)
  }
  override setUint16(at: number, value: number, little?: boolean): void {
    super.setUint16(this.#at(at, 2), value, little)
  }
  override setInt32(at: number, value: number, little?: boolean): void {
    super.setInt32(this.#at(at, 4), value, little)
  }
}

/** The bytes of a packet: as a host sends it, with something wrong about it, or of any kind. */
function input(chance: Chance, worlds: readonly World[]): Uint8Array {
  const world = chance.pick(worlds)
  const step = chance.once(3) ? stray(chance, world) : hostile(chance, world)
  if (step.kind !== 'line') throw new Error('a line was expected')
  const bytes = encodeAll(parsePacket(step.line))[0]!
  switch (chance.below(4)) {
    case 0:
      return Uint8Array.from({ length: chance.below(120) }, (_, i) =>
        i === 0 ? chance.pick([0x45, 0x46, 0x4f, 0x60]) : chance.below(256),
      )
    case 1:
      return bytes.slice(0, chance.below(bytes.length + 1))
    default:
      for (let n = chance.below(4); n > 0 && bytes.length > 0; n--)
        bytes[chance.below(bytes.length)] = chance.below(256)
      return bytes
  }
}

test(`${INPUTS} packets are read by every parser, and nothing beside them`, () => {
  const chance = new Chance(SEED)
  const worlds = [network(new Chance(1), 4), network(new Chance(1), 6)].flatMap(({ worlds: each }) => each)
  const slab = new Slab(2)
  const view = new WatchedView(slab.buffer)
  Object.defineProperty(slab, 'view', { value: view })
  const p = new Packet(slab)
  const start = slab.take()
  const links = new Links()
  const quoted = new Quoted6()
  const bounds = { length: 0x7fffffff, number: 8 }
  let parsed = 0
  for (let n = 0; n < INPUTS; n++) {
    const bytes = input(chance, worlds)
    slab.bytes.fill(0xff, start - vnet.SIZE, start + bytes.length + 64)
    slab.bytes.set(bytes, start)
    const header = Uint8Array.from({ length: vnet.SIZE }, () => (chance.once(3) ? chance.below(256) : chance.below(3)))
    slab.bytes.set(header, start - vnet.SIZE)
    p.begin(start, bytes.length, 1)
    view.low = start - vnet.SIZE
    view.high = start + bytes.length
    try {
      const six = bytes.length > 0 && bytes[0]! >> 4 === 6
      if ((six ? parse6(p) : parse4(p)) !== PARSED) continue
      parsed++
      const end = p.start + p.length
      view.high = end
      if (six) {
        for (const kind of [0, 43, 44, 51, 60, 17]) {
          const at = extension.find(view, start, end, kind)
          if (at >= 0 && kind !== 17 && kind !== 44 && at + 8 <= end) checkOptions6(p, at, kind, bounds)
        }
      } else checkOptions(view, start, p.headerLength)
      quoted.read(view, start, end)
      keysAt(view, p.transport, end)
      logText(p, PREROUTING, 15, links)
      readOffload(p)
    } catch (error) {
      expect.fail(`input ${n}: ${Buffer.from(bytes).toString('hex')}\n${(error as Error).stack}`)
    }
    expect(slab.bytes[start + bytes.length]).toBe(0xff)
  }
  expect(parsed).toBeGreaterThan(INPUTS / 5)
})

test('a damaged capture is read, or refused with its reason', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunfilter-fuzz-'))
  const file = join(folder, 'in.pcapng')
  const chance = new Chance(SEED)
  try {
    const writer = new PcapngWriter(file, [{ name: 'tun0' }, { name: 'tun1' }], { resolution: 9 })
    for (let i = 0; i < 6; i++)
      writer.write(
        i & 1,
        BigInt(i),
        Uint8Array.from({ length: 40 + i }, () => chance.below(256)),
      )
    writer.close()
    const whole = new Uint8Array(readFileSync(file))
    let refused = 0
    for (let n = 0; n < INPUTS / 60; n++) {
      const bytes = whole.slice(0, chance.once(4) ? chance.below(whole.length + 1) : whole.length)
      for (let changes = chance.between(1, 4); changes > 0 && bytes.length > 0; changes--)
        bytes[chance.below(bytes.length)] = chance.pick([0, 1, 0xff, chance.below(256)])
      writeFileSync(file, bytes)
      const reader = new PcapngReader(file)
      try {
        for (let packet = reader.next(); packet !== undefined; packet = reader.next())
          expect(packet.data.length).toBeLessThanOrEqual(bytes.length)
      } catch (error) {
        if (!(error instanceof TunfilterError)) throw error
        refused++
      } finally {
        reader.close()
      }
    }
    expect(refused).toBeGreaterThan(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('frames of the control protocol come in any pieces, and what is no frame is refused', () => {
  const chance = new Chance(SEED)
  for (let n = 0; n < INPUTS / 10; n++) {
    const sent = Array.from({ length: chance.between(1, 4) }, () => 'x'.repeat(chance.below(50)))
    const bytes = Buffer.concat(sent.map((text) => frame('O', text)))
    const damaged = chance.once(3)
    if (damaged) bytes[chance.below(bytes.length)] = chance.below(256)
    const reader = new FrameReader()
    const got: string[] = []
    try {
      for (let at = 0; at < bytes.length; ) {
        const next = at + chance.between(1, 20)
        got.push(...reader.push(bytes.subarray(at, next)).map(({ payload }) => payload.toString('latin1')))
        at = next
      }
    } catch (error) {
      if (!(error instanceof TunfilterError)) throw error
      continue
    }
    if (!damaged) expect(got).toEqual(sent)
  }
})
