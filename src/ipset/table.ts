// The members of a hash set: records (records.ts) that grow without a pause. When they are three quarters full, twice as many
// places stand ready beside them, and each change moves a few members over, in the order of their hashes. What always holds:
// a member whose home is below `#moved` of the older records is among the newer ones, any other among the older ones; so a
// look-up goes to one of them. Of members that have moved a copy stays behind, which no look-up asks for.
//
// The hash is seeded; who does not know the seed cannot build a cluster.

import { Filter } from './filter.ts'
import { hashOf, META_KEY, type RecordForm, Records, TAKEN } from './records.ts'

const SMALLEST = 8
/** Tables up to this size grow at once. */
const AT_ONCE = 4096
/** Homes that are moved, and places whose members a new filter is told, with each change. */
const STEP = 16
/** Places of which a listing takes a copy at a time. */
export const PIECE = 4096
/** How many hashes there are. */
export const ALL_HASHES = 2 ** 32

/** Some of the members: those whose hashes lie in one range. */
export interface Piece {
  readonly records: Records
  /** Where they stand, in the order in which look-ups pass. */
  readonly slots: readonly number[]
  /** The first hash, as a uint32, that is not in the range; 2^32 at the end. */
  readonly next: number
}

export class MemberTable {
  readonly form: RecordForm
  #newer: Records
  #older: Records | undefined
  /** The first home of the older records whose members have not moved. */
  #moved = 0
  /** Members that have gone since the filter was made. */
  #gone = 0
  /** The filter that comes, and the first place whose member it has not been told of. */
  #filter: Filter | undefined
  #filtered = 0
  count = 0
  /** Where find() or insert() was last: read these at once. */
  records: Records
  slot = 0
  readonly #toldOfMove = (hash: number): void => this.#filter?.add(hash)

  constructor(form: RecordForm) {
    this.form = form
    this.#newer = new Records(form, SMALLEST)
    this.records = this.#newer
  }

  /** Bytes of all typed arrays. */
  get byteLength(): number {
    return this.#newer.byteLength + (this.#older?.byteLength ?? 0) + (this.#filter?.byteLength ?? 0)
  }

