// Rules made ready for packets, all of a family, in arrays of numbers. An entry is a number: the place where its rule counts
// (rule/ledger.ts), which it keeps for as long as the rule stands, whatever changes around it. At the same place stands its record:
// what it tests besides addresses, what it does, and addresses with their masks. So a hundred thousand rules are no objects
// that a collection of garbage would have to look at or to move, and packets need not wait for that.

import type { ReadyAction } from './entry.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Chunks, Ledger } from './ledger.ts'
import type { Family } from './model.ts'
import { Numbers } from './numbers.ts'
import { ADDRESSES, rowOf } from './run.ts'
import { Shelf } from './shelf.ts'
import type { Tests } from './tests.ts'

// First words of a record; then those of a row of a run, from ADDRESSES on (rule/run.ts).
const TESTS = 0
const ACTION = 1

/** In the place of TESTS: here a policy counts, and no rule. */
const NO_RULE = -1

export class Entries {
  /** Words of a record. */
  readonly row: number
  readonly ledger = new Ledger()
  /** Of the ledger. */
  readonly counters: Chunks = this.ledger.chunks
  /** In chunks as the ledger's. */
  readonly records: Int32Array[] = []
  readonly #tests = new Shelf<Tests>()
  readonly #actions = new Shelf<ReadyAction>()
  /** By number. */
  readonly tests = this.#tests.all as readonly Tests[]
  readonly actions = this.#actions.all as readonly ReadyAction[]
  // What only few entries have.
  /** By what keys an entry with SHARES has shared state. */
  readonly shares = new Map<number, readonly string[]>()
  /** Sets that an entry with NAMES_SETS names, each as often as it does. */
  readonly sets = new Map<number, readonly string[]>()

  constructor(family: Family) {
    this.row = rowOf(family)
  }

  /** Numbers what entries test, or do; it stays until the last entry that has it is released. */
  putTests(tests: Tests): number {
    return this.#tests.put(tests)
  }

  putAction(action: ReadyAction): number {
    return this.#actions.put(action)
  }

  /** A place where a policy counts from now on. */
  takePolicy(): number {
    const place = this.#take(0, 0)
    this.records[place >> CHUNK_SHIFT][(place & CHUNK_MASK) * this.row + TESTS] = NO_RULE
    return place
  }

  /** An entry for the row of a run that begins at `at`, with these tests and this action. */
  take(words: Int32Array, at: number, tests: number, action: number, packets: number, bytes: number): number {
    const place = this.#take(packets, bytes)
    const record = this.records[place >> CHUNK_SHIFT]
    const { row } = this
    const to = (place & CHUNK_MASK) * row
    record[to + TESTS] = tests
    record[to + ACTION] = action
    for (let i = ADDRESSES; i < row; i++) record[to + i] = words[at + i]
    this.#tests.use(tests)
    this.#actions.use(action)
    return place
  }

  #take(packets: number, bytes: number): number {
    const place = this.ledger.take(packets, bytes)
    if (place >> CHUNK_SHIFT === this.records.length) this.records.push(new Int32Array(this.row << CHUNK_SHIFT))
    return place
  }

  /** Of entries that packets meet no more, or policies: what only they had goes, and their places are anybody's. */
  *release(places: Numbers, stride: number): Generator<void> {
    const free = new Numbers(places.length)
    for (let i = 0; i < places.length; i++) {
      if (i % stride === stride - 1) yield
      const place = places.at(i)
      const record = this.records[place >> CHUNK_SHIFT]
      const at = (place & CHUNK_MASK) * this.row
      free.push(place)
      if (record[at + TESTS] === NO_RULE) continue
      this.#tests.release(record[at + TESTS])
      this.#actions.release(record[at + ACTION])
      this.shares.delete(place)
      this.sets.delete(place)
    }
    this.ledger.give(free)
  }

  actionOf(place: number): ReadyAction {
    return this.actions[this.records[place >> CHUNK_SHIFT][(place & CHUNK_MASK) * this.row + ACTION]]
  }

  testsOf(place: number): Tests {
    return this.tests[this.records[place >> CHUNK_SHIFT][(place & CHUNK_MASK) * this.row + TESTS]]
  }

  /** A word of an entry's addresses: numbers as in a row of a run. */
  word(place: number, number: number): number {
    return this.records[place >> CHUNK_SHIFT][(place & CHUNK_MASK) * this.row + number]
  }

  /** Whether it compares addresses at all. */
  asksAddresses(place: number): boolean {
    for (let i = ADDRESSES; i < this.row; i++) if (this.word(place, i) !== 0) return true
    return false
  }
}
