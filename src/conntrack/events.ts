// What happens to flows, told to whoever listens: Linux's conntrack events. The data plane writes each event, with all that is
// to be told of its flow, into a ring in shared memory; one reader, on this thread or another, takes them out. The ring is
// bounded, and packets never wait for its reader: what finds no room is lost, and counted.
//
// What always holds: without a listener nothing is noted and no ring is there; and of a flow that began while nobody listened
// nothing is told later either, as on Linux (nf_conntrack_events = 2).

import type { ExpectationEntry } from './expect.ts'
import type { Extensions } from './extensions.ts'
import * as extra from './extensions.ts'
import { FlowView } from './flow-view.ts'
import * as f from './record.ts'

// Kinds of events, with Linux's numbers (ip_conntrack_events).
export const NEW = 1 << 0
export const RELATED = 1 << 1
export const DESTROY = 1 << 2
export const REPLY = 1 << 3
export const ASSURED = 1 << 4
export const PROTOINFO = 1 << 5
export const HELPER = 1 << 6
export const MARK = 1 << 7
export const SEQADJ = 1 << 8
export const SECMARK = 1 << 9
export const LABEL = 1 << 10
export const SYNPROXY = 1 << 11
export const ALL = 0xffff
/** Of expectations; their masters' EVENT_MASK has the same bits. */
export const EXPECT_NEW = 1 << 16
export const EXPECT_DESTROY = 1 << 17
export const EXPECT_ALL = ~0xffff

/** Events that the ring holds. */
const ROOM = 1 << 13

// Words of an event.
const BITS = 0
const PORT = 1
const RECORD = 2
const NOW = 3
const ID = 4
const FAMILY = 5
const EXTRAS = 6
const LABELS = EXTRAS + extra.EXTRA_WORDS
const FLOW = LABELS + extra.LABEL_WORDS
const ADDRESSES = FLOW + f.WORDS
const EXPECTATION = ADDRESSES + f.ADDRESS_WORDS
const WORDS = EXPECTATION + 20
// Numbers of an event: counters, time stamps, and when it happened.
const STAMPS = extra.ACCOUNT_WORDS
const WALL = STAMPS + extra.STAMP_WORDS
const NUMBERS = WALL + 1

// Places in `state`.
const WRITTEN = 0
const TAKEN = 1
const LOST = 2

/** The ring's memory, as it crosses to another thread. */
export interface SharedEvents {
  readonly state: Int32Array<SharedArrayBuffer>
  readonly words: Int32Array<SharedArrayBuffer>
  readonly numbers: Float64Array<SharedArrayBuffer>
}

export function eventMemory(): SharedEvents {
  return {
    state: new Int32Array(new SharedArrayBuffer(12)),
    words: new Int32Array(new SharedArrayBuffer(ROOM * WORDS * 4)),
    numbers: new Float64Array(new SharedArrayBuffer(ROOM * NUMBERS * 8)),
  }
}

interface Moment {
  readonly now: number
  readonly wall: number
}

/** The data plane's end. */
export class EventWriter {
  readonly #memory: SharedEvents

  constructor(memory: SharedEvents) {
    this.#memory = memory
  }

  /**
   * @param port who caused it, where that was a command; 0 for packets and time
   * @param expectation what it is about, where that is not the flow but what the flow announced
   */
  write(view: FlowView, ct: number, bits: number, port: number, time: Moment, expectation?: ExpectationEntry): void {
    const { state, words, numbers } = this.#memory
    const written = state[WRITTEN]
    if (((written - Atomics.load(state, TAKEN)) | 0) >= ROOM) {
      Atomics.add(state, LOST, 1)
      return
    }
    const at = (written & (ROOM - 1)) * WORDS
    words[at + BITS] = bits
    words[at + PORT] = port
    words[at + RECORD] = ct
    words[at + NOW] = time.now
    words[at + ID] = view.id(ct)
    words[at + FAMILY] = view.family
    for (let i = 0, from = ct * f.WORDS; i < f.WORDS; i++) words[at + FLOW + i] = view.words[from + i]
    if (view.family === 6)
      for (let i = 0, from = ct * f.ADDRESS_WORDS; i < f.ADDRESS_WORDS; i++)
        words[at + ADDRESSES + i] = view.addresses[from + i]
    if (expectation !== undefined) words.set(wordsOf(expectation), at + EXPECTATION)
    const { extras, labels, accounts, stamps } = view.extensions
    copy(extras, ct, extra.EXTRA_WORDS, words, at + EXTRAS, 0)
    copy(labels, ct, extra.LABEL_WORDS, words, at + LABELS, 0)
    const number = (written & (ROOM - 1)) * NUMBERS
    copy(accounts, ct, extra.ACCOUNT_WORDS, numbers, number, Number.NaN)
    copy(stamps, ct, extra.STAMP_WORDS, numbers, number + STAMPS, Number.NaN)
    numbers[number + WALL] = time.wall
    Atomics.store(state, WRITTEN, (written + 1) | 0)
  }
}

