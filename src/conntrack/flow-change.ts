// What commands change in the flow table, done by the thread that owns it, between two rounds: deleting, updating, making flows,
// zeroing counters. Mirrors nf_conntrack_netlink. A flow is named by its record and its id, so that one which has ended
// meanwhile, and another that took its place, are left alone.

import * as ip from '../wire/ipv4.ts'
import type { Conntrack } from './conntrack.ts'
import * as events from './events.ts'
import type { ExpectationEntry } from './expect.ts'
import { changeExpectations, type ExpectChange } from './expect-change.ts'
import * as extra from './extensions.ts'
import * as f from './record.ts'
import * as r from './tcp-record.ts'

export type Refusal = 'ENOENT' | 'EEXIST' | 'EINVAL' | 'EBUSY' | 'EPERM' | 'ENOMEM' | 'EOPNOTSUPP' | 'EMFILE'

export interface FlowName {
  readonly ct: number
  readonly id: number
}

/** One direction: addresses in words, the PORTS word as record.ts has it, and its zone. */
export interface NewTuple {
  readonly source: readonly number[]
  readonly destination: readonly number[]
  readonly ports: number
  readonly zone: number
}

export type FlowChange =
  /** Takes flows out; `done` of the answer says which were there. */
  | { readonly kind: 'delete'; readonly flows: readonly FlowName[] }
  /** All flows in records from `from` to below `to`. */
  | { readonly kind: 'flush'; readonly from: number; readonly to: number }
  /** Zeroes counters; `counts` of the answer says what they were, four numbers a flow. */
  | { readonly kind: 'zero'; readonly flows: readonly FlowName[] }
  | { readonly kind: 'update'; readonly flow: FlowName; readonly set: FlowSettings }
  | {
      readonly kind: 'create'
      readonly protocol: number
      readonly original: NewTuple
      readonly reply: NewTuple
      readonly set: FlowSettings
    }
  /** Which flow has this tuple? */
  | { readonly kind: 'find'; readonly protocol: number; readonly tuple: NewTuple }
  | ExpectChange

export interface FlowSettings {
  /** Seconds from now. */
  readonly timeout?: number
  /** (mark & ~mask) ^ value */
  readonly mark?: { readonly value: number; readonly mask: number }
  /** Status bits that are set besides those that are. */
  readonly status?: number
  readonly state?: number
  readonly tags?: readonly [number, number]
  readonly addLabels?: readonly number[]
  readonly deleteLabels?: readonly number[] | 'all'
}

export interface FlowAnswer {
  /** For each flow of the order, 1 where it was done. */
  readonly done: readonly number[]
  readonly refused?: Refusal
  /** The record that was found or made. */
  readonly ct?: number
  readonly counts?: Float64Array
  readonly expectations?: readonly ExpectationEntry[]
}

/** Does a change. @param port who asks, told with the events */
export function changeFlows(conntrack: Conntrack, change: FlowChange, port: number): FlowAnswer {
  const changes = new Changes(conntrack, port)
  switch (change.kind) {
    case 'delete':
      return { done: change.flows.map((flow) => changes.delete(flow)) }
    case 'flush':
      return { done: [changes.flush(change.from, change.to)] }
    case 'zero':
      return changes.zero(change.flows)
    case 'update':
      return changes.update(change.flow, change.set)
    case 'create':
      return changes.create(change.protocol, change.original, change.reply, change.set)
    case 'find': {
      const ct = findFlow(conntrack, change.protocol, change.tuple)
      return ct < 0 ? { done: [0], refused: 'ENOENT' } : { done: [1], ct }
    }
    default:
      return changeExpectations(conntrack, change)
  }
}

/** The record of the flow that has this tuple, or -1. */
export function findFlow(conntrack: Conntrack, protocol: number, tuple: NewTuple): number {
  const { flows } = conntrack
  const ct = flows.allocate()
  if (ct < 0) return -1
  writeTuples(conntrack, ct, protocol, [tuple, tuple])
  const found = conntrack.likeOriginal(ct)
  flows.release(ct)
  return found >> 1
}

/** Ends the flow that has this tuple in the zone of another flow: helpers know flows by their tuples. False where there is none. */
export function endFlow(
  conntrack: Conntrack,
  protocol: number,
  source: readonly number[],
  destination: readonly number[],
  ports: number,
  like: number,
): boolean {
  const ct = findFlow(conntrack, protocol, { source, destination, ports, zone: conntrack.flows.zone(like) })
  if (ct >= 0) conntrack.kill(ct)
  return ct >= 0
}

function writeTuples(conntrack: Conntrack, ct: number, protocol: number, tuples: readonly NewTuple[]): void {
  const { words } = conntrack.flows
  const base = ct * f.WORDS
  for (const [direction, { source, destination, ports, zone }] of tuples.entries()) {
    words[base + direction * f.TUPLE_WORDS + f.PORTS] = ports
    words[base + f.KEY + direction * f.KEY_STEP] = f.key(protocol, zone)
    conntrack.writeTuple(ct, direction, source, destination)
  }
}

class Changes {
  readonly #conntrack: Conntrack
  readonly #port: number

  constructor(conntrack: Conntrack, port: number) {
    this.#conntrack = conntrack
    this.#port = port
  }

