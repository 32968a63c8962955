// Reassembly of fragments (RFC 815), as Linux's inet_fragment does it since 4.19: conntrack, NAT and rules see whole packets
// only. A fragment that overlaps what is there already ends its whole queue (RFC 5722), except for one that lies wholly within
// what arrived in sequence, which is a duplicate and merely dropped. Headers are the family's own: defrag4.ts, defrag6.ts.
//
// What always holds: a queue owns exactly one slot. A fragment's data is copied to its place in that slot at once and its
// own slot given back, so a flood of fragments cannot take more slots than there are queues, a quarter of the slab. The
// first fragment's header stands directly before the data. Queues and runs of data (defrag-runs.ts) are
// numbers into preallocated arrays: nothing is allocated.
//
// Two things differ from Linux. Where it refuses fragments above its threshold, the oldest queue gives way here: a
// quarter of the slab is soon full, and who is under attack should still receive what arrives in quick succession. And
// ipfrag_max_dist, which gives up a queue after many other fragments of its source, is not kept.

import { Packet } from '../packet/packet.ts'
import { REASON } from '../packet/reason.ts'
import { type Slab, STRIDE } from '../packet/slab.ts'
import type { Time } from '../time.ts'
import { SIZE } from '../wire/vnet.ts'
import { DUPLICATE, NO_RUN, OVERLAP, Runs } from './defrag-runs.ts'
import type { DefragEvents, DefragSettings } from './defrag-settings.ts'

/** Not a fragment, or now the whole packet: it goes on. */
export const PASS = -1
/** The packet's slot is Defrag's now. */
export const HELD = -2

// Who asks: each has its own queues.
export const USER_PREROUTING = 0
export const USER_OUTPUT = 1
export const USER_LOCAL = 2

/** What a fragment costs Linux besides its bytes; ipfrag_high_thresh counts it. */
const OVERHEAD = 576

// Words of a queue.
const NEXT = 0 // in the hash chain, and in the free list; index + 1
const OLDER = 1 // by age; index + 1
const YOUNGER = 2
const BORN = 3
const SLOT = 4 // where the slot begins
const LENGTH = 5 // end of the data as known by now
const HAVE = 6 // bytes of data that are there
const FLAGS = 7
const HEADER = 8 // first fragment's header length
const FIRST = 9 // first fragment's length
const RUNS = 10 // first run and, in the next word, the last one: defrag-runs.ts
const LARGEST = 12 // largest fragment, and the largest with DF
const LARGEST_DF = 13
const COUNT = 14
const BYTES = 15
const LINK = 16 // device of the last fragment
const DATA = 17 // offset of the data within the slot
const USER = 18
const KEY = 19 // and the family's further words, by which a fragment's queue is found
const SHARED_WORDS = KEY

// FLAGS. The low four bits say which ECN codepoints were seen (RFC 3168).
const FIRST_IN = 0x10
const LAST_IN = 0x20
const ECN_NOT_ECT = 1
const ECN_CE = 1 << 3

export abstract class Defrag {
  // What a family says about a fragment, and about the queue that it belongs to.
  protected readonly key: Int32Array
  /** Data that it has: [offset, end). */
  protected offset = 0
  protected end = 0
  protected isLast = false
  /** Bytes of the fragment before its data. */
  protected header = 0
  protected dontFragment = false
  protected trafficClass = 0

  readonly #settings: DefragSettings
  readonly #queueWords: number
  readonly #slab: Slab
  readonly #time: Time
  readonly #events: DefragEvents
  readonly #seed: number
  readonly #queues: Int32Array
  readonly #runs: Runs
  readonly #heads: Int32Array
  readonly #first: Packet
  #freeQueue = 0
  #oldest = 0
  #youngest = 0
  /** Bytes held, as the threshold counts them. */
  #bytes = 0
  /** Queues, and so slots, that are held. */
  held = 0
  /** Fragments that became part of a whole packet other than the one that they arrived as. */
  absorbed = 0

