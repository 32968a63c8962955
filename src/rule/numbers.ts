// Lists of int32 numbers that grow as they are filled. They lie outside of the heap: a hundred thousand rules are nothing that a
// collection of garbage has to look at, and packets wait for it.

const LEAST = 16

export class Numbers {
  #words: Int32Array
  #length = 0

  /** @param room for so many to begin with */
  constructor(room = LEAST) {
    this.#words = new Int32Array(Math.max(room, LEAST))
  }

  get length(): number {
    return this.#length
  }

  at(i: number): number {
    return this.#words[i]
  }

  push(number: number): void {
    if (this.#length === this.#words.length) {
      const larger = new Int32Array(2 * this.#length)
      larger.set(this.#words)
      this.#words = larger
    }
    this.#words[this.#length++] = number
  }

  /** Takes the last one away; there has to be one. */
  pop(): number {
    return this.#words[--this.#length]
  }

  /** All of them, to be read until another one is put in. */
  get all(): Int32Array {
    return this.#words.subarray(0, this.#length)
  }
}
