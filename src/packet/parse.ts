// From bytes to the packet descriptor. Lengths are checked here once, and accessors after that cannot fail. The order of
// the checks is Linux's ip_rcv: what it would discard is discarded here, with a reason. Transport headers are only
// located: what is wrong with them is for conntrack (INVALID) and for matches to judge, not a reason to drop.

import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import type { Packet } from './packet.ts'
import { REASON } from './reason.ts'

export const PARSED = -1

/**
 * Reads an IPv4 packet's headers into its descriptor and cuts what lies beyond the total length.
 * @returns PARSED, or the reason number of what is wrong.
 */
export function parse4(p: Packet): number {
  const { view, start } = p
  if (p.length < ip.MIN_HEADER) return REASON.truncated
  if (p.length > ip.MAX_PACKET) return REASON.oversize
  const first = view.getUint8(start)
  if (first >>> 4 !== 4) return REASON.version
  const headerLength = (first & 15) << 2
  if (headerLength < ip.MIN_HEADER || headerLength > p.length) return REASON['header-length']
  if (ip.headerSum(view, start, headerLength) !== 0xffff) return REASON['header-checksum']
  const totalLength = view.getUint16(start + ip.TOTAL_LENGTH)
  if (totalLength > p.length) return REASON.truncated
  if (totalLength < headerLength) return REASON['total-length']
  p.length = totalLength
  p.headerLength = headerLength
  readHeader4(p)
  return PARSED
}

/** Reads the fields of a header whose lengths are known to be right (parse4 checked them, or this router wrote it). */
export function readHeader4(p: Packet): void {
  const { view, start } = p
  p.family = 4
  p.headerLength = (view.getUint8(start) & 15) << 2
  p.source = view.getInt32(start + ip.SOURCE)
  p.destination = view.getInt32(start + ip.DESTINATION)
  p.protocol = view.getUint8(start + ip.PROTOCOL)
  p.fragment = view.getUint16(start + ip.FLAGS_FRAGMENT)
  locateTransport(p)
}

/** Finds the transport header and reads the ports, or what stands in their place. */
export function locateTransport(p: Packet): void {
  p.transport = 0
  p.sport = 0
  p.dport = 0
  if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return
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
    case ip.PROTO_ICMP: {
      if (rest < icmp.HEADER) return
      p.transport = at
      const type = view.getUint8(at + icmp.TYPE)
      p.sport = icmp.hasIdentifier(type) ? view.getUint16(at + icmp.ID) : 0
      p.dport = (type << 8) | view.getUint8(at + icmp.CODE)
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
