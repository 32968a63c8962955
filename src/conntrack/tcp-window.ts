// Whether a TCP segment can belong to the connection, by sequence number, acknowledgement and window, and what it says
// about both senders. The idea is Guido van Rooij's ("Real stateful TCP packet filtering in IP Filter", 2001): the router
// keeps for each side what it sent, what it may send, and the largest window that it offered, and a segment has to lie
//
//   I   not beyond what its sender may send,                II  not below what its receiver still takes,
//   III acknowledging nothing that was not sent,            IV  acknowledging nothing that is too long gone.
//
// II and IV fail for old duplicates, which do no harm: they pass, and teach nothing.

import type { Packet } from '../packet/packet.ts'
import * as tcp from '../wire/tcp.ts'
import { firstOption, nextOption } from '../wire/tcp-options.ts'
import * as f from './record.ts'
import { type AdjustedFlows, sequenceOffset } from './seqadj.ts'
import { type Sequences, sequencesAt } from './sequences.ts'
import * as r from './tcp-record.ts'
import { KIND_ACK, SYN_RECV, SYN_SENT } from './tcp-states.ts'

export const IN_WINDOW = 0
/** Let it pass, believe nothing of it. */
export const STALE = 1
export const OUT_OF_WINDOW = 2

/** Where a connection's words are. */
export interface TcpWords extends AdjustedFlows {
  readonly sequences: Sequences
}

/** How far back an acknowledgement may lie, at least: a window of 64 KiB and a segment. */
const OLD_ACK = 66_000
const MAX_SCALE = 14

/** Sequence number after the segment; SYN and FIN count for one each. */
export function segmentEnd(p: Packet): number {
  const { view, transport } = p
  const flags = view.getUint8(transport + tcp.FLAGS)
  const data = p.start + p.length - transport - tcp.headerLength(view, transport)
  const counted = ((flags & tcp.SYN) >>> 1) + (flags & tcp.FIN)
  return (view.getInt32(transport + tcp.SEQUENCE) + data + counted) | 0
}

/** WINDOW_SCALE, SACK_PERMITTED and the scale that a SYN's options announce, as OPTIONS has them. */
export function announcedOptions(p: Packet): number {
  const { view, transport } = p
  const end = transport + tcp.headerLength(view, transport)
  let options = 0
  for (let at = firstOption(view, transport, end); at >= 0; at = nextOption(view, at, end)) {
    const option = view.getUint8(at)
    const length = view.getUint8(at + 1)
    if (option === tcp.OPTION_SACK_PERMITTED && length === 2) options |= r.SACK_PERMITTED
    else if (option === tcp.OPTION_WINDOW_SCALE && length === 3) {
      const scale = Math.min(view.getUint8(at + 2), MAX_SCALE)
      options = (options & 0xff) | r.WINDOW_SCALE | (scale << r.SCALE_SHIFT)
    }
  }
  return options
}

/** The highest sequence number that the segment acknowledges, out of order too (RFC 2018). */
function highestAcknowledged(p: Packet, acknowledgement: number): number {
  const { view, transport } = p
  const end = transport + tcp.headerLength(view, transport)
  let highest = acknowledgement
  for (let at = firstOption(view, transport, end); at >= 0; at = nextOption(view, at, end)) {
    const length = view.getUint8(at + 1)
    if (view.getUint8(at) === tcp.OPTION_SACK && length >= 10 && (length - 2) % 8 === 0) {
      for (let edge = at + 6; edge < at + length; edge += 8) {
        const right = view.getInt32(edge)
        if (r.before(highest, right)) highest = right
      }
      break
    }
  }
  return highest
}

/** What a SYN tells of its sender. Scaling needs both sides' consent: the reply's SYN settles it. */
export function beginSender(flows: TcpWords, ct: number, p: Packet, end: number, window: number): void {
  const { words } = flows
  const sequences = flows.sequences.of(ct)
  const at = ct * f.WORDS + f.TRACKER
  const { direction } = p
  const sender = sequencesAt(ct) + direction * r.SENDER_WORDS
  sequences[sender + r.END] = end
  sequences[sender + r.MAX_END] = end
  sequences[sender + r.MAX_WINDOW] = window || 1
  if (tcp.headerLength(p.view, p.transport) > tcp.MIN_HEADER) {
    const liberal = r.flags(words, at, direction) & r.LIBERAL
    r.setOptions(words, at, direction, liberal | announcedOptions(p))
  }
  if (direction === 1 && (r.flags(words, at, 0) & r.flags(words, at, 1) & r.WINDOW_SCALE) === 0) {
    r.setOptions(words, at, 0, r.flags(words, at, 0))
    r.setOptions(words, at, 1, r.flags(words, at, 1))
  }
}

