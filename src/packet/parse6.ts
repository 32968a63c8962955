// From the bytes of an IPv6 packet to its descriptor. The order of the checks is Linux's ip6_rcv; the walk along the extension
// headers is ipv6_find_hdr's, which is what rules and matches see. As for IPv4, transport headers are only located.

import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import { NO_PROTOCOL, type Packet } from './packet.ts'
import { PARSED } from './parse.ts'
import { REASON } from './reason.ts'

/**
 * In Packet.fragment of an IPv6 packet: there is a fragment header, even where offset and "more fragments" are 0. The other
 * bits are as in IPv4: MF, and the offset in units of eight bytes.
 */
export const FRAGMENT_HEADER_SEEN = ip.RF

/**
 * Reads an IPv6 packet's headers into its descriptor and cuts what lies beyond the payload length.
 * @returns PARSED, or the reason number of what is wrong.
 */
export function parse6(p: Packet): number {
  const { view, start } = p
  if (p.length < ipv6.HEADER) return REASON.truncated
  if (p.length > ip.MAX_PACKET) return REASON.oversize
  if (view.getUint8(start) >>> 4 !== 6) return REASON.version
  const payload = view.getUint16(start + ipv6.PAYLOAD_LENGTH)
  // No length behind a hop-by-hop header may mean a jumbogram (RFC 2675): its option is judged with the others.
  if (payload !== 0 || view.getUint8(start + ipv6.NEXT_HEADER) !== extension.HOP_BY_HOP) {
    if (payload + ipv6.HEADER > p.length) return REASON.truncated
    p.length = payload + ipv6.HEADER
  }
  readHeader6(p)
  return PARSED
}

/** Reads the fields of headers whose lengths are known to be right (parse6 checked them, or this router wrote them). */
export function readHeader6(p: Packet): void {
  const { view, start } = p
  p.family = 6
  readAddresses6(p)
  p.fragment = 0
  const next = view.getUint8(start + ipv6.NEXT_HEADER)
  if (extension.isExtension(next)) return walk(p, next)
  p.protocol = next
  p.headerLength = ipv6.HEADER
  locateTransport6(p)
}

/** Writes the descriptor's addresses into the header. */
export function writeAddresses6(p: Packet): void {
  const { view, start } = p
  view.setInt32(start + ipv6.SOURCE, p.source)
  view.setInt32(start + ipv6.SOURCE + 4, p.source1)
  view.setInt32(start + ipv6.SOURCE + 8, p.source2)
  view.setInt32(start + ipv6.SOURCE + 12, p.source3)
  view.setInt32(start + ipv6.DESTINATION, p.destination)
  view.setInt32(start + ipv6.DESTINATION + 4, p.destination1)
  view.setInt32(start + ipv6.DESTINATION + 8, p.destination2)
  view.setInt32(start + ipv6.DESTINATION + 12, p.destination3)
}

export function readAddresses6(p: Packet): void {
  const { view, start } = p
  p.source = view.getInt32(start + ipv6.SOURCE)
  p.source1 = view.getInt32(start + ipv6.SOURCE + 4)
  p.source2 = view.getInt32(start + ipv6.SOURCE + 8)
  p.source3 = view.getInt32(start + ipv6.SOURCE + 12)
  p.destination = view.getInt32(start + ipv6.DESTINATION)
  p.destination1 = view.getInt32(start + ipv6.DESTINATION + 4)
  p.destination2 = view.getInt32(start + ipv6.DESTINATION + 8)
  p.destination3 = view.getInt32(start + ipv6.DESTINATION + 12)
}

/** Follows the extension headers to the upper layer. Where they end before it, the protocol is NO_PROTOCOL. */
function walk(p: Packet, next: number): void {
  const { view, start } = p
  const end = start + p.length
  let at = start + ipv6.HEADER
  p.protocol = NO_PROTOCOL
  p.headerLength = p.length
  p.transport = 0
  p.sport = 0
  p.dport = 0
  while (extension.isExtension(next)) {
    if (at + extension.leastOf(next) > end) return
    const following = view.getUint8(at + extension.NEXT)
    if (next === extension.FRAGMENT) {
      if (at + 4 > end) return
      const word = view.getUint16(at + extension.FRAGMENT_OFFSET)
      p.fragment |= FRAGMENT_HEADER_SEEN | (word >>> 3) | ((word & extension.MORE) !== 0 ? ip.MF : 0)
      if ((word & extension.OFFSET_BYTES) !== 0) {
        // A later fragment: its header names what the first one holds, and says nothing where that is an extension header.
        if (extension.isExtension(following)) return
        p.protocol = following
        p.headerLength = Math.min(at + extension.FRAGMENT_HEADER - start, p.length)
        return
      }
    }
    at += extension.lengthOf(view, next, at)
    next = following
  }
  p.protocol = next
  p.headerLength = Math.min(at - start, p.length)
  locateTransport6(p)
}

/** Finds the transport header behind p.headerLength and reads the ports, or what stands in their place. */
export function locateTransport6(p: Packet): void {
  p.transport = 0
  p.sport = 0
  p.dport = 0
  const { view } = p
  const at = p.start + p.headerLength
  const rest = p.length - p.headerLength
  switch (p.protocol) {
    case ip.PROTO_TCP:
      if (rest < tcp.MIN_HEADER) return
      break
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE:
      if (rest < udp.HEADER) return
      break
    case ip.PROTO_SCTP:
    case ip.PROTO_DCCP:
      if (rest < 12) return
      break
    case ip.PROTO_ICMPV6: {
      if (rest < icmpv6.HEADER) return
      p.transport = at
      const type = view.getUint8(at + icmpv6.TYPE)
      p.sport = icmpv6.hasIdentifier(type) ? view.getUint16(at + icmpv6.ID) : 0
      p.dport = (type << 8) | view.getUint8(at + icmpv6.CODE)
      return
    }
    default:
      p.transport = rest > 0 ? at : 0
      return
  }
  p.transport = at
  p.sport = view.getUint16(at)
  p.dport = view.getUint16(at + 2)
}
