// SYN cookies (RFC 4987, 3.6; the idea is Bernstein's, 1996): the sequence number of a SYN/ACK says all that has to be known when it
// is acknowledged, so that nothing is kept of a SYN. A cookie is the client's own sequence number, moved by a keyed hash of the
// addresses and ports; on top of that the minute, 8 bits, and below it, hidden by another hash that has the minute in it, which of
// a few segment sizes the client takes. A cookie is good in the minute in which it was made and in the next one.
//
// As in Linux the client's number and the size only add up: who acknowledges with a number one less than his own (a keep-alive) is
// taken at the next larger size, if there is one.

import type { Packet } from '../packet/packet.ts'
import type { Time } from '../time.ts'
import * as tcp from '../wire/tcp.ts'
import { siphash } from './siphash.ts'

const MINUTE = 60_000
/** Minutes in which a cookie is good. */
const LIFETIME = 2
const MINUTE_SHIFT = 24
const SECRET_MASK = 0xffffff

// What is hashed: which of the two hashes, minute, ports, one word free, then the addresses.
const WHICH = 0
const AT_MINUTE = 1
const PORTS = 2
const ADDRESSES = 4
const WORDS = { 4: ADDRESSES + 2, 6: ADDRESSES + 8 } as const

export class SynCookies {
  readonly #time: Time
  readonly #key: Int32Array
  /** Segment sizes that are told apart, the smallest first. */
  readonly #sizes: readonly number[]
  readonly #words = new Int32Array(WORDS[6])

  constructor(time: Time, random: () => number, sizes: readonly number[]) {
    this.#time = time
    this.#key = Int32Array.from({ length: 4 }, random)
    this.#sizes = sizes
  }

  /** The cookie for a SYN, int32. @param mss the largest segment that its sender takes */
  make(p: Packet, mss: number): number {
    const sizes = this.#sizes
    let size = sizes.length - 1
    while (size > 0 && mss < sizes[size]) size--
    const minute = this.#minute
    const hidden = (this.#hash(p, 1, minute) + size) & SECRET_MASK
    const sequence = p.view.getInt32(p.transport + tcp.SEQUENCE)
    return (this.#hash(p, 0, 0) + sequence + (minute << MINUTE_SHIFT) + hidden) | 0
  }

  /** The segment size that the cookie says which this ACK acknowledges; 0 for one that is wrong, or too old. */
  check(p: Packet): number {
    const { view, transport } = p
    const cookie = (view.getInt32(transport + tcp.ACKNOWLEDGEMENT) - 1) | 0
    const sequence = (view.getInt32(transport + tcp.SEQUENCE) - 1) | 0
    const said = (cookie - this.#hash(p, 0, 0) - sequence) | 0
    const age = (this.#minute - (said >>> MINUTE_SHIFT)) & 0xff
    if (age >= LIFETIME) return 0
    const size = (said - this.#hash(p, 1, this.#minute - age)) & SECRET_MASK
    return size < this.#sizes.length ? this.#sizes[size] : 0
  }

  get #minute(): number {
    return Math.floor(this.#time.wall / MINUTE) | 0
  }

  #hash(p: Packet, which: number, minute: number): number {
    const words = this.#words
    words[WHICH] = which
    words[AT_MINUTE] = minute
    words[PORTS] = (p.sport << 16) | p.dport
    words[ADDRESSES] = p.source
    words[ADDRESSES + 1] = p.destination
    if (p.family === 4) return siphash(this.#key, words, WORDS[4])
    words[ADDRESSES + 2] = p.source1
    words[ADDRESSES + 3] = p.destination1
    words[ADDRESSES + 4] = p.source2
    words[ADDRESSES + 5] = p.destination2
    words[ADDRESSES + 6] = p.source3
    words[ADDRESSES + 7] = p.destination3
    return siphash(this.#key, words, WORDS[6])
  }
}
