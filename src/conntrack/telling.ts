// What conntrack tells of its flows: events are noted while a packet is on its way, and told when it has passed all hooks; a
// flow's end is told at once. Mirrors nf_conntrack_ecache.

import type { Packet } from '../packet/packet.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import * as ip from '../wire/ipv4.ts'
import * as event from './events.ts'
import type { ExpectationEntry } from './expect.ts'
import { EVENT_MASK, EXTRA_WORDS, PENDING, STAMP_WORDS } from './extensions.ts'
import type { FlowTable } from './flows.ts'
import * as f from './record.ts'
import { TRACKED, type Tracker } from './tracker.ts'

/** Of the first tracker word, for protocols with states. */
const STATE_MASK = 0xf

export class Telling {
  /** Somebody listens. */
  active = false
  /** Of flows that begin now, events are told. */
  begins = false
  readonly #flows: FlowTable
  readonly #time: Time
  /** nf_conntrack_events: 0 never, 1 of every flow, 2 of flows that begin while somebody listens. */
  readonly #sysctl: number
  #writer: event.EventWriter | undefined

  constructor(flows: FlowTable, time: Time, sysctl: Sysctl) {
    this.#flows = flows
    this.#time = time
    this.#sysctl = sysctl['net.netfilter.nf_conntrack_events']
    this.listen(undefined)
  }

  /** Where events go from now on; undefined when nobody listens any more. */
  listen(writer: event.EventWriter | undefined): void {
    this.#writer = this.#sysctl === 0 ? undefined : writer
    this.active = this.#writer !== undefined
    this.begins = this.#sysctl === 1 || this.active
    if (this.begins) this.#flows.extensions.extra()
  }

  /** Of this flow, which is just being begun, events are told: all, or those that a CT target named. */
  begin(ct: number): void {
    const extras = this.#flows.extensions.extra()
    if (extras[ct * EXTRA_WORDS + EVENT_MASK] === 0)
      extras[ct * EXTRA_WORDS + EVENT_MASK] = event.ALL | event.EXPECT_ALL
  }

  /** Has the tracker see a packet, and notes what that changed. @returns what the tracker said */
  track(p: Packet, ct: number, tracker: Tracker): number {
    const { words } = this.#flows
    const base = ct * f.WORDS
    const status = words[base + f.STATUS]
    const state = p.begins ? -1 : words[base + f.TRACKER] & STATE_MASK
    const said = tracker.track(p, ct)
    if (said !== TRACKED) return said
    let bits = (words[base + f.STATUS] & ~status & f.ASSURED) !== 0 ? event.ASSURED : 0
    if (p.direction === 1 && (status & f.SEEN_REPLY) === 0) bits |= event.REPLY
    if (hasStates(p.protocol) && (words[base + f.TRACKER] & STATE_MASK) !== state) bits |= event.PROTOINFO
    if (bits !== 0) this.note(ct, bits)
    return said
  }

  /** Something happened to the flow: told when the packet that caused it has passed all hooks. */
  note(ct: number, bits: number): void {
    const { extras } = this.#flows.extensions
    if (extras !== undefined) extras[ct * EXTRA_WORDS + PENDING] |= bits
  }

  /** A packet of the flow has passed all hooks. */
  passed(ct: number): void {
    const { extras } = this.#flows.extensions
    if (extras === undefined) return
    const at = ct * EXTRA_WORDS + PENDING
    const bits = extras[at]
    if (bits === 0) return
    extras[at] = 0
    this.tell(ct, bits, 0)
  }

  /** The flow ends: told at once, and nothing more of it. @param port who ended it, as with `tell` */
  end(ct: number, port: number): void {
    const { stamps, extras } = this.#flows.extensions
    if (stamps !== undefined) stamps[ct * STAMP_WORDS + 1] = this.#time.wall
    this.tell(ct, event.DESTROY, port)
    // What it announced ends after it.
    if (extras !== undefined) extras[ct * EXTRA_WORDS + EVENT_MASK] &= event.EXPECT_ALL
  }

  /**
   * Tells events at once, if this flow's are told.
   * @param port of the command that caused them; 0 for packets and time
   */
  tell(ct: number, bits: number, port: number): void {
    const { extensions } = this.#flows
    if ((bits & extensions.extraOf(ct, EVENT_MASK) & event.ALL) === 0) return
    this.#writer?.write(this.#flows, ct, bits, port, this.#time)
  }

  /** An expectation was made or has ended, of a master whose expectations are told. @param bits EXPECT_NEW or EXPECT_DESTROY */
  tellExpectation(master: number, bits: number, entry: ExpectationEntry): void {
    if ((bits & this.#flows.extensions.extraOf(master, EVENT_MASK)) === 0) return
    this.#writer?.write(this.#flows, master, bits, 0, this.#time, entry)
  }
}

function hasStates(protocol: number): boolean {
  return protocol === ip.PROTO_TCP || protocol === ip.PROTO_SCTP
}
