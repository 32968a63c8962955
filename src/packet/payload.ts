// Replacing a part of a TCP or UDP payload by text of another length, with every length and checksum that depends on it: what
// connection helpers do where NAT changes an address that stands in the payload (nf_nat_mangle_tcp_packet).

import { checksum, fold, pseudoSum4 } from '../wire/checksum.ts'
import * as ip from '../wire/ipv4.ts'
import * as ip6 from '../wire/ipv6.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import type { Packet } from './packet.ts'
import { STRIDE } from './slab.ts'

/**
 * Puts `bytes` in the place of the `length` bytes at offset `at` of the slab, within the payload.
 * @returns false, with nothing changed, where the packet would become longer than an IP packet can be
 */
export function replacePayload(p: Packet, at: number, length: number, bytes: Uint8Array): boolean {
  const { slab, view, start } = p
  const end = start + p.length
  const grows = bytes.length - length
  if (p.length + grows > ip.MAX_PACKET || (start % STRIDE) + p.length + grows > STRIDE) return false
  slab.bytes.copyWithin(at + bytes.length, at + length, end)
  slab.bytes.set(bytes, at)
  p.length += grows
  if (p.family === 4) {
    view.setUint16(start + ip.TOTAL_LENGTH, p.length)
    ip.writeChecksum(view, start, p.headerLength)
  } else view.setUint16(start + ip6.PAYLOAD_LENGTH, p.length - ip6.HEADER)
  if (p.protocol === ip.PROTO_UDP) view.setUint16(p.transport + udp.LENGTH, start + p.length - p.transport)
  if (p.gsoSize !== 0) p.segment = Math.min(p.transport - start + headerOf(p) + p.gsoSize, p.length)
  writeTransportChecksum(p)
  return true
}

function headerOf(p: Packet): number {
  return p.protocol === ip.PROTO_TCP ? tcp.headerLength(p.view, p.transport) : udp.HEADER
}

/** A checksum that a device completes holds the sum of the pseudo-header; a UDP checksum of 0 is none, and stays. */
function writeTransportChecksum(p: Packet): void {
  const { view, transport, protocol } = p
  const isUdp = protocol === ip.PROTO_UDP
  const field = transport + (isUdp ? udp.CHECKSUM : tcp.CHECKSUM)
  const length = p.start + p.length - transport
  const pseudo =
    p.family === 4
      ? pseudoSum4(p.source, p.destination, protocol, length)
      : ip6.pseudoSum(view, p.start, protocol, length)
  if (p.partial) return view.setUint16(field, fold(pseudo))
  if (isUdp && view.getUint16(field) === 0) return
  view.setUint16(field, 0)
  const sum = checksum(view, transport, length, pseudo)
  view.setUint16(field, isUdp ? sum || 0xffff : sum)
}
