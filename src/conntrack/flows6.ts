// The flow table of IPv6. Its records are IPv4's, word for word, so that trackers, timeouts, early drop, listing and NAT's
// bookkeeping are the same code: where an IPv4 record has an address, an IPv6 record has a digest of one, 32 bits made of
// the address's four words under the table's secret keys. The addresses themselves stand in an array beside the records.
//
// What always holds: a record's digests are those of its addresses. Equal digests do not make equal addresses, so whoever
// finds something by digests compares the addresses too (`findAt`, `same`); unequal ones never belong to the same address. So the
// index, whose entries are hashed by digests, moves without touching the addresses, and a look-up reads them once.
//
// A flow's sixteen words in `addresses` are: original source and destination, reply source and destination. Behind the last
// flow's there is room for two tuples that are looked for (`sought`, `candidate`).

import { FlowTable } from './flows.ts'
import * as f from './record.ts'
import { digest } from './tuple-hash.ts'

/** Words of an address. */
export const ADDRESS_WORDS = 4

export class FlowTable6 extends FlowTable {
  /** Where a packet's tuple is put to be looked up. */
  readonly sought: number
  /** Where NAT puts together a tuple that a flow might get. */
  readonly candidate: number

  /** @param max the most flows there can be  @param seed an int32 from a random source */
  constructor(max: number, seed: number) {
    super(max, seed, new Int32Array(new SharedArrayBuffer((max + 1) * f.ADDRESS_WORDS * 4)))
    this.sought = max * f.ADDRESS_WORDS
    this.candidate = this.sought + f.TUPLE_ADDRESS_WORDS
  }

  override get arrays(): readonly Int32Array<SharedArrayBuffer>[] {
    return [...super.arrays, this.addresses]
  }

  /** What stands for an address in the records. */
  digest(word0: number, word1: number, word2: number, word3: number): number {
    return digest(this.keys, word0, word1, word2, word3)
  }

  /** Where in `addresses` the source address of a direction is; the destination's follows. */
  sourceAt(ct: number, direction: number): number {
    return ct * f.ADDRESS_WORDS + direction * f.TUPLE_ADDRESS_WORDS
  }

  destinationAt(ct: number, direction: number): number {
    return ct * f.ADDRESS_WORDS + direction * f.TUPLE_ADDRESS_WORDS + ADDRESS_WORDS
  }

  /** Digest of the address at a place of `addresses`. */
  digestAt(at: number): number {
    const { addresses } = this
    return this.digest(addresses[at], addresses[at + 1], addresses[at + 2], addresses[at + 3])
  }

  /** Writes an address to a place of `addresses` that is in no record, or in one that is in no index. */
  put(at: number, word0: number, word1: number, word2: number, word3: number): void {
    const { addresses } = this
    addresses[at] = word0
    addresses[at + 1] = word1
    addresses[at + 2] = word2
    addresses[at + 3] = word3
  }

  copy(from: number, to: number): void {
    const { addresses } = this
    this.put(to, addresses[from], addresses[from + 1], addresses[from + 2], addresses[from + 3])
  }

  /** Whether the addresses at two places are the same. */
  same(a: number, b: number): boolean {
    const { addresses } = this
    return (
      addresses[a + 3] === addresses[b + 3] &&
      addresses[a + 2] === addresses[b + 2] &&
      addresses[a + 1] === addresses[b + 1] &&
      addresses[a] === addresses[b]
    )
  }

  /** Makes the digests in a record's tuple those of its addresses. To be called before the flow is in the index. */
  digestTuple(ct: number, direction: number): void {
    const at = ct * f.WORDS + direction * f.TUPLE_WORDS
    this.words[at + f.SOURCE] = this.digestAt(this.sourceAt(ct, direction))
    this.words[at + f.DESTINATION] = this.digestAt(this.destinationAt(ct, direction))
  }

  /**
   * The flow that has the tuple whose addresses are at `at`, as record << 1 | direction, or -1.
   * @param source, destination their digests
   */
  findAt(at: number, source: number, destination: number, ports: number, key: number): number {
    const found = this.find(source, destination, ports, key)
    return found < 0 || this.#has(found, at) ? found : this.#findOther(at, source, destination, ports, key)
  }

  /** Whether the tuple (record << 1 | direction) has the addresses at `at`. */
  #has(tuple: number, at: number): boolean {
    const its = tuple * f.TUPLE_ADDRESS_WORDS
    return this.same(its, at) && this.same(its + ADDRESS_WORDS, at + ADDRESS_WORDS)
  }

  /** Another tuple has these digests: looks at all that stand in the same cluster. */
  #findOther(at: number, source: number, destination: number, ports: number, key: number): number {
    const { words } = this
    const h = this.hash(source, destination, ports, key)
    for (let step = 0; ; step++) {
      const ct = this.near(h, step)
      if (ct < 0) return -1
      for (let direction = 0; direction < 2; direction++) {
        const tuple = (ct << 1) | direction
        const base = ct * f.WORDS
        if (
          words[base + direction * f.TUPLE_WORDS + f.PORTS] === ports &&
          words[base + direction * f.KEY_STEP + f.KEY] === key &&
          this.#has(tuple, at)
        )
          return tuple
      }
    }
  }
}
