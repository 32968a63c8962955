// Extension headers of IPv6 (RFC 8200, 4): their lengths, and finding one in the chain. What a chain may look like is for
// whoever walks it to judge: as Linux's ipv6_find_hdr does, any order and any repetition is followed here.

import * as ipv6 from './ipv6.ts'

export const HOP_BY_HOP = 0
export const ROUTING = 43
export const FRAGMENT = 44
export const AUTHENTICATION = 51
export const NO_NEXT = 59
export const DESTINATION_OPTIONS = 60

/** The shortest extension header. */
export const MIN_HEADER = 8

/** Every extension header begins with the number of the next one and a length. */
export const NEXT = 0
export const LENGTH = 1

// The fragment header.
export const FRAGMENT_HEADER = 8
export const FRAGMENT_OFFSET = 2
export const FRAGMENT_ID = 4
/** In the 16 bits at FRAGMENT_OFFSET: the offset in bytes, and "more fragments". */
export const OFFSET_BYTES = 0xfff8
export const MORE = 1

// The routing header.
export const ROUTING_TYPE = 2
export const SEGMENTS_LEFT = 3
const ROUTING_LEAST = 4

/** Whether this number stands for a header behind which another one follows. */
export function isExtension(nextHeader: number): boolean {
  switch (nextHeader) {
    case HOP_BY_HOP:
    case ROUTING:
    case FRAGMENT:
    case AUTHENTICATION:
    case DESTINATION_OPTIONS:
      return true
    default:
      return false
  }
}

/** Bytes of the extension header of kind `nextHeader` at `at`, of which the first two are there. */
export function lengthOf(view: DataView, nextHeader: number, at: number): number {
  if (nextHeader === FRAGMENT) return FRAGMENT_HEADER
  const length = view.getUint8(at + LENGTH)
  return nextHeader === AUTHENTICATION ? (length + 2) << 2 : (length + 1) << 3
}

/** Bytes of the extension header of a kind that have to be there for the chain to be followed. */
export function leastOf(kind: number): number {
  return kind === ROUTING ? ROUTING_LEAST : 2
}

/** No such header is there. */
export const ABSENT = -1
/** The chain is cut off before one was found. */
export const CUT_OFF = -2

/**
 * Where the first extension header of a kind is in the packet at `start`; ABSENT or CUT_OFF, which are negative, where there is
 * none. Of an extension header that is found the first two bytes are there. Nothing is looked for behind the header of a later fragment.
 * @param wanted the kind, or the number of the upper-layer protocol
 * @param end offset behind the packet's last byte
 */
export function find(view: DataView, start: number, end: number, wanted: number): number {
  let kind = view.getUint8(start + ipv6.NEXT_HEADER)
  let at = start + ipv6.HEADER
  for (;;) {
    if (!isExtension(kind)) return kind !== wanted ? ABSENT : at <= end ? at : CUT_OFF
    if (at + leastOf(kind) > end) return CUT_OFF
    if (kind === wanted) return at
    if (kind === FRAGMENT) {
      if (at + 4 > end) return CUT_OFF
      if ((view.getUint16(at + FRAGMENT_OFFSET) & OFFSET_BYTES) !== 0) return ABSENT
    }
    const next = view.getUint8(at + NEXT)
    at += lengthOf(view, kind, at)
    kind = next
  }
}
