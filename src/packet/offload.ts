// What a device left undone, and what the router does about it where the next device cannot: a transport checksum that holds
// the pseudo-header's sum only (NEEDS_CSUM), and a packet that stands for many (GSO: TCP and UDP segmentation). The virtio-net
// header in front of every packet in the slab tells the truth at all times: whole packets have a cleared one. What crosses from
// one device to another keeps it as it came, because the router moves no transport header.
//
// Linux counts and judges a large packet as one; only the MTU is compared with the segments that it becomes
// (skb_gso_validate_network_len). Segmenting follows tcp_gso_segment and __udp_gso_segment in what the segments look like.

import { checksum, fold, sumOf } from '../wire/checksum.ts'
import * as ip from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import * as vnet from '../wire/vnet.ts'
import type { Packet } from './packet.ts'
import { PARSED } from './parse.ts'
import { REASON } from './reason.ts'

/** IPv6: length of the fixed header, and where the payload length stands in it. */
const IPV6_HEADER = 40
const IPV6_PAYLOAD_LENGTH = 4

/**
 * Reads the virtio-net header of a packet whose headers were parsed. A checksum that is not the packet's own (of a packet
 * inside a tunnel) is completed at once, since nothing of the router looks after it.
 * @returns PARSED, or the reason number of a header that cannot be true
 */
export function readOffload(p: Packet): number {
  const { view, start } = p
  const type = view.getUint8(start + vnet.GSO_TYPE) & ~vnet.GSO_ECN
  if ((view.getUint8(start + vnet.FLAGS) & vnet.NEEDS_CHECKSUM) === 0) {
    // The sender's kernel saw that the checksum is right; it is verified here all the same.
    vnet.clear(view, start)
    return type === vnet.GSO_NONE ? PARSED : REASON['offload-header']
  }
  const from = view.getUint16(start + vnet.CHECKSUM_START, true)
  const offset = view.getUint16(start + vnet.CHECKSUM_OFFSET, true)
  if (from + offset + 2 > p.length) return REASON['offload-header']
  if (p.transport !== start + from || offset !== checksumOffset(p.protocol)) {
    if (type !== vnet.GSO_NONE) return REASON['offload-header']
    view.setUint16(start + from + offset, checksum(view, start + from, p.length - from) || 0xffff)
    vnet.clear(view, start)
    return PARSED
  }
  p.partial = true
  return type === vnet.GSO_NONE ? PARSED : readSegments(p, type)
}

function readSegments(p: Packet, type: number): number {
  const size = p.view.getUint16(p.start + vnet.GSO_SIZE, true)
  const header = transportHeader(p)
  const headers = p.transport + header - p.start
  if (type !== gsoType(p) || size === 0 || header === 0 || headers > p.length) return REASON['offload-header']
  p.gsoSize = size
  p.segment = Math.min(headers + size, p.length)
  return PARSED
}

function gsoType(p: Packet): number {
  if (p.protocol === ip.PROTO_UDP) return vnet.GSO_UDP_L4
  return p.family === 4 ? vnet.GSO_TCP4 : vnet.GSO_TCP6
}

/** Where the checksum stands in a transport header that a device may leave undone; -1 for other protocols. */
function checksumOffset(protocol: number): number {
  return protocol === ip.PROTO_TCP ? tcp.CHECKSUM : protocol === ip.PROTO_UDP ? udp.CHECKSUM : -1
}

/** Bytes of the transport header, 0 for one that cannot be. */
function transportHeader(p: Packet): number {
  if (p.protocol !== ip.PROTO_TCP) return udp.HEADER
  const length = tcp.headerLength(p.view, p.transport)
  return length < tcp.MIN_HEADER ? 0 : length
}

/** The largest IP packet that this one becomes on a wire, in bytes: what an MTU is compared with. */
export function wireLength(p: Packet): number {
  return p.gsoSize === 0 ? p.length : p.segment
}

/** Completes a partial checksum of a packet that stands for itself alone. */
export function complete(p: Packet): void {
  const { view, transport } = p
  const field = transport + checksumOffset(p.protocol)
  view.setUint16(field, checksum(view, transport, p.start + p.length - transport) || 0xffff)
  vnet.clear(view, p.start)
  p.partial = false
}

/**
 * Emits the segments that p stands for, in order, whole in every respect, each in a slot of its own that is now the receiver's;
 * p keeps its slot. `emit` may send what it holds and so give slots back.
 * @returns false when the slab had no slot for some
 */
export function segmentOut(p: Packet, emit: (start: number, length: number) => void): boolean {
  const { slab, view, start: from, gsoSize } = p
  const { bytes } = slab
  const toTransport = p.transport - from
  const headers = toTransport + transportHeader(p)
  const end = p.length
  const isTcp = p.protocol === ip.PROTO_TCP
  const field = p.transport + checksumOffset(p.protocol)
  // The pseudo-header's sum without the length, which every segment has of its own.
  const pseudo = view.getUint16(field) + (0xffff - fold(end - toTransport))
  const sequence = isTcp ? view.getInt32(p.transport + tcp.SEQUENCE) : 0
  const flags = isTcp ? view.getUint8(p.transport + tcp.FLAGS) : 0
  let count = 0
  for (let at = headers; at < end || count === 0; at += gsoSize, count++) {
    const start = slab.take()
    if (start < 0) return false
    const payload = Math.min(gsoSize, end - at)
    const length = headers + payload
    const transport = start + toTransport
    bytes.copyWithin(start, from, from + headers)
    bytes.copyWithin(start + headers, from + at, from + at + payload)
    vnet.clear(view, start)
    if (p.family === 4) {
      view.setUint16(start + ip.TOTAL_LENGTH, length)
      view.setUint16(start + ip.ID, view.getUint16(from + ip.ID) + count)
      ip.writeChecksum(view, start, p.headerLength)
    } else view.setUint16(start + IPV6_PAYLOAD_LENGTH, length - IPV6_HEADER)
    if (isTcp) {
      view.setInt32(transport + tcp.SEQUENCE, sequence + (at - headers))
      // The first alone says that the window was reduced, the last alone that the stream ends or is to be handed over.
      const first = count === 0 ? 0 : tcp.CWR
      const last = at + payload < end ? tcp.FIN | tcp.PSH : 0
      view.setUint8(transport + tcp.FLAGS, flags & ~(first | last))
    } else view.setUint16(transport + udp.LENGTH, length - toTransport)
    const sum = start + field - from
    view.setUint16(sum, 0)
    const whole = ~fold(fold(pseudo + length - toTransport) + sumOf(view, transport, length - toTransport)) & 0xffff
    view.setUint16(sum, whole === 0 && !isTcp ? 0xffff : whole)
    emit(start, length)
  }
  return true
}
