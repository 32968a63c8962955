// Storms of IPv6 fragments, right and wrong, in any order, atomic ones and with headers before the fragment header, through our
// reassembly and the kernel's at once. After every fragment both must have made the same whole packet, or none, or have let it
// pass. The kernel sends a reassembled packet on in fragments again, so what is compared is what those, and ours, come to. (Not
// their boundaries: see src/packet/fragment6.ts; nor the identification, which is new.)

import { afterEach, describe, expect, test } from 'vitest'
import { HELD, PASS, USER_PREROUTING } from '../../src/conntrack/defrag.ts'
import { Defrag6 } from '../../src/conntrack/defrag6.ts'
import { fragmentOut6 } from '../../src/packet/fragment6.ts'
import { Packet } from '../../src/packet/packet.ts'
import { parse6 } from '../../src/packet/parse6.ts'
import { Slab } from '../../src/packet/slab.ts'
import { seededRandom } from '../../src/random.ts'
import { Time } from '../../src/time.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { BesideKernel } from './beside-kernel.ts'
import { ip6Packet } from './bytes6.ts'

let beside: BesideKernel | undefined
afterEach(() => {
  beside?.close()
  beside = undefined
})

const STEPS = Number(process.env.DEFRAG_STEPS ?? 4000)

interface Part {
  readonly header: string
  readonly kind: number
  readonly offset: number
  readonly more: boolean
  readonly data: Uint8Array
}

/** The headers up to a fragment header, if there is one, and what it says. */
function read(bytes: Uint8Array): Part {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const before: number[] = [bytes[0]!, bytes[1]!]
  let kind = bytes[6]!
  let at = 40
  while (kind === 0 || kind === 60) {
    const length = 8 * (bytes[at + 1]! + 1)
    before.push(kind, ...bytes.subarray(at + 1, at + length))
    kind = bytes[at]!
    at += length
  }
  if (kind !== 44) return { header: before.join(), kind, offset: 0, more: false, data: bytes.subarray(at) }
  const word = view.getUint16(at + 2)
  return {
    header: `${before.join()} fragment`,
    kind: bytes[at]!,
    offset: word & 0xfff8,
    more: (word & 1) !== 0,
    data: bytes.subarray(at + 8),
  }
}

/** What the fragments come to: headers and payload as text. */
function whole(packets: readonly Uint8Array[]): string {
  const parts = packets.map(read).sort((a, b) => a.offset - b.offset)
  const gap = parts.some(({ offset }, i) => offset !== parts.slice(0, i).reduce((n, { data }) => n + data.length, 0))
  const headers = new Set(parts.map(({ header, kind }) => `${header} ${kind}`))
  const more = parts.map((part) => (part.more ? 'M' : '.')).join('')
  return `${[...headers]} ${more.replace(/^M*/, '')}${gap ? ' gap' : ''} data ${parts.flatMap(({ data }) => [...data])}`
}

