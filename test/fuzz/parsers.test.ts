// Every parser of the wire, over well-made, damaged and random bytes: none throws, none reads or writes outside of what it was given. The view
// that they read by knows where the packet lies, and says what was read beside it. INPUTS=5000000 SEED=7 npx vitest run
// test/fuzz/parsers.test.ts --testTimeout=3600000 goes on for longer.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FrameReader, frame } from '../../src/control/frame.ts'
import { PcapngReader } from '../../src/device/pcapng/reader.ts'
import { PcapngWriter } from '../../src/device/pcapng/writer.ts'
import { TunfilterError } from '../../src/errors.ts'
import * as vnet from '../../src/wire/vnet.ts'
import { Chance } from '../kernel/judge/chance.ts'
import { hostile, stray } from '../kernel/judge/hostile.ts'
import { network, type World } from '../kernel/judge/network.ts'
import { encodeAll, parsePacket } from '../support/packet/index.ts'
import { Wire } from './wire.ts'

const INPUTS = Number(process.env.INPUTS ?? 60_000)
const SEED = Number(process.env.SEED ?? 1)

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
  const wire = new Wire()
  let parsed = 0
  for (let n = 0; n < INPUTS; n++) {
    const bytes = input(chance, worlds)
    const header = Uint8Array.from({ length: vnet.SIZE }, () => (chance.once(3) ? chance.below(256) : chance.below(3)))
    try {
      if (wire.read(bytes, header)) parsed++
    } catch (error) {
      expect.fail(`input ${n}: ${Buffer.from(bytes).toString('hex')}\n${(error as Error).stack}`)
    }
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