  #isThere({ ct, id }: FlowName): boolean {
    const { flows } = this.#conntrack
    return ct < flows.used && flows.inUse(ct) && (flows.status(ct) & f.CONFIRMED) !== 0 && flows.id(ct) === id
  }

  delete(flow: FlowName): number {
    if (!this.#isThere(flow)) return 0
    this.#conntrack.kill(flow.ct, this.#port)
    return 1
  }

  flush(from: number, to: number): number {
    const { flows } = this.#conntrack
    let count = 0
    for (let ct = from; ct < Math.min(to, flows.used); ct++) {
      if (!flows.inUse(ct) || (flows.status(ct) & f.CONFIRMED) === 0) continue
      this.#conntrack.kill(ct, this.#port)
      count++
    }
    return count
  }

  zero(names: readonly FlowName[]): FlowAnswer {
    const { accounts } = this.#conntrack.flows.extensions
    const counts = new Float64Array(names.length * extra.ACCOUNT_WORDS).fill(Number.NaN)
    const done = names.map((flow, i) => {
      if (accounts === undefined || !this.#isThere(flow)) return 0
      const at = flow.ct * extra.ACCOUNT_WORDS
      counts.set(accounts.subarray(at, at + extra.ACCOUNT_WORDS), i * extra.ACCOUNT_WORDS)
      if (!Number.isNaN(accounts[at])) accounts.fill(0, at, at + extra.ACCOUNT_WORDS)
      return 1
    })
    return { done, counts }
  }

  update(flow: FlowName, set: FlowSettings): FlowAnswer {
    if (!this.#isThere(flow)) return { done: [0], refused: 'ENOENT' }
    const refused = this.#apply(flow.ct, set)
    if (refused !== undefined) return { done: [0], refused, ct: flow.ct }
    this.#conntrack.telling.tell(flow.ct, events.ALL & ~(events.NEW | events.RELATED | events.DESTROY), this.#port)
    return { done: [1], ct: flow.ct }
  }

  create(protocol: number, original: NewTuple, reply: NewTuple, set: FlowSettings): FlowAnswer {
    const conntrack = this.#conntrack
    const { flows } = conntrack
    const { words } = flows
    const ct = flows.allocate(protocol)
    if (ct < 0) return { done: [0], refused: 'ENOMEM' }
    const base = ct * f.WORDS
    writeTuples(conntrack, ct, protocol, [original, reply])
    if (conntrack.isTaken(ct)) {
      flows.release(ct)
      return { done: [0], refused: 'EEXIST' }
    }
    const tracker = base + f.TRACKER
    // Nothing was seen of either side's window, so nothing is held against it.
    if (protocol === ip.PROTO_TCP) {
      flows.sequences.clear(ct)
      for (const direction of [0, 1]) r.setOptions(words, tracker, direction, r.LIBERAL | r.SACK_PERMITTED)
    } else if (protocol === ip.PROTO_UDP) words[tracker] = (conntrack.time.now - 1) | 0
    const refused = this.#apply(ct, set)
    if (refused !== undefined) {
      flows.release(ct)
      return { done: [0], refused }
    }
    conntrack.adopt(ct, this.#port)
    return { done: [1], ct }
  }

  #apply(ct: number, set: FlowSettings): Refusal | undefined {
    const { flows, time } = this.#conntrack
    const { words } = flows
    const base = ct * f.WORDS
    if (set.timeout !== undefined && (words[base + f.STATUS] & f.FIXED_TIMEOUT) !== 0) return 'EPERM'
    if (((set.status ?? 0) & ~words[base + f.STATUS] & (f.EXPECTED | f.CONFIRMED | f.DYING)) !== 0) return 'EBUSY'
    if (set.timeout !== undefined) words[base + f.EXPIRES] = (time.now + Math.min(set.timeout, MAX_TIMEOUT) * 1000) | 0
    // Which of the rest there can be at all: offloading is nothing that a router in user space does.
    words[base + f.STATUS] |= (set.status ?? 0) & SETTABLE
    if (set.mark !== undefined) words[base + f.MARK] = (words[base + f.MARK] & ~set.mark.mask) ^ set.mark.value
    if (set.state !== undefined) words[base + f.TRACKER] = (words[base + f.TRACKER] & ~0xf) | set.state
    if (set.tags !== undefined) [words[base + f.TRACKER + 1], words[base + f.TRACKER + 2]] = set.tags
    this.#label(ct, set)
    return undefined
  }

  #label(ct: number, { addLabels, deleteLabels }: FlowSettings): void {
    const { extensions } = this.#conntrack.flows
    const { labels } = extensions
    if (labels === undefined || !extensions.hasLabels(ct)) return
    const at = ct * extra.LABEL_WORDS
    if (deleteLabels === 'all') labels.fill(0, at, at + 4)
    else for (const bit of deleteLabels ?? []) labels[at + (bit >> 5)] &= ~(1 << (bit & 31))
    for (const bit of addLabels ?? []) labels[at + (bit >> 5)] |= 1 << (bit & 31)
  }
}

/** Seconds: a flow's end is kept in milliseconds of 31 bits. */
const MAX_TIMEOUT = 2_000_000
const SETTABLE = f.SEEN_REPLY | f.ASSURED | f.FIXED_TIMEOUT | f.SRC_NAT | f.DST_NAT | f.SRC_NAT_DONE | f.DST_NAT_DONE