/**
 * Judges a segment and, when it is in the window, learns from it.
 * @param liberal net.netfilter.nf_conntrack_tcp_be_liberal
 */
export function checkWindow(flows: TcpWords, ct: number, p: Packet, kind: number, liberal: boolean): number {
  const { words } = flows
  const sequences = flows.sequences.of(ct)
  const at = ct * f.WORDS + f.TRACKER
  const seq = sequencesAt(ct)
  const { view, transport, direction } = p
  const sender = seq + direction * r.SENDER_WORDS
  const receiver = seq + (direction ^ 1) * r.SENDER_WORDS
  const bits = view.getUint8(transport + tcp.FLAGS)
  const rawWindow = view.getUint16(transport + tcp.WINDOW)
  const isSyn = (bits & tcp.SYN) !== 0
  const isAck = (bits & tcp.ACK) !== 0
  let sequence = view.getInt32(transport + tcp.SEQUENCE)
  let end = segmentEnd(p)
  let ack = view.getInt32(transport + tcp.ACKNOWLEDGEMENT)
  let highest = ack
  const selective =
    tcp.headerLength(view, transport) > tcp.MIN_HEADER && (r.flags(words, at, direction ^ 1) & r.SACK_PERMITTED) !== 0
  if (selective) highest = highestAcknowledged(p, ack)
  if ((words[ct * f.WORDS + f.STATUS] & f.SEQ_ADJUST) !== 0) {
    // It acknowledges what it received; what is kept of the other side is what that one sent.
    const offset = sequenceOffset(flows, ct, direction ^ 1, (ack - 1) | 0)
    ack = (ack - offset) | 0
    highest = (highest - offset) | 0
  }

  const state = r.state(words, at)
  if (sequences[sender + r.MAX_WINDOW] === 0) {
    if (isSyn) {
      beginSender(flows, ct, p, end, rawWindow)
      if (!isAck) return IN_WINDOW
    } else {
      joinSender(sequences, sender, receiver, end, rawWindow << r.scale(words, at, direction), highest)
    }
  } else if (isSyn && r.before(sequences[sender + r.END], end) && (state === SYN_SENT || state === SYN_RECV)) {
    // A later attempt, or another one's answer: it may differ in everything from what was seen before.
    beginSender(flows, ct, p, end, rawWindow)
    if (direction === 1 && !isAck) return IN_WINDOW
  }

  // Without an acknowledgement, and with the zero that some put into a RST, take it as what would be right.
  if (!isAck || ((bits & tcp.RST) !== 0 && ack === 0)) ack = highest = sequences[receiver + r.END]
  // A RST that refuses a SYN has no sequence number of its own.
  if ((bits & tcp.RST) !== 0 && sequence === 0 && state === SYN_SENT) sequence = end = sequences[sender + r.END]

  const verdict = judge(sequences, sender, receiver, sequence, end, highest)
  if (verdict !== IN_WINDOW) {
    if (verdict === OVERSHOT) {
      sequences[sender + r.END] = end
      words[at + r.OPTIONS + direction] |= r.UNACKNOWLEDGED
    }
    if (liberal || (r.flags(words, at, direction) & r.LIBERAL) !== 0) return IN_WINDOW
    return verdict === OVERSHOT ? STALE : verdict
  }

  const window = isSyn ? rawWindow : rawWindow << r.scale(words, at, direction)
  const offered = (window + highest - ack) | 0
  if (sequences[sender + r.MAX_WINDOW] >>> 0 < offered >>> 0) sequences[sender + r.MAX_WINDOW] = offered
  if (r.before(sequences[sender + r.END], end)) {
    sequences[sender + r.END] = end
    words[at + r.OPTIONS + direction] |= r.UNACKNOWLEDGED
  }
  if (isAck) {
    const known = (r.flags(words, at, direction) & r.MAX_ACK_SET) !== 0
    if (!known || r.before(sequences[sender + r.MAX_ACK], ack)) sequences[sender + r.MAX_ACK] = ack
    words[at + r.OPTIONS + direction] |= r.MAX_ACK_SET
  }

  if (sequences[receiver + r.MAX_WINDOW] !== 0 && r.before(sequences[sender + r.MAX_END], end))
    sequences[receiver + r.MAX_WINDOW] += end - sequences[sender + r.MAX_END]
  const limit = (highest + window) | 0
  if (r.before((sequences[receiver + r.MAX_END] - 1) | 0, limit))
    sequences[receiver + r.MAX_END] = window === 0 ? limit + 1 : limit
  if (ack === sequences[receiver + r.END]) words[at + r.OPTIONS + (direction ^ 1)] &= ~r.UNACKNOWLEDGED

  if (kind === KIND_ACK) countRetransmission(words, sequences, at, seq, direction, sequence, ack, end, rawWindow)
  return IN_WINDOW
}

