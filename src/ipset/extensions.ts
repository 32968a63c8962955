// What a member may carry beside its key: when it ends, how often it matched, a comment, and what target SET --map-set
// hands to packets. Numbers stand in a few words for each place, which a hash has in its members' own records (so that a
// look-up finds key and end in one line of the cache) and other sets in an array of their own; which words there are depends on
// what the set was created with. What always holds: place i belongs to member i of the table beside which they stand.
//
// An end is an int32 of Time.now's milliseconds that wraps, 0 for never; the longest timeout (2147483 s) just fits. What has
// ended is taken away within minutes (collect), long before the clock comes round. Counters are 64 bits as two int32 words.

export const WITH_TIMEOUT = 1
export const WITH_COUNTERS = 2
export const WITH_COMMENT = 4
export const WITH_SKBINFO = 8

/** The timeout that says: as the set has it. */
export const SET_TIMEOUT = -1

const COUNTER_WORDS = 4
const SKB_WORDS = 4

/** What is given with a member that is added; one object is used again and again on the packet path. */
export class Extras {
  /** Seconds, 0 for never, SET_TIMEOUT for the set's own. */
  timeout = SET_TIMEOUT
  packetsHigh = 0
  packetsLow = 0
  bytesHigh = 0
  bytesLow = 0
  comment = ''
  mark = 0
  markMask = 0
  priority = 0
  queue = 0
  /** WITH_... bits of what was given at all. */
  given = 0
  hasPackets = false
  hasBytes = false
}

/** The records in which words of extensions stand. */
export interface Places {
  readonly words: Int32Array
  /** Words of a record. */
  readonly stride: number
  /** The first word of a record that is theirs. */
  readonly first: number
}

/** How many words a member's extensions take; comments are no words. */
export function extensionWords(kinds: number): number {
  const has = (kind: number) => ((kinds & kind) !== 0 ? 1 : 0)
  return has(WITH_TIMEOUT) + COUNTER_WORDS * has(WITH_COUNTERS) + SKB_WORDS * has(WITH_SKBINFO)
}

export class Extensions {
  readonly kinds: number
  readonly #words: Int32Array
  readonly #stride: number
  /** Where in a record each kind stands, -1 where it does not. */
  readonly #end: number
  readonly #counters: number
  readonly #skb: number
  readonly comments: Comments | undefined

  /** @param kinds WITH_... bits  @param places where they stand  @param comments those that there are already */
  constructor(kinds: number, { words, stride, first }: Places, comments = new Comments()) {
    this.kinds = kinds
    this.#words = words
    this.#stride = stride
    let at = first
    const place = (kind: number) => {
      const here = (kinds & kind) !== 0 ? at : -1
      at += extensionWords(kinds & kind)
      return here
    }
    this.#end = place(WITH_TIMEOUT)
    this.#counters = place(WITH_COUNTERS)
    this.#skb = place(WITH_SKBINFO)
    if ((kinds & WITH_COMMENT) !== 0) this.comments = comments
  }

  /** With words of their own, for `size` members. */
  static alone(kinds: number, size: number): Extensions {
    const stride = extensionWords(kinds)
    return new Extensions(kinds, { words: new Int32Array(size * stride), stride, first: 0 })
  }

