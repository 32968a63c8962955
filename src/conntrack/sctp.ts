// SCTP (RFC 9260). Mirrors nf_conntrack_proto_sctp of Linux 6: the chunks of a packet move the association from state to state
// (sctp-states.ts), and its verification tags have to be those that the two endpoints agreed on, but for the chunks of
// which RFC 9260 (8.5.1) says otherwise.
//
// Tracker words: [0] state (4 bits) and flags, [1] the tag of packets in the original direction, [2] of those in reply direction.

import type { Packet } from '../packet/packet.ts'
import { crc32c } from '../wire/crc32c.ts'
import * as sctp from '../wire/sctp.ts'
import * as f from './record.ts'
import {
  BAD,
  CLOSED,
  COOKIE_ECHOED,
  ESTABLISHED,
  HEARTBEAT_SENT,
  NONE,
  nextSctpState,
  SHUTDOWN_ACK_SENT,
  SHUTDOWN_SENT,
} from './sctp-states.ts'
import type { FlowTimeouts } from './timeouts.ts'
import { INVALID, TRACKED, type Tracker, type Tracking } from './tracker.ts'

const STATE_MASK = 0xf
// Flags.
/** A HEARTBEAT came with another tag, in the direction that LAST_REPLY says: its acknowledgement tells whether that is right. */
const HEARTBEAT_DOUBTED = 1 << 4
const LAST_REPLY = 1 << 5
/** An INIT was seen in the original direction; one bit on, in the reply direction. */
const INIT_SEEN = 1 << 6
const TAGS = 1

const bit = (chunk: number) => 1 << chunk
/** Chunks that have rules of their own about the tag. */
const OWN_TAG =
  bit(sctp.INIT) |
  bit(sctp.SHUTDOWN_COMPLETE) |
  bit(sctp.COOKIE_ECHO) |
  bit(sctp.ABORT) |
  bit(sctp.SHUTDOWN_ACK) |
  bit(sctp.HEARTBEAT) |
  bit(sctp.HEARTBEAT_ACK)
/** What nobody sends to begin with (8.4). */
const NO_BEGINNING = bit(sctp.ABORT) | bit(sctp.SHUTDOWN_COMPLETE) | bit(sctp.COOKIE_ACK)

/** The packet belongs to the flow, and neither renews it nor changes what is known of it. */
const PASSED = 1
const GOES_ON = 0
const REFUSED = -1

export class SctpTracker implements Tracker {
  readonly name = 'sctp'
  readonly #tracking: Tracking
  readonly #words: Int32Array
  readonly #verify: boolean
  readonly #timeouts: FlowTimeouts
  /** Types of the packet's chunks, those below 32. */
  #types = 0

  constructor(tracking: Tracking) {
    this.#tracking = tracking
    this.#words = tracking.flows.words
    this.#verify = tracking.sysctl['net.netfilter.nf_conntrack_checksum'] !== 0
    this.#timeouts = tracking.timeouts.for('sctp')
  }

  mayDropEarly(ct: number): boolean {
    const state = this.#words[ct * f.WORDS + f.TRACKER] & STATE_MASK
    return state >= SHUTDOWN_SENT && state <= SHUTDOWN_ACK_SENT
  }

