// Reassembly of IPv4 fragments (RFC 791, RFC 815), as Linux's ip_fragment does it since 4.19: conntrack, NAT and rules see
// whole packets only. A fragment that overlaps what is there already ends its whole queue (RFC 5722), except for one
// that lies wholly within what arrived in sequence, which is a duplicate and merely dropped.
//
// What always holds: a queue owns exactly one slot. A fragment's data is copied to its place in that slot at once and its
// own slot given back, so a flood of fragments cannot take more slots than there are queues, a quarter of the slab. Data
// begins at one fixed place in every slot; the first fragment's header stands directly before it and, where it has
// options, grows into the headroom. Queues and runs of data are numbers into preallocated arrays: nothing is allocated.
//
// Two things differ from Linux. Where it refuses fragments above ipfrag_high_thresh, the oldest queue gives way here: a
// quarter of the slab is soon full, and who is under attack should still receive what arrives in quick succession. And
// ipfrag_max_dist, which gives up a queue after many other fragments of its source, is not kept.

import { Packet } from '../packet/packet.ts'
import { readHeader4 } from '../packet/parse.ts'
import { REASON } from '../packet/reason.ts'
import { HEADROOM, type Slab, STRIDE } from '../packet/slab.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import * as ip from '../wire/ipv4.ts'
import * as vnet from '../wire/vnet.ts'

/** Not a fragment, or now the whole packet: it goes on. */
export const PASS = -1
/** The packet's slot is Defrag's now. */
export const HELD = -2

// Who asks: each has its own queues.
export const USER_PREROUTING = 0
export const USER_OUTPUT = 1
export const USER_LOCAL = 2

export interface DefragEvents {
  /**
   * A queue timed out whose first fragment is there: `first` is that fragment, valid during the call. An ICMP "reassembly
   * time exceeded" is due if the packet was for the router itself (Linux sends none for what it would have forwarded).
   */
  expired(first: Packet, user: number): void
  /** A fragment that was held goes no further; once for each. */
  dropped(reason: number): void
}

/** Offset of the data within a slot: behind a header without options. */
const DATA = HEADROOM + ip.MIN_HEADER
const MAX_DATA = ip.MAX_PACKET - ip.MIN_HEADER
/** What a fragment costs Linux besides its bytes; ipfrag_high_thresh counts it. */
const OVERHEAD = 576
/** Runs that there can be beyond eight a queue: one packet in the smallest fragments, in the worst order, still fits. */
const SPARE_RUNS = 8192

// Words of a queue.
const SOURCE = 0
const DESTINATION = 1
const ID = 2 // id | protocol << 16 | user << 24
const NEXT = 3 // in the hash chain, and in the free list; index + 1
const OLDER = 4 // by age; index + 1
const YOUNGER = 5
const BORN = 6
const SLOT = 7 // where the slot begins
const LENGTH = 8 // end of the data as known by now
const HAVE = 9 // bytes of data that are there
const FLAGS = 10
const HEADER = 11 // first fragment's header length
const FIRST = 12 // first fragment's length
const RUNS = 13 // first run; index + 1
const LAST_RUN = 14
const LARGEST = 15 // largest fragment, and the largest with DF
const LARGEST_DF = 16
const COUNT = 17
const BYTES = 18
const LINK = 19 // device of the last fragment
const QUEUE_WORDS = 20

// Words of a run: data that arrived in sequence, at the packet's end as it was known then.
const OFFSET = 0
const END = 1
const NEXT_RUN = 2 // index + 1; by offset
const RUN_WORDS = 3

// FLAGS. The low four bits say which ECN codepoints were seen (RFC 3168).
const FIRST_IN = 0x10
const LAST_IN = 0x20
const ECN_NOT_ECT = 1
const ECN_CE = 1 << 3

export class Defrag {
  readonly #slab: Slab
  readonly #time: Time
  readonly #events: DefragEvents
  readonly #lifetime: number
  readonly #threshold: number
  readonly #seed: number
  readonly #queues: Int32Array
  readonly #runs: Int32Array
  readonly #heads: Int32Array
  readonly #first: Packet
  #freeQueue = 0
  #freeRun = 0
  #oldest = 0
  #youngest = 0
  /** Bytes held, as ipfrag_high_thresh counts them. */
  #bytes = 0
  /** Queues, and so slots, that are held. */
  held = 0
  /** Fragments that became part of a whole packet other than the one that they arrived as. */
  absorbed = 0

