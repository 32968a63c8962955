// The flow table: one record a flow in one Int32Array, found through an open-addressing index over both tuples. It is
// IPv4's as it stands; IPv6's (flows6.ts) keeps the addresses beside the records.
// What always holds: a confirmed flow stands in the index under its original and its reply tuple, an unconfirmed one
// under neither; a record is either in use or on the free list; the flow's id is its record's number.
//
// Both arrays are SharedArrayBuffers, reserved whole at the start: the system hands out pages as they are first touched,
// so a large bound costs nothing until it is used and growth never pauses.
//
// An index entry is one int32: 0 for empty, otherwise (record << 1 | direction) + 1 in the low bits and in the bits that
// are left the hash's top bits as a tag, so that a look-up touches one cache line of the index and, but for one false
// tag in hundreds, only the record that it wants. Removal shifts the cluster back: no tombstones, no rebuilds.
// The hash is seeded; who does not know the seed cannot build a cluster.

import { TunfilterError } from '../errors.ts'
import { FlowView, type SharedFlows } from './flow-view.ts'
import * as f from './record.ts'

export class FlowTable extends FlowView {
  /** What only TCP keeps, f.SEQUENCE_WORDS a flow; memory that no flow of it touched costs nothing. */
  readonly sequences: Int32Array<SharedArrayBuffer>
  /** The neighbours in the chain by source, two words a flow: record + 1 of the next and of the one before, 0 for none. */
  readonly #neighbours: Int32Array<SharedArrayBuffer>
  readonly #index: Int32Array<SharedArrayBuffer>
  readonly #mask: number
  /** For hashes: a secret. */
  protected readonly seed: number
  /** Bits of an entry that name record and direction; the others are the tag. */
  readonly #entryMask: number
  /** First record of the free list, -1 for none; linked through word 0. */
  #free = -1
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
    this.seed = seed
    // Two entries a flow: at the bound the index is between a third and two thirds full.
    const entries = 1 << (32 - Math.clz32(Math.max(15, 3 * max - 1)))
    this.#mask = entries - 1
    this.#entryMask = (1 << (32 - Math.clz32(2 * max))) - 1
    this.#index = new Int32Array(new SharedArrayBuffer(entries * 4))
    this.sequences = new Int32Array(new SharedArrayBuffer(max * f.SEQUENCE_WORDS * 4))
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
    return [this.words, this.sequences, this.#neighbours, this.#index, this.#bySource]
  }

  /** What another thread needs to read the table (FlowView). */
  get shared(): SharedFlows {
    const { words, header, max, addresses } = this
    const { accounts, stamps, labels, extras } = this.extensions
    return { words, header, max, addresses, extensions: { accounts, stamps, labels, extras } }
  }

  /** A cleared record, or -1 when all are in use. */
  allocate(): number {
    let ct = this.#free
    const { words, header } = this
    if (ct >= 0) {
      this.#free = words[ct * f.WORDS]
    } else {
      if (header[1] === this.max) return -1
      ct = header[1]++
    }
    header[0]++
    const base = ct * f.WORDS
    words.fill(0, base, base + f.WORDS)
    words[base + f.STATUS] = f.IN_USE
    if (this.extensions.any) this.extensions.clear(ct)
    return ct
  }

  /** Gives a record back that stands in no index. */
  release(ct: number): void {
    const base = ct * f.WORDS
    this.words[base + f.STATUS] = 0
    this.words[base] = this.#free
    this.#free = ct
    this.header[0]--
  }

  /** @param ports sport << 16 | dport  @param key protocol and zone as f.key() packs them */
  hash(source: number, destination: number, ports: number, key: number): number {
    let h = Math.imul(source ^ this.seed, 0x85ebca6b)
    h = Math.imul((h ^ (h >>> 15)) + destination, 0xc2b2ae35)
    h = Math.imul((h ^ (h >>> 13)) + ports, 0x27d4eb2f)
    h = Math.imul((h ^ (h >>> 15)) + key, 0x165667b1)
    h ^= h >>> 13
    h = Math.imul(h, 0x85ebca6b)
    return h ^ (h >>> 16)
  }

  /** The flow that has this tuple, as record << 1 | direction, or -1. @param key of that direction, f.keyIn() */
  find(source: number, destination: number, ports: number, key: number): number {
    const h = this.hash(source, destination, ports, key)
    const index = this.#index
    const words = this.words
    const mask = this.#mask
    const entryMask = this.#entryMask
    const tag = h & ~entryMask
    for (let at = h & mask; ; at = (at + 1) & mask) {
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
    const entry = this.#index[(hash + step) & this.#mask]
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
    let at = h & this.#mask
    while (index[at] !== 0) at = (at + 1) & this.#mask
    index[at] = (h & ~this.#entryMask) | (entry + 1)
  }

  #take(entry: number): void {
    const index = this.#index
    const mask = this.#mask
    const entryMask = this.#entryMask
    let at = this.#hashOf(entry) & mask
    while ((index[at] & entryMask) !== entry + 1) {
      if (index[at] === 0) return
      at = (at + 1) & mask
    }
    // Backward shift: whatever stands behind the hole and may stand in it moves there, until the cluster ends.
    let hole = at
    for (;;) {
      at = (at + 1) & mask
      const next = index[at]
      if (next === 0) break
      const home = this.#hashOf((next & entryMask) - 1) & mask
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        index[hole] = next
        hole = at
      }
    }
    index[hole] = 0
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
