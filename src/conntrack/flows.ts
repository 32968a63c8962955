// The flow table: one record a flow in one Int32Array, found through an open-addressing index over both tuples. It is
// IPv4's as it stands; IPv6's (flows6.ts) keeps the addresses beside the records.
// What always holds: a confirmed flow stands in the index under its original and its reply tuple, an unconfirmed one
// under neither; a record is either in use or on the free list; the flow's id is its record's number.
//
// The arrays are SharedArrayBuffers, reserved whole at the start: the system hands out pages as they are first touched,
// so a large bound costs nothing until it is used and growth never pauses. Only what TCP needs is made block by block (sequences.ts).
//
// An index entry is one int32: 0 for empty, otherwise (record << 1 | direction) + 1 in the low bits and in the bits that
// are left the hash's top bits as a tag, so that a look-up touches one cache line of the index and, but for one false
// tag in hundreds, only the record that it wants. Removal shifts the cluster back: no tombstones, no rebuilds.
// At the bound the index is between half and three quarters full, which is 5 entries to look at on average, at the most 8.5, for a
// tuple that is not there. The hash is keyed (tuple-hash.ts); who does not know the key cannot build a cluster.

import { TunfilterError } from '../errors.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import { FlowView, type SharedFlows } from './flow-view.ts'
import * as f from './record.ts'
import { BLOCK, Sequences } from './sequences.ts'
import { hashKeys, hashTuple } from './tuple-hash.ts'

/** Records of blocks that have no words for TCP, and of those that have. */
const PLAIN = 0
const SEQUENCED = 1

export class FlowTable extends FlowView {
  /** What only TCP keeps. */
  readonly sequences: Sequences
  /** The neighbours in the chain by source, two words a flow: record + 1 of the next and of the one before, 0 for none. */
  readonly #neighbours: Int32Array<SharedArrayBuffer>
  readonly #index: Int32Array<SharedArrayBuffer>
  /** Places in the index: four quarters of a power of two, or three of them. */
  readonly #places: number
  readonly #quarters: number
  readonly #homeMask: number
  /** For hashes: a secret. */
  protected readonly keys: Int32Array
  /** Bits of an entry that name record and direction; the others are the tag. */
  readonly #entryMask: number
  /** First records of the free lists, of PLAIN and SEQUENCED ones, -1 for none; linked through word 0. */
  readonly #free = Int32Array.of(-1, -1)
  /** The blocks that records were never given out of before: the next of them, and where the block ends. */
  readonly #fresh = new Int32Array(2)
  readonly #freshEnd = new Int32Array(2)
  /** First record of the blocks that nothing was given out of. */
  #untouched = 0
  /** Heads of the chains by source, record + 1, 0 for none; made when NAT first needs it. */
  readonly #bySource: Int32Array<SharedArrayBuffer>
  readonly #bySourceMask: number

  /**
   * @param max the most flows there can be (net.netfilter.nf_conntrack_max), 1 to 16,000,000
   * @param seed an int32 from a random source
   * @param addresses IPv6's
   */
  constructor(max: number, seed: number, addresses = new Int32Array(new SharedArrayBuffer(0))) {
    if (!Number.isInteger(max) || max < 1 || max > 16_000_000)
      throw new TunfilterError('ERR_FLOW_TABLE_SIZE', `flow table for ${max} flows: expected 1 to 16000000`)
    super({
      words: new Int32Array(new SharedArrayBuffer(max * f.WORDS * 4)),
      header: new Int32Array(new SharedArrayBuffer(12)),
      max,
      addresses,
    })
    this.header[2] = Math.imul(seed, 0x9e3779b1)
    this.keys = hashKeys(seed)
    // Two entries a flow.
    const enough = Math.max(16, Math.ceil((8 * max) / 3))
    const power = 1 << (32 - Math.clz32(enough - 1))
    this.#quarters = (power >> 2) * 3 >= enough ? 3 : 4
    this.#places = (power >> 2) * this.#quarters
    this.#homeMask = power - 1
    this.#entryMask = (1 << (32 - Math.clz32(2 * max))) - 1
    this.#index = new Int32Array(new SharedArrayBuffer(this.#places * 4))
    this.sequences = new Sequences(max)
    this.#neighbours = new Int32Array(new SharedArrayBuffer(max * 8))
    const heads = 1 << (31 - Math.clz32(Math.max(16, max)))
    this.#bySourceMask = heads - 1
    this.#bySource = new Int32Array(new SharedArrayBuffer(heads * 4))
  }

