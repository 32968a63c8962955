// One flow as a listing or an event has it: everything that is printed or asked for by a filter, read out of the table once.

import type { TakenEvent } from '../events.ts'
import { HELPER_ID, LABEL_WORDS, RELATIVES, STAMP_WORDS } from '../extensions.ts'
import type { FlowView } from '../flow-view.ts'
import * as f from '../record.ts'
import { stateName } from '../states.ts'

export interface Tuple {
  /** Addresses in int32 words: one for IPv4, four for IPv6. */
  readonly source: readonly number[]
  readonly destination: readonly number[]
  /** ICMP: the identifier. */
  readonly sport: number
  /** ICMP: type << 8 | code. */
  readonly dport: number
  readonly zone: number
  /** NaN where the flow is not accounted. */
  readonly packets: number
  readonly bytes: number
}

export interface FlowEntry {
  /** The record that it was read from. */
  readonly ct: number
  readonly family: 4 | 6
  readonly protocol: number
  readonly original: Tuple
  readonly reply: Tuple
  readonly status: number
  /** Whole seconds that are left. */
  readonly seconds: number
  /** '' for protocols without states. */
  readonly state: string
  readonly stateNumber: number
  /** uint32 */
  readonly mark: number
  /** Milliseconds since the epoch; 0 where it is not known, NaN where flows have no time stamps. */
  readonly start: number
  readonly stop: number
  /** Whole seconds that it has lasted, or did. */
  readonly lasted: number
  /** Four words; undefined where the flow cannot carry labels. */
  readonly labels: readonly number[] | undefined
  readonly id: number
  readonly helper: string
  /** How many flows there are that this one announced. */
  readonly relatives: number
  /** SCTP's verification tags. */
  readonly tags: readonly [number, number]
}

/** What a reader knows besides the table. */
export interface Reading {
  /** Time.now, and milliseconds since the epoch. */
  readonly now: number
  readonly wall: number
  readonly helperName: (number: number) => string
}

/** Times that a record is read anew because the data plane changed it meanwhile. */
const ATTEMPTS = 4

/** The flow in this record, if one is confirmed there and lasts. The other thread may write at the same time. */
export function entryAt(view: FlowView, ct: number, reading: Reading): FlowEntry | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (!isListed(view, ct, reading.now)) return undefined
    const before = witness(view, ct)
    const entry = read(view, ct, reading)
    if (isListed(view, ct, reading.now) && witness(view, ct) === before) return entry
  }
  return undefined
}

/** What is over but not yet removed is not shown, as in Linux, nor a flow that is only there for an answer (clash.ts). */
function isListed(view: FlowView, ct: number, now: number): boolean {
  const status = view.words[ct * f.WORDS + f.STATUS]
  return view.inUse(ct) && (status & (f.CONFIRMED | f.NAT_CLASH)) === f.CONFIRMED && !view.isOver(ct, now)
}

/** Changes when the record is another flow's. */
function witness({ words }: FlowView, ct: number): number {
  let h = 0
  for (let at = ct * f.WORDS, i = 0; i <= f.KEY; i++) h = Math.imul(h ^ words[at + i], 0x01000193)
  return h
}

function read(view: FlowView, ct: number, { now, wall, helperName }: Reading): FlowEntry {
  const { extensions, words } = view
  const protocol = view.protocol(ct)
  const at = ct * f.WORDS + f.TRACKER
  const { stamps, labels } = extensions
  const start = stamps === undefined ? Number.NaN : stamps[ct * STAMP_WORDS]
  const stop = stamps === undefined ? Number.NaN : stamps[ct * STAMP_WORDS + 1]
  return {
    ct,
    family: view.family,
    protocol,
    original: tuple(view, ct, 0),
    reply: tuple(view, ct, 1),
    status: view.status(ct),
    seconds: Math.max(0, Math.floor(((view.expires(ct) - now) | 0) / 1000)),
    state: stateName(protocol, words[at]),
    stateNumber: words[at] & 0xf,
    mark: view.mark(ct) >>> 0,
    start,
    stop,
    lasted: start > 0 ? Math.max(0, Math.floor((stop || wall) / 1000) - Math.floor(start / 1000)) : 0,
    labels:
      labels !== undefined && extensions.hasLabels(ct)
        ? [...labels.subarray(ct * LABEL_WORDS, ct * LABEL_WORDS + 4)]
        : undefined,
    id: view.id(ct),
    helper: helperName(extensions.extraOf(ct, HELPER_ID)),
    relatives: extensions.extraOf(ct, RELATIVES),
    tags: [words[at + 1] >>> 0, words[at + 2] >>> 0],
  }
}

function tuple(view: FlowView, ct: number, direction: number): Tuple {
  return {
    source: view.sourceWords(ct, direction),
    destination: view.destinationWords(ct, direction),
    sport: view.sport(ct, direction),
    dport: view.dport(ct, direction),
    zone: view.zone(ct, direction),
    packets: view.extensions.packets(ct, direction),
    bytes: view.extensions.bytes(ct, direction),
  }
}

/** The flow that an event is about, as it was then. */
export function readEvent({ view, ct, id, now, wall }: TakenEvent, { helperName }: Reading): FlowEntry {
  return { ...read(view, 0, { now, wall, helperName }), ct, id }
}

/** All flows, as they stand in the table. */
export function* listFlows(view: FlowView, reading: Reading): Generator<FlowEntry> {
  for (let ct = 0; ct < view.used; ct++) {
    const entry = entryAt(view, ct, reading)
    if (entry !== undefined) yield entry
  }
}
