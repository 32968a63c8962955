// Storms of fragments, right and wrong, in any order, through our reassembly and the kernel's at once. After every
// fragment both must have made the same whole packet, or none. The kernel sends a reassembled packet on in fragments
// again, so what is compared is what those, and ours, come to. (Not their boundaries: see src/packet/fragment.ts; and DF
// only where the fragments have no options, since the kernel drops it only where it can repeat the boundaries.)

import { afterEach, describe, expect, test } from 'vitest'
import { HELD, PASS, USER_PREROUTING } from '../../src/conntrack/defrag.ts'
import { Defrag4 } from '../../src/conntrack/defrag4.ts'
import { fragmentOut } from '../../src/packet/fragment.ts'
import { Packet } from '../../src/packet/packet.ts'
import { parse4 } from '../../src/packet/parse.ts'
import { Slab } from '../../src/packet/slab.ts'
import { seededRandom } from '../../src/random.ts'
import { sysctls } from '../../src/sysctl.ts'
import { Time } from '../../src/time.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { BesideKernel } from './beside-kernel.ts'
import { ipPacket } from './bytes.ts'

let beside: BesideKernel | undefined
afterEach(() => {
  beside?.close()
  beside = undefined
})

const MF = 0x2000
const DF = 0x4000
const STEPS = Number(process.env.DEFRAG_STEPS ?? 4000)

/** What the fragments come to: header and payload as text. */
function whole(fragments: readonly Uint8Array[]): string {
  const parts = fragments.map((bytes) => {
    const header = (bytes[0]! & 15) * 4
    const word = (bytes[6]! << 8) | bytes[7]!
    return { bytes, header, word, offset: (word & 0x1fff) * 8 }
  })
  parts.sort((a, b) => a.offset - b.offset)
  const payload = parts.flatMap(({ bytes, header }) => [...bytes.subarray(header)])
  const gap = parts.some(
    ({ offset }, i) => offset !== parts.slice(0, i).reduce((n, p) => n + p.bytes.length - p.header, 0),
  )
  const flags = new Set(
    parts.map(({ word, bytes, header }) => `${word & DF && header === 20 ? 'DF' : '-'} tos ${bytes[1]}`),
  )
  const more = parts
    .map(({ word }) => (word & MF ? 'M' : '.'))
    .join('')
    .replace(/^M*/, '')
  const options = parts.map(({ bytes, header }) => [...bytes.subarray(20, header)].join()).slice(0, 2)
  return `${[...flags]} ${more}${gap ? ' gap' : ''} options ${options.join(' ')} data ${payload}`
}

describe('fragments fare as in the kernel', () => {
  test(...needsKernel('random storms'), () => {
    beside = new BesideKernel()
    beside.sysctl('net.ipv4.ipfrag_max_dist', 0)
    const time = new Time()
    const slab = new Slab(512)
    const defrag = new Defrag4(slab, time, sysctls(), 1, { expired: () => {}, dropped: () => {} })
    const p = new Packet(slab)
    const random = seededRandom(Number(process.env.DEFRAG_SEED ?? 1))
    const below = (n: number) => (random() >>> 0) % n
    const chance = (n: number) => below(n) === 0

    const ours = (bytes: Uint8Array): Uint8Array[] => {
      const start = slab.take()
      slab.bytes.set(bytes, start)
      p.begin(start, bytes.length, 1)
      parse4(p)
      const said = defrag.input(p, USER_PREROUTING)
      if (said === HELD) return []
      const out: Uint8Array[] = []
      if (said === PASS && p.fragmentMax === 0) out.push(p.copy())
      else if (said === PASS)
        fragmentOut(p, 65_535, (at, length) => {
          out.push(slab.bytes.slice(at, at + length))
          slab.give(at)
        })
      slab.give(p.start)
      return out
    }

    const datagram = (id: number) => {
      const size = 8 + below(600)
      const payload = Uint8Array.from({ length: size }, (_, i) => (i * 7 + id) & 255)
      const dontFragment = chance(4)
      const tos = chance(4) ? below(4) : 0
      const options = chance(4) && !dontFragment ? [...(chance(2) ? [222, 4, 1, 1] : [94, 4, 1, 1]), 1, 1, 1, 0] : []
      const fragments: Uint8Array[] = []
      const piece = 8 * (1 + below(20))
      for (let at = 0; at < size; ) {
        let length = chance(3) ? 8 * (1 + below(20)) : piece
        let offset = at
        at += length
        // Now and then it overlaps, leaves a gap, or has an odd length.
        if (chance(60)) offset = Math.max(0, offset + 8 * (below(5) - 2))
        if (chance(60)) length += below(20) - 8
        if (length < 0) length = 0
        const end = Math.min(size, offset + length)
        const last = end === size && !chance(40)
        fragments.push(
          ipPacket(
            {
              source: '10.0.1.2',
              destination: '10.0.2.2',
              protocol: 254,
              id,
              tos: chance(30) ? below(4) : tos,
              fragment: (offset >> 3) | (last ? 0 : MF) | (dontFragment || chance(20) ? DF : 0),
              options: at === length || chance(2) ? options : [],
            },
            payload.subarray(offset, end),
          ),
        )
      }
      if (chance(2)) fragments.sort(() => (random() & 1) - 0.5)
      if (chance(4)) fragments.reverse()
      while (chance(3)) fragments.splice(below(fragments.length + 1), 0, fragments[below(fragments.length)]!)
      return fragments
    }

    let id = 1
    let made = 0
    const active: Uint8Array[][] = []
    const log: string[] = []
    for (let step = 0; step < STEPS; step++) {
      const slot = below(4)
      if (active[slot] === undefined || active[slot].length === 0) active[slot] = datagram(id++)
      const bytes = active[slot].shift()!
      const word = (bytes[6]! << 8) | bytes[7]!
      log.push(
        `id ${(bytes[4]! << 8) | bytes[5]!} ${(word & 0x1fff) * 8}+${bytes.length - (bytes[0]! & 15) * 4}${word & MF ? ' MF' : ''}${word & DF ? ' DF' : ''} tos ${bytes[1]} options ${bytes.subarray(20, (bytes[0]! & 15) * 4)}`,
      )
      const kernel = beside.kernelForwards(0, bytes)
      const mine = ours(bytes)
      if (kernel.length > 0) made++
      const same = log.at(-1)!.split(' ')[1]!
      const text = log.filter((line) => line.startsWith(`id ${same} `)).join('\n')
      const show = (fragments: Uint8Array[]) => (fragments.length === 0 ? 'nothing' : whole(fragments))
      expect(`${show(mine)}\nstep ${step}\n${text}`).toBe(`${show(kernel)}\nstep ${step}\n${text}`)
    }
    expect(made).toBeGreaterThan(STEPS / 40)
    defrag.clear()
    expect(slab.free).toBe(512)
  })
})
