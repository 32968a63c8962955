// Random SCTP associations through our tracker and the kernel's at once: mostly what two endpoints would say, with chunks, tags
// and directions that are wrong often enough. After every packet both must have called it the same, and have the same flows in
// the same states with the same timeouts. SCTP_STEPS raises the number of packets.

import { afterEach, describe, expect, test } from 'vitest'
import { type Random, seededRandom } from '../../src/random.ts'
import { crc32c } from '../../src/wire/crc32c.ts'
import * as sctp from '../../src/wire/sctp.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { BesideKernel } from './beside-kernel.ts'
import { ipPacket } from './bytes.ts'

const STEPS = Number(process.env.SCTP_STEPS ?? 1500)
const SEED = Number(process.env.SCTP_SEED ?? 1)
const ADDRESSES = ['10.0.1.2', '10.0.2.2'] as const

let beside: BesideKernel | undefined
afterEach(() => {
  beside?.close()
  beside = undefined
})

interface Chunk {
  readonly type: number
  readonly flags?: number
  /** The initiate tag of INIT and INIT ACK. */
  readonly tag?: number
  readonly length?: number
}

function sctpPacket(side: number, port: number, tag: number, chunks: readonly Chunk[], damaged: boolean): Uint8Array {
  const parts = chunks.map(({ type, flags = 0, tag: initiate, length }) => {
    const size = initiate === undefined ? 4 : 20
    const bytes = new Uint8Array(size)
    const view = new DataView(bytes.buffer)
    view.setUint8(0, type)
    view.setUint8(1, flags)
    view.setUint16(2, length ?? size)
    if (initiate !== undefined) view.setUint32(4, initiate)
    return bytes
  })
  const bytes = new Uint8Array(12 + parts.reduce((sum, part) => sum + part.length, 0))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, side === 0 ? port : 80)
  view.setUint16(2, side === 0 ? 80 : port)
  view.setUint32(4, tag)
  let at = 12
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  view.setInt32(8, crc32c(view, 0, bytes.length) ^ (damaged ? 1 : 0), true)
  return ipPacket({ source: ADDRESSES[side]!, destination: ADDRESSES[side ^ 1]!, protocol: 132 }, bytes)
}

/** What a whole association looks like: who says what. */
const USUAL: readonly (readonly [side: number, type: number])[] = [
  [0, sctp.INIT],
  [1, sctp.INIT_ACK],
  [0, sctp.COOKIE_ECHO],
  [1, sctp.COOKIE_ACK],
  [0, sctp.DATA],
  [1, 3],
  [0, sctp.HEARTBEAT],
  [1, sctp.HEARTBEAT_ACK],
  [0, sctp.SHUTDOWN],
  [1, sctp.SHUTDOWN_ACK],
  [0, sctp.SHUTDOWN_COMPLETE],
]
const TYPES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 40]

class Association {
  readonly log: string[] = []
  readonly port: number
  readonly #random: Random
  /** By which each side is addressed. */
  readonly #tags: [number, number]
  #next: number

  constructor(random: Random, port: number) {
    this.#random = random
    this.port = port
    this.#tags = [random() >>> 0, random() >>> 0]
    this.#next = this.#below(3) === 0 ? this.#below(USUAL.length) : 0
  }

  #below(n: number): number {
    return (this.#random() >>> 0) % n
  }

  next(): { side: number; bytes: Uint8Array } {
    const usual = USUAL[this.#next % USUAL.length]!
    const odd = this.#below(4) === 0
    const side = odd && this.#below(2) === 0 ? this.#below(2) : usual[0]
    const type = odd ? TYPES[this.#below(TYPES.length)]! : usual[1]
    if (!odd) this.#next = this.#below(12) === 0 ? this.#below(USUAL.length) : this.#next + 1
    if (this.#below(40) === 0) this.#tags[this.#below(2)] = this.#below(3)
    const chunks = [this.#chunk(side, type)]
    while (this.#below(8) === 0) chunks.push(this.#chunk(side, TYPES[this.#below(TYPES.length)]!))
    const right = type === sctp.INIT ? 0 : this.#tags[side ^ 1]!
    const tag = this.#below(10) === 0 ? [0, 1, this.#tags[0], this.#tags[1]][this.#below(4)]! : right
    const damaged = this.#below(50) === 0
    this.log.push(
      `${side} ${chunks.map(({ type: t, flags, tag: i, length }) => [t, flags, i, length].join('/')).join(' ')} tag ${tag}${damaged ? ' damaged' : ''}`,
    )
    return { side, bytes: sctpPacket(side, this.port, tag, chunks, damaged) }
  }

  #chunk(side: number, type: number): Chunk {
    const flags = this.#below(4) === 0 ? 1 : 0
    const length = this.#below(60) === 0 ? this.#below(6) : undefined
    const more = length === undefined ? {} : { length }
    if (type !== sctp.INIT && type !== sctp.INIT_ACK) return { type, flags, ...more }
    const cut = this.#below(30) === 0
    return cut
      ? { type, flags }
      : { type, flags, tag: this.#below(8) === 0 ? this.#below(4) : this.#tags[side]!, ...more }
  }
}

describe('random SCTP associations fare as in the kernel', () => {
  for (const [number, [name, settings]] of [
    ['Linux defaults', {}],
    ['no checksums, accounting', { 'net.netfilter.nf_conntrack_checksum': 0, 'net.netfilter.nf_conntrack_acct': 1 }],
  ].entries() as Iterable<[number, [string, Record<string, number>]]>)
    test(...needsKernel(`with ${name}`), () => {
      beside = new BesideKernel(settings)
      const random = seededRandom(SEED * 16 + number)
      const associations: Association[] = []
      let port = 1024
      for (let step = 0; step < STEPS; step++) {
        const slot = (random() >>> 0) % 6
        if (associations[slot] === undefined || (random() >>> 0) % 40 === 0)
          associations[slot] = new Association(random, port++)
        const association = associations[slot]!
        const { side, bytes } = association.next()
        const kernel: string = beside.kernel(side, bytes)
        const ours: string = beside.ours(bytes)
        const differences = beside
          .differences()
          .split('\n')
          .filter((text) => text.includes(` ${association.port} `))
          .join('\n')
        association.log.push(
          `   ${kernel} ${beside.kernelFlows().find(({ text }) => text.includes(` ${association.port} `))?.text}`,
        )
        if (kernel !== ours || differences !== '')
          expect.fail(`step ${step}: kernel ${kernel}, ours ${ours}\n${differences}\n${association.log.join('\n')}`)
      }
    })
})
