// Which hashes are certainly not in a table: two bits for each member, both in one word, in an array that is small enough to
// stay in the processor's cache where the table is not. Most look-ups for members that are not there end here.
//
// Bits are not taken away with their members; what is asked may then be taken for there, never for not there. The table makes
// a new filter when many are stale (table.ts).

/** Places of a table for each word. */
const PLACES = 8

export class Filter {
  readonly #words: Int32Array
  readonly #shift: number

  /** @param size places of the table, a power of 2 and at least 16 */
  constructor(size: number) {
    this.#words = new Int32Array(size / PLACES)
    this.#shift = 1 + Math.clz32(this.#words.length)
  }

  get byteLength(): number {
    return this.#words.byteLength
  }

  add(hash: number): void {
    this.#words[hash >>> this.#shift] |= (1 << hash) | (1 << (hash >>> 5))
  }

  /** False where no member has this hash. */
  mayHave(hash: number): boolean {
    const bits = (1 << hash) | (1 << (hash >>> 5))
    return (this.#words[hash >>> this.#shift] & bits) === bits
  }

  clone(): Filter {
    const copy = new Filter(this.#words.length * PLACES)
    copy.#words.set(this.#words)
    return copy
  }
}
