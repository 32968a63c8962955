import { describe, expect, test } from 'vitest'
import { PASS, USER_PREROUTING } from '../../src/conntrack/defrag.ts'
import { Defrag4 } from '../../src/conntrack/defrag4.ts'
import { fragmentOut } from '../../src/packet/fragment.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { Slab } from '../../src/packet/slab.ts'
import { sysctls } from '../../src/sysctl.ts'
import { Time } from '../../src/time.ts'
import { ipPacket } from '../conntrack/bytes.ts'

const MF = 0x2000
const base = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 254, id: 9 }
const DATA = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31) & 255)

function packetOf(slab: Slab, bytes: Uint8Array): Packet {
  const p = new Packet(slab)
  const start = slab.take()
  slab.bytes.set(bytes, start)
  p.begin(start, bytes.length, 1)
  expect(parse4(p)).toBe(PARSED)
  return p
}

/** The fragments, as bytes; their slots are given back, the packet's too. */
function split(bytes: Uint8Array, mtu: number, slots = 100, fragmentMax = 0): Uint8Array[] {
  const slab = new Slab(slots)
  const p = packetOf(slab, bytes)
  p.fragmentMax = fragmentMax
  const out: [number, number][] = []
  expect(fragmentOut(p, mtu, (start, length) => out.push([start, length]))).toBe(out.length)
  const found = out.map(([start, length]) => slab.bytes.slice(start, start + length))
  for (const [start] of out) slab.give(start)
  slab.give(p.start)
  expect(slab.free).toBe(slots)
  return found
}

describe('a packet that is split', () => {
  test('becomes fragments that fit, with offsets, MF and checksums', () => {
    expect(split(ipPacket(base, DATA.subarray(0, 3000)), 1500)).toEqual([
      ipPacket({ ...base, fragment: MF }, DATA.subarray(0, 1480)),
      ipPacket({ ...base, fragment: MF | 185 }, DATA.subarray(1480, 2960)),
      ipPacket({ ...base, fragment: 370 }, DATA.subarray(2960, 3000)),
    ])
  })

  test('has only multiples of eight in all but the last', () => {
    const sizes = (length: number, mtu: number) =>
      split(ipPacket(base, DATA.subarray(0, length)), mtu).map((bytes) => bytes.length - 20)
    expect(sizes(200, 125)).toEqual([104, 96])
    expect(sizes(209, 125)).toEqual([104, 105])
    expect(sizes(210, 125)).toEqual([104, 104, 2])
    expect(sizes(105, 125)).toEqual([105])
  })

  test('repeats only those options that every fragment carries', () => {
    const options = [94, 3, 7, 222, 4, 7, 7, 0]
    const blank = [1, 1, 1, 222, 4, 7, 7, 0]
    expect(split(ipPacket({ ...base, options }, DATA.subarray(0, 100)), 76)).toEqual([
      ipPacket({ ...base, options, fragment: MF }, DATA.subarray(0, 48)),
      ipPacket({ ...base, options: blank, fragment: MF | 6 }, DATA.subarray(48, 96)),
      ipPacket({ ...base, options: blank, fragment: 12 }, DATA.subarray(96, 100)),
    ])
  })

  test('that is a fragment itself keeps its offset and MF', () => {
    expect(split(ipPacket({ ...base, fragment: MF | 100 }, DATA.subarray(0, 96)), 68)).toEqual([
      ipPacket({ ...base, fragment: MF | 100 }, DATA.subarray(0, 48)),
      ipPacket({ ...base, fragment: MF | 106 }, DATA.subarray(48, 96)),
    ])
  })

  test('leaves in no larger pieces than it came in', () => {
    const lengths = split(ipPacket(base, DATA.subarray(0, 2000)), 1500, 100, 576).map(({ length }) => length)
    expect(lengths).toEqual([572, 572, 572, 364])
  })

  test('is not begun with when there are too few slots, or the MTU leaves no room', () => {
    expect(split(ipPacket(base, DATA.subarray(0, 3000)), 1500, 3)).toEqual([])
    expect(split(ipPacket(base, DATA.subarray(0, 3000)), 1500, 4)).toHaveLength(3)
    expect(split(ipPacket(base, DATA.subarray(0, 3000)), 27)).toEqual([])
  })

  test('is whole again after reassembly, whatever the MTU', () => {
    const bytes = ipPacket({ ...base, options: [222, 4, 1, 1] }, DATA.subarray(0, 65_500))
    for (const mtu of [576, 1280, 1500, 9000, 65_535]) {
      const slab = new Slab(300)
      const defrag = new Defrag4(slab, new Time(), sysctls(), 1, { expired: () => {}, dropped: () => {} })
      const p = packetOf(slab, bytes)
      const out: [number, number][] = []
      fragmentOut(p, mtu, (start, length) => out.push([start, length]))
      let whole: Uint8Array = new Uint8Array()
      const q = new Packet(slab)
      for (const [start, length] of out.reverse()) {
        q.begin(start, length, 1)
        expect(parse4(q)).toBe(PARSED)
        if (defrag.input(q, USER_PREROUTING) === PASS) whole = q.copy()
      }
      expect(whole).toEqual(bytes)
    }
  })
})
