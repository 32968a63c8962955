// Splitting an IPv6 packet that came in fragments (RFC 8200, 4.5), as Linux's ip6_fragment does it: no other packet may be split
// by a router. The pieces are no larger than the largest fragment that it came in, but 1280 bytes where that was smaller. They
// are all of one size, where Linux repeats the boundaries that the packet came with if it can.

import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import * as vnet from '../wire/vnet.ts'
import type { Packet } from './packet.ts'

/**
 * Emits p's fragments in order, each in a slot of its own that is now the receiver's; p keeps its slot. Whether p's largest
 * fragment fits into the MTU was for the caller to see.
 * @param id the fragments' identification, int32
 * @returns how many there were, or 0, and nothing was emitted, when the slab has not enough slots or an MTU leaves no room
 */
export function fragmentOut6(
  p: Packet,
  mtu: number,
  id: number,
  emit: (start: number, length: number) => void,
): number {
  const { slab, view } = p
  const { bytes } = slab
  const largest = p.fragmentMax & 0xffff
  const size = largest === 0 ? mtu : Math.min(mtu, Math.max(largest, ipv6.MIN_MTU))
  const field = lastBeforeFragment(p)
  const header = headerBehind(p, field)
  const room = size - header - extension.FRAGMENT_HEADER
  // All but the last fragment hold a multiple of eight bytes.
  const step = room & ~7
  if (step <= 0) return 0
  const total = p.length - header
  const count = total <= room ? 1 : 1 + Math.ceil((total - room) / step)
  if (slab.free < count) return 0
  const kind = view.getUint8(p.start + field)
  let at = 0
  do {
    const left = total - at
    const length = left <= room ? left : step
    const start = slab.take()
    const fragment = start + header
    const data = fragment + extension.FRAGMENT_HEADER
    bytes.copyWithin(start, p.start, p.start + header)
    bytes.copyWithin(data, p.start + header + at, p.start + header + at + length)
    view.setUint8(start + field, extension.FRAGMENT)
    view.setUint16(start + ipv6.PAYLOAD_LENGTH, header + extension.FRAGMENT_HEADER + length - ipv6.HEADER)
    view.setUint16(fragment + extension.NEXT, kind << 8)
    view.setUint16(fragment + extension.FRAGMENT_OFFSET, at | (length < left ? extension.MORE : 0))
    view.setInt32(fragment + extension.FRAGMENT_ID, id)
    vnet.clear(view, start)
    emit(start, header + extension.FRAGMENT_HEADER + length)
    at += length
  } while (at < total)
  return count
}

/**
 * Where the field is, from the packet's begin, that says what follows the part which goes into every fragment: hop-by-hop and
 * routing headers, and destination options but for those behind a routing header, which only the last receiver reads.
 */
function lastBeforeFragment(p: Packet): number {
  const { view, start } = p
  let field = ipv6.NEXT_HEADER
  let routed = false
  for (let at = ipv6.HEADER; at + 2 <= p.headerLength; ) {
    const kind = view.getUint8(start + field)
    if (kind !== extension.HOP_BY_HOP && kind !== extension.ROUTING && kind !== extension.DESTINATION_OPTIONS) break
    if (kind === extension.DESTINATION_OPTIONS && routed) break
    if (kind === extension.ROUTING) routed = true
    field = at + extension.NEXT
    at += extension.lengthOf(view, kind, start + at)
  }
  return field
}

/** Bytes of the packet up to what that field speaks of. */
function headerBehind(p: Packet, field: number): number {
  if (field === ipv6.NEXT_HEADER) return ipv6.HEADER
  // The field is the first of the last header before the fragment header; what kind that is makes no difference to its length.
  return field + extension.lengthOf(p.view, extension.HOP_BY_HOP, p.start + field)
}