  track(p: Packet, ct: number): number {
    if (p.transport === 0 || this.#damaged(p) || !this.#readTypes(p)) return INVALID
    const words = this.#words
    const record = ct * f.WORDS
    const at = record + f.TRACKER
    const tag = p.view.getInt32(p.transport + sctp.VERIFICATION_TAG)
    if ((words[record + f.STATUS] & f.CONFIRMED) === 0) {
      if ((this.#types & NO_BEGINNING) !== 0 || !this.#begin(p, at, tag)) return INVALID
    }
    if ((this.#types & OWN_TAG) === 0 && tag !== words[at + TAGS + p.direction]) return INVALID

    let passed = false
    const end = p.start + p.length
    for (let chunk = p.transport + sctp.HEADER; chunk + sctp.CHUNK_HEADER <= end; ) {
      const type = p.view.getUint8(chunk)
      const said = this.#checkTag(p, at, chunk, type, tag, passed)
      if (said === REFUSED) return INVALID
      if (said === PASSED) passed = true
      else {
        const state = words[at] & STATE_MASK
        const to = nextSctpState(p.direction, type, state)
        if (to === BAD) return INVALID
        if (type === sctp.INIT || type === sctp.INIT_ACK) {
          if (!this.#takeTag(p, at, chunk, type, end)) return INVALID
          // An INIT that is sent again and again keeps neither the flow nor what NAT chose for it.
          if (type === sctp.INIT && state === CLOSED && to === CLOSED && !p.begins) passed = true
        }
        // The association stands: its INITs are done with.
        if (type === sctp.COOKIE_ACK) words[at] &= ~(INIT_SEEN | (INIT_SEEN << 1))
        const answered = state === COOKIE_ECHOED || state === HEARTBEAT_SENT
        if (answered && to === ESTABLISHED) words[record + f.STATUS] |= f.ASSURED
        words[at] = (words[at] & ~STATE_MASK) | to
      }
      chunk += paddedLength(p, chunk)
    }
    if (passed) return TRACKED
    const to = words[at] & STATE_MASK
    this.#tracking.refresh(p, ct, this.#timeouts.of(ct)[to])
    return TRACKED
  }

  #damaged({ view, transport, start, length, inLink, partial }: Packet): boolean {
    if (!this.#verify || inLink === 0 || partial) return false
    const end = start + length
    const found = view.getUint32(transport + sctp.CHECKSUM)
    view.setUint32(transport + sctp.CHECKSUM, 0)
    const right = crc32c(view, transport, end - transport)
    view.setUint32(transport + sctp.CHECKSUM, found)
    return view.getInt32(transport + sctp.CHECKSUM, true) !== right
  }

  /** Sees which chunks there are; false for none, an empty one, or one that has to stand alone, or first, and does not. */
  #readTypes(p: Packet): boolean {
    const end = p.start + p.length
    let types = 0
    let count = 0
    let alone = false
    for (let chunk = p.transport + sctp.HEADER; chunk + sctp.CHUNK_HEADER <= end; count++) {
      const type = p.view.getUint8(chunk)
      if (type === sctp.INIT || type === sctp.INIT_ACK || type === sctp.SHUTDOWN_COMPLETE) alone = true
      const first = type === sctp.COOKIE_ECHO || type === sctp.COOKIE_ACK || alone
      if ((first && count > 0) || p.view.getUint16(chunk + sctp.CHUNK_LENGTH) === 0) return false
      if (type < 32) types |= bit(type)
      chunk += paddedLength(p, chunk)
    }
    this.#types = types
    return count > 0
  }

  /** First packet of a flow. */
  #begin(p: Packet, at: number, tag: number): boolean {
    const words = this.#words
    words.fill(0, at, at + f.TRACKER_WORDS)
    const end = p.start + p.length
    for (let chunk = p.transport + sctp.HEADER; chunk + sctp.CHUNK_HEADER <= end; chunk += paddedLength(p, chunk)) {
      const type = p.view.getUint8(chunk)
      const to = nextSctpState(0, type, NONE)
      if (to === NONE || to === BAD) return false
      if (type === sctp.INIT) {
        // It is the only chunk.
        if (tag !== 0 || chunk + sctp.INIT_LENGTH > end) return false
        words[at + TAGS + 1] = p.view.getInt32(chunk + sctp.INITIATE_TAG)
      } else if (type === sctp.HEARTBEAT) words[at + TAGS] = tag
      // Out of the blue it is answered with its own tag (8.4).
      else if (type === sctp.SHUTDOWN_ACK) words[at + TAGS + 1] = tag
    }
    return true
  }

  /** Is the tag right for this chunk (8.5.1)? */
  #checkTag(p: Packet, at: number, chunk: number, type: number, tag: number, passed: boolean): number {
    const words = this.#words
    const own = at + TAGS + p.direction
    const other = at + TAGS + (p.direction ^ 1)
    switch (type) {
      case sctp.INIT:
        return tag === 0 ? GOES_ON : REFUSED
      case sctp.ABORT:
      case sctp.SHUTDOWN_COMPLETE: {
        const reflected = (p.view.getUint8(chunk + sctp.CHUNK_FLAGS) & sctp.FLAG_T) !== 0
        return tag === words[reflected ? other : own] ? GOES_ON : REFUSED
      }
      case sctp.COOKIE_ECHO:
        return tag === words[own] ? GOES_ON : REFUSED
      case sctp.HEARTBEAT:
        return this.#checkHeartbeat(p, at, tag, passed)
      case sctp.HEARTBEAT_ACK:
        return this.#checkHeartbeatAck(p, at, tag, passed)
      default:
        return GOES_ON
    }
  }

  #checkHeartbeat({ direction }: Packet, at: number, tag: number, passed: boolean): number {
    const words = this.#words
    const own = at + TAGS + direction
    if (words[own] === 0) words[own] = tag
    else if (tag !== words[own]) {
      if ((this.#types & bit(sctp.DATA)) !== 0 || passed) return REFUSED
      words[at] = (words[at] & ~LAST_REPLY) | HEARTBEAT_DOUBTED | (direction === 1 ? LAST_REPLY : 0)
      return PASSED
    } else words[at] &= ~HEARTBEAT_DOUBTED
    return GOES_ON
  }

  #checkHeartbeatAck({ direction }: Packet, at: number, tag: number, passed: boolean): number {
    const words = this.#words
    const own = at + TAGS + direction
    if (words[own] === 0) words[own] = tag
    else if (tag !== words[own]) {
      const last = (words[at] & LAST_REPLY) !== 0 ? 1 : 0
      if ((this.#types & bit(sctp.DATA)) !== 0 || passed) return REFUSED
      if ((words[at] & HEARTBEAT_DOUBTED) === 0 || last === direction) return REFUSED
      words[at] &= ~HEARTBEAT_DOUBTED
      words[own] = tag
      words[at + TAGS + (direction ^ 1)] = 0
    } else words[at] &= ~HEARTBEAT_DOUBTED
    return GOES_ON
  }

  /** INIT and INIT ACK say by which tag their sender wants to be addressed. Both ends may begin at once. */
  #takeTag(p: Packet, at: number, chunk: number, type: number, end: number): boolean {
    if (chunk + sctp.INIT_LENGTH > end) return false
    const words = this.#words
    const wanted = p.view.getInt32(chunk + sctp.INITIATE_TAG)
    const other = at + TAGS + (p.direction ^ 1)
    const own = INIT_SEEN << p.direction
    const others = INIT_SEEN << (p.direction ^ 1)
    if (type === sctp.INIT) {
      // One that says what a HEARTBEAT has told already is no new beginning.
      if (words[other] !== wanted || p.begins) {
        if ((words[at] & (own | others)) === (own | others)) words[at] &= ~others
        words[at] |= own
      }
      words[other] = wanted
      return true
    }
    const known = words[other]
    // An answer to nothing that was seen, or to an INIT that another one has crossed.
    if ((words[at] & others) === 0 && known !== 0 && known !== wanted) return false
    if ((words[at] & (own | others)) === (own | others) && known !== wanted) return false
    words[other] = wanted
    return true
  }
}

function paddedLength(p: Packet, chunk: number): number {
  return (p.view.getUint16(chunk + sctp.CHUNK_LENGTH) + 3) & ~3
}
