// Rewriting one end of a packet in place. Checksums are updated incrementally (RFC 1624), partial ones (NEEDS_CHECKSUM)
// by the address alone; a UDP checksum of 0 stays 0; SCTP's CRC32c is computed anew. The packet quoted in an ICMP error is rewritten the same way, as
// far as it is there (RFC 5508, 4.2).

import type { Packet } from '../packet/packet.ts'
import { update16, update32, updatePartial32 } from '../wire/checksum.ts'
import { crc32c } from '../wire/crc32c.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import * as sctp from '../wire/sctp.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import { MANIP_SRC } from './range.ts'

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
  const before = view.getInt32(at)
  view.setInt32(at, address)
  view.setUint16(start + ip.CHECKSUM, update32(view.getUint16(start + ip.CHECKSUM), before, address))
  if (transport === 0) return
  switch (protocol) {
    case ip.PROTO_TCP: {
      if (end < transport + 4) return
      const port0 = swapPort(view, transport, manip, port)
      if (end >= transport + tcp.MIN_HEADER)
        updateField(view, transport + tcp.CHECKSUM, before, address, port0, port, partial)
      return
    }
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE: {
      if (end < transport + 4) return
      const port0 = swapPort(view, transport, manip, port)
      const field = transport + udp.CHECKSUM
      if (end < transport + udp.HEADER) return
      if (partial) updateField(view, field, before, address, port0, port, true)
      else if (view.getUint16(field) !== 0) {
        updateField(view, field, before, address, port0, port, false)
        if (view.getUint16(field) === 0) view.setUint16(field, 0xffff)
      }
      return
    }
    case ip.PROTO_ICMP: {
      if (end < transport + icmp.HEADER || !icmp.hasIdentifier(view.getUint8(transport))) return
      const id = view.getUint16(transport + icmp.ID)
      view.setUint16(transport + icmp.ID, port)
      const field = transport + icmp.CHECKSUM
      if (!partial) view.setUint16(field, update16(view.getUint16(field), id, port))
      return
    }
    case ip.PROTO_SCTP:
      if (end < transport + 4) return
      swapPort(view, transport, manip, port)
      if (end < transport + sctp.HEADER) return
      view.setUint32(transport + sctp.CHECKSUM, 0)
      view.setUint32(transport + sctp.CHECKSUM, crc32c(view, transport, end - transport), true)
      return
  }
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
  address0: number,
  address: number,
  port0: number,
  port: number,
  partial: boolean,
): void {
  const sum = view.getUint16(field)
  view.setUint16(
    field,
    partial ? updatePartial32(sum, address0, address) : update16(update32(sum, address0, address), port0, port),
  )
}
