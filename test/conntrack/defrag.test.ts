import { describe, expect, test } from 'vitest'
import { HELD, PASS, USER_OUTPUT, USER_PREROUTING } from '../../src/conntrack/defrag.ts'
import { Defrag4 } from '../../src/conntrack/defrag4.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { REASON } from '../../src/packet/reason.ts'
import { Slab } from '../../src/packet/slab.ts'
import { seededRandom } from '../../src/random.ts'
import { sysctls } from '../../src/sysctl.ts'
import { Time } from '../../src/time.ts'
import { ipPacket, udpPacket } from './bytes.ts'

const MF = 0x2000
const DF = 0x4000
const BAD = REASON['fragment-bad']
const LIMIT = REASON['fragment-limit']

class Bench {
  readonly slab: Slab
  readonly time = new Time()
  readonly defrag: Defrag4
  readonly packet: Packet
  readonly dropped: number[] = []
  readonly expired: string[] = []

  constructor(slots = 64, settings: Record<string, number> = {}) {
    this.slab = new Slab(slots)
    this.packet = new Packet(this.slab)
    this.defrag = new Defrag4(this.slab, this.time, sysctls(settings), 1, {
      expired: (p, user) => this.expired.push(`${p.length} bytes for ${user}, protocol ${p.protocol}`),
      dropped: (reason) => this.dropped.push(reason),
    })
  }

  /** What is said of a packet; its slot is given back unless Defrag has it. */
  put(bytes: Uint8Array, user = USER_PREROUTING): number {
    const start = this.slab.take()
    this.slab.bytes.set(bytes, start)
    this.packet.begin(start, bytes.length, 1)
    expect(parse4(this.packet)).toBe(PARSED)
    const said = this.defrag.input(this.packet, user)
    this.whole = said === PASS ? this.packet.copy() : new Uint8Array(0)
    if (said !== HELD) this.slab.give(this.packet.start)
    return said
  }

  /** The last packet that passed. */
  whole: Uint8Array = new Uint8Array()
}

const DATA = Uint8Array.from({ length: 65_535 }, (_, i) => (i * 31) & 255)
const base = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 254, id: 9 }

/** Bytes [from, to) of DATA. */
function piece(from: number, to: number, flags = MF, more: Partial<Parameters<typeof ipPacket>[0]> = {}): Uint8Array {
  return ipPacket({ ...base, fragment: (from >> 3) | flags, ...more }, DATA.subarray(from, to))
}

