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
  #source = new Int32Array(FIRST_SIZE)
  #destination = new Int32Array(FIRST_SIZE)
  #ports = new Int32Array(FIRST_SIZE)
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

  constructor(shape: TableShape, seed: number, now: number) {
    this.#shape = shape
    this.#seed = seed
    this.#made = now
    this.#collected = now
  }

  get size(): number {
    return this.#count
  }

  /** The bucket of this combination, made if there is none; -1 where there is no room. It lives on from now. */
  bucket(source: number, destination: number, ports: number, now: number): number {
    const due = now - ((now - this.#made) % this.#shape.interval)
    if (due > this.#collected) this.#collect(due)
    let at = this.#heads[this.#hash(source, destination, ports)] - 1
    while (
      at !== NONE &&
      (this.#source[at] !== source || this.#destination[at] !== destination || this.#ports[at] !== ports)
    )
      at = this.#next[at] - 1
    if (at === NONE) {
      if (this.#count >= this.#shape.max) return NONE
      if (this.#count === this.#source.length) this.#grow()
      at = this.#count++
      this.#source[at] = source
      this.#destination[at] = destination
      this.#ports[at] = ports
      this.credit[at] = this.#shape.credit
      this.bursts[at] = this.#shape.bursts
      this.since[at] = now
      this.#link(at)
    }
    this.#expires[at] = now + this.#shape.expire
    return at
  }

  #hash(source: number, destination: number, ports: number): number {
    let h = Math.imul(source ^ this.#seed, 0x85ebca6b)
    h = Math.imul((h ^ (h >>> 15)) + destination, 0xc2b2ae35)
    h = Math.imul((h ^ (h >>> 13)) + ports, 0x27d4eb2f)
    return (h ^ (h >>> 16)) & (this.#heads.length - 1)
  }

  #link(at: number): void {
    const head = this.#hash(this.#source[at], this.#destination[at], this.#ports[at])
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
      this.#source[at] = this.#source[last]
      this.#destination[at] = this.#destination[last]
      this.#ports[at] = this.#ports[last]
      this.#expires[at] = this.#expires[last]
      this.credit[at] = this.credit[last]
      this.since[at] = this.since[last]
      this.bursts[at] = this.bursts[last]
    }
    if (this.#count !== before) this.#rebuild()
  }

  #grow(): void {
    const size = 2 * this.#source.length
    const ints = (old: Int32Array) => {
      const made = new Int32Array(size)
      made.set(old)
      return made
    }
    const floats = (old: Float64Array) => {
      const made = new Float64Array(size)
      made.set(old)
      return made
    }
    this.#source = ints(this.#source)
    this.#destination = ints(this.#destination)
    this.#ports = ints(this.#ports)
    this.#next = ints(this.#next)
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
