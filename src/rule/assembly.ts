// What a chain consists of after a change: entries that it had, by their places in it, and new ones. Most changes put some in or take
// some out at one place of a long chain: those are made in its own array when they are put in force, which moves what stands behind.
// Others are put together beside it.

import { INDEXED_FROM } from './chain-index.ts'
import { Numbers } from './numbers.ts'
import type { ChainProgram } from './program.ts'

export type Range = readonly [from: number, to: number]
export type Part = Range | NewEntries

export class NewEntries {
  readonly entries = new Numbers()
}

/** Entries in an array, from `first` up to but without `end`. */
export interface Contents {
  readonly places: Int32Array
  readonly first: number
  readonly end: number
}

/** A chain of so many has an array of its own, with some room to grow; shorter ones stand in one together. */
const OWN_FROM = INDEXED_FROM
/** Entries of short chains in one array, at most: it stays for as long as one of them does. */
const TOGETHER = 1024
/** Entries that are copied between two looks at the clock. */
const STRIDE = 1 << 16

export function lengthOf(parts: readonly Part[]): number {
  let length = 0
  for (const part of parts) length += part instanceof NewEntries ? part.entries.length : part[1] - part[0]
  return length
}

/** A change at one place of a chain, which is made in the array that it has. */
export class Splice {
  readonly #old: ChainProgram
  /** Kept before it, and from where on behind it. */
  readonly #before: number
  readonly #behind: number
  readonly #added: Numbers | undefined

  private constructor(old: ChainProgram, before: number, behind: number, added: Numbers | undefined) {
    this.#old = old
    this.#before = before
    this.#behind = behind
    this.#added = added
  }

  /** Undefined where the change is another, or the array has no room for it. */
  static of(old: ChainProgram, parts: readonly Part[]): Splice | undefined {
    const length = lengthOf(parts)
    if (old.length < OWN_FROM || length < OWN_FROM || length > old.places.length || 2 * length < old.places.length)
      return undefined
    let at = 0
    let before = 0
    const isKept = (part: Part | undefined): part is Range => part !== undefined && !(part instanceof NewEntries)
    const [first] = parts
    if (isKept(first) && first[0] === 0) {
      before = first[1]
      at++
    }
    const second = parts[at]
    const added = second instanceof NewEntries ? second.entries : undefined
    if (added !== undefined) at++
    let behind = old.length
    const third = parts[at]
    if (isKept(third) && third[1] === old.length) {
      behind = third[0]
      at++
    }
    return at === parts.length && before <= behind ? new Splice(old, before, behind, added) : undefined
  }

  /** Makes it: between two rounds only. */
  make(): Contents {
    const { places, end } = this.#old
    const added = this.#added?.length ?? 0
    const to = this.#before + added
    places.copyWithin(to, this.#behind, end)
    if (this.#added !== undefined) places.set(this.#added.all, this.#before)
    return { places, first: 0, end: to + end - this.#behind }
  }
}

/** Puts chains together that are not changed in their own arrays. */
export class Assembly {
  /** Entries of short chains that are still to come. */
  #expected: number
  #places = new Int32Array(0)
  #next = 0

  /** @param lengths of all of them */
  constructor(lengths: Iterable<number>) {
    this.#expected = 0
    for (const length of lengths) if (length < OWN_FROM) this.#expected += length
  }

  *assembled(old: ChainProgram | undefined, parts: readonly Part[]): Generator<void, Contents> {
    const length = lengthOf(parts)
    const isShort = length < OWN_FROM
    if (isShort && this.#next + length > this.#places.length) {
      this.#places = new Int32Array(Math.min(TOGETHER, this.#expected))
      this.#next = 0
    }
    const places = isShort ? this.#places : new Int32Array(length + (length >> 4) + OWN_FROM)
    const first = isShort ? this.#next : 0
    let end = first
    for (const part of parts) {
      const from = part instanceof NewEntries ? part.entries.all : kept(old, part)
      for (let i = 0; i < from.length; i += STRIDE) {
        if (i > 0) yield
        places.set(from.subarray(i, i + STRIDE), end)
        end += Math.min(STRIDE, from.length - i)
      }
    }
    if (isShort) {
      this.#expected -= length
      this.#next = end
    }
    return { places, first, end }
  }
}

function kept(old: ChainProgram | undefined, [from, to]: Range): Int32Array {
  if (old === undefined) throw new Error('assembly: a chain that is new keeps nothing')
  return old.places.subarray(old.first + from, old.first + to)
}