  /** Bytes reserved for flows: records, index and source chains. */
  get byteLength(): number {
    return this.arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** The memory behind the table, for who wants to advise the system about it. */
  get arrays(): readonly Int32Array<SharedArrayBuffer>[] {
    return [this.words, ...this.sequences.made, this.#neighbours, this.#index, this.#bySource]
  }

  /** What another thread needs to read the table (FlowView). */
  get shared(): SharedFlows {
    const { words, header, max, addresses } = this
    const { accounts, stamps, labels, extras } = this.extensions
    return { words, header, max, addresses, extensions: { accounts, stamps, labels, extras } }
  }

  /** A cleared record, or -1 when all are in use. @param protocol of the flow that it is for */
  allocate(protocol = 0): number {
    const kind = protocol === PROTO_TCP ? SEQUENCED : PLAIN
    let ct = this.#unused(kind)
    if (ct < 0) ct = this.#unused(kind ^ 1)
    if (ct < 0) return -1
    if (kind === SEQUENCED) this.sequences.provide(ct)
    const { words, header } = this
    header[0]++
    const base = ct * f.WORDS
    words.fill(0, base, base + f.WORDS)
    words[base + f.STATUS] = f.IN_USE
    if (this.extensions.any) this.extensions.clear(ct)
    return ct
  }

  /** A record that is in no use, of a block of this kind, or -1. */
  #unused(kind: number): number {
    const free = this.#free[kind]
    if (free >= 0) {
      this.#free[kind] = this.words[free * f.WORDS]
      return free
    }
    if (this.#fresh[kind] === this.#freshEnd[kind]) {
      if (this.#untouched === this.max) return -1
      this.#fresh[kind] = this.#untouched
      this.#untouched = Math.min(this.#untouched + BLOCK, this.max)
      this.#freshEnd[kind] = this.#untouched
    }
    const ct = this.#fresh[kind]++
    if (ct >= this.header[1]) this.header[1] = ct + 1
    return ct
  }

  /** Gives a record back that stands in no index. */
  release(ct: number): void {
    const base = ct * f.WORDS
    const kind = this.sequences.has(ct) ? SEQUENCED : PLAIN
    this.words[base + f.STATUS] = 0
    this.words[base] = this.#free[kind]
    this.#free[kind] = ct
    this.header[0]--
  }

  /** @param ports sport << 16 | dport  @param key protocol and zone as f.key() packs them */
  hash(source: number, destination: number, ports: number, key: number): number {
    return hashTuple(this.keys, source, destination, ports, key)
  }

  /** Where in the index the entry of a hash stands, or behind it. */
  #home(hash: number): number {
    return Math.imul(hash & this.#homeMask, this.#quarters) >>> 2
  }

  /** The flow that has this tuple, as record << 1 | direction, or -1. @param key of that direction, f.keyIn() */
  find(source: number, destination: number, ports: number, key: number): number {
    const h = this.hash(source, destination, ports, key)
    const index = this.#index
    const words = this.words
    const places = this.#places
    const entryMask = this.#entryMask
    const tag = h & ~entryMask
    for (let at = this.#home(h); ; at = at + 1 === places ? 0 : at + 1) {
      const entry = index[at]
      if (entry === 0) return -1
      if ((entry & ~entryMask) !== tag) continue
      const found = (entry & entryMask) - 1
      const base = (found >> 1) * f.WORDS
      const tuple = base + (found & 1) * f.TUPLE_WORDS
      if (
        words[tuple + f.SOURCE] === source &&
        words[tuple + f.DESTINATION] === destination &&
        words[tuple + f.PORTS] === ports &&
        words[base + f.KEY + (found & 1) * f.KEY_STEP] === key
      )
        return found
    }
  }

  /** Puts both tuples of a record into the index. Whoever calls has seen that neither is there. */
  insert(ct: number): void {
    // Who talks to itself has one tuple twice: it is found as the answer's, as in Linux.
    this.#put((ct << 1) | 1)
    this.#put(ct << 1)
  }

  /** Puts the reply tuple alone into the index; `remove` does for such a record too. */
  insertReply(ct: number): void {
    this.#put((ct << 1) | 1)
  }

  /** Takes both tuples of a record out of the index. */
  remove(ct: number): void {
    this.#take(ct << 1)
    this.#take((ct << 1) | 1)
  }

  /**
   * The record that stands `step` places behind this hash's home in the index, or -1 for an empty place: early drop
   * walks along here.
   */
  near(hash: number, step: number): number {
    const at = this.#home(hash) + step
    const entry = this.#index[at < this.#places ? at : at % this.#places]
    return entry === 0 ? -1 : ((entry & this.#entryMask) - 1) >> 1
  }

  #hashOf(entry: number): number {
    const { words } = this
    const base = (entry >> 1) * f.WORDS
    const tuple = base + (entry & 1) * f.TUPLE_WORDS
    const key = words[base + f.KEY + (entry & 1) * f.KEY_STEP]
    return this.hash(words[tuple + f.SOURCE], words[tuple + f.DESTINATION], words[tuple + f.PORTS], key)
  }

  #put(entry: number): void {
    const h = this.#hashOf(entry)
    const index = this.#index
    const places = this.#places
    let at = this.#home(h)
    while (index[at] !== 0) at = at + 1 === places ? 0 : at + 1
    index[at] = (h & ~this.#entryMask) | (entry + 1)
  }

  #take(entry: number): void {
    const index = this.#index
    const places = this.#places
    const entryMask = this.#entryMask
    let at = this.#home(this.#hashOf(entry))
    while ((index[at] & entryMask) !== entry + 1) {
      if (index[at] === 0) return
      at = at + 1 === places ? 0 : at + 1
    }
    // Backward shift: whatever stands behind the hole and may stand in it moves there, until the cluster ends.
    let hole = at
    for (;;) {
      at = at + 1 === places ? 0 : at + 1
      const next = index[at]
      if (next === 0) break
      const home = this.#home(this.#hashOf((next & entryMask) - 1))
      if (this.#behind(at, home) >= this.#behind(at, hole)) {
        index[hole] = next
        hole = at
      }
    }
    index[hole] = 0
  }

  /** How many places after `from` the place `at` comes. */
  #behind(at: number, from: number): number {
    return at < from ? at - from + this.#places : at - from
  }

  // Chains by the original source: NAT asks them for a mapping that the same source address and port already has.

  #sourceHead(source: number, sport: number, key: number): number {
    return this.hash(source, 0, sport, key) & this.#bySourceMask
  }

