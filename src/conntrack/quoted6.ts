// The packet that an ICMPv6 error quotes, as far as it is there: where its upper layer begins. Follows the extension headers as
// Linux's ipv6_skip_exthdr does, which is what conntrack and NAT go by.

import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'

/** Bytes of the upper layer that a first fragment has to have (RFC 8200, 4.5). */
export function upperHeader(protocol: number): number {
  if (protocol === ip.PROTO_TCP) return tcp.MIN_HEADER
  if (protocol === ip.PROTO_UDP) return udp.HEADER
  return protocol === ip.PROTO_ICMPV6 ? icmpv6.HEADER : 1
}

/** Reused for packet after packet. */
export class Quoted6 {
  /** Offset of its IPv6 header. */
  start = 0
  /** Offset behind the last byte that is there. */
  end = 0
  protocol = 0
  /** Offset of the upper layer's header, which may lie at or behind the end. */
  transport = 0
  /** A fragment other than the first: `transport` is where the fragment header is. */
  later = false

  /** @returns false when the quoted packet has no upper layer that could be found */
  read(view: DataView, start: number, end: number): boolean {
    if (start + ipv6.HEADER > end) return false
    let next = view.getUint8(start + ipv6.NEXT_HEADER)
    let at = start + ipv6.HEADER
    this.start = start
    this.end = end
    this.later = false
    while (extension.isExtension(next)) {
      if (at + 2 > end) return false
      if (next === extension.FRAGMENT) {
        if (at + 4 > end) return false
        if ((view.getUint16(at + extension.FRAGMENT_OFFSET) & extension.OFFSET_BYTES) !== 0) {
          this.later = true
          break
        }
      }
      const length = extension.lengthOf(view, next, at)
      next = view.getUint8(at + extension.NEXT)
      at += length
    }
    this.protocol = next
    this.transport = at
    return next !== extension.NO_NEXT
  }
}
