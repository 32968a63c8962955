// Rewriting what stands behind the IP header, for both families. Checksums are updated incrementally (RFC 1624), partial ones
// (NEEDS_CHECKSUM) by the address alone; a UDP checksum of 0 stays 0; SCTP's CRC32c is computed anew. Of a packet that is
// quoted in an ICMP error only what is there is rewritten.

import type { Packet } from '../packet/packet.ts'
import { changeOf32, update16, updateBy, updatePartialBy } from '../wire/checksum.ts'
import { crc32c } from '../wire/crc32c.ts'
import * as gre from '../wire/gre.ts'
import * as ip from '../wire/ipv4.ts'
import * as sctp from '../wire/sctp.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import { MANIP_SRC } from './range.ts'

/**
 * Gives one end of a transport header a new port.
 * @param end offset behind the last byte that belongs to the packet
 * @param change what the pseudo-header's change adds to a checksum (wire/checksum.ts)
 * @param partial the transport checksum holds the pseudo-header's sum only
 */
export function rewriteTransport(
  view: DataView,
  transport: number,
  end: number,
  protocol: number,
  manip: number,
  port: number,
  change: number,
  partial: boolean,
): void {
  switch (protocol) {
    case ip.PROTO_TCP: {
      if (end < transport + 4) return
      const port0 = swapPort(view, transport, manip, port)
      if (end >= transport + tcp.MIN_HEADER) updateField(view, transport + tcp.CHECKSUM, change, port0, port, partial)
      return
    }
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE: {
      if (end < transport + 4) return
      const port0 = swapPort(view, transport, manip, port)
      const field = transport + udp.CHECKSUM
      if (end < transport + udp.HEADER) return
      if (partial) updateField(view, field, change, port0, port, true)
      else if (view.getUint16(field) !== 0) {
        updateField(view, field, change, port0, port, false)
        if (view.getUint16(field) === 0) view.setUint16(field, 0xffff)
      }
      return
    }
    case ip.PROTO_SCTP:
      if (end < transport + 4) return
      swapPort(view, transport, manip, port)
      if (end < transport + sctp.HEADER) return
      view.setUint32(transport + sctp.CHECKSUM, 0)
      view.setUint32(transport + sctp.CHECKSUM, crc32c(view, transport, end - transport), true)
      return
    case ip.PROTO_GRE:
      // PPTP's has the number of the call that it goes to.
      if (manip === MANIP_SRC || end < transport + gre.PPTP_HEADER) return
      if ((view.getUint16(transport + gre.FLAGS) & gre.VERSION_MASK) === gre.PPTP_VERSION)
        view.setUint16(transport + gre.CALL_ID, port)
      return
  }
}

/**
 * Gives both ends of a whole TCP or UDP header new ports, and the packet's descriptor with them.
 * @param ports sport << 16 | dport
 * @param change what the pseudo-header's change adds to a checksum (wire/checksum.ts)
 */
export function rewritePorts(p: Packet, ports: number, change: number): void {
  const { view, transport } = p
  const before = view.getInt32(transport)
  view.setInt32(transport, ports)
  p.sport = ports >>> 16
  p.dport = ports & 0xffff
  const isTcp = p.protocol === ip.PROTO_TCP
  const field = transport + (isTcp ? tcp.CHECKSUM : udp.CHECKSUM)
  const sum = view.getUint16(field)
  if (p.partial) return view.setUint16(field, updatePartialBy(sum, change))
  if (!isTcp && sum === 0) return
  const updated = updateBy(sum, change + changeOf32(before, ports))
  view.setUint16(field, updated === 0 && !isTcp ? 0xffff : updated)
}

/** Writes a port and returns what stood there. */
function swapPort(view: DataView, transport: number, manip: number, port: number): number {
  const at = transport + (manip === MANIP_SRC ? tcp.SOURCE_PORT : tcp.DESTINATION_PORT)
  const before = view.getUint16(at)
  view.setUint16(at, port)
  return before
}

function updateField(
  view: DataView,
  field: number,
  change: number,
  port0: number,
  port: number,
  partial: boolean,
): void {
  const sum = view.getUint16(field)
  view.setUint16(field, partial ? updatePartialBy(sum, change) : update16(updateBy(sum, change), port0, port))
}

/** Gives an ICMP message another identifier. */
export function rewriteIdentifier(
  view: DataView,
  at: number,
  field: number,
  identifier: number,
  partial: boolean,
): void {
  const before = view.getUint16(at)
  view.setUint16(at, identifier)
  if (!partial) view.setUint16(field, update16(view.getUint16(field), before, identifier))
}
