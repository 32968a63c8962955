// What of a packet has arrived in fragments, as runs: data that came in sequence, at the packet's end as it was known then. A fragment
// that lies wholly within one run is a duplicate; any other overlap is one (RFC 5722). Runs are numbers into a preallocated
// array, 0 for none; a queue has those of the first and the last of its own, which are in order of their offsets.

/** Runs that there can be beyond eight a queue: one packet in the smallest fragments, in the worst order, still fits. */
const SPARE = 8192

// Words of a run.
const OFFSET = 0
const END = 1
const NEXT = 2
const WORDS = 3

// What place() found.
export const PLACED = 0
export const DUPLICATE = 1
export const OVERLAP = 2
/** There is no room for another run. */
export const NO_RUN = 3

export class Runs {
  readonly #words: Int32Array
  #free = 0

  /** @param queues how many queues share them */
  constructor(queues: number) {
    const runs = SPARE + 8 * queues
    this.#words = new Int32Array(runs * WORDS)
    for (let run = runs; run >= 1; run--) this.#give(run)
  }

  /** Gives back a queue's runs, from its first one on. */
  free(first: number): void {
    for (let run = first; run !== 0; ) {
      const next = this.#words[(run - 1) * WORDS + NEXT]
      this.#give(run)
      run = next
    }
  }

  #give(run: number): void {
    this.#words[(run - 1) * WORDS + NEXT] = this.#free
    this.#free = run
  }

  /**
   * Enters [offset, end) into a queue's runs.
   * @param ends has the queue's first run at `at`, and its last one behind it
   * @returns PLACED, or what is in the way
   */
  place(ends: Int32Array, at: number, offset: number, end: number): number {
    const words = this.#words
    const last = ends[at + 1]
    const lastAt = (last - 1) * WORDS
    let after = last
    if (last !== 0 && end > words[lastAt + END]) {
      if (offset < words[lastAt + END]) return OVERLAP
      if (offset === words[lastAt + END]) {
        words[lastAt + END] = end
        return PLACED
      }
    } else if (last !== 0) {
      after = 0
      for (let run = ends[at]; run !== 0; run = words[(run - 1) * WORDS + NEXT]) {
        const runAt = (run - 1) * WORDS
        if (end <= words[runAt + OFFSET]) break
        if (offset < words[runAt + END])
          return offset >= words[runAt + OFFSET] && end <= words[runAt + END] ? DUPLICATE : OVERLAP
        after = run
      }
    }
    return this.#insert(ends, at, after, offset, end)
  }

  /** A new run behind `after`, or as the first one. */
  #insert(ends: Int32Array, at: number, after: number, offset: number, end: number): number {
    const words = this.#words
    const run = this.#free
    if (run === 0) return NO_RUN
    const runAt = (run - 1) * WORDS
    this.#free = words[runAt + NEXT]
    words[runAt + OFFSET] = offset
    words[runAt + END] = end
    if (after === 0) {
      words[runAt + NEXT] = ends[at]
      ends[at] = run
    } else {
      words[runAt + NEXT] = words[(after - 1) * WORDS + NEXT]
      words[(after - 1) * WORDS + NEXT] = run
    }
    if (after === ends[at + 1]) ends[at + 1] = run
    return PLACED
  }
}
