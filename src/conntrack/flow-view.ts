// A flow table as it is read, by the thread that owns it or by another: the fields of a flow, one function each. The packet
// path reads `words` itself.

import { Extensions, type SharedExtensions } from './extensions.ts'
import * as f from './record.ts'

/** The memory of a flow table as it crosses to another thread. */
export interface SharedFlows {
  readonly words: Int32Array<SharedArrayBuffer>
  readonly header: Int32Array<SharedArrayBuffer>
  readonly max: number
  /** IPv6's addresses, f.ADDRESS_WORDS a flow (flows6.ts); empty for IPv4, whose records have them. */
  readonly addresses: Int32Array<SharedArrayBuffer>
  readonly extensions: SharedExtensions
}

export class FlowView {
  /** Records, f.WORDS each. */
  readonly words: Int32Array<SharedArrayBuffer>
  /** [0] records in use, [1] records ever used (what a reader has to scan), [2] what ids are made with. */
  readonly header: Int32Array<SharedArrayBuffer>
  readonly max: number
  readonly addresses: Int32Array<SharedArrayBuffer>
  readonly extensions: Extensions

  constructor({ words, header, max, addresses }: Omit<SharedFlows, 'extensions'>) {
    this.words = words
    this.addresses = addresses
    this.header = header
    this.max = max
    this.extensions = new Extensions(max)
  }

  /** Flows in use, unconfirmed ones included. */
  get count(): number {
    return this.header[0]
  }

  /** Records below this number may be in use; above it none ever was. */
  get used(): number {
    return this.header[1]
  }

  /** Whether the record holds a flow. */
  inUse(ct: number): boolean {
    return (this.words[ct * f.WORDS + f.STATUS] & f.IN_USE) !== 0
  }

  get family(): 4 | 6 {
    return this.addresses.length === 0 ? 4 : 6
  }

  /** One word of an address, the most significant being number 0. */
  sourceWord(ct: number, direction: number, word: number): number {
    return this.addresses.length === 0
      ? this.source(ct, direction)
      : this.addresses[ct * f.ADDRESS_WORDS + direction * f.TUPLE_ADDRESS_WORDS + word]
  }

  destinationWord(ct: number, direction: number, word: number): number {
    return this.addresses.length === 0
      ? this.destination(ct, direction)
      : this.addresses[ct * f.ADDRESS_WORDS + direction * f.TUPLE_ADDRESS_WORDS + 4 + word]
  }

  /** The whole address: one word for IPv4, four for IPv6. */
  sourceWords(ct: number, direction: number): readonly number[] {
    return this.#words.map((word) => this.sourceWord(ct, direction, word))
  }

  destinationWords(ct: number, direction: number): readonly number[] {
    return this.#words.map((word) => this.destinationWord(ct, direction, word))
  }

  get #words(): readonly number[] {
    return this.addresses.length === 0 ? [0] : [0, 1, 2, 3]
  }

  /** IPv4's address; IPv6's digest of it (flows6.ts). */
  source(ct: number, direction: number): number {
    return this.words[ct * f.WORDS + direction * f.TUPLE_WORDS + f.SOURCE]
  }

  destination(ct: number, direction: number): number {
    return this.words[ct * f.WORDS + direction * f.TUPLE_WORDS + f.DESTINATION]
  }

  /** Source port, or an ICMP flow's identifier. */
  sport(ct: number, direction: number): number {
    return this.words[ct * f.WORDS + direction * f.TUPLE_WORDS + f.PORTS] >>> 16
  }

  /** Destination port, or an ICMP flow's type << 8 | code. */
  dport(ct: number, direction: number): number {
    return this.words[ct * f.WORDS + direction * f.TUPLE_WORDS + f.PORTS] & 0xffff
  }

  protocol(ct: number): number {
    return this.words[ct * f.WORDS + f.KEY] & 0xff
  }

  /** The zone that packets of this direction are looked up in. */
  zone(ct: number, direction = 0): number {
    return this.words[ct * f.WORDS + f.KEY + direction * f.KEY_STEP] >>> 8
  }

  status(ct: number): number {
    return this.words[ct * f.WORDS + f.STATUS] & f.STATUS_MASK
  }

  /** When the flow ends, in Time.now's milliseconds. */
  expires(ct: number): number {
    return this.words[ct * f.WORDS + f.EXPIRES]
  }

  /** Whether its time is over; `now` is Time.now. */
  isOver(ct: number, now: number): boolean {
    return ((this.words[ct * f.WORDS + f.EXPIRES] - now) | 0) <= 0
  }

  mark(ct: number): number {
    return this.words[ct * f.WORDS + f.MARK]
  }

  /** A number that no other flow is likely to have, now or later: uint32, as `conntrack -o id` prints it. */
  id(ct: number): number {
    const { words } = this
    const base = ct * f.WORDS
    let h = Math.imul(ct ^ this.header[2], 0x85ebca6b)
    for (let i = 0; i < f.TUPLE_WORDS; i++) h = Math.imul((h ^ (h >>> 15)) + words[base + i], 0xc2b2ae35)
    h = Math.imul((h ^ (h >>> 13)) + words[base + f.KEY], 0x27d4eb2f)
    return (h ^ (h >>> 16)) >>> 0
  }
}
