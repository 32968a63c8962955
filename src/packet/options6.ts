// The options of hop-by-hop and destination options headers (RFC 8200, 4.2), judged as Linux's ip6_parse_tlv does: padding is
// checked strictly, options that are not known by the two highest bits of their type.

import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import type { Packet } from './packet.ts'

// What is said of a header. With the last two the offset that its sender is told of stands in the lower half word.
export const OPTIONS_FINE = -1
/** The packet is dropped, and nobody is told. */
export const OPTIONS_WRONG = -2
export const UNKNOWN_OPTION = 0x10000
export const BAD_HEADER_FIELD = 0x20000

const PAD1 = 0
const PADN = 1
/** RFC 2711. */
const ROUTER_ALERT = 5
/** RFC 9486. */
const IOAM = 49
/** RFC 2675. */
const JUMBO = 0xc2
/** More padding in one place than any alignment needs. */
const PADDING_MAX = 7

/** Bounds that sysctls set. */
export interface OptionBounds {
  /** Bytes of the whole header. */
  readonly length: number
  /** Options but for padding; below 0 its opposite, and none may be unknown. */
  readonly number: number
}

/**
 * Judges the header at `at`, of which two bytes are there at least.
 * @param kind HOP_BY_HOP or DESTINATION_OPTIONS
 * @returns OPTIONS_FINE, OPTIONS_WRONG, or what its sender is told: UNKNOWN_OPTION or BAD_HEADER_FIELD with the offset in the
 *   packet below it
 */
export function checkOptions6(p: Packet, at: number, kind: number, bounds: OptionBounds): number {
  const { view, start } = p
  const length = extension.lengthOf(view, kind, at)
  const end = at + length
  if (end > start + p.length || length > bounds.length) return OPTIONS_WRONG
  const most = Math.abs(bounds.number)
  let padding = 0
  let count = 0
  for (let option = at + 2; option < end; ) {
    const type = view.getUint8(option)
    if (type === PAD1) {
      if (++padding > PADDING_MAX) return OPTIONS_WRONG
      option++
      continue
    }
    if (option + 2 > end) return OPTIONS_WRONG
    const size = view.getUint8(option + 1) + 2
    if (option + size > end) return OPTIONS_WRONG
    if (type === PADN) {
      padding += size
      if (padding > PADDING_MAX || !isZero(view, option + 2, option + size)) return OPTIONS_WRONG
    } else {
      if (++count > most) return OPTIONS_WRONG
      const said = judge(p, option, kind, bounds.number < 0)
      if (said !== OPTIONS_FINE) return said
      padding = 0
    }
    option += size
  }
  return OPTIONS_FINE
}

function judge(p: Packet, option: number, kind: number, knownOnly: boolean): number {
  const { view, start } = p
  const type = view.getUint8(option)
  if (kind === extension.HOP_BY_HOP) {
    // A packet that every router is to look at: here nobody does, and it goes on.
    if (type === ROUTER_ALERT) return view.getUint8(option + 1) === 2 ? OPTIONS_FINE : OPTIONS_WRONG
    if (type === IOAM) return ((option - start) & 3) === 0 ? OPTIONS_FINE : OPTIONS_WRONG
    if (type === JUMBO) return judgeJumbo(p, option)
  }
  if (knownOnly) return OPTIONS_WRONG
  switch (type >>> 6) {
    case 0:
      return OPTIONS_FINE
    case 1:
      return OPTIONS_WRONG
    case 3:
      if (ipv6.isMulticast(p.destination)) return OPTIONS_WRONG
      break
  }
  return UNKNOWN_OPTION | (option - start)
}

/** A length beyond 65,535 is never the truth here: no packet is that long. */
function judgeJumbo(p: Packet, option: number): number {
  const { view, start } = p
  if (view.getUint8(option + 1) !== 4 || ((option - start) & 3) !== 2) return OPTIONS_WRONG
  if (view.getUint32(option + 2) <= 0xffff) return BAD_HEADER_FIELD | (option + 2 - start)
  if (view.getUint16(start + ipv6.PAYLOAD_LENGTH) !== 0) return BAD_HEADER_FIELD | (option - start)
  return OPTIONS_WRONG
}

function isZero(view: DataView, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (view.getUint8(at) !== 0) return false
  return true
}
