// Members of a hash set: records of int32 words, found by open addressing. A record is the key's words and a last word that
// holds what belongs to the key but is small (prefix lengths), flags that do not, and whether the place is taken.
//
// It grows in steps: records stand in segments of at most 4096 places, and a directory of segments is indexed by the hash's
// top bits. A full segment is split in two, which touches no other (extendible hashing), so that adding the millionth
// member costs what adding the tenth does and no step takes more than a segment's worth of work. Removal shifts the cluster
// back: no tombstones. The hash is seeded; who does not know the seed cannot build a cluster.

import { Extensions } from './extensions.ts'

/** Bits of the last word that belong to the key: two prefix lengths, and whether a device is a bridge's port. */
export const META_KEY = 0x1ffff
export const PHYSDEV = 0x10000
export const WILDCARD = 1 << 28
export const NOMATCH = 1 << 29
const TAKEN = 1 << 30

const SMALLEST = 8
const LARGEST = 4096
/** A segment is full at three quarters. */
const full = (size: number) => (size >>> 2) * 3

export class Segment {
  readonly words: Int32Array
  readonly extensions: Extensions | undefined
  /** Top bits of the hash that all its members share. */
  readonly depth: number
  readonly mask: number
  count = 0

  constructor(words: Int32Array, size: number, depth: number, extensions: Extensions | undefined) {
    this.words = words
    this.extensions = extensions
    this.depth = depth
    this.mask = size - 1
  }

  static empty(stride: number, size: number, depth: number, kinds: number): Segment {
    return new Segment(
      new Int32Array(stride * size),
      size,
      depth,
      kinds === 0 ? undefined : new Extensions(kinds, size),
    )
  }

  clone(): Segment {
    const size = this.mask + 1
    const copy = new Segment(this.words.slice(), size, this.depth, this.extensions?.clone(size))
    copy.count = this.count
    return copy
  }

  /** Whether a member stands at this place. */
  taken(slot: number, stride: number): boolean {
    return (this.words[slot * stride + stride - 1] & TAKEN) !== 0
  }
}

export class MemberTable {
  /** Words of a record: those of the key and the last one. */
  readonly stride: number
  readonly kinds: number
  readonly #seed: number
  #segments: Segment[]
  /** How many top bits of the hash index the directory. */
  #depth = 0
  count = 0
  /** Where find() or insert() was last: read these at once. */
  segment: Segment
  slot = 0

  /** @param keyWords words of the key  @param kinds the extensions of each member */
  constructor(keyWords: number, kinds: number, seed: number) {
    this.stride = keyWords + 1
    this.kinds = kinds
    this.#seed = seed
    this.segment = Segment.empty(this.stride, SMALLEST, 0, kinds)
    this.#segments = [this.segment]
  }

  /** Bytes of all typed arrays. */
  get byteLength(): number {
    let sum = this.#segments.length * 8
    for (const segment of this.segments()) sum += segment.words.byteLength + (segment.extensions?.byteLength ?? 0)
    return sum
  }

  /** In the order of their hashes' top bits: segments may be split meanwhile, and yet no member comes twice or is left out. */
  *segments(): Generator<Segment> {
    for (let prefix = 0; prefix < 2 ** 32; ) {
      const segment = this.#segmentOf(prefix | 0)
      yield segment
      prefix += 2 ** (32 - segment.depth)
    }
  }

