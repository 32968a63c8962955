// NFQUEUE's queues (nfnetlink_queue): a packet that a rule queues is held until whoever listens to the queue has given a verdict. What is
// held is a copy of bytes and descriptor, so that a slow listener takes no slot from the packets that go on. A queue without a
// listener, or a full one, drops, unless the rule (--queue-bypass) or the listener (fail-open) says that packets pass then.
//
// What always holds: listeners are called, and verdicts carried out, between packets and never on a packet's way, so a listener may do
// what it likes with the engine; and each held packet comes to exactly one end.

import type { Conntrack } from '../conntrack/conntrack.ts'
import * as f from '../conntrack/record.ts'
import type { Links } from '../device/link.ts'
import { TunfilterError } from '../errors.ts'
import { QUEUE, QUEUE_BYPASS, QUEUE_SHIFT } from '../hook/hook.ts'
import { HELD, PASSED, type Step } from '../hook/way.ts'
import { complete } from '../packet/offload.ts'
import { NO_FLOW, type Packet } from '../packet/packet.ts'
import { PARSED } from '../packet/parse.ts'
import { REASON } from '../packet/reason.ts'
import type { Slab } from '../packet/slab.ts'
import type { Time } from '../time.ts'
import * as ip from '../wire/ipv4.ts'
import * as vnet from '../wire/vnet.ts'
import { type SeenPacket, seenPacket } from './seen.ts'

/** What a verdict may change. */
export interface QueueChange {
  /** The packet's new mark, a uint32. */
  readonly mark?: number
  /**
   * What the packet is instead, from its IP header on, with lengths and checksums as they have to be: bytes that are no packet of the
   * same family are dropped. The flow stays.
   */
  readonly payload?: Uint8Array
}

export interface QueuedPacket extends SeenPacket {
  readonly queue: number
  /** Counts up in each queue, from 1. */
  readonly id: number
  /** As target CLASSIFY set it. */
  readonly priority: number
  /**
   * 0, or for a packet that stands for many (TCP or UDP segmentation left to a device) the payload bytes of each; its checksum then is
   * the pseudo-header's alone.
   */
  readonly segmentSize: number
  /** The packet goes on with what stands behind the table that queued it. */
  accept(change?: QueueChange): void
  drop(): void
  /** The packet meets the same table again, from its first rule. */
  repeat(change?: QueueChange): void
  /** The packet is handed to another queue. */
  requeue(queue: number, change?: QueueChange): void
}

/** Gives each packet one verdict, now or later. Without one the packet stays until the listener ends. */
export type QueueListener = (packet: QueuedPacket) => void

export interface QueueOptions {
  /** Packets that may be held; beyond, they are dropped. 1024 when left out. */
  readonly maxLength?: number
  /** Packets pass, instead of being dropped, while the queue is full. */
  readonly failOpen?: boolean
  /** Bytes of each packet that the listener gets; all when left out. */
  readonly size?: number
}

/** One family's way, as far as packets leave it for a queue and come back. */
export interface QueuedWay {
  readonly conntrack: Conntrack | undefined
  /** Reads the headers of new bytes: PARSED, or the reason number of what is wrong. */
  parse(p: Packet): number
  /** Walks on behind a step, or from it. @param before the packet as it was when it was queued */
  resume(p: Packet, hook: number, step: Step, again: boolean, before: Packet): void
  drop(p: Packet, reason: number): void
  /** Drops a packet that has no slot any more. */
  abandon(p: Packet, reason: number): void
}

export interface QueueParts {
  readonly slab: Slab
  readonly links: Links
  /** A descriptor without a packet. */
  packet(): Packet
  giveBack(p: Packet): void
}

// What is to become of a held packet; a queue's number stands above them.
const NO_VERDICT = 0
const DROPPED = 1
const ACCEPTED = 2
const REPEATED = 3
const REQUEUED = 4

class Held {
  readonly queue: Queue
  readonly way: QueuedWay
  readonly hook: number
  readonly step: Step
  /** As it was when it was queued; its slot is somebody else's. */
  readonly before: Packet
  /** The virtio-net header and the packet. */
  readonly bytes: Uint8Array
  /** The tuples of a flow that was in the table: whether it is still the same one. */
  readonly tuples: Int32Array | undefined
  verdict = NO_VERDICT
  change: QueueChange = {}
  /** Of REQUEUED. */
  next = 0

