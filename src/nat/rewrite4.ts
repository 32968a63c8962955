// Rewriting one end of an IPv4 packet in place, or of the packet quoted in an ICMP error as far as it is there (RFC 5508, 4.2).

import type { Packet } from '../packet/packet.ts'
import { changeOf32, updateBy } from '../wire/checksum.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import { MANIP_SRC } from './range.ts'
import { rewriteIdentifier, rewritePorts, rewriteTransport } from './rewrite.ts'

/** Gives a packet's source or destination a new address and port (or ICMP identifier), and its descriptor with it. */
export function rewrite(p: Packet, manip: number, address: number, port: number): void {
  rewriteAt(p.view, p.start, p.transport, p.start + p.length, p.protocol, manip, address, port, p.partial)
  if (manip === MANIP_SRC) p.source = address
  else p.destination = address
  if (p.transport === 0) return
  if (p.protocol === ip.PROTO_ICMP) {
    if (icmp.hasIdentifier(p.dport >>> 8)) p.sport = port
  } else if (manip === MANIP_SRC) p.sport = port
  else p.dport = port
}

/**
 * Gives both ends of a TCP or UDP packet new addresses and ports, in one pass over each checksum: what two calls of `rewrite` do,
 * for a packet on a known way.
 * @param ports sport << 16 | dport
 */
export function rewriteEnds(p: Packet, source: number, destination: number, ports: number): void {
  const { view, start, transport } = p
  const change = changeOf32(p.source, source) + changeOf32(p.destination, destination)
  view.setInt32(start + ip.SOURCE, source)
  view.setInt32(start + ip.DESTINATION, destination)
  view.setUint16(start + ip.CHECKSUM, updateBy(view.getUint16(start + ip.CHECKSUM), change))
  p.source = source
  p.destination = destination
  if (transport !== 0) rewritePorts(p, ports, change)
}

/**
 * The same for a header anywhere in the slab.
 * @param transport offset of the transport header, 0 when there is none
 * @param end offset behind the last byte that belongs to this packet
 * @param partial the transport checksum holds the pseudo-header's sum only
 */
export function rewriteAt(
  view: DataView,
  start: number,
  transport: number,
  end: number,
  protocol: number,
  manip: number,
  address: number,
  port: number,
  partial: boolean,
): void {
  const at = start + (manip === MANIP_SRC ? ip.SOURCE : ip.DESTINATION)
  const change = changeOf32(view.getInt32(at), address)
  view.setInt32(at, address)
  view.setUint16(start + ip.CHECKSUM, updateBy(view.getUint16(start + ip.CHECKSUM), change))
  if (transport === 0) return
  if (protocol !== ip.PROTO_ICMP) rewriteTransport(view, transport, end, protocol, manip, port, change, partial)
  else if (end >= transport + icmp.HEADER && icmp.hasIdentifier(view.getUint8(transport)))
    rewriteIdentifier(view, transport + icmp.ID, transport + icmp.CHECKSUM, port, partial)
}