  /** A copy of those that stand alone. */
  clone(): Extensions {
    const words = this.#words.slice()
    return new Extensions(this.kinds, { words, stride: this.#stride, first: 0 }, this.comments?.clone())
  }

  /** Bytes of the words of those that stand alone. */
  get byteLength(): number {
    return this.#words.byteLength
  }

  get hasCounters(): boolean {
    return this.#counters >= 0
  }

  get hasSkb(): boolean {
    return this.#skb >= 0
  }

  /**
   * For a new member, or one that is added again: everything is as it is given now, but for counters, which then stay as they
   * are where none are given.
   */
  set(at: number, extras: Extras, setTimeout: number, now: number, isNew: boolean): void {
    const words = this.#words
    const base = at * this.#stride
    if (this.#end >= 0)
      words[base + this.#end] = endOf(extras.timeout === SET_TIMEOUT ? setTimeout : extras.timeout, now)
    if (this.#counters >= 0) {
      const counters = base + this.#counters
      if (isNew || extras.hasPackets) {
        words[counters] = extras.packetsHigh
        words[counters + 1] = extras.packetsLow
      }
      if (isNew || extras.hasBytes) {
        words[counters + 2] = extras.bytesHigh
        words[counters + 3] = extras.bytesLow
      }
    }
    this.comments?.set(at, extras.comment === '' ? undefined : extras.comment)
    if (this.#skb >= 0) {
      const skb = base + this.#skb
      words[skb] = extras.mark
      words[skb + 1] = extras.markMask
      words[skb + 2] = extras.priority
      words[skb + 3] = extras.queue
    }
  }

  /** Takes over what does not stand in a record that was copied from another place. */
  takeComment(at: number, from: Extensions, place: number): void {
    if (this.comments === undefined) return
    this.comments.set(at, from.comments?.get(place))
    from.comments?.set(place, undefined)
  }

  /** The member is gone. */
  forget(at: number): void {
    this.comments?.set(at, undefined)
  }

  /** The word that says when a member ends, 0 where there is none. */
  end(at: number): number {
    return this.#end < 0 ? 0 : this.#words[at * this.#stride + this.#end]
  }

  setEnd(at: number, end: number): void {
    if (this.#end >= 0) this.#words[at * this.#stride + this.#end] = end
  }

  hasEnded(at: number, now: number): boolean {
    if (this.#end < 0) return false
    const end = this.#words[at * this.#stride + this.#end]
    return end !== 0 && ((end - now) | 0) <= 0
  }

  /** Whole seconds that are left, 0 for never. A member that is about to end has 1 left. */
  secondsLeft(at: number, now: number): number {
    const end = this.end(at)
    return end === 0 ? 0 : Math.max(1, Math.floor(((end - now) | 0) / 1000))
  }

  /** Counts a packet. */
  count(at: number, bytes: number): void {
    if (this.#counters < 0) return
    const words = this.#words
    const base = at * this.#stride + this.#counters
    words[base + 1] = (words[base + 1] + 1) | 0
    if (words[base + 1] === 0) words[base]++
    const low = (words[base + 3] + bytes) | 0
    // Unsigned comparison of int32 words: the sum is smaller than what was added when it went over the top.
    if ((low ^ -2147483648) < (bytes ^ -2147483648)) words[base + 2]++
    words[base + 3] = low
  }

  packets(at: number): bigint {
    return this.#counter(at, 0)
  }

  bytes(at: number): bigint {
    return this.#counter(at, 2)
  }

  #counter(at: number, word: number): bigint {
    const base = at * this.#stride + this.#counters + word
    return (BigInt(this.#words[base] >>> 0) << 32n) | BigInt(this.#words[base + 1] >>> 0)
  }

  /** -1, 0 or 1 as a counter is below, at or above a value. @param word 0 packets, 2 bytes */
  compare(at: number, word: 0 | 2, high: number, low: number): number {
    const base = at * this.#stride + this.#counters + word
    const difference = unsigned(this.#words[base], high)
    return difference !== 0 ? difference : unsigned(this.#words[base + 1], low)
  }

  mark(at: number): number {
    return this.#words[at * this.#stride + this.#skb]
  }

  markMask(at: number): number {
    return this.#words[at * this.#stride + this.#skb + 1]
  }

  priority(at: number): number {
    return this.#words[at * this.#stride + this.#skb + 2]
  }

  queue(at: number): number {
    return this.#words[at * this.#stride + this.#skb + 3]
  }
}

/** Places that have their comments in one array. */
const CHUNK = 1024

/** Comments by place, in arrays that are made where there are comments: a set that grows does not stop to make a large one. */
export class Comments {
  readonly #chunks: ((string | undefined)[] | undefined)[] = []

  get(at: number): string | undefined {
    return this.#chunks[(at / CHUNK) | 0]?.[at % CHUNK]
  }

  set(at: number, comment: string | undefined): void {
    const i = (at / CHUNK) | 0
    let chunk = this.#chunks[i]
    if (chunk === undefined) {
      if (comment === undefined) return
      while (this.#chunks.length < i) this.#chunks.push(undefined)
      chunk = Array<undefined>(CHUNK).fill(undefined)
      this.#chunks[i] = chunk
    }
    chunk[at % CHUNK] = comment
  }

  clone(): Comments {
    const copy = new Comments()
    for (const chunk of this.#chunks) copy.#chunks.push(chunk?.slice())
    return copy
  }
}

function unsigned(a: number, b: number): number {
  const x = a ^ -2147483648
  const y = b ^ -2147483648
  return x < y ? -1 : x > y ? 1 : 0
}

/** When a timeout that begins now ends; 0, which means never, is avoided by a millisecond. */
function endOf(timeout: number, now: number): number {
  return timeout === 0 ? 0 : (now + timeout * 1000) | 0 || 1
}
