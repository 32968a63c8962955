// NFLOG's groups (nfnetlink_log): packets that rules hand to whoever listens to a group, as copies. A group that nobody listens to
// costs a look-up and nothing else. As there, packets are collected until so many are there or the first has waited a while; a rule
// may ask for fewer. The listener is called between two packets' steps, where the packet itself is out of reach.

import type { Links } from '../device/link.ts'
import { TunfilterError } from '../errors.ts'
import type { Packet } from '../packet/packet.ts'
import type { Time } from '../time.ts'
import * as ip from '../wire/ipv4.ts'
import { type SeenPacket, seenPacket } from './seen.ts'

export interface NflogPacket extends SeenPacket {
  readonly group: number
  readonly prefix: string
}

export type NflogListener = (packets: readonly NflogPacket[]) => void

export interface NflogOptions {
  /** How many packets are collected before the listener is called, 1 when left out; a rule's --nflog-threshold may be less. */
  readonly threshold?: number
  /** Milliseconds that a packet waits at most for others; 1000 when left out. */
  readonly timeout?: number
  /** Bytes of each packet that are copied; all when left out. A rule's --nflog-size may be less. */
  readonly size?: number
}

class Group {
  readonly listener: NflogListener
  readonly size: number
  readonly #threshold: number | undefined
  readonly #timeout: number
  #waiting: NflogPacket[] = []

  constructor(listener: NflogListener, { size = ip.MAX_PACKET, threshold, timeout = 1000 }: NflogOptions) {
    this.listener = listener
    this.size = size
    this.#threshold = threshold
    this.#timeout = timeout
  }

  /**
   * @param threshold the rule's, 0 for none
   * @returns whether that makes a batch
   */
  add(packet: NflogPacket, threshold: number): boolean {
    this.#waiting.push(packet)
    const own = this.#threshold ?? (threshold || 1)
    return this.#waiting.length >= (threshold === 0 ? own : Math.min(own, threshold))
  }

  isLate(now: number): boolean {
    return this.#waiting.length > 0 && now - this.#waiting[0].time >= this.#timeout
  }

  take(): NflogPacket[] {
    return this.#waiting.splice(0)
  }
}

export class NflogGroups {
  readonly #groups = new Map<number, Group>()
  #others: Group | undefined
  /** Batches that their listeners get as soon as these may be called. */
  readonly #due: { readonly group: Group; readonly packets: readonly NflogPacket[] }[] = []
  readonly #links: Links
  readonly #time: Time
  readonly #notice: (message: string) => void

  constructor(links: Links, time: Time, notice: (message: string) => void) {
    this.#links = links
    this.#time = time
    this.#notice = notice
  }

  /**
   * One listener a group. Throws ERR_NFLOG_GROUP for a number that is none, or that has a listener.
   * @returns a function that ends it; what was collected is handed over before
   */
  bind(number: number, listener: NflogListener, options: NflogOptions = {}): () => void {
    if (!Number.isInteger(number) || number < 0 || number > 0xffff)
      throw new TunfilterError('ERR_NFLOG_GROUP', `group ${number}: expected a number from 0 to 65535`)
    if (this.#groups.has(number))
      throw new TunfilterError('ERR_NFLOG_GROUP', `group ${number} has a listener: expected a group without one`)
    const group = new Group(listener, options)
    this.#groups.set(number, group)
    return () => {
      if (this.#groups.get(number) !== group) return
      this.#groups.delete(number)
      this.#release(group)
      this.deliver()
    }
  }

  /** Has `listener` called with the packets of every group that has no listener of its own, as they come. */
  bindOthers(listener: NflogListener): void {
    this.#others = new Group(listener, { threshold: Number.POSITIVE_INFINITY })
  }

  /** @param size bytes to copy at most  @param threshold 0 for none */
  log(p: Packet, hook: number, number: number, prefix: string, size: number | undefined, threshold: number): void {
    const bound = this.#groups.get(number)
    const group = bound ?? this.#others
    if (group === undefined) return
    const most = size === undefined ? group.size : Math.min(size, group.size)
    const packet = { group: number, prefix, ...seenPacket(p, hook, this.#links, this.#time, most) }
    if (group.add(packet, bound === undefined ? 0 : threshold)) this.#release(group)
  }

  /** Calls the listeners whose batches are there; not while a packet is on its way. */
  deliver(): void {
    if (this.#others !== undefined) this.#release(this.#others)
    while (this.#due.length > 0) {
      for (const { group, packets } of this.#due.splice(0)) this.#call(group.listener, packets)
    }
  }

  /** The same for what has waited long enough. */
  tick(): void {
    for (const group of this.#groups.values()) if (group.isLate(this.#time.wall)) this.#release(group)
    this.deliver()
  }

  /** The same for all that was collected. */
  close(): void {
    for (const group of this.#groups.values()) this.#release(group)
    this.deliver()
  }

  #release(group: Group): void {
    const packets = group.take()
    if (packets.length > 0) this.#due.push({ group, packets })
  }

  /** A listener that throws loses what it was given, and nothing else. */
  #call(listener: NflogListener, packets: readonly NflogPacket[]): void {
    try {
      listener(packets)
    } catch (error) {
      this.#notice(`a listener of NFLOG threw: ${error}`)
    }
  }
}