describe('IPv6 fragments fare as in the kernel', () => {
  test(...needsKernel('random storms'), () => {
    beside = new BesideKernel({}, 6)
    // Fragments that wait in vain would fill it.
    beside.sysctl('net.netfilter.nf_conntrack_frag6_high_thresh', 1 << 30)
    const time = new Time()
    const slab = new Slab(512)
    const limits = { seconds: 60, threshold: 4 << 20 }
    const defrag = new Defrag6(slab, time, limits, 1, { expired: () => {}, dropped: () => {} })
    const p = new Packet(slab)
    const random = seededRandom(Number(process.env.DEFRAG_SEED ?? 1))
    const below = (n: number) => (random() >>> 0) % n
    const chance = (n: number) => below(n) === 0

    const ours = (bytes: Uint8Array): Uint8Array[] => {
      const start = slab.take()
      slab.bytes.set(bytes, start)
      p.begin(start, bytes.length, 1)
      parse6(p)
      const said = defrag.input(p, USER_PREROUTING)
      if (said === HELD) return []
      const out: Uint8Array[] = []
      if (said === PASS && p.length > p.fragmentMax && p.fragmentMax !== 0)
        fragmentOut6(p, 65_535, 1, (at, length) => {
          out.push(slab.bytes.slice(at, at + length))
          slab.give(at)
        })
      else if (said === PASS) out.push(p.copy())
      slab.give(p.start)
      return out
    }

    const datagram = (id: number) => {
      const size = 8 + below(chance(8) ? 6000 : 600)
      const payload = Uint8Array.from({ length: size }, (_, i) => (i * 7 + id) & 255)
      const trafficClass = chance(4) ? below(4) : 0
      const option = (kind: number, words: number) => [kind, words, 1, 8 * words + 4, ...new Uint8Array(8 * words + 4)]
      const before = [
        ...(chance(4) ? [option(0, 0)] : []),
        ...(chance(4) ? [option(60, chance(2) ? 0 : below(30))] : []),
      ]
      const fragments: Uint8Array[] = []
      const largest = chance(5) ? 200 : 20
      const piece = 8 * (1 + below(largest))
      for (let at = 0; at < size; ) {
        let length = chance(3) ? 8 * (1 + below(largest)) : piece
        let offset = at
        at += length
        // Now and then it overlaps, leaves a gap, or has an odd length.
        if (chance(60)) offset = Math.max(0, offset + 8 * (below(5) - 2))
        if (chance(60)) length += below(20) - 8
        if (length < 0) length = 0
        const end = Math.min(size, offset + length)
        const more = end !== size || chance(40) ? 1 : 0
        const header = [44, 0, offset >> 8, (offset & 0xf8) | more, 0, 0, id >> 8, id & 255]
        const extensions = [...(chance(20) ? [] : before), header] as never
        const fields = { source: 'fd00:1::2', destination: 'fd00:2::2', protocol: chance(30) ? 253 : 254, extensions }
        fragments.push(
          ip6Packet({ ...fields, trafficClass: chance(30) ? below(4) : trafficClass }, payload.subarray(offset, end)),
        )
      }
      if (chance(2)) fragments.sort(() => (random() & 1) - 0.5)
      if (chance(4)) fragments.reverse()
      while (chance(3)) fragments.splice(below(fragments.length + 1), 0, fragments[below(fragments.length)]!)
      return fragments
    }

    let id = 1
    let made = 0
    const active: { id: number; left: Uint8Array[]; log: string[] }[] = []
    for (let step = 0; step < STEPS; step++) {
      const slot = below(4)
      if (active[slot] === undefined || active[slot].left.length === 0)
        active[slot] = { id, left: datagram(id++), log: [] }
      const { left, log } = active[slot]
      const bytes = left.shift()!
      const part = read(bytes)
      log.push(`${part.offset}+${part.data.length}${part.more ? ' MF' : ''} ${part.header} ${part.kind}`)
      const kernel = beside.kernelForwards(0, bytes)
      const mine = ours(bytes)
      if (kernel.length > 0) made++
      const show = (packets: Uint8Array[]) => (packets.length === 0 ? 'nothing' : whole(packets))
      const where = `\nstep ${step}\n${log.join('\n')}`
      expect(`${show(mine)}${where}`).toBe(`${show(kernel)}${where}`)
    }
    // Fragment headers that are cut off, and fragments without data.
    for (let length = 0; length < 9; length++)
      for (const word of [0, 1, 8, 9]) {
        const header = [254, 0, 0, word, 0, 0, 0, length].slice(0, length)
        const bytes = ip6Packet({ source: 'fd00:1::2', destination: 'fd00:2::2', protocol: 44 }, header)
        expect(`${length} ${word} ${ours(bytes).length}`).toBe(
          `${length} ${word} ${beside.kernelForwards(0, bytes).length}`,
        )
      }
    expect(made).toBeGreaterThan(STEPS / 40)
    defrag.clear()
    expect(slab.free).toBe(512)
  })
})
