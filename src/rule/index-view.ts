// An index, as it is seen from a chain that has changed since it was made: rules that stayed have moved together, and new ones
// stand between them. Runs of rules that stayed are looked up; what stands between is asked one by one, until there is so
// much of it that a new index is worth making.

import type { ChainIndex } from './chain-index.ts'

/** So many runs, and then a new index is made. */
const RUNS_MAX = 256
/** The same for so many rules that are in no index, and one for every so many that are. */
const UNKNOWN_MAX = 128
const UNKNOWN_SHARE = 64

export class IndexView {
  readonly index: ChainIndex
  /** Of each run: its first place in the chain now, and how far before or behind that it stood when the index was made. */
  readonly begins: number[]
  readonly shifts: (number | undefined)[]
  readonly length: number

  private constructor(index: ChainIndex, begins: number[], shifts: (number | undefined)[], length: number) {
    this.index = index
    this.begins = begins
    this.shifts = shifts
    this.length = length
  }

  /** Of the chain that the index was made of. */
  static whole(index: ChainIndex, length: number): IndexView {
    return new IndexView(index, [0], [0], length)
  }

  /**
   * The same after a change.
   * @param parts what the chain consists of now, in order: kept rules by their places before, or a number of new ones
   * @returns undefined where a new index is better
   */
  changed(parts: readonly (readonly [from: number, to: number] | number)[]): IndexView | undefined {
    const begins: number[] = []
    const shifts: (number | undefined)[] = []
    let place = 0
    let unknown = 0
    let behind = -1
    const add = (count: number, shift: number | undefined) => {
      if (count === 0) return
      if (begins.length === 0 || shifts[shifts.length - 1] !== shift) {
        begins.push(place)
        shifts.push(shift)
      }
      if (shift === undefined) unknown += count
      place += count
    }
    for (const part of parts) {
      if (typeof part === 'number') {
        add(part, undefined)
        continue
      }
      const [from, to] = part
      // Lists are ascending: what was moved to the front is not found in them.
      if (from < behind) return undefined
      behind = to
      for (let run = this.#runAt(from), at = from; at < to; run++) {
        const end = Math.min(to, this.begins[run + 1] ?? this.length)
        const shift = this.shifts[run]
        add(end - at, shift === undefined ? undefined : shift + at - place)
        at = end
      }
    }
    if (begins.length > RUNS_MAX || unknown > UNKNOWN_MAX + (place - unknown) / UNKNOWN_SHARE) return undefined
    return new IndexView(this.index, begins, shifts, place)
  }

  #runAt(place: number): number {
    let run = 0
    while (run + 1 < this.begins.length && this.begins[run + 1] <= place) run++
    return run
  }
}
