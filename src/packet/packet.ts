// The packet descriptor: what is known about one packet while it walks. Small integers only, so that V8 keeps them
// unboxed; the object is reused for packet after packet. Fields from `headerLength` on are set by parse() and are true
// of the bytes until somebody rewrites them; whoever rewrites an address or port updates the field with it.

import type { Slab } from './slab.ts'

/** No flow. */
export const NO_FLOW = -1

/** protocol of an IPv6 packet whose extension headers do not lead to an upper layer: they are cut off. */
export const NO_PROTOCOL = 256

// ctinfo: how the packet relates to its flow. The numbers are ours; INVALID is "no flow and not untracked".
export const CT_INVALID = 0
export const CT_NEW = 1
export const CT_ESTABLISHED = 2
export const CT_RELATED = 3
export const CT_UNTRACKED = 4

export class Packet {
  readonly slab: Slab
  readonly view: DataView

  /** Offset of the IP header in the slab. */
  start = 0
  /** Bytes, after the padding beyond the total length was cut. */
  length = 0

  // What parse() read.
  /** 4 or 6. */
  family = 4
  /** Bytes before the upper layer: the IPv4 header with its options, the IPv6 header with its extension headers. */
  headerLength = 0
  /** Addresses as int32 words, the most significant first: IPv4 has one, IPv6 this one and the three behind it. */
  source = 0
  source1 = 0
  source2 = 0
  source3 = 0
  destination = 0
  destination1 = 0
  destination2 = 0
  destination3 = 0
  /** Of the upper layer; for a later fragment as its header says, NO_PROTOCOL where that cannot be known. */
  protocol = 0
  /**
   * The word with DF, MF and the fragment offset; for IPv6 made of its fragment header (packet/parse6.ts), 0 without one, and
   * with DF for a copy by target TEE.
   */
  fragment = 0
  /**
   * Offset in the slab of the transport header, 0 when its fixed part is not whole: a later fragment, or cut off. TCP has
   * at least 20 bytes there (its options may still be cut off), SCTP and DCCP 12, UDP, ICMP and ICMPv6 8, others 1.
   */
  transport = 0
  /** Source port; ICMP: the identifier (0 where the type has none). */
  sport = 0
  /** Destination port; ICMP: type << 8 | code. */
  dport = 0

  // What the router decided. Devices are link indexes, 0 for none.
  inLink = 0
  outLink = 0
  /** Next hop address in words as above, valid once routed. */
  nexthop = 0
  nexthop1 = 0
  nexthop2 = 0
  nexthop3 = 0
  /** MTU of the route, or of the outgoing device. */
  mtu = 0
  /** Address type of the destination as the last look-up found it (route/type.ts). */
  routeType = 0

  /** The transport checksum holds the pseudo-header's sum only: the device that sends it out completes it. */
  partial = false
  /** Payload bytes of each segment that this packet stands for (GSO); 0 for one that stands for itself. */
  gsoSize = 0
  /** Bytes of the largest such segment, IP header and all, where gsoSize is not 0. */
  segment = 0

  // What rules and conntrack hung on it.
  mark = 0
  /** TOS or traffic class that the route of a packet of the router's own was chosen by. */
  routeTos = 0
  /** Class of a queueing discipline, set by target CLASSIFY (Linux's skb->priority). */
  priority = 0
  /** Index into the flow table, or NO_FLOW. */
  ct = NO_FLOW
  ctinfo = CT_INVALID
  /** 0 original direction, 1 reply. */
  direction = 0
  /** Zone of a CT target, taken by conntrack: 16 bits, and above them whether it counts for one direction only (record.ts). */
  zone = 0
  /** Number of what a CT target said about the flow that this packet begins (conntrack/template.ts), 0 for nothing. */
  template = 0
  /** The packet began its flow, which is in no table yet: it is confirmed with this packet, or given up. */
  begins = false
  /** Traversals are being traced (target TRACE). */
  trace = 0
  /** Largest fragment seen while this packet was reassembled, 0 if it was not; with DF in the upper half word. */
  fragmentMax = 0
  /** By how much rules have changed the sum of the IPv6 header's words: Linux's sum of the packet, once made, does not follow. */
  unsummed = 0
  /** It came from a socket of the router's own (match owner asks). */
  socket = false
  /** How deep the router's own packets are nested: an answer to an answer ... */
  depth = 0

  constructor(slab: Slab) {
    this.slab = slab
    this.view = slab.view
  }

  /** Begins a new packet at `start`; everything that hung on the last one is forgotten. */
  begin(start: number, length: number, inLink: number): void {
    this.start = start
    this.length = length
    this.inLink = inLink
    this.outLink = 0
    this.nexthop = 0
    this.mtu = 0
    this.routeType = 0
    this.partial = false
    this.gsoSize = 0
    this.segment = 0
    this.mark = 0
    this.priority = 0
    this.ct = NO_FLOW
    this.ctinfo = CT_INVALID
    this.direction = 0
    this.zone = 0
    this.template = 0
    this.begins = false
    this.trace = 0
    this.fragmentMax = 0
    this.unsummed = 0
    this.socket = false
    this.depth = 0
  }

  /** The packet's bytes, copied out: for those who want to keep them. */
  copy(): Uint8Array {
    return this.slab.bytes.slice(this.start, this.start + this.length)
  }
}
