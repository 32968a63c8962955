// The TCP tracker: nf_conntrack_proto_tcp of Linux 6. A segment is first held against what TCP never sends, then against
// the state table (tcp-states.ts) with the cases that a table cannot tell, then against the window (tcp-window.ts); only
// then does the flow take the new state and its timeout. The record's layout is in tcp-record.ts.
//
// The router may know less than the two hosts do (a SYN for a connection that it thinks alive, an entry from before a
// crash). What it cannot judge it lets pass and notes; the answer tells who was right.

import type { Packet } from '../packet/packet.ts'
import * as tcp from '../wire/tcp.ts'
import { checksumWrong } from './checksum.ts'
import * as f from './record.ts'
import { type Sequences, sequencesAt } from './sequences.ts'
import * as r from './tcp-record.ts'
import {
  BAD,
  CLOSE,
  ESTABLISHED,
  FIN_WAIT,
  KIND_ACK,
  KIND_FIN,
  KIND_RST,
  KIND_SYN,
  KIND_SYN_ACK,
  kindOf,
  LAST_ACK,
  nextState,
  PASS,
  SYN_RECV,
  SYN_SENT,
  SYN_SENT2,
  TIME_WAIT,
} from './tcp-states.ts'
import { announcedOptions, beginSender, checkWindow, OUT_OF_WINDOW, STALE, segmentEnd } from './tcp-window.ts'
import { type FlowTimeouts, RETRANSMITTING, UNACKNOWLEDGED } from './timeouts.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { INVALID, REOPEN, TRACKED } from './tracker.ts'

// What a RST means, besides the state that the table gives.
const RESET_CHECKED = 0 // the window decides
const RESET_BELIEVED = 1 // it answers something that was let pass: no window to check
const RESET_DOUBTED = 2 // not exactly where it should be: the window decides, but the state stays
const RESET_BAD = 4

/** Below this much left to live, out-of-window closing does not shorten it further. */
const SHORT = 120_000

export class TcpTracker implements Tracker {
  readonly name = 'tcp'
  readonly #tracking: Tracking
  readonly #words: Int32Array
  readonly #sequences: Sequences
  readonly #verify: boolean
  readonly #liberal: boolean
  readonly #loose: boolean
  readonly #trustResets: boolean
  readonly #maxRetransmissions: number
  readonly #timeouts: FlowTimeouts

  constructor(tracking: Tracking) {
    this.#tracking = tracking
    this.#words = tracking.flows.words
    this.#sequences = tracking.flows.sequences
    const { sysctl } = tracking
    this.#verify = sysctl['net.netfilter.nf_conntrack_checksum'] !== 0
    this.#liberal = sysctl['net.netfilter.nf_conntrack_tcp_be_liberal'] !== 0
    this.#loose = sysctl['net.netfilter.nf_conntrack_tcp_loose'] !== 0
    this.#trustResets = sysctl['net.netfilter.nf_conntrack_tcp_ignore_invalid_rst'] !== 0
    this.#maxRetransmissions = sysctl['net.netfilter.nf_conntrack_tcp_max_retrans']
    this.#timeouts = tracking.timeouts.for('tcp')
  }