  /** @param seed an int32 from a random source */
  constructor(slab: Slab, time: Time, sysctl: Sysctl, seed: number, events: DefragEvents) {
    this.#slab = slab
    this.#time = time
    this.#events = events
    this.#seed = seed
    this.#lifetime = sysctl['net.ipv4.ipfrag_time'] * 1000
    this.#threshold = sysctl['net.ipv4.ipfrag_high_thresh']
    this.#first = new Packet(slab)
    const queues = slab.slots >> 2
    this.#queues = new Int32Array(queues * QUEUE_WORDS)
    for (let q = queues; q >= 1; q--) {
      this.#queues[(q - 1) * QUEUE_WORDS + NEXT] = this.#freeQueue
      this.#freeQueue = q
    }
    const runs = SPARE_RUNS + 8 * queues
    this.#runs = new Int32Array(runs * RUN_WORDS)
    for (let run = runs; run >= 1; run--) this.#freeTheRun(run)
    this.#heads = new Int32Array(1 << (32 - Math.clz32(2 * queues)))
  }

  /**
   * PASS: the packet is whole, p describes it (p.fragmentMax says what it was made of). HELD: p has no slot any more.
   * Otherwise the reason why p goes no further; its slot is still the caller's.
   */
  input(p: Packet, user: number): number {
    if ((p.fragment & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) === 0) return PASS
    const cost = p.length + OVERHEAD
    while (this.#bytes + cost > this.#threshold && this.#oldest !== 0) this.#discard(this.#oldest, LIMIT)
    if (cost > this.#threshold) return LIMIT
    const q = this.#find(p, user)
    return q === 0 ? LIMIT : this.#add(p, q)
  }

  /** Ends the queues whose time is over; to be called every second or so. */
  tick(): void {
    const queues = this.#queues
    for (;;) {
      const q = this.#oldest
      if (q === 0) return
      const at = (q - 1) * QUEUE_WORDS
      if (((this.#time.now - queues[at + BORN]) | 0) < this.#lifetime) return
      if ((queues[at + FLAGS] & FIRST_IN) !== 0) {
        const first = this.#first
        first.begin(queues[at + SLOT] + DATA - queues[at + HEADER], queues[at + FIRST], queues[at + LINK])
        readHeader4(first)
        this.#events.expired(first, queues[at + ID] >>> 24)
      }
      // Unless what was sent in answer has made room by ending it.
      if (this.#oldest === q) this.#discard(q, REASON['fragment-timeout'])
    }
  }

  /** Drops all that is held. */
  clear(): void {
    while (this.#oldest !== 0) this.#discard(this.#oldest, REASON['fragment-timeout'])
  }

  #hash(source: number, destination: number, id: number): number {
    let h = Math.imul(source ^ this.#seed, 0x85ebca6b)
    h = Math.imul((h ^ (h >>> 15)) + destination, 0xc2b2ae35)
    h = Math.imul((h ^ (h >>> 13)) + id, 0x27d4eb2f)
    return (h ^ (h >>> 15)) & (this.#heads.length - 1)
  }

  /** The packet's queue, made if need be; 0 when there can be none. */
  #find(p: Packet, user: number): number {
    const queues = this.#queues
    const id = p.view.getUint16(p.start + ip.ID) | (p.protocol << 16) | (user << 24)
    const head = this.#hash(p.source, p.destination, id)
    for (let q = this.#heads[head]; q !== 0; q = queues[(q - 1) * QUEUE_WORDS + NEXT]) {
      const at = (q - 1) * QUEUE_WORDS
      if (queues[at + SOURCE] === p.source && queues[at + DESTINATION] === p.destination && queues[at + ID] === id)
        return q
    }
    if (this.#freeQueue === 0 && this.#oldest !== 0) this.#discard(this.#oldest, LIMIT)
    const q = this.#freeQueue
    if (q === 0) return 0
    const at = (q - 1) * QUEUE_WORDS
    this.#freeQueue = queues[at + NEXT]
    queues.fill(0, at, at + QUEUE_WORDS)
    queues[at + SOURCE] = p.source
    queues[at + DESTINATION] = p.destination
    queues[at + ID] = id
    queues[at + BORN] = this.#time.now
    queues[at + SLOT] = NO_SLOT
    queues[at + NEXT] = this.#heads[head]
    this.#heads[head] = q
    queues[at + OLDER] = this.#youngest
    if (this.#youngest === 0) this.#oldest = q
    else queues[(this.#youngest - 1) * QUEUE_WORDS + YOUNGER] = q
    this.#youngest = q
    return q
  }

  #add(p: Packet, q: number): number {
    const queues = this.#queues
    const at = (q - 1) * QUEUE_WORDS
    const isLast = (p.fragment & ip.MF) === 0
    const offset = (p.fragment & ip.FRAGMENT_OFFSET_MASK) << 3
    let end = offset + p.length - p.headerLength
    if (isLast) {
      if (end < queues[at + LENGTH]) return this.#spoil(q)
      if ((queues[at + FLAGS] & LAST_IN) !== 0 && end !== queues[at + LENGTH]) return this.#spoil(q)
      queues[at + FLAGS] |= LAST_IN
      queues[at + LENGTH] = end
    } else {
      // What is no multiple of eight cannot have a successor: the odd bytes are cut.
      end &= ~7
      if (end > queues[at + LENGTH]) {
        if ((queues[at + FLAGS] & LAST_IN) !== 0) return this.#spoil(q)
        queues[at + LENGTH] = end
      }
    }
    if (end <= offset || end > MAX_DATA) return this.#spoil(q)
    const placed = this.#place(at, offset, end)
    if (placed === DUPLICATE) return BAD
    if (placed === OVERLAP) return this.#spoil(q)
    if (placed === NO_RUN) {
      this.#discard(q, LIMIT)
      return LIMIT
    }
    this.#note(p, at, offset, end)
    const whole = (queues[at + FLAGS] & (FIRST_IN | LAST_IN)) === (FIRST_IN | LAST_IN)
    if (whole && queues[at + HAVE] === queues[at + LENGTH]) return this.#finish(p, q, offset, end)
    this.#keep(p, at, offset, end)
    return HELD
  }

  /** What the queue knows by its fragments, this one included. */
  #note(p: Packet, at: number, offset: number, end: number): void {
    const queues = this.#queues
    const size = end - offset + p.headerLength
    queues[at + HAVE] += end - offset
    queues[at + LINK] = p.inLink
    queues[at + FLAGS] |= 1 << (p.view.getUint8(p.start + ip.TOS) & 3)
    if (size > queues[at + LARGEST]) queues[at + LARGEST] = size
    if ((p.fragment & ip.DF) !== 0 && size > queues[at + LARGEST_DF]) queues[at + LARGEST_DF] = size
    if (offset === 0) {
      queues[at + FLAGS] |= FIRST_IN
      queues[at + HEADER] = p.headerLength
      queues[at + FIRST] = size
    }
  }

  /** The fragment's bytes go to their place in the queue's slot; the first that comes brings the slot. */
  #keep(p: Packet, at: number, offset: number, end: number): void {
    const queues = this.#queues
    const cost = p.length + OVERHEAD
    queues[at + COUNT]++
    queues[at + BYTES] += cost
    this.#bytes += cost
    if (queues[at + SLOT] === NO_SLOT) {
      queues[at + SLOT] = p.start - (p.start % STRIDE)
      this.held++
      this.#copy(p, queues[at + SLOT], offset, end)
    } else {
      this.#copy(p, queues[at + SLOT], offset, end)
      this.#slab.give(p.start)
    }
  }

  #copy(p: Packet, slot: number, offset: number, end: number): void {
    const { bytes } = this.#slab
    const header = offset === 0 ? p.headerLength : 0
    const from = p.start + p.headerLength - header
    const to = slot + DATA + offset - header
    if (from !== to) bytes.copyWithin(to, from, from + header + end - offset)
  }

  /** p is the last that was missing: it becomes the whole packet. */
  #finish(p: Packet, q: number, offset: number, end: number): number {
    const queues = this.#queues
    const at = (q - 1) * QUEUE_WORDS
    const length = queues[at + HEADER] + queues[at + LENGTH]
    const ecn = queues[at + FLAGS] & 0xf
    // Parts that take part in ECN and parts that do not cannot be one packet's (RFC 3168, 5.3).
    if (length > ip.MAX_PACKET || ((ecn & ECN_NOT_ECT) !== 0 && ecn !== ECN_NOT_ECT)) return this.#spoil(q)
    // A fragment alone is never whole, so the queue has a slot.
    const slot = queues[at + SLOT]
    this.#copy(p, slot, offset, end)
    this.#slab.give(p.start)
    this.held--
    p.start = slot + DATA - queues[at + HEADER]
    p.length = length
    const { view } = p
    const dontFragment = queues[at + LARGEST_DF] === queues[at + LARGEST] ? ip.DF : 0
    view.setUint16(p.start + ip.TOTAL_LENGTH, length)
    view.setUint16(p.start + ip.FLAGS_FRAGMENT, dontFragment)
    if ((ecn & ECN_CE) !== 0) view.setUint8(p.start + ip.TOS, view.getUint8(p.start + ip.TOS) | 3)
    ip.writeChecksum(view, p.start, queues[at + HEADER])
    vnet.clear(view, p.start)
    readHeader4(p)
    p.fragmentMax = queues[at + LARGEST] | (dontFragment << 16)
    this.absorbed += queues[at + COUNT]
    this.#remove(q)
    return PASS
  }

  /** The fragments contradict each other: the whole queue goes, and the one that showed it with it. */
  #spoil(q: number): number {
    this.#discard(q, BAD)
    return BAD
  }

  #discard(q: number, reason: number): void {
    const at = (q - 1) * QUEUE_WORDS
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
    const at = (q - 1) * QUEUE_WORDS
    this.#bytes -= queues[at + BYTES]
    const head = this.#hash(queues[at + SOURCE], queues[at + DESTINATION], queues[at + ID])
    if (this.#heads[head] === q) this.#heads[head] = queues[at + NEXT]
    else {
      let previous = (this.#heads[head] - 1) * QUEUE_WORDS
      while (queues[previous + NEXT] !== q) previous = (queues[previous + NEXT] - 1) * QUEUE_WORDS
      queues[previous + NEXT] = queues[at + NEXT]
    }
    const older = queues[at + OLDER]
    const younger = queues[at + YOUNGER]
    if (older === 0) this.#oldest = younger
    else queues[(older - 1) * QUEUE_WORDS + YOUNGER] = younger
    if (younger === 0) this.#youngest = older
    else queues[(younger - 1) * QUEUE_WORDS + OLDER] = older
    for (let run = queues[at + RUNS]; run !== 0; ) {
      const next = this.#runs[(run - 1) * RUN_WORDS + NEXT_RUN]
      this.#freeTheRun(run)
      run = next
    }
    queues[at + NEXT] = this.#freeQueue
    this.#freeQueue = q
  }

  #freeTheRun(run: number): void {
    this.#runs[(run - 1) * RUN_WORDS + NEXT_RUN] = this.#freeRun
    this.#freeRun = run
  }

  /** Enters [offset, end) into the queue's runs: PLACED, or what is in the way. */
  #place(at: number, offset: number, end: number): number {
    const queues = this.#queues
    const runs = this.#runs
    const last = queues[at + LAST_RUN]
    const lastAt = (last - 1) * RUN_WORDS
    let after = last
    if (last !== 0 && end > runs[lastAt + END]) {
      if (offset < runs[lastAt + END]) return OVERLAP
      if (offset === runs[lastAt + END]) {
        runs[lastAt + END] = end
        return PLACED
      }
    } else if (last !== 0) {
      after = 0
      for (let run = queues[at + RUNS]; run !== 0; run = runs[(run - 1) * RUN_WORDS + NEXT_RUN]) {
        const runAt = (run - 1) * RUN_WORDS
        if (end <= runs[runAt + OFFSET]) break
        if (offset < runs[runAt + END])
          return offset >= runs[runAt + OFFSET] && end <= runs[runAt + END] ? DUPLICATE : OVERLAP
        after = run
      }
    }
    const run = this.#freeRun
    if (run === 0) return NO_RUN
    const runAt = (run - 1) * RUN_WORDS
    this.#freeRun = runs[runAt + NEXT_RUN]
    runs[runAt + OFFSET] = offset
    runs[runAt + END] = end
    if (after === 0) {
      runs[runAt + NEXT_RUN] = queues[at + RUNS]
      queues[at + RUNS] = run
    } else {
      runs[runAt + NEXT_RUN] = runs[(after - 1) * RUN_WORDS + NEXT_RUN]
      runs[(after - 1) * RUN_WORDS + NEXT_RUN] = run
    }
    if (after === last) queues[at + LAST_RUN] = run
    return PLACED
  }
}

const BAD = REASON['fragment-bad']
const LIMIT = REASON['fragment-limit']
const NO_SLOT = -1

// What #place found.
const PLACED = 0
const DUPLICATE = 1
const OVERLAP = 2
const NO_RUN = 3
