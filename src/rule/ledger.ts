// Where rules and policies count. Each has a place of its own for as long as it stands, through every change of the rules
// around it: so nothing is copied when rules change, and nothing that is counted meanwhile is lost. The memory is shared,
// and grows by chunks that stay where they are: whoever reads counters from another thread is told of chunks as they come.

import type { Numbers } from './numbers.ts'

/** A place's packets stand at `(place & CHUNK_MASK) << 1` of chunk `place >> CHUNK_SHIFT`; its bytes follow. */
export const CHUNK_SHIFT = 12
export const CHUNK_MASK = (1 << CHUNK_SHIFT) - 1

export type Chunks = readonly Float64Array<SharedArrayBuffer>[]

export class Ledger {
  readonly #chunks: Float64Array<SharedArrayBuffer>[] = []
  /** Places that nobody has, in lists as they were given back. */
  readonly #free: Numbers[] = []
  #next = 0

  /** All memory there is, by chunk; the array itself stays the same as it grows. */
  get chunks(): Chunks {
    return this.#chunks
  }

  /** A place for a new rule or policy, which begins with these counts. */
  take(packets: number, bytes: number): number {
    const free = this.#free.at(-1)
    const place = free === undefined ? this.#next++ : free.pop()
    if (free?.length === 0) this.#free.pop()
    if (place >> CHUNK_SHIFT === this.#chunks.length)
      this.#chunks.push(new Float64Array(new SharedArrayBuffer(16 << CHUNK_SHIFT)))
    this.set(place, packets, bytes)
    return place
  }

  /** Gives places back whose rules are gone; the list is kept. */
  give(places: Numbers): void {
    if (places.length > 0) this.#free.push(places)
  }

  set(place: number, packets: number, bytes: number): void {
    const chunk = this.#chunks[place >> CHUNK_SHIFT]
    const at = (place & CHUNK_MASK) << 1
    chunk[at] = packets
    chunk[at + 1] = bytes
  }
}

/** What was counted at a place. */
export function countsAt(chunks: Chunks, place: number): { packets: number; bytes: number } {
  const chunk = chunks[place >> CHUNK_SHIFT]
  const at = (place & CHUNK_MASK) << 1
  return { packets: chunk[at], bytes: chunk[at + 1] }
}
