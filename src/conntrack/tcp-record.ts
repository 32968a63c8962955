// How a TCP connection lies in its record. Three words stand in the record itself, `at` being the index of its first tracker
// word:
//
//   0     state (4 bits), and of the last segment: kind (3), direction (1); retransmissions of it (8), its window (16)
//   1     OPTIONS of the original sender (16 bits: flags 8, window scale 4); above, OPTIONS of a SYN that was let pass
//   2     OPTIONS of the reply sender (16 bits); above, the length of the segment that was last noted
//
// and ten beside it (sequences.ts), where `seq` is the index of the first:
//
//   0- 3  the original direction's sender: END, MAX_END, MAX_WINDOW, MAX_ACK
//   4- 7  the reply direction's sender, likewise
//   8- 9  the segment that was last noted: sequence number, acknowledgement

/** Words of one sender. */
export const SENDER_WORDS = 4
/** Sequence number after the last byte that it sent. */
export const END = 0
/** Sequence number after the last byte that it may send, by what the other side acknowledged and offered. */
export const MAX_END = 1
/** Largest window that it offered, scaled; 0: nothing was seen of it. */
export const MAX_WINDOW = 2
/** Highest acknowledgement that it sent. */
export const MAX_ACK = 3

export const LAST_SEQUENCE = 8
export const LAST_ACK_NUMBER = 9
export const NOW = 0
/** Plus the direction. */
export const OPTIONS = 1

// Flags in OPTIONS.
export const WINDOW_SCALE = 0x01
export const SACK_PERMITTED = 0x02
/** This side sent the first FIN. */
export const CLOSED_FIRST = 0x04
/** The connection was picked up in mid-stream: what is out of its window is believed. */
export const LIBERAL = 0x08
export const UNACKNOWLEDGED = 0x10
export const MAX_ACK_SET = 0x20
// Only in the OPTIONS of a SYN that was let pass.
/** A challenge ACK (RFC 5961) may answer it. */
export const CHALLENGE_EXPECTED = 0x40
export const SIMULTANEOUS = 0x80

export const SCALE_SHIFT = 8
export const PASSED_SHIFT = 16
/** The word whose upper half is a segment's length. */
const LENGTH = OPTIONS + 1
const LENGTH_SHIFT = 16

/** Whether sequence number a stands before b: they are compared by difference (RFC 9293, 3.4). */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}

const STATE_MASK = 0xf
const KIND_SHIFT = 4
const DIRECTION_SHIFT = 7
const RETRANSMISSIONS_SHIFT = 8
const WINDOW_SHIFT = 16

export function state(words: Int32Array, at: number): number {
  return words[at + NOW] & STATE_MASK
}

export function setState(words: Int32Array, at: number, value: number): void {
  words[at + NOW] = (words[at + NOW] & ~STATE_MASK) | value
}

export function lastKind(words: Int32Array, at: number): number {
  return (words[at + NOW] >>> KIND_SHIFT) & 7
}

export function lastDirection(words: Int32Array, at: number): number {
  return (words[at + NOW] >>> DIRECTION_SHIFT) & 1
}

export function setLast(words: Int32Array, at: number, kind: number, direction: number): void {
  const mask = (7 << KIND_SHIFT) | (1 << DIRECTION_SHIFT)
  words[at + NOW] = (words[at + NOW] & ~mask) | (kind << KIND_SHIFT) | (direction << DIRECTION_SHIFT)
}

export function setLastDirection(words: Int32Array, at: number, direction: number): void {
  words[at + NOW] = (words[at + NOW] & ~(1 << DIRECTION_SHIFT)) | (direction << DIRECTION_SHIFT)
}

export function retransmissions(words: Int32Array, at: number): number {
  return (words[at + NOW] >>> RETRANSMISSIONS_SHIFT) & 0xff
}

export function setRetransmissions(words: Int32Array, at: number, count: number): void {
  const mask = 0xff << RETRANSMISSIONS_SHIFT
  words[at + NOW] = (words[at + NOW] & ~mask) | ((count << RETRANSMISSIONS_SHIFT) & mask)
}

/** As it stood in the segment, not scaled. */
export function lastWindow(words: Int32Array, at: number): number {
  return words[at + NOW] >>> WINDOW_SHIFT
}

export function setLastWindow(words: Int32Array, at: number, window: number): void {
  words[at + NOW] = (words[at + NOW] & 0xffff) | (window << WINDOW_SHIFT)
}

/** OPTIONS of a SYN that was let pass. */
export function passed(words: Int32Array, at: number): number {
  return words[at + OPTIONS] >>> PASSED_SHIFT
}

export function setPassed(words: Int32Array, at: number, options: number): void {
  words[at + OPTIONS] = (words[at + OPTIONS] & 0xffff) | (options << PASSED_SHIFT)
}

export function flags(words: Int32Array, at: number, direction: number): number {
  return words[at + OPTIONS + direction] & 0xff
}

export function scale(words: Int32Array, at: number, direction: number): number {
  return (words[at + OPTIONS + direction] >>> SCALE_SHIFT) & 0xf
}

/**
 * Sequence numbers that the segment takes which was last noted. That is less than 65,536 with SYN and FIN: headers are a part of
 * what a packet's length field counts, but for IPv6's own, and TCP's is as long as what both flags count for at least.
 */
export function lastLength(words: Int32Array, at: number): number {
  return words[at + LENGTH] >>> LENGTH_SHIFT
}

export function setLastLength(words: Int32Array, at: number, length: number): void {
  words[at + LENGTH] = (words[at + LENGTH] & 0xffff) | (length << LENGTH_SHIFT)
}

/** Flags and scale of a sender. */
export function setOptions(words: Int32Array, at: number, direction: number, options: number): void {
  words[at + OPTIONS + direction] = (words[at + OPTIONS + direction] & 0xffff0000) | options
}
