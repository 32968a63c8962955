// What ICMP errors quote: the tuple of the flow that the quoted packet belongs to. Mirrors nf_conntrack_inet_error.
//
// The router that sends an error answers a packet that it saw in flight, so an error about a packet of one direction
// travels as packets of the other one do: the flow is looked up by the quoted tuple, inverted. Linux then takes the error
// only if it goes to where packets with that inverted tuple go: `destination` has to be the error's own.

import type { Packet } from '../packet/packet.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import { keysAt } from './gre.ts'

/** A tuple as the flow table looks it up; reused for packet after packet. */
export class InnerTuple {
  source = 0
  destination = 0
  /** As record.ts packs them. */
  ports = 0
  protocol = 0
}

/**
 * Reads the packet that an ICMP error quotes.
 * @param out becomes its tuple, inverted: the one that `p` itself would have if it were a packet of the flow
 * @returns false when what is quoted is too short, a later fragment, or ICMP of a type that has no answer
 */
export function innerTuple(p: Packet, out: InnerTuple): boolean {
  const { view } = p
  const end = p.start + p.length
  const quoted = p.transport + icmp.HEADER
  if (quoted + ip.MIN_HEADER > end) return false
  if ((view.getUint16(quoted + ip.FLAGS_FRAGMENT) & ip.FRAGMENT_OFFSET_MASK) !== 0) return false
  const transport = quoted + ((view.getUint8(quoted + ip.VERSION_IHL) & 15) << 2)
  if (transport > end) return false
  out.protocol = view.getUint8(quoted + ip.PROTOCOL)
  out.source = view.getInt32(quoted + ip.DESTINATION)
  out.destination = view.getInt32(quoted + ip.SOURCE)
  out.ports = 0
  switch (out.protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE:
    case ip.PROTO_SCTP: {
      // RFC 792 promises eight bytes of it; the ports are in the first four.
      if (transport + 4 > end) return false
      out.ports = (view.getUint16(transport + 2) << 16) | view.getUint16(transport)
      return true
    }
    case ip.PROTO_ICMP: {
      if (transport + icmp.HEADER > end) return false
      const type = icmp.inverseType(view.getUint8(transport + icmp.TYPE))
      if (type < 0) return false
      out.ports = (view.getUint16(transport + icmp.ID) << 16) | (type << 8) | view.getUint8(transport + icmp.CODE)
      return true
    }
    case ip.PROTO_GRE: {
      const keys = keysAt(view, transport, end)
      out.ports = keys << 16
      return keys >= 0
    }
    default:
      return true
  }
}
