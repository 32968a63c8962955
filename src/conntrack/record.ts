// Layout of one IPv4 flow's record: 16 int32 words, one cache line, which is all that a look-up, NAT and most trackers read.
// The tuples stand first, each three words; the reply tuple is the original's inverse until NAT changes it. The words from
// TRACKER on belong to the flow's protocol tracker. What only TCP needs stands in arrays of its own, SEQUENCE_WORDS a flow
// (sequences.ts, tcp-record.ts); what only few flows have, in the arrays of extensions.ts, which are made when first needed.

export const WORDS = 16

export const TUPLE_WORDS = 3
// Within a tuple; the reply tuple's begin TUPLE_WORDS later.
export const SOURCE = 0
export const DESTINATION = 1
/** sport << 16 | dport; ICMP: identifier << 16 | type << 8 | code; 0 for protocols tracked by address. */
export const PORTS = 2

/** protocol | zone << 8, the zone of the original direction; that of the reply direction's stands KEY_STEP later. */
export const KEY = 6
export const KEY_STEP = 6
export const REPLY_KEY = KEY + KEY_STEP
/** IPS_* bits below, and in the upper half word the link that MASQUERADE sent this flow out of. */
export const STATUS = 7
/** Time.now at which the flow ends. */
export const EXPIRES = 8
export const MARK = 9
/**
 * What rules decided about the flow's packets (rule/verdict-memory.ts), a word a direction. It stands here so that an established
 * flow's packet reads nothing of the table but its entry in the index and this record: at 1,000,000 flows each other line of the cache
 * costs some 50 ns.
 */
export const DECIDED = 10
/** First of the words that belong to the protocol's tracker. */
export const TRACKER = 13
export const TRACKER_WORDS = 3
/** Words of an IPv6 flow's addresses (flows6.ts), and of one of its tuples' two. */
export const ADDRESS_WORDS = 16
export const TUPLE_ADDRESS_WORDS = 8
/** Words of a TCP flow that stand beside its record (sequences.ts). */
export const SEQUENCE_WORDS = 10

// Status bits, with the meaning and the numbers of Linux's ip_conntrack_status.
export const EXPECTED = 1 << 0
export const SEEN_REPLY = 1 << 1
export const ASSURED = 1 << 2
export const CONFIRMED = 1 << 3
export const SRC_NAT = 1 << 4
export const DST_NAT = 1 << 5
export const SEQ_ADJUST = 1 << 6
export const SRC_NAT_DONE = 1 << 7
export const DST_NAT_DONE = 1 << 8
export const DYING = 1 << 9
export const FIXED_TIMEOUT = 1 << 10
/** A connection helper watches the flow. */
export const HELPER = 1 << 13
export const NAT_DONE = SRC_NAT_DONE | DST_NAT_DONE
export const NAT = SRC_NAT | DST_NAT
/** What is Linux's; 11 and 12 (template, clash of NAT) are no state of a flow here. */
export const STATUS_MASK = 0x27ff
/** The flow was late, and the table has its reply tuple alone (clash.ts). Linux's, but never shown. */
export const NAT_CLASH = 1 << 12
// Ours.
export const BY_SOURCE = 1 << 11
export const IN_USE = 1 << 14
/** Shift of the masquerading link's index within STATUS. */
export const MASQUERADE_SHIFT = 16

// A packet's zone: 16 bits, and one of these where it counts for one direction only; the other one is then in zone 0.
export const ZONE_ORIGINAL = 1 << 16
export const ZONE_REPLY = 1 << 17
/** The number is that of the packet's mark by the time that conntrack sees it. */
export const ZONE_MARK = 1 << 18

/** Protocol and zone as the KEY word has them. @param zone 0 to 65535 */
export function key(protocol: number, zone: number): number {
  return protocol | (zone << 8)
}

/** The KEY word for packets of a direction. @param zone a packet's zone */
export function keyIn(protocol: number, zone: number, direction: number): number {
  const elsewhere = direction === 0 ? ZONE_REPLY : ZONE_ORIGINAL
  return (zone & elsewhere) !== 0 ? protocol : protocol | ((zone & 0xffff) << 8)
}