  /** Puts a record at the head of its source's chain. */
  linkBySource(ct: number): void {
    const { words } = this
    const base = ct * f.WORDS
    const head = this.#sourceHead(words[base + f.SOURCE], words[base + f.PORTS] >>> 16, words[base + f.KEY])
    const next = this.#bySource[head]
    this.#neighbours[ct << 1] = next
    this.#neighbours[(ct << 1) | 1] = 0
    if (next !== 0) this.#neighbours[((next - 1) << 1) | 1] = ct + 1
    this.#bySource[head] = ct + 1
    words[base + f.STATUS] |= f.BY_SOURCE
  }

  /** Takes a record out of its source's chain, if it is in it. */
  unlinkBySource(ct: number): void {
    const { words } = this
    const base = ct * f.WORDS
    if ((words[base + f.STATUS] & f.BY_SOURCE) === 0) return
    words[base + f.STATUS] &= ~f.BY_SOURCE
    const neighbours = this.#neighbours
    const next = neighbours[ct << 1]
    const previous = neighbours[(ct << 1) | 1]
    if (next !== 0) neighbours[((next - 1) << 1) | 1] = previous
    if (previous !== 0) neighbours[(previous - 1) << 1] = next
    else {
      const head = this.#sourceHead(words[base + f.SOURCE], words[base + f.PORTS] >>> 16, words[base + f.KEY])
      this.#bySource[head] = next
    }
  }

  /** First record of the chain that this source falls into, or -1; other sources may stand in it too. */
  firstBySource(source: number, sport: number, key: number): number {
    return this.#bySource[this.#sourceHead(source, sport, key)] - 1
  }

  nextBySource(ct: number): number {
    return this.#neighbours[ct << 1] - 1
  }
}
