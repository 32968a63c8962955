// IPv4 header layout (RFC 791). `o` is the offset of the header's first byte; whoever calls has checked that the
// header is there, so no accessor can fail. Addresses are int32.

export const MIN_HEADER = 20
export const MAX_PACKET = 65535

export const VERSION_IHL = 0
export const TOS = 1
export const TOTAL_LENGTH = 2
export const ID = 4
export const FLAGS_FRAGMENT = 6
export const TTL = 8
export const PROTOCOL = 9
export const CHECKSUM = 10
export const SOURCE = 12
export const DESTINATION = 16
export const OPTIONS = 20

/** What of TOS, or of IPv6's traffic class, chooses ways: all but the two bits for congestion (RFC 2474, RFC 3168). */
export const DSCP = 0xfc

export const RF = 0x8000
export const DF = 0x4000
export const MF = 0x2000
export const FRAGMENT_OFFSET_MASK = 0x1fff

export const PROTO_ICMP = 1
export const PROTO_IGMP = 2
export const PROTO_IPIP = 4
export const PROTO_TCP = 6
export const PROTO_UDP = 17
export const PROTO_DCCP = 33
export const PROTO_GRE = 47
export const PROTO_ESP = 50
export const PROTO_AH = 51
export const PROTO_ICMPV6 = 58
export const PROTO_SCTP = 132
export const PROTO_UDPLITE = 136

/** Protocols whose first two words of 16 bits are ports. */
export function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case PROTO_TCP:
    case PROTO_UDP:
    case PROTO_UDPLITE:
    case PROTO_SCTP:
    case PROTO_DCCP:
      return true
    default:
      return false
  }
}

export const LOOPBACK_ADDRESS = 0x7f000001
export const BROADCAST_ADDRESS = -1
/** 224.0.0.1: the group that every host is in (RFC 1112). */
export const ALL_HOSTS = 0xe0000001 | 0

/** 127.0.0.0/8 (RFC 1122, 3.2.1.3). */
export function isLoopback(address: number): boolean {
  return address >>> 24 === 127
}

/** 224.0.0.0/4 (RFC 1112). */
export function isMulticast(address: number): boolean {
  return address >>> 28 === 0xe
}

/** Writes the 20 bytes of a header without options, its checksum included. `fragment` is the word with DF, MF, offset. */
export function writeHeader(
  view: DataView,
  o: number,
  totalLength: number,
  id: number,
  fragment: number,
  ttl: number,
  protocol: number,
  tos: number,
  source: number,
  destination: number,
): void {
  view.setUint8(o + VERSION_IHL, 0x45)
  view.setUint8(o + TOS, tos)
  view.setUint16(o + TOTAL_LENGTH, totalLength)
  view.setUint16(o + ID, id)
  view.setUint16(o + FLAGS_FRAGMENT, fragment)
  view.setUint8(o + TTL, ttl)
  view.setUint8(o + PROTOCOL, protocol)
  view.setInt32(o + SOURCE, source)
  view.setInt32(o + DESTINATION, destination)
  writeChecksum(view, o, MIN_HEADER)
}

/** Sum over a header of `headerLength` bytes (a multiple of 4), folded; 0xffff for a header whose checksum is right. */
export function headerSum(view: DataView, o: number, headerLength: number): number {
  const a = view.getInt32(o)
  const b = view.getInt32(o + 4)
  const c = view.getInt32(o + 8)
  const d = view.getInt32(o + 12)
  const e = view.getInt32(o + 16)
  let sum = (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16) + (e >>> 16)
  sum += (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff) + (e & 0xffff)
  for (let at = o + MIN_HEADER; at < o + headerLength; at += 4) {
    const word = view.getInt32(at)
    sum += (word >>> 16) + (word & 0xffff)
  }
  sum = (sum & 0xffff) + (sum >>> 16)
  return (sum & 0xffff) + (sum >>> 16)
}

/** Computes the header's checksum anew. */
export function writeChecksum(view: DataView, o: number, headerLength: number): void {
  view.setUint16(o + CHECKSUM, 0)
  view.setUint16(o + CHECKSUM, ~headerSum(view, o, headerLength) & 0xffff)
}