  /** The records among which a hash is to be looked for. */
  #recordsOf(hash: number): Records {
    const older = this.#older
    return older === undefined || hash >>> older.shift < this.#moved ? this.#newer : older
  }

  /** Whether a member with this key is there; it then stands at `slot` of `records`. @param meta within META_KEY */
  find(key: Int32Array, meta: number): boolean {
    const { form } = this
    const hash = hashOf(key, 0, form, meta)
    const records = this.#recordsOf(hash)
    const { words, mask, filter } = records
    if (filter !== undefined && !filter.mayHave(hash)) return false
    const { stride, keyWords } = form
    for (let slot = hash >>> records.shift; ; slot = (slot + 1) & mask) {
      const base = slot * stride
      const found = words[base + keyWords]
      if (found === 0) return false
      if ((found & META_KEY) !== meta) continue
      let i = 0
      while (i < keyWords && words[base + i] === key[i]) i++
      if (i < keyWords) continue
      this.records = records
      this.slot = slot
      return true
    }
  }

  /** Adds a member that is not there. @param meta with its flags; it then stands at `slot` of `records` */
  insert(key: Int32Array, meta: number): void {
    this.#step()
    const { keyWords, stride } = this.form
    if (this.#older === undefined && this.count >= (this.#newer.size >>> 2) * 3) this.#grow()
    const hash = hashOf(key, 0, this.form, meta & META_KEY)
    const records = this.#recordsOf(hash)
    const slot = records.placeFor(hash)
    const base = slot * stride
    for (let i = 0; i < keyWords; i++) records.words[base + i] = key[i]
    records.words[base + keyWords] = meta | TAKEN
    this.#filter?.add(hash)
    this.count++
    this.records = records
    this.slot = slot
  }

  /** What the member at `slot` of `records` has in the word behind its key. */
  get meta(): number {
    return this.records.meta(this.slot)
  }

  /** Word `i` of its key. */
  keyWord(i: number): number {
    return this.records.words[this.slot * this.form.stride + i]
  }

  /** Gives the member at `slot` of `records` other flags. */
  setFlags(flags: number): void {
    const at = this.slot * this.form.stride + this.form.keyWords
    this.records.words[at] = (this.records.words[at] & META_KEY) | TAKEN | flags
  }

  /** Takes away the member at `slot` of `records`; the place may hold another one afterwards. */
  remove(): void {
    this.records.remove(this.slot, this.#toldOfMove)
    this.count--
    this.#gone++
    // Nothing is moved now: who takes away several goes by places.
    if (this.#older === undefined) this.#renew()
  }

  /** Goes to any member, the one that `random` comes to. There must be one. */
  goToAny(random: number): void {
    const older = this.#older
    for (const records of [this.#recordsOf(random), this.#newer, older ?? this.#newer])
      for (let at = random >>> records.shift, left = records.size; left > 0; at++, left--) {
        const slot = at & records.mask
        if (records.meta(slot) === 0) continue
        if (records === older && records.hash(slot) >>> older.shift < this.#moved) continue
        this.records = records
        this.slot = slot
        return
      }
  }

  /**
   * The members whose hashes follow `from`, some thousand or less. Going from one piece to the next, from 0 on, meets every
   * member once, whatever is added, taken away and moved meanwhile, but for those that are.
   */
  piece(from: number): Piece {
    const older = this.#older
    const records = this.#recordsOf(from | 0)
    let next = Math.min(ALL_HASHES, from + (ALL_HASHES / records.size) * PIECE)
    if (older !== undefined && records !== older) next = Math.min(next, this.#moved * 2 ** older.shift)
    const slots: number[] = []
    const end = next / 2 ** records.shift
    for (let at = Math.floor(from / 2 ** records.shift); ; at++) {
      const slot = at & records.mask
      if (records.meta(slot) === 0) {
        if (at >= end) break
        continue
      }
      const hash = records.hash(slot) >>> 0
      if (hash >= from && hash < next && records.isAt(at, hash)) slots.push(slot)
    }
    return { records, slots, next }
  }

  // ── growth ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #grow(): void {
    this.#older = this.#newer
    this.#newer = new Records(this.form, 2 * this.#older.size)
    this.#moved = 0
    this.#gone = 0
    this.#filter = undefined
    if (this.#older.size < AT_ONCE) this.#move(this.#older, this.#older.size)
  }

  /** A bit of what is under way. */
  #step(): void {
    if (this.#older !== undefined) this.#move(this.#older, STEP)
    else this.#renew()
  }

  /** Goes on with a new filter, or begins one where the old one says too often that a member may be there. */
  #renew(): void {
    if (this.#filter !== undefined) this.#tell(this.#filter)
    else if (this.#newer.filter !== undefined && this.#gone > this.#newer.size >>> 2) {
      this.#filter = new Filter(this.#newer.size)
      this.#filtered = 0
    }
  }

  /** Moves the members of the next homes. */
  #move(older: Records, homes: number): void {
    const from = this.#moved
    const end = Math.min(older.size, from + homes)
    // Members stand at their homes or behind, up to the next place that is free.
    for (let at = from; ; at++) {
      const slot = at & older.mask
      if (older.meta(slot) === 0) {
        if (at >= end) break
        continue
      }
      const hash = older.hash(slot)
      const home = hash >>> older.shift
      if (home >= from && home < end && older.isAt(at, hash)) this.#newer.take(older, slot, hash)
    }
    this.#moved = end
    if (end === older.size) this.#older = undefined
  }

  /** Tells a new filter of the members at the next places; of those that come or move later it is told at once. */
  #tell(filter: Filter): void {
    const records = this.#newer
    for (let i = 0; i < STEP; i++, this.#filtered++)
      if (records.meta(this.#filtered) !== 0) filter.add(records.hash(this.#filtered))
    if (this.#filtered < records.size) return
    records.filter = filter
    this.#filter = undefined
    this.#gone = 0
  }

  /** All records as they are, with members that nobody changes in the copy when they change here. */
  clone(): MemberTable {
    const copy = new MemberTable(this.form)
    copy.#newer = this.#newer.clone()
    copy.#older = this.#older?.clone()
    copy.#moved = this.#moved
    copy.#gone = this.#gone
    copy.count = this.count
    copy.records = copy.#newer
    return copy
  }
}
