// Sequence adjustment (nf_conntrack_seqadj): the router made one side's stream longer or shorter, or answered in a host's
// place with another initial number, so that from then on both hosts count differently. For each direction a flow has a
// correction position and two offsets: what its sender sends up to that position, by its own count, moves by the first, what
// lies beyond by the second. Acknowledgements and SACK blocks of the other side move back by the same.
//
// What always holds: a correction position and a tracker's words are in the sender's own numbers, as they stood before any
// adjustment (tcp-window.ts takes offsets off acknowledgements); a segment is adjusted once, as the last thing before its flow
// is confirmed, so everything else sees it as it came in. A flow has none of this until its SEQ_ADJUST bit is set.

import { LOOPBACK } from '../device/link.ts'
import { ACCEPT, DROP } from '../hook/hook.ts'
import { CT_RELATED, NO_FLOW, type Packet } from '../packet/packet.ts'
import { update32 } from '../wire/checksum.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import { CUT_OFF, firstOption, nextOption } from '../wire/tcp-options.ts'
import { ADJUSTMENT_WORDS, DIRECTION_ADJUSTMENT_WORDS, type Extensions } from './extensions.ts'
import * as f from './record.ts'
import { STAT_DROP } from './statistics.ts'
import { before } from './tcp-record.ts'

// Places in one direction's words.
/** Sequence number of the segment whose length the router changed last. */
const POSITION = 0
/** What is added to sequence numbers up to POSITION. */
const BEFORE = 1
/** What is added to those beyond it. */
const AFTER = 2

const SACK_BLOCK = 8

/** What an adjustment is kept in: a flow table. */
export interface AdjustedFlows {
  readonly words: Int32Array
  readonly extensions: Extensions
}

/** What the step works on: a family's conntrack. */
export interface Adjusted {
  readonly flows: AdjustedFlows
  readonly stats: Float64Array
}

/**
 * The payload of a segment was replaced by one that is longer: every later byte of this direction moves. The segment itself
 * keeps its number, and so do its retransmissions, whose payload is replaced anew and which may be told here again.
 * @param sequence of the segment that was changed, int32, as its sender numbered it
 * @param by how many bytes longer it has become; below zero: shorter
 */
export function streamGrew(flows: AdjustedFlows, ct: number, direction: number, sequence: number, by: number): void {
  if (by === 0) return
  const words = flows.extensions.adjust()
  const at = ct * ADJUSTMENT_WORDS + direction * DIRECTION_ADJUSTMENT_WORDS
  flows.words[ct * f.WORDS + f.STATUS] |= f.SEQ_ADJUST
  if (words[at + BEFORE] !== words[at + AFTER] && !before(words[at + POSITION], sequence)) return
  words[at + POSITION] = sequence
  words[at + BEFORE] = words[at + AFTER]
  words[at + AFTER] = (words[at + AFTER] + by) | 0
}

/** All that this direction sends moves by `offset` from now on, int32; what was there before is forgotten. */
export function streamMoves(flows: AdjustedFlows, ct: number, direction: number, offset: number): void {
  const words = flows.extensions.adjust()
  const at = ct * ADJUSTMENT_WORDS + direction * DIRECTION_ADJUSTMENT_WORDS
  flows.words[ct * f.WORDS + f.STATUS] |= f.SEQ_ADJUST
  words[at + BEFORE] = offset
  words[at + AFTER] = offset
}

/** What is added to this sequence number of a direction, in its sender's own numbers; the flow has SEQ_ADJUST. */
export function sequenceOffset({ extensions }: AdjustedFlows, ct: number, direction: number, sequence: number): number {
  const words = extensions.adjustments
  if (words === undefined) return 0
  const at = ct * ADJUSTMENT_WORDS + direction * DIRECTION_ADJUSTMENT_WORDS
  return words[at + (before(words[at + POSITION], sequence) ? AFTER : BEFORE)]
}

/**
 * The last step of POSTROUTING and INPUT before confirm: a segment of a flow that is adjusted gets the numbers that its receiver
 * counts in.
 * @returns ACCEPT, or DROP for options that end in the midst of one
 */
export function adjust({ flows, stats }: Adjusted, p: Packet): number {
  const { ct, direction } = p
  if (ct === NO_FLOW || (flows.words[ct * f.WORDS + f.STATUS] & f.SEQ_ADJUST) === 0) return ACCEPT
  // What came by the loopback device was adjusted when it left; an error about the flow, and a RST in which a rule answers a
  // packet of its first direction, have the numbers of him that they go to.
  if (p.inLink === LOOPBACK || p.protocol !== PROTO_TCP || (p.ctinfo === CT_RELATED && direction === 1)) return ACCEPT
  const words = flows.extensions.adjustments
  if (words === undefined) return ACCEPT
  const { view, transport } = p
  const sequence = view.getInt32(transport + tcp.SEQUENCE)
  const own = sequenceOffset(flows, ct, direction, sequence)
  if (own !== 0) setWord(p, transport + tcp.SEQUENCE, (sequence + own) | 0)
  if ((view.getUint8(transport + tcp.FLAGS) & tcp.ACK) === 0) return ACCEPT
  const other = ct * ADJUSTMENT_WORDS + (direction ^ 1) * DIRECTION_ADJUSTMENT_WORDS
  moveBack(p, transport + tcp.ACKNOWLEDGEMENT, words, other)
  const said = adjustSelective(p, words, other)
  if (said === DROP) stats[STAT_DROP]++
  return said
}

/** Every edge of every SACK block (RFC 2018) as an acknowledgement. */
function adjustSelective(p: Packet, words: Int32Array, other: number): number {
  const { view, transport } = p
  const end = transport + tcp.headerLength(view, transport)
  let at = firstOption(view, transport, end)
  for (; at >= 0; at = nextOption(view, at, end)) {
    const length = view.getUint8(at + 1)
    if (view.getUint8(at) === tcp.OPTION_SACK && length >= 2 + SACK_BLOCK && (length - 2) % SACK_BLOCK === 0)
      for (let edge = at + 2; edge < at + length; edge += 4) moveBack(p, edge, words, other)
  }
  return at === CUT_OFF ? DROP : ACCEPT
}

/** Takes the other direction's offset off a number that counts what its receiver got. */
function moveBack(p: Packet, place: number, words: Int32Array, other: number): void {
  const number = p.view.getInt32(place)
  const beyond = before(words[other + POSITION], (number - words[other + BEFORE]) | 0)
  const offset = words[other + (beyond ? AFTER : BEFORE)]
  if (offset !== 0) setWord(p, place, (number - offset) | 0)
}

/**
 * Writes a word of the TCP header, and the checksum where that is not left to a device. At an odd place the sum comes out wrong,
 * in Linux and so here: no stack puts a SACK block there.
 */
export function setWord(p: Packet, place: number, value: number): void {
  const { view, transport } = p
  const was = view.getInt32(place)
  view.setInt32(place, value)
  const field = transport + tcp.CHECKSUM
  if (!p.partial) view.setUint16(field, update32(view.getUint16(field), was, value))
}