  constructor(queue: Queue, way: QueuedWay, hook: number, step: Step, before: Packet) {
    this.queue = queue
    this.way = way
    this.hook = hook
    this.step = step
    this.before = before
    this.bytes = before.slab.bytes.slice(before.start - vnet.SIZE, before.start + before.length)
    this.tuples = tuplesOf(before, way.conntrack)
  }

  /** Whether the flow that the packet belongs to is still there. */
  get flowLasts(): boolean {
    const { tuples } = this
    if (tuples === undefined) return true
    const { flows } = this.way.conntrack as Conntrack
    const base = this.before.ct * f.WORDS
    return flows.inUse(this.before.ct) && tuples.every((word, i) => flows.words[base + i] === word)
  }
}

/** undefined for a packet without a flow, or whose flow is its own until it is confirmed. */
function tuplesOf(p: Packet, conntrack: Conntrack | undefined): Int32Array | undefined {
  if (p.ct === NO_FLOW || p.begins || conntrack === undefined) return undefined
  const base = p.ct * f.WORDS
  return conntrack.flows.words.slice(base, base + 2 * f.TUPLE_WORDS)
}

class Queue {
  readonly number: number
  readonly listener: QueueListener
  readonly maxLength: number
  readonly failOpen: boolean
  readonly size: number
  readonly held = new Set<Held>()
  ids = 0

  constructor(number: number, listener: QueueListener, options: QueueOptions) {
    this.number = number
    this.listener = listener
    this.maxLength = options.maxLength ?? 1024
    this.failOpen = options.failOpen ?? false
    this.size = options.size ?? ip.MAX_PACKET
  }
}

export class Queues {
  /** Called when a verdict was given: it waits for settle(). */
  onVerdict: () => void = () => {}
  readonly #parts: QueueParts
  readonly #time: Time
  readonly #notice: (message: string) => void
  readonly #queues = new Map<number, Queue>()
  /** Packets that their listener has not seen yet, as it will see them. */
  #fresh: { readonly held: Held; readonly packet: QueuedPacket }[] = []
  #judged: Held[] = []

  constructor(parts: QueueParts, time: Time, notice: (message: string) => void) {
    this.#parts = parts
    this.#time = time
    this.#notice = notice
  }

