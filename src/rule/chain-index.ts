// Which rule of a chain can match next? Rules that fix the same bits of the same fields (the whole destination address, the
// protocol's port, ...) are kept in one table, by those bits; a packet's own bits lead to the few that it can match. What
// always holds: a rule that is passed over certainly does not match, and those that are left come in their order; whoever
// walks judges each of them in full. So it is the interpreter's meaning that counts, and the index only saves asking.
//
// A look-up costs a hash for every combination of bits that the chain has (most have one to ten), however many rules
// there are. Rules of rare combinations are put under a coarser one, or asked one by one.

import type { Packet } from '../packet/packet.ts'
import type { Entries } from './entries.ts'
import { hashOfKey, hashOfPacket4, hashOfPacket6, KEY_WORDS, RuleKey } from './index-key.ts'
import type { Family } from './model.ts'

/** Shorter chains are walked. */
export const INDEXED_FROM = 24
/** Combinations at most. */
const SHAPES_MAX = 24
/** Combinations of fewer rules are not worth a hash for every packet. */
const SHAPE_LEAST = 4
/** Rules that are read between two looks at the clock. */
const STRIDE = 256

/** Behind the last place of a list. */
export const END = 0x7fffffff

interface Shape {
  /** Among all of them. */
  readonly at: number
  readonly mask: Int32Array
  rules: number
  /** Of all its rules. */
  keys: number
  /** In the index; -1 where its rules go elsewhere. */
  number: number
}

export class ChainIndex {
  readonly #hash: typeof hashOfPacket4
  /** Combinations, KEY_WORDS words each. */
  #masks = new Int32Array(0)
  #shapes = 0
  /** Pairs of a hash and where its list begins; a power of two of them. Hash 0 is an empty place. */
  #table = new Int32Array(2)
  #tableMask = 0
  /** Places in the chain, ascending, each list with END behind it; the first is of rules that are always asked. */
  lists = new Int32Array([END])

  private constructor(family: Family) {
    this.#hash = family === 4 ? hashOfPacket4 : hashOfPacket6
  }

  /** Makes the index of these entries, `count` of them, in steps that take moments; the last gives it. */
  static *make(rules: Entries, entries: Int32Array, count: number, family: Family): Generator<void, ChainIndex> {
    const index = new ChainIndex(family)
    yield* index.#fill(rules, entries, count)
    return index
  }

  *#fill(rules: Entries, entries: Int32Array, count: number): Generator<void> {
    const key = new RuleKey()
    const shapes = new Shapes()
    const shapeOf = new Int32Array(count)
    for (let i = 0; i < count; i++) {
      if (i % STRIDE === STRIDE - 1) yield
      key.read(rules, entries[i])
      const shape = shapes.of(key.mask)
      shape.keys += key.count
      shapeOf[i] = shape.at
    }
    const chosen = shapes.choose()
    this.#shapes = chosen.length
    this.#masks = new Int32Array(chosen.length * KEY_WORDS)
    for (const { mask, number } of chosen) this.#masks.set(mask, number * KEY_WORDS)
    yield
    const numbers = Int32Array.from(shapes.all, ({ number }) => number)
    for (let i = 0; i < count; i++) shapeOf[i] = numbers[shapeOf[i]]
    yield
    yield* this.#fillLists(rules, entries, shapeOf, key, shapes.keys)
  }

  /**
   * Everything is made as large as it can become at once, so that no step has to move what is there.
   * @param numbers of each entry's combination; -1 where it is not looked up
   */
  *#fillLists(rules: Entries, entries: Int32Array, numbers: Int32Array, key: RuleKey, keys: number): Generator<void> {
    const count = numbers.length
    const slots = 1 << (32 - Math.clz32(2 * keys + 1))
    const table = new Int32Array(slots * 2)
    this.#tableMask = slots - 1
    yield
    // List 0 is of rules that are always asked; the others are numbered as they are found, and `lists` counts them all.
    const sizes = new Int32Array(keys + 1)
    let listCount = 1
    /** Pairs of list and place. */
    const pairs = new Int32Array(2 * (keys + count))
    let end = 0
    for (let i = 0; i < count; i++) {
      if (i % STRIDE === STRIDE - 1) yield
      const number = numbers[i]
      if (number < 0) {
        pairs[end++] = 0
        pairs[end++] = i
        sizes[0]++
        continue
      }
      key.read(rules, entries[i])
      const from = end
      for (let k = 0; k < key.count; k++) {
        const hash = hashOfKey(key.keys, k * KEY_WORDS, this.#masks, number * KEY_WORDS, seedOf(number))
        let slot = hash & this.#tableMask
        while (table[2 * slot] !== 0 && table[2 * slot] !== hash) slot = (slot + 1) & this.#tableMask
        if (table[2 * slot] === 0) {
          table[2 * slot] = hash
          table[2 * slot + 1] = listCount++
        }
        const list = table[2 * slot + 1]
        // Several keys of one rule may become the same under a coarser combination.
        if (isAmong(pairs, from, end, list)) continue
        pairs[end++] = list
        pairs[end++] = i
        sizes[list]++
      }
    }
    yield
    const begins = new Int32Array(listCount)
    let size = 0
    for (let list = 0; list < listCount; list++) {
      begins[list] = size
      size += sizes[list] + 1
    }
    yield
    const places = new Int32Array(size).fill(END)
    const next = begins.slice()
    for (let i = 0; i < end; i += 2) {
      if (i % (8 * STRIDE) === 0) yield
      places[next[pairs[i]]++] = pairs[i + 1]
    }
    for (let slot = 0; slot < slots; slot++) {
      if (slot % (16 * STRIDE) === 0) yield
      if (table[2 * slot] !== 0) table[2 * slot + 1] = begins[table[2 * slot + 1]]
    }
    this.lists = places
    this.#table = table
  }

  /**
   * Looks up a packet that has a transport header.
   * @param into where the beginnings of the lists are put that have what it can match, from `at` on; room for SHAPES_MAX + 1
   * @returns behind the last
   */
  lookUp(p: Packet, into: Int32Array, at: number): number {
    const table = this.#table
    const mask = this.#tableMask
    const masks = this.#masks
    const hash = this.#hash
    let next = at
    if (this.lists[0] !== END) into[next++] = 0
    for (let shape = 0, m = 0; shape < this.#shapes; shape++, m += KEY_WORDS) {
      const h = hash(p, masks, m, seedOf(shape))
      let slot = h & mask
      for (let tag = table[2 * slot]; tag !== 0; tag = table[2 * slot]) {
        if (tag === h) {
          into[next++] = table[2 * slot + 1]
          break
        }
        slot = (slot + 1) & mask
      }
    }
    return next
  }
}