describe('fragments', () => {
  test('in any order become the packet that they are of', () => {
    const parts = [piece(0, 1480), piece(1480, 2960), piece(2960, 4000, 0)]
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [1, 0, 2],
      [0, 2, 1],
    ]) {
      const bench = new Bench()
      expect(order.map((i) => bench.put(parts[i]!))).toEqual([HELD, HELD, PASS])
      expect(bench.whole).toEqual(ipPacket(base, DATA.subarray(0, 4000)))
      expect(bench.packet.fragmentMax).toBe(1500)
      expect(bench.packet.fragment).toBe(0)
      expect([bench.slab.free, bench.defrag.held, bench.defrag.absorbed]).toEqual([64, 0, 2])
    }
  })

  test('what is no fragment passes untouched, with its DF', () => {
    const bench = new Bench()
    const bytes = ipPacket({ ...base, fragment: DF }, DATA.subarray(0, 100))
    expect(bench.put(bytes)).toBe(PASS)
    expect(bench.whole).toEqual(bytes)
    expect(bench.packet.fragmentMax).toBe(0)
  })

  test('ports are read from the whole packet', () => {
    const bench = new Bench()
    const udp = udpPacket({ source: '10.0.0.1', destination: '10.0.0.2', sport: 1234, dport: 53, data: 100 })
    const ends = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 17 }
    expect(bench.put(ipPacket({ ...ends, fragment: 10 }, udp.subarray(100)))).toBe(HELD)
    expect(bench.put(ipPacket({ ...ends, fragment: MF }, udp.subarray(20, 100)))).toBe(PASS)
    expect([bench.packet.sport, bench.packet.dport]).toEqual([1234, 53])
  })

  test('the first one gives the header, with its options', () => {
    const options = [222, 4, 1, 2, ...new Array(36).fill(1)]
    const bench = new Bench()
    bench.put(piece(65_000, 65_475, 0))
    bench.put(piece(8, 65_000))
    expect(bench.put(piece(0, 8, MF, { options, tos: 0x10 }))).toBe(PASS)
    expect(bench.whole).toEqual(ipPacket({ ...base, options, tos: 0x10 }, DATA.subarray(0, 65_475)))
    expect(bench.slab.free).toBe(64)
  })

  test('65,535 bytes are a packet, one more is not', () => {
    const bench = new Bench()
    bench.put(piece(0, 65_512))
    expect(bench.put(piece(65_512, 65_515, 0))).toBe(PASS)
    expect(bench.whole.length).toBe(65_535)
    bench.put(piece(0, 65_512))
    expect(bench.put(piece(65_512, 65_516, 0))).toBe(BAD)
    // With options in its header it is too long by four.
    bench.put(piece(0, 65_504, MF, { options: [1, 1, 1, 1], id: 10 }))
    expect(bench.put(piece(65_504, 65_515, 0, { id: 10 }))).toBe(BAD)
    expect([bench.slab.free, bench.dropped]).toEqual([64, [BAD, BAD]])
  })

  test('DF is kept where the largest one had it', () => {
    const bench = new Bench()
    bench.put(piece(0, 160, MF | DF))
    bench.put(piece(160, 170, 0))
    expect(bench.packet.fragmentMax).toBe(180 | (DF << 16))
    expect(bench.packet.fragment).toBe(DF)
    bench.put(piece(0, 80, MF | DF))
    bench.put(piece(80, 170, 0))
    expect(bench.packet.fragmentMax).toBe(110)
    expect(bench.packet.fragment).toBe(0)
  })

  test('one that overlaps ends them all; a duplicate is dropped alone', () => {
    const bench = new Bench()
    bench.put(piece(0, 80))
    expect(bench.put(piece(0, 80))).toBe(BAD)
    expect(bench.put(piece(16, 40))).toBe(BAD)
    expect(bench.dropped).toEqual([])
    expect(bench.put(piece(40, 120))).toBe(BAD)
    expect(bench.dropped).toEqual([BAD])
    expect(bench.put(piece(80, 100, 0))).toBe(HELD)
    bench.defrag.clear()
    expect(bench.slab.free).toBe(64)
  })

  test('the last one says the length: what lies beyond it, or another last one, ends them all', () => {
    for (const wrong of [piece(80, 160), piece(80, 90, 0), piece(16, 32, 0)]) {
      const bench = new Bench()
      bench.put(piece(80, 100, 0))
      expect(bench.put(wrong)).toBe(BAD)
      expect(bench.dropped).toEqual([BAD])
    }
  })

  test('bytes beyond a multiple of eight are cut, and nothing is left of seven', () => {
    const bench = new Bench()
    bench.put(piece(0, 47))
    expect(bench.put(piece(40, 50, 0))).toBe(PASS)
    expect(bench.whole).toEqual(ipPacket(base, DATA.subarray(0, 50)))
    expect(bench.put(piece(0, 7))).toBe(BAD)
  })

  test('of different packets, or different users, are kept apart', () => {
    const bench = new Bench()
    bench.put(piece(0, 80))
    for (const other of [{ id: 10 }, { protocol: 17 }, { source: '10.0.0.3' }, { destination: '10.0.0.3' }])
      expect(bench.put(piece(80, 100, 0, other))).toBe(HELD)
    expect(bench.put(piece(80, 100, 0), USER_OUTPUT)).toBe(HELD)
    expect(bench.defrag.held).toBe(6)
    expect(bench.put(piece(80, 100, 0))).toBe(PASS)
  })

  test('that never become whole are dropped after ipfrag_time; it is reported if the first is among them', () => {
    const bench = new Bench()
    bench.put(piece(0, 80), USER_OUTPUT)
    bench.put(piece(160, 240), USER_OUTPUT)
    bench.put(piece(80, 160, MF, { id: 10 }))
    bench.time.set(29_999)
    bench.defrag.tick()
    expect(bench.dropped).toEqual([])
    bench.time.set(30_000)
    bench.defrag.tick()
    expect(bench.expired).toEqual([`100 bytes for ${USER_OUTPUT}, protocol 254`])
    expect(bench.dropped).toEqual(new Array(3).fill(REASON['fragment-timeout']))
    expect(bench.slab.free).toBe(64)
  })

  test('hold at most a quarter of the slab: the oldest give way', () => {
    const bench = new Bench(64)
    for (let id = 0; id < 100; id++) expect(bench.put(piece(0, 80, MF, { id }))).toBe(HELD)
    expect([bench.defrag.held, bench.slab.free]).toEqual([16, 48])
    expect(bench.dropped).toEqual(new Array(84).fill(LIMIT))
    expect(bench.put(piece(80, 90, 0, { id: 84 }))).toBe(PASS)
    expect(bench.put(piece(80, 90, 0, { id: 83 }))).toBe(HELD)
  })

  test('hold at most ipfrag_high_thresh bytes', () => {
    const bench = new Bench(64, { 'net.ipv4.ipfrag_high_thresh': 3000 })
    for (let id = 0; id < 10; id++) bench.put(piece(0, 80, MF, { id }))
    expect(bench.defrag.held).toBe(4)
    expect(bench.put(piece(0, 2480))).toBe(LIMIT)
    const none = new Bench(64, { 'net.ipv4.ipfrag_high_thresh': 0 })
    expect(none.put(piece(0, 80))).toBe(LIMIT)
  })

  test('in the smallest pieces and the worst order, a packet still becomes whole', () => {
    const bench = new Bench(64, { 'net.ipv4.ipfrag_high_thresh': 0x7fffffff })
    const offsets = Array.from({ length: 8188 }, (_, i) => (8187 - i) * 8)
    const said = offsets.map((at) => bench.put(piece(at, at + 8, at === 65_496 ? 0 : MF)))
    expect(said.filter((verdict) => verdict !== HELD)).toEqual([PASS])
    expect(bench.whole).toEqual(ipPacket(base, DATA.subarray(0, 65_504)))
  })

  test('in a random storm no slot is lost and none is given back twice', () => {
    const bench = new Bench(64, { 'net.ipv4.ipfrag_high_thresh': 20_000 })
    const random = seededRandom(7)
    const below = (n: number) => (random() >>> 0) % n
    let passed = 0
    let refused = 0
    let put = 0
    for (let step = 0; step < 30_000; step++) {
      bench.time.set(step * 10)
      const from = 8 * below(6)
      const said = bench.put(
        piece(from, from + below(30), below(3) ? MF : 0, { id: below(12), tos: below(20) ? 0 : below(4) }),
        below(8) ? USER_PREROUTING : USER_OUTPUT,
      )
      put++
      if (said === PASS) passed++
      else if (said !== HELD) refused++
      if (step % 100 === 0) bench.defrag.tick()
      expect(bench.slab.free + bench.defrag.held).toBe(64)
    }
    bench.defrag.clear()
    expect([bench.slab.free, bench.defrag.held]).toEqual([64, 0])
    expect(new Set(Array.from({ length: 64 }, () => bench.slab.take())).size).toBe(64)
    // Every fragment is accounted for once.
    expect(passed + refused + bench.defrag.absorbed + bench.dropped.length).toBe(put)
    expect(passed).toBeGreaterThan(100)
  })
})
