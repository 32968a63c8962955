// IPv6 header layout (RFC 8200) and the kinds of addresses that a router tells apart (RFC 4291). `o` is the offset of the
// header's first byte; whoever calls has checked that the header is there, so no accessor can fail. An address is four
// int32 words, the most significant first.

import { sumOf } from './checksum.ts'

export const HEADER = 40

/** Version, traffic class and flow label. */
export const VERSION_CLASS_FLOW = 0
export const PAYLOAD_LENGTH = 4
export const NEXT_HEADER = 6
export const HOP_LIMIT = 7
export const SOURCE = 8
export const DESTINATION = 24

/** Every link carries packets of this length (RFC 8200, 5); an ICMPv6 error is no longer than that. */
export const MIN_MTU = 1280

/** The traffic class, eight bits: DSCP and ECN. */
export function trafficClass(view: DataView, o: number): number {
  return (view.getUint16(o) >>> 4) & 0xff
}

export function writeTrafficClass(view: DataView, o: number, value: number): void {
  view.setUint16(o, (view.getUint16(o) & 0xf00f) | (value << 4))
}

/** The flow label, 20 bits. */
export function flowLabel(view: DataView, o: number): number {
  return view.getInt32(o) & 0xfffff
}

/** ff00::/8. */
export function isMulticast(word0: number): boolean {
  return word0 >>> 24 === 0xff
}

/** Scope of a multicast address, 0 to 15 (RFC 7346). */
export function multicastScope(word0: number): number {
  return (word0 >>> 16) & 15
}

export const SCOPE_INTERFACE = 1
export const SCOPE_LINK = 2

/** fe80::/10. */
export function isLinkLocal(word0: number): boolean {
  return (word0 & 0xffc00000) === (0xfe800000 | 0)
}

/** fec0::/10, deprecated, and still a scope of its own in the choice of source addresses. */
export function isSiteLocal(word0: number): boolean {
  return (word0 & 0xffc00000) === (0xfec00000 | 0)
}

/** ::1. */
export function isLoopback(word0: number, word1: number, word2: number, word3: number): boolean {
  return word3 === 1 && (word0 | word1 | word2) === 0
}

/** `::`. */
export function isUnspecified(word0: number, word1: number, word2: number, word3: number): boolean {
  return (word0 | word1 | word2 | word3) === 0
}

/** Writes the fixed header but for the addresses. `classAndFlow` holds the traffic class above the 20 bits of the flow label. */
export function writeHeader(
  view: DataView,
  o: number,
  payloadLength: number,
  nextHeader: number,
  hopLimit: number,
  classAndFlow: number,
): void {
  view.setInt32(o + VERSION_CLASS_FLOW, 0x60000000 | classAndFlow)
  view.setUint16(o + PAYLOAD_LENGTH, payloadLength)
  view.setUint8(o + NEXT_HEADER, nextHeader)
  view.setUint8(o + HOP_LIMIT, hopLimit)
}

/**
 * Sum of the pseudo-header (RFC 8200, 8.1) with the addresses of the header at `o`; not folded.
 * @param length bytes of the upper layer: its header and what follows
 */
export function pseudoSum(view: DataView, o: number, protocol: number, length: number): number {
  return sumOf(view, o + SOURCE, 32) + protocol + length
}
