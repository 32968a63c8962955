// What a member may carry beside its key: when it ends, how often it matched, a comment, and what target SET --map-set
// hands to packets. Arrays beside the members' table, one per kind, which exist only where the set was created with it.
// What always holds: place i of every array belongs to member i of the table beside which it stands.
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

export class Extensions {
  readonly kinds: number
  readonly ends: Int32Array | undefined
  readonly counters: Int32Array | undefined
  readonly comments: (string | undefined)[] | undefined
  readonly skb: Int32Array | undefined

  /** @param kinds WITH_... bits  @param size how many members there can be */
  constructor(kinds: number, size: number) {
    this.kinds = kinds
    if ((kinds & WITH_TIMEOUT) !== 0) this.ends = new Int32Array(size)
    if ((kinds & WITH_COUNTERS) !== 0) this.counters = new Int32Array(size * COUNTER_WORDS)
    if ((kinds & WITH_COMMENT) !== 0) this.comments = Array<undefined>(size).fill(undefined)
    if ((kinds & WITH_SKBINFO) !== 0) this.skb = new Int32Array(size * SKB_WORDS)
  }

  /** Bytes of the typed arrays; comments are not counted. */
  get byteLength(): number {
    return (this.ends?.byteLength ?? 0) + (this.counters?.byteLength ?? 0) + (this.skb?.byteLength ?? 0)
  }

  /**
   * For a new member, or one that is added again: everything is as it is given now, but for counters, which then stay as they
   * are where none are given.
   */
  set(at: number, extras: Extras, setTimeout: number, now: number, isNew: boolean): void {
    const { ends, counters, comments, skb } = this
    if (ends !== undefined) ends[at] = endOf(extras.timeout === SET_TIMEOUT ? setTimeout : extras.timeout, now)
    if (counters !== undefined) {
      const base = at * COUNTER_WORDS
      if (isNew || extras.hasPackets) {
        counters[base] = extras.packetsHigh
        counters[base + 1] = extras.packetsLow
      }
      if (isNew || extras.hasBytes) {
        counters[base + 2] = extras.bytesHigh
        counters[base + 3] = extras.bytesLow
      }
    }
    if (comments !== undefined) comments[at] = extras.comment === '' ? undefined : extras.comment
    if (skb !== undefined) {
      const base = at * SKB_WORDS
      skb[base] = extras.mark
      skb[base + 1] = extras.markMask
      skb[base + 2] = extras.priority
      skb[base + 3] = extras.queue
    }
  }

  /** Takes over what another table has at a place. */
  take(at: number, from: Extensions, place: number): void {
    if (this.ends !== undefined) this.ends[at] = (from.ends as Int32Array)[place]
    if (this.counters !== undefined)
      for (let i = 0; i < COUNTER_WORDS; i++)
        this.counters[at * COUNTER_WORDS + i] = (from.counters as Int32Array)[place * COUNTER_WORDS + i]
    if (this.comments !== undefined) {
      this.comments[at] = (from.comments as (string | undefined)[])[place]
      if (from !== this || at !== place) (from.comments as (string | undefined)[])[place] = undefined
    }
    if (this.skb !== undefined)
      for (let i = 0; i < SKB_WORDS; i++) this.skb[at * SKB_WORDS + i] = (from.skb as Int32Array)[place * SKB_WORDS + i]
  }

  /** The member is gone. */
  forget(at: number): void {
    if (this.comments !== undefined) this.comments[at] = undefined
  }

  clone(size: number): Extensions {
    const copy = new Extensions(this.kinds, size)
    copy.ends?.set(this.ends as Int32Array)
    copy.counters?.set(this.counters as Int32Array)
    copy.skb?.set(this.skb as Int32Array)
    if (copy.comments !== undefined)
      for (let i = 0; i < size; i++) copy.comments[i] = (this.comments as (string | undefined)[])[i]
    return copy
  }

  hasEnded(at: number, now: number): boolean {
    const { ends } = this
    return ends !== undefined && ends[at] !== 0 && ((ends[at] - now) | 0) <= 0
  }

  /** Whole seconds that are left, 0 for never. A member that is about to end has 1 left. */
  secondsLeft(at: number, now: number): number {
    const end = this.ends?.[at] ?? 0
    return end === 0 ? 0 : Math.max(1, Math.floor(((end - now) | 0) / 1000))
  }

  /** Counts a packet. */
  count(at: number, bytes: number): void {
    const { counters } = this
    if (counters === undefined) return
    const base = at * COUNTER_WORDS
    counters[base + 1] = (counters[base + 1] + 1) | 0
    if (counters[base + 1] === 0) counters[base]++
    const low = (counters[base + 3] + bytes) | 0
    // Unsigned comparison of int32 words: the sum is smaller than what was added when it went over the top.
    if ((low ^ -2147483648) < (bytes ^ -2147483648)) counters[base + 2]++
    counters[base + 3] = low
  }

  packets(at: number): bigint {
    return this.#counter(at, 0)
  }

  bytes(at: number): bigint {
    return this.#counter(at, 2)
  }

  #counter(at: number, word: number): bigint {
    const counters = this.counters as Int32Array
    const base = at * COUNTER_WORDS + word
    return (BigInt(counters[base] >>> 0) << 32n) | BigInt(counters[base + 1] >>> 0)
  }

  /** -1, 0 or 1 as a counter is below, at or above a value. @param word 0 packets, 2 bytes */
  compare(at: number, word: 0 | 2, high: number, low: number): number {
    const counters = this.counters as Int32Array
    const base = at * COUNTER_WORDS + word
    const difference = unsigned(counters[base], high)
    return difference !== 0 ? difference : unsigned(counters[base + 1], low)
  }

  mark(at: number): number {
    return (this.skb as Int32Array)[at * SKB_WORDS]
  }

  markMask(at: number): number {
    return (this.skb as Int32Array)[at * SKB_WORDS + 1]
  }

  priority(at: number): number {
    return (this.skb as Int32Array)[at * SKB_WORDS + 2]
  }

  queue(at: number): number {
    return (this.skb as Int32Array)[at * SKB_WORDS + 3]
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
