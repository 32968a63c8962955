// Records of int32 words in one array, a member each, found by open addressing: a member stands at the place that its hash's top
// bits say, or as near behind it as there was room. A record is the key's words, a word that holds what belongs to the key but
// is small (prefix lengths), flags that do not, and whether the place is taken, and then the words of the member's extensions:
// so that all that a look-up reads of it stands together. Removal shifts what follows back: no tombstones.

import { Extensions, extensionWords } from './extensions.ts'
import { Filter } from './filter.ts'

/** Bits of the word behind the key that belong to the key: two prefix lengths, and whether a device is a bridge's port. */
export const META_KEY = 0x1ffff
export const PHYSDEV = 0x10000
export const WILDCARD = 1 << 28
export const NOMATCH = 1 << 29
export const TAKEN = 1 << 30

/** Smaller tables stay in the processor's cache anyway. */
const FILTERED = 4096
/** Smaller arrays have no use for large pages. */
const LARGE = 1 << 22

/** What records of a table look like. */
export interface RecordForm {
  readonly keyWords: number
  /** Words of a record: those of the key, one more, and those of the extensions. */
  readonly stride: number
  readonly kinds: number
  readonly seed: number
  /** Is told of an array of many pages before it is used. */
  readonly advise?: ((memory: Uint8Array) => unknown) | undefined
}

export function recordForm(keyWords: number, kinds: number, seed: number, advise?: RecordForm['advise']): RecordForm {
  const words = keyWords + 1 + extensionWords(kinds)
  // With 16 bytes instead of 12 no record lies in two lines of the cache.
  return { keyWords, stride: words === 3 ? 4 : words, kinds, seed, ...(advise && { advise }) }
}

export function hashOf(words: Int32Array, base: number, { keyWords, seed }: RecordForm, meta: number): number {
  let h = seed ^ meta
  for (let i = 0; i < keyWords; i++) {
    h = Math.imul(h ^ words[base + i], 0x85ebca6b)
    h ^= h >>> 15
  }
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 13
  h = Math.imul(h, 0x27d4eb2f)
  return h ^ (h >>> 16)
}

export class Records {
  readonly form: RecordForm
  readonly words: Int32Array
  readonly extensions: Extensions | undefined
  readonly mask: number
  /** A hash's home is what is left of it after a shift by this. */
  readonly shift: number
  filter: Filter | undefined

  /** @param size places, a power of 2 */
  constructor(form: RecordForm, size: number, from?: Records) {
    const { keyWords, stride, kinds } = form
    this.form = form
    this.words = new Int32Array(stride * size)
    if (this.words.byteLength >= LARGE) form.advise?.(new Uint8Array(this.words.buffer))
    if (from !== undefined) this.words.set(from.words)
    const places = { words: this.words, stride, first: keyWords + 1 }
    if (kinds !== 0) this.extensions = new Extensions(kinds, places, from?.extensions?.comments?.clone())
    this.mask = size - 1
    this.shift = 1 + Math.clz32(size)
    if (size >= FILTERED) this.filter = from?.filter?.clone() ?? new Filter(size)
  }

  get size(): number {
    return this.mask + 1
  }

  get byteLength(): number {
    return this.words.byteLength + (this.filter?.byteLength ?? 0)
  }

  clone(): Records {
    return new Records(this.form, this.size, this)
  }

  /** The word that tells of the member at this place; 0 where there is none. */
  meta(slot: number): number {
    return this.words[slot * this.form.stride + this.form.keyWords]
  }

  /** The hash of the member at this place. */
  hash(slot: number): number {
    const { form, words } = this
    return hashOf(words, slot * form.stride, form, this.meta(slot) & META_KEY)
  }

  /**
   * Whether a member is `at` places from the first one. Of those that found no room before the last place it stands at one of
   * the first, and yet is counted as behind the last.
   */
  isAt(at: number, hash: number): boolean {
    const home = hash >>> this.shift
    return at === home + ((at - home) & this.mask)
  }

  /** The place for a member that is not there; it is taken by who writes its record. */
  placeFor(hash: number): number {
    let slot = hash >>> this.shift
    while (this.meta(slot) !== 0) slot = (slot + 1) & this.mask
    this.filter?.add(hash)
    return slot
  }

  /** A member of other records of the same form. */
  take(from: Records, slot: number, hash: number): void {
    const at = this.placeFor(hash)
    const { stride } = this.form
    for (let i = 0; i < stride; i++) this.words[at * stride + i] = from.words[slot * stride + i]
    if (from.extensions !== undefined) this.extensions?.takeComment(at, from.extensions, slot)
  }

  /** Takes away the member at a place, which may hold another one afterwards. @param moved is told the hash of each that moves */
  remove(slot: number, moved: (hash: number) => void): void {
    const { words, mask, extensions, shift } = this
    const { stride } = this.form
    extensions?.forget(slot)
    let hole = slot
    for (let at = (hole + 1) & mask; this.meta(at) !== 0; at = (at + 1) & mask) {
      const hash = this.hash(at)
      if (((at - (hash >>> shift)) & mask) < ((at - hole) & mask)) continue
      words.copyWithin(hole * stride, at * stride, (at + 1) * stride)
      extensions?.takeComment(hole, extensions, at)
      moved(hash)
      hole = at
    }
    words.fill(0, hole * stride, (hole + 1) * stride)
  }
}