  /** @param seed an int32 from a random source */
  constructor(slab: Slab, time: Time, settings: DefragSettings, seed: number, events: DefragEvents) {
    this.#settings = settings
    this.key = new Int32Array(settings.keyWords)
    this.#queueWords = SHARED_WORDS + settings.keyWords
    this.#slab = slab
    this.#time = time
    this.#events = events
    this.#seed = seed
    this.#first = new Packet(slab)
    const queues = slab.slots >> 2
    this.#queues = new Int32Array(queues * this.#queueWords)
    for (let q = queues; q >= 1; q--) {
      this.#queues[this.#at(q) + NEXT] = this.#freeQueue
      this.#freeQueue = q
    }
    this.#runs = new Runs(queues)
    this.#heads = new Int32Array(1 << (32 - Math.clz32(2 * queues)))
  }

  #at(q: number): number {
    return (q - 1) * this.#queueWords
  }

  /** Reads the header of a fragment that timed out. */
  protected abstract readHeader(p: Packet): void

  /** Whether there can be a packet of that length. */
  protected abstract fits(header: number, data: number): boolean

  /**
   * p's slot has the header of the first fragment and all data from p.start on: makes it the whole packet, and reads it.
   * @param header bytes before the data in the first fragment
   * @param congested some fragment had "congestion experienced" (RFC 3168)
   * @param dontFragment the largest fragment of all was one with DF
   */
  protected abstract complete(p: Packet, header: number, data: number, congested: boolean, dontFragment: boolean): void

  /**
   * PASS: the packet is whole, p describes it (p.fragmentMax says what it was made of). HELD: p has no slot any more.
   * Otherwise the reason why p goes no further; its slot is still the caller's.
   */
  abstract input(p: Packet, user: number): number

  /** Enters the fragment that the fields describe. */
  protected enter(p: Packet, user: number): number {
    const cost = p.length + OVERHEAD
    const { threshold } = this.#settings
    while (this.#bytes + cost > threshold && this.#oldest !== 0) this.#discard(this.#oldest, LIMIT)
    if (cost > threshold) return LIMIT
    const q = this.#find(user)
    return q === 0 ? LIMIT : this.#add(p, q)
  }

  /** The fragment's queue cannot become a packet any more. */
  protected giveUp(user: number): void {
    const q = this.#find(user)
    if (q !== 0) this.#discard(q, BAD)
  }

  /** Ends the queues whose time is over; to be called every second or so. */
  tick(): void {
    const queues = this.#queues
    for (;;) {
      const q = this.#oldest
      if (q === 0) return
      const at = this.#at(q)
      if (((this.#time.now - queues[at + BORN]) | 0) < 1000 * this.#settings.seconds) return
      if ((queues[at + FLAGS] & FIRST_IN) !== 0) {
        const first = this.#first
        const start = queues[at + SLOT] + queues[at + DATA] - queues[at + HEADER]
        first.begin(start, queues[at + FIRST], queues[at + LINK])
        this.readHeader(first)
        this.#events.expired(first, queues[at + USER])
      }
      // Unless what was sent in answer has made room by ending it.
      if (this.#oldest === q) this.#discard(q, REASON['fragment-timeout'])
    }
  }

  /** Drops all that is held. */
  clear(): void {
    while (this.#oldest !== 0) this.#discard(this.#oldest, REASON['fragment-timeout'])
  }

  /** Of the key that stands at a place of `words`. */
  #hash(words: Int32Array, at: number, user: number): number {
    let h = this.#seed ^ user
    for (let i = 0; i < this.#settings.keyWords; i++) h = Math.imul((h ^ (h >>> 15)) + words[at + i], 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f)
    return (h ^ (h >>> 15)) & (this.#heads.length - 1)
  }

  #isKey(at: number): boolean {
    for (let i = 0; i < this.#settings.keyWords; i++) if (this.#queues[at + i] !== this.key[i]) return false
    return true
  }

  /** The queue of the key, made if need be; 0 when there can be none. */
  #find(user: number): number {
    const queues = this.#queues
    const head = this.#hash(this.key, 0, user)
    for (let q = this.#heads[head]; q !== 0; q = queues[this.#at(q) + NEXT]) {
      const at = this.#at(q)
      if (queues[at + USER] === user && this.#isKey(at + KEY)) return q
    }
    if (this.#freeQueue === 0 && this.#oldest !== 0) this.#discard(this.#oldest, LIMIT)
    const q = this.#freeQueue
    if (q === 0) return 0
    const at = this.#at(q)
    this.#freeQueue = queues[at + NEXT]
    queues.fill(0, at, at + SHARED_WORDS)
    queues.set(this.key, at + KEY)
    queues[at + USER] = user
    queues[at + DATA] = this.#settings.data
    queues[at + BORN] = this.#time.now
    queues[at + SLOT] = NO_SLOT
    queues[at + NEXT] = this.#heads[head]
    this.#heads[head] = q
    queues[at + OLDER] = this.#youngest
    if (this.#youngest === 0) this.#oldest = q
    else queues[this.#at(this.#youngest) + YOUNGER] = q
    this.#youngest = q
    return q
  }

  #add(p: Packet, q: number): number {
    const queues = this.#queues
    const at = this.#at(q)
    const { offset, end } = this
    const lastIn = (queues[at + FLAGS] & LAST_IN) !== 0
    if (this.isLast) {
      if (end < queues[at + LENGTH] || (lastIn && end !== queues[at + LENGTH])) return this.#contradict(q)
      queues[at + FLAGS] |= LAST_IN
      queues[at + LENGTH] = end
    } else if (end > queues[at + LENGTH]) {
      if (lastIn) return this.#contradict(q)
      queues[at + LENGTH] = end
    }
    if (end <= offset || end > this.#settings.maxData) return this.#contradict(q)
    if (!this.#makeRoom(at)) return this.#spoil(q)
    const placed = this.#runs.place(queues, at + RUNS, offset, end)
    if (placed === DUPLICATE) return BAD
    if (placed === OVERLAP) return this.#spoil(q)
    if (placed === NO_RUN) {
      this.#discard(q, LIMIT)
      return LIMIT
    }
    this.#note(p, at)
    const whole = (queues[at + FLAGS] & (FIRST_IN | LAST_IN)) === (FIRST_IN | LAST_IN)
    if (whole && queues[at + HAVE] === queues[at + LENGTH]) return this.#finish(p, q)
    this.#keep(p, at)
    return HELD
  }

  /** What the queue knows by its fragments, this one included. */
  #note(p: Packet, at: number): void {
    const queues = this.#queues
    const { offset, end, header } = this
    const size = end - offset + header
    queues[at + HAVE] += end - offset
    queues[at + LINK] = p.inLink
    queues[at + FLAGS] |= 1 << (this.trafficClass & 3)
    if (size > queues[at + LARGEST]) queues[at + LARGEST] = size
    if (this.dontFragment && size > queues[at + LARGEST_DF]) queues[at + LARGEST_DF] = size
    if (offset === 0) {
      queues[at + FLAGS] |= FIRST_IN
      queues[at + HEADER] = header
      queues[at + FIRST] = size
    }
  }

  /** The fragment's bytes go to their place in the queue's slot; the first that comes brings the slot. */
  #keep(p: Packet, at: number): void {
    const queues = this.#queues
    const cost = p.length + OVERHEAD
    queues[at + COUNT]++
    queues[at + BYTES] += cost
    this.#bytes += cost
    if (queues[at + SLOT] === NO_SLOT) {
      queues[at + SLOT] = p.start - (p.start % STRIDE)
      this.held++
      this.#copy(p, queues[at + SLOT], queues[at + DATA])
    } else {
      this.#copy(p, queues[at + SLOT], queues[at + DATA])
      this.#slab.give(p.start)
    }
  }

  /**
   * A header of unusual length needs more room before the data than there is: what is there already moves up.
   * @returns false when it would not fit behind it
   */
  #makeRoom(at: number): boolean {
    const queues = this.#queues
    const before = queues[at + DATA]
    const needed = this.offset === 0 ? this.header + SIZE : 0
    if (needed > before) {
      queues[at + DATA] = needed
      const slot = queues[at + SLOT]
      if (needed + queues[at + LENGTH] > STRIDE) return false
      if (slot !== NO_SLOT)
        this.#slab.bytes.copyWithin(slot + needed, slot + before, slot + before + queues[at + LENGTH])
    }
    return queues[at + DATA] + this.end <= STRIDE
  }

  #copy(p: Packet, slot: number, data: number): void {
    const { bytes } = this.#slab
    const { offset, end } = this
    const header = offset === 0 ? this.header : 0
    const from = p.start + this.header - header
    const to = slot + data + offset - header
    if (from !== to) bytes.copyWithin(to, from, from + header + end - offset)
  }

  /** p is the last that was missing: it becomes the whole packet. */
  #finish(p: Packet, q: number): number {
    const queues = this.#queues
    const at = this.#at(q)
    const ecn = queues[at + FLAGS] & 0xf
    const header = queues[at + HEADER]
    const data = queues[at + LENGTH]
    const dontFragment = queues[at + LARGEST_DF] === queues[at + LARGEST]
    // Parts that take part in ECN and parts that do not cannot be one packet's (RFC 3168, 5.3).
    if ((ecn & ECN_NOT_ECT) !== 0 && ecn !== ECN_NOT_ECT) return this.#spoil(q)
    if (!this.fits(header, data)) return this.#spoil(q)
    // A fragment alone has no slot yet: its own will do.
    const lone = queues[at + SLOT] === NO_SLOT
    const slot = lone ? p.start - (p.start % STRIDE) : queues[at + SLOT]
    this.#copy(p, slot, queues[at + DATA])
    if (!lone) {
      this.#slab.give(p.start)
      this.held--
    }
    p.start = slot + queues[at + DATA] - header
    const largest = queues[at + LARGEST]
    this.complete(p, header, data, (ecn & ECN_CE) !== 0, dontFragment)
    p.fragmentMax = largest | (dontFragment ? DF << 16 : 0)
    this.absorbed += queues[at + COUNT]
    this.#remove(q)
    return PASS
  }

  /** The fragment contradicts what is there. */
  #contradict(q: number): number {
    if (this.#settings.contradictionEnds) return this.#spoil(q)
    return BAD
  }

  /** The fragments contradict each other: the whole queue goes, and the one that showed it with it. */
  #spoil(q: number): number {
    this.#discard(q, BAD)
    return BAD
  }

  #discard(q: number, reason: number): void {
    const at = this.#at(q)
    const slot = this.#queues[at + SLOT]
    const count = this.#queues[at + COUNT]
    this.#remove(q)
    if (slot !== NO_SLOT) {
      this.#slab.give(slot)
      this.held--
    }
    for (let i = 0; i < count; i++) this.#events.dropped(reason)
  }

  /** Takes a queue out of the lists and frees its runs; its slot is somebody else's business. */
  #remove(q: number): void {
    const queues = this.#queues
    const at = this.#at(q)
    this.#bytes -= queues[at + BYTES]
    const head = this.#hash(queues, at + KEY, queues[at + USER])
    if (this.#heads[head] === q) this.#heads[head] = queues[at + NEXT]
    else {
      let previous = this.#at(this.#heads[head])
      while (queues[previous + NEXT] !== q) previous = this.#at(queues[previous + NEXT])
      queues[previous + NEXT] = queues[at + NEXT]
    }
    const older = queues[at + OLDER]
    const younger = queues[at + YOUNGER]
    if (older === 0) this.#oldest = younger
    else queues[this.#at(older) + YOUNGER] = younger
    if (younger === 0) this.#youngest = older
    else queues[this.#at(younger) + OLDER] = older
    this.#runs.free(queues[at + RUNS])
    queues[at + NEXT] = this.#freeQueue
    this.#freeQueue = q
  }
}

const BAD = REASON['fragment-bad']
const LIMIT = REASON['fragment-limit']
const NO_SLOT = -1
/** IPv4's "don't fragment", in the upper half word of Packet.fragmentMax. */
const DF = 0x4000