  #hash(words: Int32Array, base: number, meta: number): number {
    let h = this.#seed ^ meta
    for (let i = 0; i < this.stride - 1; i++) {
      h = Math.imul(h ^ words[base + i], 0x85ebca6b)
      h ^= h >>> 15
    }
    h = Math.imul(h, 0xc2b2ae35)
    h ^= h >>> 13
    h = Math.imul(h, 0x27d4eb2f)
    return h ^ (h >>> 16)
  }

  #segmentOf(hash: number): Segment {
    return this.#segments[this.#depth === 0 ? 0 : hash >>> (32 - this.#depth)]
  }

  /** Whether a member with this key is there; it then stands at `slot` of `segment`. @param meta within META_KEY */
  find(key: Int32Array, meta: number): boolean {
    const { stride } = this
    const hash = this.#hash(key, 0, meta)
    const segment = this.#segmentOf(hash)
    const { words, mask } = segment
    const last = stride - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const base = slot * stride
      const found = words[base + last]
      if (found === 0) return false
      if ((found & META_KEY) !== meta) continue
      let i = 0
      while (i < last && words[base + i] === key[i]) i++
      if (i < last) continue
      this.segment = segment
      this.slot = slot
      return true
    }
  }

  /** Adds a member that is not there. @param meta with its flags; it then stands at `slot` of `segment` */
  insert(key: Int32Array, meta: number): void {
    const hash = this.#hash(key, 0, meta & META_KEY)
    let segment = this.#segmentOf(hash)
    while (segment.count >= full(segment.mask + 1)) {
      this.#grow(segment, hash)
      segment = this.#segmentOf(hash)
    }
    const { stride } = this
    const { words, mask } = segment
    let slot = hash & mask
    while (words[slot * stride + stride - 1] !== 0) slot = (slot + 1) & mask
    const base = slot * stride
    for (let i = 0; i < stride - 1; i++) words[base + i] = key[i]
    words[base + stride - 1] = meta | TAKEN
    segment.count++
    this.count++
    this.segment = segment
    this.slot = slot
  }

  /** What the member at `slot` of `segment` has in its last word. */
  get meta(): number {
    return this.segment.words[this.slot * this.stride + this.stride - 1]
  }

  /** Gives the member at `slot` of `segment` other flags. */
  setFlags(flags: number): void {
    const at = this.slot * this.stride + this.stride - 1
    this.segment.words[at] = (this.segment.words[at] & META_KEY) | TAKEN | flags
  }

  /** Takes away the member at `slot` of `segment`; the place may hold another one afterwards. */
  remove(): void {
    const { stride, segment } = this
    const { words, mask, extensions } = segment
    extensions?.forget(this.slot)
    let hole = this.slot
    for (let at = (hole + 1) & mask; words[at * stride + stride - 1] !== 0; at = (at + 1) & mask) {
      const home = this.#hash(words, at * stride, words[at * stride + stride - 1] & META_KEY) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      words.copyWithin(hole * stride, at * stride, (at + 1) * stride)
      extensions?.take(hole, extensions, at)
      hole = at
    }
    words.fill(0, hole * stride, (hole + 1) * stride)
    segment.count--
    this.count--
  }

  /** A segment becomes twice as large, or two. */
  #grow(old: Segment, hash: number): void {
    const size = old.mask + 1
    const { stride, kinds } = this
    if (size < LARGEST) {
      const larger = Segment.empty(stride, size * 2, old.depth, kinds)
      this.#move(old, larger, larger)
      this.#put(larger, hash)
      return
    }
    if (old.depth === this.#depth) {
      this.#segments = this.#segments.flatMap((segment) => [segment, segment])
      this.#depth++
    }
    const low = Segment.empty(stride, size, old.depth + 1, kinds)
    const high = Segment.empty(stride, size, old.depth + 1, kinds)
    this.#move(old, low, high)
    const bit = 1 << (31 - old.depth)
    this.#put(low, hash & ~bit)
    this.#put(high, hash | bit)
  }

  /** Into the directory, wherever its members' hashes point. @param hash one of theirs */
  #put(segment: Segment, hash: number): void {
    const span = this.#depth - segment.depth
    const prefix = segment.depth === 0 ? 0 : hash >>> (32 - segment.depth)
    this.#segments.fill(segment, prefix << span, (prefix + 1) << span)
  }

  #move(from: Segment, low: Segment, high: Segment): void {
    const { stride } = this
    for (let slot = 0; slot <= from.mask; slot++) {
      if (!from.taken(slot, stride)) continue
      const base = slot * stride
      const hash = this.#hash(from.words, base, from.words[base + stride - 1] & META_KEY)
      const to = low !== high && (hash & (1 << (31 - from.depth))) !== 0 ? high : low
      let at = hash & to.mask
      while (to.taken(at, stride)) at = (at + 1) & to.mask
      for (let i = 0; i < stride; i++) to.words[at * stride + i] = from.words[base + i]
      if (from.extensions !== undefined) to.extensions?.take(at, from.extensions, slot)
      to.count++
    }
  }

  /** All segments as they are, with members that nobody changes in the copy when they change here. */
  clone(): MemberTable {
    const copy = new MemberTable(this.stride - 1, this.kinds, this.#seed)
    const copies = new Map<Segment, Segment>()
    for (const segment of this.segments()) copies.set(segment, segment.clone())
    copy.#segments = this.#segments.map((segment) => copies.get(segment) as Segment)
    copy.#depth = this.#depth
    copy.count = this.count
    copy.segment = copy.#segments[0]
    return copy
  }
}