/** Words that lookUp() writes at most. */
export const LISTS_MAX = SHAPES_MAX + 1

/** One table for all combinations: they do not meet in it. */
function seedOf(shape: number): number {
  return Math.imul(shape + 1, 0x61c88647)
}

function isAmong(pairs: Int32Array, from: number, end: number, list: number): boolean {
  for (let i = from; i < end; i += 2) if (pairs[i] === list) return true
  return false
}

/** The combinations of a chain. */
class Shapes {
  readonly #byHash = new Map<number, Shape[]>()
  readonly all: Shape[] = []
  #last: Shape | undefined

  of(mask: Int32Array): Shape {
    if (this.#last !== undefined && same(this.#last.mask, mask)) {
      this.#last.rules++
      return this.#last
    }
    const hash = hashOfKey(mask, 0, EVERYTHING, 0, 0)
    let alike = this.#byHash.get(hash)
    if (alike === undefined) {
      alike = []
      this.#byHash.set(hash, alike)
    }
    let shape = alike.find((one) => same(one.mask, mask))
    if (shape === undefined) {
      shape = { at: this.all.length, mask: mask.slice(), rules: 0, keys: 0, number: -1 }
      alike.push(shape)
      this.all.push(shape)
    }
    shape.rules++
    this.#last = shape
    return shape
  }

  /** Of all rules that are looked up. */
  get keys(): number {
    return this.all.reduce((sum, { keys, number }) => (number < 0 ? sum : sum + keys), 0)
  }

  /** Numbers those that are worth it. Others take the number of a coarser one, where there is one that says anything. */
  choose(): Shape[] {
    const bySize = this.all.filter(({ mask }) => bits(mask) > 0).sort((a, b) => b.rules - a.rules)
    const chosen = bySize.slice(0, SHAPES_MAX).filter(({ rules }) => rules >= SHAPE_LEAST)
    chosen.forEach((shape, i) => {
      shape.number = i
    })
    for (const shape of bySize) {
      if (shape.number >= 0) continue
      let best: Shape | undefined
      for (const coarser of chosen)
        if (isWithin(coarser.mask, shape.mask) && (best === undefined || bits(coarser.mask) > bits(best.mask)))
          best = coarser
      if (best !== undefined) shape.number = best.number
    }
    return chosen
  }
}

const EVERYTHING = new Int32Array(KEY_WORDS).fill(-1)

function same(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < KEY_WORDS; i++) if (a[i] !== b[i]) return false
  return true
}

/** Whether a mask looks at no bit that the other does not look at. */
function isWithin(mask: Int32Array, other: Int32Array): boolean {
  for (let i = 0; i < KEY_WORDS; i++) if ((mask[i] & ~other[i]) !== 0) return false
  return true
}

function bits(mask: Int32Array): number {
  let count = 0
  for (const word of mask) for (let rest = word; rest !== 0; rest &= rest - 1) count++
  return count
}
