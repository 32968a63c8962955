// Rewriting one end of an IPv6 packet in place, or of the packet quoted in an ICMPv6 error as far as it is there. There is no
// checksum of the header; the transport's covers the addresses, ICMPv6's too.

import type { Packet } from '../packet/packet.ts'
import { writeAddresses6 } from '../packet/parse6.ts'
import { changeOf32, updateBy, updatePartialBy } from '../wire/checksum.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { MANIP_SRC } from './range.ts'
import { rewriteIdentifier, rewritePorts, rewriteTransport } from './rewrite.ts'

/**
 * Gives a packet's source or destination a new address and port (or ICMPv6 identifier), and its descriptor with it.
 * @param addresses, at where the address's four words are
 */
export function rewrite(p: Packet, manip: number, addresses: Int32Array, at: number, port: number): void {
  rewriteAt(p.view, p.start, p.transport, p.start + p.length, p.protocol, manip, addresses, at, port, p.partial)
  if (manip === MANIP_SRC) {
    p.source = addresses[at]
    p.source1 = addresses[at + 1]
    p.source2 = addresses[at + 2]
    p.source3 = addresses[at + 3]
  } else {
    p.destination = addresses[at]
    p.destination1 = addresses[at + 1]
    p.destination2 = addresses[at + 2]
    p.destination3 = addresses[at + 3]
  }
  if (p.transport === 0) return
  if (p.protocol === ip.PROTO_ICMPV6) {
    if (isEcho(p.dport >>> 8)) p.sport = port
  } else if (manip === MANIP_SRC) p.sport = port
  else p.dport = port
}

/**
 * Gives both ends of a TCP or UDP packet new addresses and ports, in one pass over the checksum: what two calls of `rewrite` do, for
 * a packet on a known way.
 * @param source, destination where the addresses' four words are
 * @param ports sport << 16 | dport
 */
export function rewriteEnds(
  p: Packet,
  addresses: Int32Array,
  source: number,
  destination: number,
  ports: number,
): void {
  const before =
    changeOf32(p.source, addresses[source]) +
    changeOf32(p.source1, addresses[source + 1]) +
    changeOf32(p.source2, addresses[source + 2]) +
    changeOf32(p.source3, addresses[source + 3])
  const change =
    before +
    changeOf32(p.destination, addresses[destination]) +
    changeOf32(p.destination1, addresses[destination + 1]) +
    changeOf32(p.destination2, addresses[destination + 2]) +
    changeOf32(p.destination3, addresses[destination + 3])
  p.source = addresses[source]
  p.source1 = addresses[source + 1]
  p.source2 = addresses[source + 2]
  p.source3 = addresses[source + 3]
  p.destination = addresses[destination]
  p.destination1 = addresses[destination + 1]
  p.destination2 = addresses[destination + 2]
  p.destination3 = addresses[destination + 3]
  writeAddresses6(p)
  if (p.transport !== 0) rewritePorts(p, ports, change)
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
  addresses: Int32Array,
  at: number,
  port: number,
  partial: boolean,
): void {
  const field = start + (manip === MANIP_SRC ? ipv6.SOURCE : ipv6.DESTINATION)
  let change = 0
  for (let i = 0; i < 4; i++) {
    const word = addresses[at + i]
    change += changeOf32(view.getInt32(field + 4 * i), word)
    view.setInt32(field + 4 * i, word)
  }
  if (transport === 0) return
  if (protocol !== ip.PROTO_ICMPV6) rewriteTransport(view, transport, end, protocol, manip, port, change, partial)
  else if (end >= transport + icmpv6.HEADER) rewriteIcmpv6(view, transport, change, port, partial)
}

function rewriteIcmpv6(view: DataView, transport: number, change: number, port: number, partial: boolean): void {
  const field = transport + icmpv6.CHECKSUM
  const sum = view.getUint16(field)
  view.setUint16(field, partial ? updatePartialBy(sum, change) : updateBy(sum, change))
  if (isEcho(view.getUint8(transport))) rewriteIdentifier(view, transport + icmpv6.ID, field, port, partial)
}

/** The only messages whose identifier is changed; a node information query keeps its own. */
function isEcho(type: number): boolean {
  return type === icmpv6.ECHO || type === icmpv6.ECHO_REPLY
}
