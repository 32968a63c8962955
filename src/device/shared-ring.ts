// A ring of descriptors in shared memory: one thread writes, another reads, and neither waits. What is written is seen as a whole when
// it is published, with everything that was done to the packets before.
//
// A ring never fills: it has an entry for every slot that can be in it, and a slot is in one place. So nobody asks whether there is room,
// and the reader does not say how far it has come.

import type { Batch } from '../packet/batch.ts'

/** Words before the entries; the writer's end, alone in its cache line. */
const HEADER = 16
const END = 0

/** Memory for a ring of at least so many entries. */
export function ringMemory(entries: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER + 2 * 2 ** Math.ceil(Math.log2(entries))) * 4)
}

export class RingWriter {
  readonly #words: Int32Array
  readonly #mask: number
  #end = 0
  #published = 0

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
    this.#mask = (this.#words.length - HEADER) / 2 - 1
  }

  push(start: number, length: number): void {
    const at = HEADER + 2 * (this.#end & this.#mask)
    this.#words[at] = start
    this.#words[at + 1] = length
    this.#end = (this.#end + 1) | 0
  }

  /** Shows the reader what was pushed. @returns false where that is nothing */
  publish(): boolean {
    if (this.#end === this.#published) return false
    this.#published = this.#end
    Atomics.store(this.#words, END, this.#end)
    return true
  }
}

export class RingReader {
  readonly #words: Int32Array
  readonly #mask: number
  #begin = 0

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
    this.#mask = (this.#words.length - HEADER) / 2 - 1
  }

  /** How many entries there are to read. */
  get waiting(): number {
    return (Atomics.load(this.#words, END) - this.#begin) | 0
  }

  /** Reads `count` entries, which are waiting, into the batch's descriptors from `place` on. */
  read(batch: Batch, place: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const at = HEADER + 2 * ((this.#begin + i) & this.#mask)
      batch.set(place + i, this.#words[at], this.#words[at + 1])
    }
    this.#begin = (this.#begin + count) | 0
  }
}
