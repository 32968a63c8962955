// A table of match hashlimit: one token bucket for each combination of addresses and ports that the mode looks at
// (xt_hashlimit's htable). What was not used for `expire` milliseconds is removed when the next collection is due, every `interval`
// milliseconds since the table was made; until then it is as good as new, so that a packet finds in it what it would find in Linux.
// At most `max` buckets; a packet that would need one more is dropped.

export interface TableShape {
  readonly max: number
  /** Milliseconds between collections. */
  readonly interval: number
  readonly expire: number
  /** What a new bucket begins with. */
  readonly credit: number
  readonly bursts: number
}

const FIRST_SIZE = 64
const NONE = -1

export class BucketTable {
  readonly #shape: TableShape
  readonly #seed: number
  readonly #made: number
  #collected: number
  #count = 0
  /** Words of a combination. */
  readonly #words: number
  /** The combinations, one behind the other. */
  #keys: Int32Array
  #expires = new Float64Array(FIRST_SIZE)
  /** Heads of chains, bucket + 1, twice as many as there can be buckets; and what follows a bucket in its chain. */
  #heads = new Int32Array(2 * FIRST_SIZE)
  #next = new Int32Array(FIRST_SIZE)
  // Of a bucket; for the match to read and write.
  credit = new Float64Array(FIRST_SIZE)
  /** When credit was last given. */
  since = new Float64Array(FIRST_SIZE)
  /** Bursts that are left (byte rates). */
  bursts = new Float64Array(FIRST_SIZE)
  /** The combination that bucket() looks for: addresses, then ports. */
  readonly sought: Int32Array

  /** @param words of a combination  @param now milliseconds, as everywhere here */
  constructor(shape: TableShape, words: number, seed: number, now: number) {
    this.#shape = shape
    this.#words = words
    this.#keys = new Int32Array(words * FIRST_SIZE)
    this.sought = new Int32Array(words)
    this.#seed = seed
    this.#made = now
    this.#collected = now
  }

  get size(): number {
    return this.#count
  }

  /** The bucket of the combination `sought`, made if there is none; -1 where there is no room. It lives on from now. */
  bucket(now: number): number {
    const due = now - ((now - this.#made) % this.#shape.interval)
    if (due > this.#collected) this.#collect(due)
    let at = this.#heads[this.#hash(this.sought, 0)] - 1
    while (at !== NONE && !this.#isSought(at)) at = this.#next[at] - 1
    if (at === NONE) {
      if (this.#count >= this.#shape.max) return NONE
      if (this.#count === this.#expires.length) this.#grow()
      at = this.#count++
      this.#keys.set(this.sought, at * this.#words)
      this.credit[at] = this.#shape.credit
      this.bursts[at] = this.#shape.bursts
      this.since[at] = now
      this.#link(at)
    }
    this.#expires[at] = now + this.#shape.expire
    return at
  }

  #isSought(bucket: number): boolean {
    const words = this.#words
    for (let i = 0, at = bucket * words; i < words; i++, at++) if (this.#keys[at] !== this.sought[i]) return false
    return true
  }

  /** Of the words of a combination that stand at a place. */
  #hash(keys: Int32Array, at: number): number {
    let h = this.#seed
    for (let i = 0; i < this.#words; i++) {
      h = Math.imul(h ^ keys[at + i], 0x85ebca6b)
      h ^= h >>> 15
    }
    h = Math.imul(h, 0xc2b2ae35)
    return (h ^ (h >>> 16)) & (this.#heads.length - 1)
  }

  #link(at: number): void {
    const head = this.#hash(this.#keys, at * this.#words)
    this.#next[at] = this.#heads[head]
    this.#heads[head] = at + 1
  }

  /** Removes what had expired when the collection was due; the last ones fill the holes. */
  #collect(due: number): void {
    this.#collected = due
    const before = this.#count
    for (let at = 0; at < this.#count; ) {
      if (this.#expires[at] > due) {
        at++
        continue
      }
      const last = --this.#count
      const words = this.#words
      this.#keys.copyWithin(at * words, last * words, (last + 1) * words)
      this.#expires[at] = this.#expires[last]
      this.credit[at] = this.credit[last]
      this.since[at] = this.since[last]
      this.bursts[at] = this.bursts[last]
    }
    if (this.#count !== before) this.#rebuild()
  }

  #grow(): void {
    const size = 2 * this.#expires.length
    const ints = (old: Int32Array, length: number) => {
      const made = new Int32Array(length)
      made.set(old)
      return made
    }
    const floats = (old: Float64Array) => {
      const made = new Float64Array(size)
      made.set(old)
      return made
    }
    this.#keys = ints(this.#keys, this.#words * size)
    this.#next = ints(this.#next, size)
    this.#expires = floats(this.#expires)
    this.credit = floats(this.credit)
    this.since = floats(this.since)
    this.bursts = floats(this.bursts)
    this.#heads = new Int32Array(2 * size)
    this.#rebuild()
  }

  #rebuild(): void {
    this.#heads.fill(0)
    for (let at = 0; at < this.#count; at++) this.#link(at)
  }
}