  /**
   * One listener a queue. Throws ERR_QUEUE for a number that is none, or that has a listener.
   * @returns a function that ends it; packets without a verdict are dropped
   */
  bind(number: number, listener: QueueListener, options: QueueOptions = {}): () => void {
    checkNumber(number)
    if (this.#queues.has(number))
      throw new TunfilterError('ERR_QUEUE', `queue ${number} has a listener: expected a queue without one`)
    const queue = new Queue(number, listener, options)
    this.#queues.set(number, queue)
    return () => {
      if (this.#queues.get(number) !== queue) return
      this.#queues.delete(number)
      this.#fresh = this.#fresh.filter(({ held }) => held.queue !== queue)
      for (const held of queue.held) if (held.verdict === NO_VERDICT) this.#judge(held, DROPPED)
    }
  }

  /** Packets that are held in a queue. */
  length(number: number): number {
    return this.#queues.get(number)?.held.size ?? 0
  }

  /**
   * A rule queued the packet.
   * @param verdict QUEUE with the queue's number and flag (hook/hook.ts)
   * @returns PASSED when it may go on, HELD when it was taken, with its slot, or the reason number for which it is dropped
   */
  hold(p: Packet, hook: number, step: Step, verdict: number, way: QueuedWay): number {
    const queue = this.#queues.get(verdict >>> QUEUE_SHIFT)
    if (queue === undefined) return (verdict & QUEUE_BYPASS) !== 0 ? PASSED : REASON['queue-unbound']
    if (queue.held.size >= queue.maxLength) return queue.failOpen ? PASSED : REASON['queue-full']
    if (p.partial && p.gsoSize === 0) complete(p)
    // The flow of a packet that this one answers may end with that packet.
    if (p.ct !== NO_FLOW && !p.begins && (this.#status(p, way) & f.CONFIRMED) === 0) way.conntrack?.forget(p)
    const before = Object.assign(this.#parts.packet(), p)
    const held = new Held(queue, way, hook, step, before)
    queue.held.add(held)
    this.#fresh.push({ held, packet: this.#packetOf(held) })
    p.slab.give(p.start)
    return HELD
  }

  #status(p: Packet, { conntrack }: QueuedWay): number {
    return conntrack === undefined ? 0 : conntrack.flows.words[p.ct * f.WORDS + f.STATUS]
  }

  #packetOf(held: Held): QueuedPacket {
    const { queue, before } = held
    return {
      ...seenPacket(before, held.hook, this.#parts.links, this.#time, queue.size),
      queue: queue.number,
      id: ++queue.ids,
      priority: before.priority >>> 0,
      segmentSize: before.gsoSize,
      accept: (change) => this.#judge(held, ACCEPTED, change),
      drop: () => this.#judge(held, DROPPED),
      repeat: (change) => this.#judge(held, REPEATED, change),
      requeue: (next, change) => {
        checkNumber(next)
        held.next = next
        this.#judge(held, REQUEUED, change)
      },
    }
  }

  #judge(held: Held, verdict: number, change: QueueChange = {}): void {
    if (held.verdict !== NO_VERDICT)
      throw new TunfilterError(
        'ERR_VERDICT',
        `a packet of queue ${held.queue.number} has its verdict: expected one only`,
      )
    const { payload } = change
    if (payload !== undefined && payload.length > ip.MAX_PACKET)
      throw new TunfilterError('ERR_VERDICT', `a payload of ${payload.length} bytes: expected at most ${ip.MAX_PACKET}`)
    held.verdict = verdict
    held.change = change
    this.#judged.push(held)
    this.onVerdict()
  }

  /**
   * Calls the listeners for the packets that wait for them, then carries verdicts out. What is queued meanwhile waits for the next call.
   * @returns how many packets were shown or judged
   */
  settle(): number {
    const fresh = this.#fresh
    if (fresh.length > 0) {
      this.#fresh = []
      for (const { held, packet } of fresh) if (held.verdict === NO_VERDICT) this.#show(held, packet)
    }
    const judged = this.#judged
    if (judged.length > 0) {
      this.#judged = []
      for (const held of judged) this.#carryOut(held)
    }
    return fresh.length + judged.length
  }

  /** A listener that throws costs its packet, unless it had given a verdict. */
  #show(held: Held, packet: QueuedPacket): void {
    try {
      held.queue.listener(packet)
    } catch (error) {
      this.#notice(`the listener of queue ${held.queue.number} threw, and its packet is dropped: ${error}`)
      if (held.verdict === NO_VERDICT) this.#judge(held, DROPPED)
    }
  }

  #carryOut(held: Held): void {
    const { queue, way, before, hook, step, verdict } = held
    queue.held.delete(held)
    const p = Object.assign(this.#parts.packet(), before)
    if (verdict === DROPPED) way.abandon(p, REASON.netfilter)
    else if (this.#restore(held, p)) {
      const said = verdict === REQUEUED ? this.hold(p, hook, step, QUEUE | (held.next << QUEUE_SHIFT), way) : PASSED
      if (said === PASSED) way.resume(p, hook, step, verdict === REPEATED, before)
      else if (said !== HELD) way.drop(p, said)
    }
    this.#parts.giveBack(before)
    this.#parts.giveBack(p)
  }

  /** Puts the packet, or what it became, into a slot. @returns false when that cannot be, and the packet is at its end */
  #restore(held: Held, p: Packet): boolean {
    const { way, before, bytes, change } = held
    const { slab } = this.#parts
    p.start = held.flowLasts ? slab.take() : -1
    if (p.start < 0) {
      way.abandon(p, held.flowLasts ? REASON['no-slot'] : REASON.conntrack)
      return false
    }
    if (change.mark !== undefined) p.mark = change.mark | 0
    const { payload } = change
    if (payload === undefined) {
      slab.bytes.set(bytes, p.start - vnet.SIZE)
      if (before.transport !== 0) p.transport += p.start - before.start
      return true
    }
    slab.bytes.set(payload, p.start)
    vnet.clear(slab.view, p.start)
    p.length = payload.length
    p.partial = false
    p.gsoSize = 0
    const parsed = way.parse(p)
    if (parsed !== PARSED) way.drop(p, parsed)
    return parsed === PARSED
  }
}

function checkNumber(number: number): void {
  if (!Number.isInteger(number) || number < 0 || number > 0xffff)
    throw new TunfilterError('ERR_QUEUE', `queue ${number}: expected a number from 0 to 65535`)
}