/** A sender that is first seen in mid-stream: its segment is taken as it comes. */
function joinSender(
  sequences: Int32Array,
  sender: number,
  receiver: number,
  end: number,
  window: number,
  highest: number,
): void {
  sequences[sender + r.END] = end
  sequences[sender + r.MAX_WINDOW] = window || 1
  sequences[sender + r.MAX_END] = end + sequences[sender + r.MAX_WINDOW]
  if (sequences[receiver + r.MAX_WINDOW] === 0) {
    sequences[receiver + r.END] = highest
    sequences[receiver + r.MAX_END] = highest
  } else if (highest === ((sequences[receiver + r.END] + 1) | 0)) {
    // The answer to a keepalive, which repeats the byte before the first.
    sequences[receiver + r.END] = highest
  }
}

/** STALE, and the sender did send that much: an acknowledgement of it is going to come. */
const OVERSHOT = 3

function judge(
  sequences: Int32Array,
  sender: number,
  receiver: number,
  sequence: number,
  end: number,
  highest: number,
): number {
  const senderEnd = sequences[sender + r.END]
  const receiverEnd = sequences[receiver + r.END]
  const receiverWindow = sequences[receiver + r.MAX_WINDOW]
  const oldest = (receiverEnd - Math.max(sequences[sender + r.MAX_WINDOW] >>> 0, OLD_ACK) - 1) | 0
  const notTooOld = r.before(oldest, highest)
  const known = !r.before(receiverEnd, highest)
  const wanted = r.before((senderEnd - receiverWindow - 1) | 0, end)
  if (r.before(sequences[sender + r.MAX_END], sequence)) {
    const beyond = (end - sequences[sender + r.MAX_END] + 1) >>> 0
    const near = receiverWindow !== 0 && wanted && beyond <= receiverWindow >>> 0
    return near && notTooOld && known ? OVERSHOT : OUT_OF_WINDOW
  }
  if (!known) return OUT_OF_WINDOW
  return (receiverWindow === 0 || wanted) && notTooOld ? IN_WINDOW : STALE
}

function countRetransmission(
  words: Int32Array,
  sequences: Int32Array,
  at: number,
  seq: number,
  direction: number,
  sequence: number,
  ack: number,
  end: number,
  window: number,
): void {
  if (
    r.lastDirection(words, at) === direction &&
    sequences[seq + r.LAST_SEQUENCE] === sequence &&
    sequences[seq + r.LAST_ACK_NUMBER] === ack &&
    r.lastLength(words, at) === ((end - sequence) | 0) &&
    r.lastWindow(words, at) === window
  ) {
    r.setRetransmissions(words, at, r.retransmissions(words, at) + 1)
    return
  }
  r.setLastDirection(words, at, direction)
  sequences[seq + r.LAST_SEQUENCE] = sequence
  sequences[seq + r.LAST_ACK_NUMBER] = ack
  r.setLastLength(words, at, (end - sequence) | 0)
  r.setLastWindow(words, at, window)
  r.setRetransmissions(words, at, 0)
}