  mayDropEarly(ct: number): boolean {
    const state = r.state(this.#words, ct * f.WORDS + f.TRACKER)
    return state >= FIN_WAIT && state <= CLOSE
  }

  close(ct: number): void {
    const record = ct * f.WORDS
    const at = record + f.TRACKER
    const words = this.#words
    if (r.state(words, at) === CLOSE) return
    r.setState(words, at, CLOSE)
    if ((words[record + f.STATUS] & f.FIXED_TIMEOUT) === 0)
      words[record + f.EXPIRES] = (this.#tracking.time.now + this.#timeouts.of(ct)[CLOSE]) | 0
  }

  track(p: Packet, ct: number): number {
    const kind = this.#kind(p)
    if (kind < 0) return INVALID
    const words = this.#words
    const record = ct * f.WORDS
    const at = record + f.TRACKER
    const { direction } = p
    if ((words[record + f.STATUS] & f.CONFIRMED) === 0 && !this.#begin(p, ct, kind)) return INVALID

    let from = r.state(words, at)
    let to = nextState(direction, kind, from)
    let checked = true
    if (to === BAD) return INVALID
    if (to === SYN_SENT && from >= TIME_WAIT) {
      if (this.#isOver(at, direction)) {
        this.#tracking.kill(ct)
        return REOPEN
      }
      to = PASS
    }
    if (to === PASS) {
      if (!this.#answersPassedSyn(p, ct, kind)) {
        this.#notePassed(p, ct, kind, from)
        return TRACKED
      }
      this.#takePassedSyn(p, ct)
      from = SYN_SENT
      to = SYN_RECV
    } else if (to === TIME_WAIT) {
      if (from === LAST_ACK && this.#isChallenge(at, kind, direction)) return TRACKED
    } else if (to === SYN_SENT2) {
      words[at + r.OPTIONS] |= r.SIMULTANEOUS << r.PASSED_SHIFT
    } else if (to === SYN_RECV) {
      // The table has no state for "both sent SYN, one was acknowledged".
      if (direction === 1 && kind === KIND_ACK && (r.passed(words, at) & r.SIMULTANEOUS) !== 0) to = ESTABLISHED
    } else if (to === CLOSE && kind === KIND_RST) {
      const reset = this.#judgeReset(p, ct, from)
      if (reset === RESET_BAD) return INVALID
      if ((reset & RESET_DOUBTED) !== 0) to = from
      checked = (reset & RESET_BELIEVED) === 0
    }

    if (checked) {
      const verdict = checkWindow(this.#tracking.flows, ct, p, kind, this.#liberal)
      if (verdict === STALE) return TRACKED
      if (verdict === OUT_OF_WINDOW) {
        this.#noteClosing(p, ct, kind)
        return INVALID
      }
    }
    r.setLast(words, at, kind, direction)
    r.setState(words, at, to)
    if (to === FIN_WAIT && from !== FIN_WAIT) words[at + r.OPTIONS + direction] |= r.CLOSED_FIRST
    this.#settle(p, ct, kind, from, to)
    return TRACKED
  }

  /** The segment's kind, or -1 for one that is cut off, damaged, or like none that TCP sends. */
  #kind(p: Packet): number {
    if (p.transport === 0) return -1
    const { view, transport } = p
    const length = tcp.headerLength(view, transport)
    if (length < tcp.MIN_HEADER || length > p.length - p.headerLength) return -1
    if (this.#verify && checksumWrong(p)) return -1
    return kindOf(view.getUint8(transport + tcp.FLAGS))
  }

  /** First segment of a flow; false when none may begin with it. */
  #begin(p: Packet, ct: number, kind: number): boolean {
    const to = nextState(0, kind, 0)
    if (to === BAD || (to !== SYN_SENT && !this.#loose)) return false
    const words = this.#words
    const sequences = this.#sequences.of(ct)
    const at = ct * f.WORDS + f.TRACKER
    const seq = sequencesAt(ct)
    words.fill(0, at, at + f.TRACKER_WORDS)
    sequences.fill(0, seq, seq + f.SEQUENCE_WORDS)
    const window = p.view.getUint16(p.transport + tcp.WINDOW)
    const end = segmentEnd(p)
    if (to === SYN_SENT) {
      beginSender(this.#tracking.flows, ct, p, end, window)
      return true
    }
    // In mid-stream: the window's scale is not known, so neither side's window can be held against it.
    sequences[seq + r.END] = end
    sequences[seq + r.MAX_WINDOW] = window || 1
    sequences[seq + r.MAX_END] = end + (window || 1)
    r.setOptions(words, at, 0, r.SACK_PERMITTED | r.LIBERAL)
    r.setOptions(words, at, 1, r.SACK_PERMITTED | r.LIBERAL)
    return true
  }

  /** Whether a SYN for this closed connection may begin a new one: it was closed in order, or its sender reset it. */
  #isOver(at: number, direction: number): boolean {
    const words = this.#words
    if (((r.flags(words, at, 0) | r.flags(words, at, 1)) & r.CLOSED_FIRST) !== 0) return true
    return r.lastDirection(words, at) === direction && r.lastKind(words, at) === KIND_RST
  }

  /** A SYN+ACK for the SYN that was let pass last: the hosts agree, and the router was wrong. */
  #answersPassedSyn(p: Packet, ct: number, kind: number): boolean {
    const words = this.#words
    const at = ct * f.WORDS + f.TRACKER
    return (
      kind === KIND_SYN_ACK &&
      r.lastKind(words, at) === KIND_SYN &&
      r.lastDirection(words, at) !== p.direction &&
      p.view.getInt32(p.transport + tcp.ACKNOWLEDGEMENT) === this.#lastEnd(ct)
    )
  }

  /** Sequence number after the segment that was noted last. */
  #lastEnd(ct: number): number {
    const first = this.#sequences.of(ct)[sequencesAt(ct) + r.LAST_SEQUENCE]
    return (first + r.lastLength(this.#words, ct * f.WORDS + f.TRACKER)) | 0
  }

  /** The connection goes on as if that SYN had been its first segment. */
  #takePassedSyn(p: Packet, ct: number): void {
    const words = this.#words
    const sequences = this.#sequences.of(ct)
    const at = ct * f.WORDS + f.TRACKER
    const seq = sequencesAt(ct)
    const opener = r.lastDirection(words, at)
    const sender = seq + opener * r.SENDER_WORDS
    sequences[sender + r.END] = this.#lastEnd(ct)
    sequences[sender + r.MAX_END] = sequences[sender + r.END]
    sequences[sender + r.MAX_WINDOW] = r.lastWindow(words, at) || 1
    r.setPassed(words, at, r.passed(words, at) & ~r.CHALLENGE_EXPECTED)
    r.setOptions(words, at, opener, r.passed(words, at))
    const other = seq + p.direction * r.SENDER_WORDS
    sequences.fill(0, other, other + r.SENDER_WORDS)
    r.setOptions(words, at, p.direction, r.flags(words, at, p.direction) & r.LIBERAL)
  }

  #notePassed(p: Packet, ct: number, kind: number, state: number): void {
    const words = this.#words
    const sequences = this.#sequences.of(ct)
    const at = ct * f.WORDS + f.TRACKER
    const seq = sequencesAt(ct)
    const { view, transport } = p
    r.setLast(words, at, kind, p.direction)
    const sequence = view.getInt32(transport + tcp.SEQUENCE)
    sequences[seq + r.LAST_SEQUENCE] = sequence
    r.setLastLength(words, at, (segmentEnd(p) - sequence) | 0)
    r.setLastWindow(words, at, view.getUint16(transport + tcp.WINDOW))
    if (kind === KIND_SYN && p.direction === 0) {
      // The receiver may answer with a challenge (RFC 5961, 4), which in LAST_ACK looks as if it acknowledged the FIN.
      r.setPassed(words, at, announcedOptions(p) | (state === LAST_ACK ? r.CHALLENGE_EXPECTED : 0))
    }
    if (state === SYN_SENT && kind === KIND_ACK && p.direction === 1)
      sequences[seq + r.LAST_ACK_NUMBER] = view.getInt32(transport + tcp.ACKNOWLEDGEMENT)
  }

  /** Whether an ACK in LAST_ACK challenges a SYN that was let pass, instead of ending the connection; once. */
  #isChallenge(at: number, kind: number, direction: number): boolean {
    const words = this.#words
    const found =
      kind === KIND_ACK &&
      r.lastDirection(words, at) !== direction &&
      r.lastKind(words, at) === KIND_SYN &&
      (r.passed(words, at) & r.CHALLENGE_EXPECTED) !== 0
    if (found) r.setPassed(words, at, r.passed(words, at) & ~r.CHALLENGE_EXPECTED)
    return found
  }

  /** RFC 5961, 3: only a RST that stands exactly where its receiver waits is sure to end the connection. */
  #judgeReset(p: Packet, ct: number, state: number): number {
    const words = this.#words
    const sequences = this.#sequences.of(ct)
    const record = ct * f.WORDS
    const at = record + f.TRACKER
    const seq = sequencesAt(ct)
    const status = words[record + f.STATUS]
    const sequence = p.view.getInt32(p.transport + tcp.SEQUENCE)
    const ack = p.view.getInt32(p.transport + tcp.ACKNOWLEDGEMENT)
    const last = r.lastKind(words, at)
    const established = state === ESTABLISHED && (status & f.ASSURED) !== 0
    // A connection that is closing anyway has nothing to lose.
    if (state >= FIN_WAIT && state <= CLOSE) return RESET_BELIEVED
    let doubted = RESET_CHECKED
    // After a SYN that was let pass, what was acknowledged before may be another connection's.
    if (last !== KIND_SYN && (r.flags(words, at, p.direction ^ 1) & r.MAX_ACK_SET) !== 0) {
      // Zero refuses a SYN that was let pass.
      if (sequence === 0 && !established) return RESET_CHECKED
      const expected = sequences[seq + (p.direction ^ 1) * r.SENDER_WORDS + r.MAX_ACK]
      if (((sequence - expected) | 0) < 0 && !this.#trustResets) return RESET_BAD
      if (!established || sequence === expected) return RESET_CHECKED
      // Right behind its sender's own last segment, which is not acknowledged yet.
      if (last === KIND_ACK && r.lastDirection(words, at) === p.direction && sequence === this.#lastEnd(ct))
        return RESET_CHECKED
      doubted = RESET_DOUBTED
    }
    const answersSyn = (status & f.SEEN_REPLY) !== 0 && last === KIND_SYN && r.lastDirection(words, at) !== p.direction
    const answersAck = (status & f.ASSURED) === 0 && last === KIND_ACK
    if ((answersSyn || answersAck) && ack === this.#lastEnd(ct)) return doubted | RESET_BELIEVED
    // The client's answer to a challenge of its SYN.
    if (
      state === SYN_SENT &&
      last === KIND_ACK &&
      r.lastDirection(words, at) === 1 &&
      sequence === sequences[seq + r.LAST_ACK_NUMBER]
    )
      return doubted | RESET_BELIEVED
    return doubted
  }

  /** Both sides close, but out of the window: the router has lost track, and need not keep the flow for days. */
  #noteClosing(p: Packet, ct: number, kind: number): void {
    const words = this.#words
    const record = ct * f.WORDS
    const { direction } = p
    const at = record + f.TRACKER
    if ((words[record + f.STATUS] & (f.ASSURED | f.FIXED_TIMEOUT)) !== f.ASSURED) return
    if (kind !== KIND_RST && kind !== KIND_FIN) return
    const last = r.lastKind(words, at)
    if (r.lastDirection(words, at) === direction || (last !== KIND_FIN && last !== KIND_RST)) {
      r.setLast(words, at, kind, direction)
      return
    }
    const left = (words[record + f.EXPIRES] - this.#tracking.time.now) | 0
    const unacknowledged = this.#timeouts.of(ct)[UNACKNOWLEDGED]
    if (left >= SHORT && left > unacknowledged)
      words[record + f.EXPIRES] = (this.#tracking.time.now + unacknowledged) | 0
  }

  /** The state is what it is now; ASSURED and the timeout follow from it. */
  #settle(p: Packet, ct: number, kind: number, from: number, to: number): void {
    const words = this.#words
    const record = ct * f.WORDS
    const status = words[record + f.STATUS]
    let timeout = this.#timeout(ct, kind, to)
    if ((status & f.SEEN_REPLY) === 0) {
      if (kind === KIND_RST) {
        // The only answer is a refusal: no connection. The record has to outlive this packet, so it expires instead.
        this.#tracking.over(p, ct)
        return
      }
      // Or a client that tries for ever would keep the flow, and what NAT chose for it, for ever.
      if (kind === KIND_SYN && from === SYN_SENT) return
      if (to === ESTABLISHED) timeout = Math.min(timeout, this.#timeouts.of(ct)[UNACKNOWLEDGED])
    } else if (to === ESTABLISHED && (from === SYN_RECV || from === ESTABLISHED)) {
      words[record + f.STATUS] = status | f.ASSURED
    }
    this.#tracking.refresh(p, ct, timeout)
  }

  #timeout(ct: number, kind: number, state: number): number {
    const words = this.#words
    const at = ct * f.WORDS + f.TRACKER
    const timeouts = this.#timeouts.of(ct)
    const timeout = timeouts[state]
    const retransmitting = timeouts[RETRANSMITTING]
    if (r.retransmissions(words, at) >= this.#maxRetransmissions && timeout > retransmitting) return retransmitting
    if (kind === KIND_RST) return timeouts[CLOSE]
    const unacknowledged = (r.flags(words, at, 0) | r.flags(words, at, 1)) & r.UNACKNOWLEDGED
    if (unacknowledged !== 0 && timeout > timeouts[UNACKNOWLEDGED]) return timeouts[UNACKNOWLEDGED]
    if (r.lastWindow(words, at) === 0 && timeout > retransmitting) return retransmitting
    return timeout
  }
}