/** An expectation in EXPECTATION's words, but for its master, which is the event's flow. */
function wordsOf({ expected, seconds }: ExpectationEntry): number[] {
  const four = (words: readonly number[]) => [0, 1, 2, 3].map((i) => words[i] ?? 0)
  const { source, sourceMask, destination, sport, sportMask, dport, protocol, helper } = expected
  const addresses = [...four(source), ...four(sourceMask), ...four(destination)]
  const flags = (expected.isPermanent === true ? 1 : 0) | (expected.isInactive === true ? 2 : 0)
  return [...addresses, sport, sportMask, dport, protocol, helper, expected.class, flags, seconds]
}

function expectationOf(words: Int32Array, view: FlowView): ExpectationEntry {
  const own = view.family === 6 ? 4 : 1
  const address = (at: number) => [...words.subarray(at, at + own)]
  const [sport, sportMask, dport, protocol, helper, ofClass, flags, seconds] = words.subarray(12)
  return {
    expected: {
      source: address(0),
      sourceMask: address(4),
      destination: address(8),
      sport,
      sportMask,
      dport,
      protocol,
      helper,
      class: ofClass,
      isPermanent: (flags & 1) !== 0,
      isInactive: (flags & 2) !== 0,
    },
    master: {
      protocol: view.protocol(0),
      source: view.sourceWords(0, 0),
      destination: view.destinationWords(0, 0),
      sport: view.sport(0, 0),
      dport: view.dport(0, 0),
    },
    seconds,
  }
}

type Numbers = Int32Array | Float64Array

function copy(from: Numbers | undefined, ct: number, size: number, to: Numbers, at: number, none: number): void {
  for (let i = 0; i < size; i++) to[at + i] = from === undefined ? none : from[ct * size + i]
}

/** One event, valid until the next one is taken. */
export interface TakenEvent {
  readonly bits: number
  readonly port: number
  /** The flow's record, its id, and a table in which it stands as number 0. */
  readonly ct: number
  readonly id: number
  readonly view: FlowView
  /** Time.now, and milliseconds since the epoch. */
  readonly now: number
  readonly wall: number
  /** What the event is about, where that is not the flow but what the flow announced. */
  readonly expectation: ExpectationEntry | undefined
}

/** The reader's end. */
export class EventReader {
  readonly #memory: SharedEvents
  /** By family, each with room for one flow. */
  readonly #views = { 4: oneFlow(0), 6: oneFlow(f.ADDRESS_WORDS) }

  constructor(memory: SharedEvents) {
    this.#memory = memory
  }

  /** What comes next, or undefined. */
  take(): TakenEvent | undefined {
    const { state, words, numbers } = this.#memory
    const taken = state[TAKEN]
    if (Atomics.load(state, WRITTEN) === taken) return undefined
    const at = (taken & (ROOM - 1)) * WORDS
    const number = (taken & (ROOM - 1)) * NUMBERS
    const view = this.#views[words[at + FAMILY] === 6 ? 6 : 4]
    view.addresses.set(words.subarray(at + ADDRESSES, at + ADDRESSES + view.addresses.length))
    const { extras, labels, accounts, stamps } = view.extensions as Required<Extensions>
    view.words.set(words.subarray(at + FLOW, at + FLOW + f.WORDS))
    extras?.set(words.subarray(at + EXTRAS, at + LABELS))
    labels?.set(words.subarray(at + LABELS, at + FLOW))
    accounts?.set(numbers.subarray(number, number + STAMPS))
    stamps?.set(numbers.subarray(number + STAMPS, number + WALL))
    const event = {
      bits: words[at + BITS],
      port: words[at + PORT] >>> 0,
      ct: words[at + RECORD],
      id: words[at + ID] >>> 0,
      now: words[at + NOW],
      wall: numbers[number + WALL],
      view,
      expectation:
        (words[at + BITS] & EXPECT_ALL) === 0
          ? undefined
          : expectationOf(words.subarray(at + EXPECTATION, at + WORDS), view),
    }
    Atomics.store(state, TAKEN, (taken + 1) | 0)
    return event
  }

  /** Events that were lost since this was last asked. */
  lost(): number {
    return Atomics.exchange(this.#memory.state, LOST, 0)
  }
}

function oneFlow(addressWords: number): FlowView {
  const int32 = (length: number) => new Int32Array(new SharedArrayBuffer(length * 4))
  const view = new FlowView({ words: int32(f.WORDS), header: int32(3), max: 1, addresses: int32(addressWords) })
  const { extensions } = view
  extensions.label()
  extensions.account(0)
  extensions.stamp()
  extensions.extra()
  return view
}
