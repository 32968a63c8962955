// Why a packet went no further. Every packet that enters either leaves, is delivered to the router itself, or is counted
// under exactly one of these reasons. The order is part of the shared counters' layout: new ones go to the end.

export const REASONS = [
  'truncated', // shorter than an IPv4 header, or than its own total length
  'version', // not IP version 4
  'header-length', // IHL below 5 or beyond the packet
  'header-checksum',
  'total-length', // total length below the header's length
  'oversize', // longer than an IP packet can be
  'martian-source', // a source that cannot be (0.0.0.0, 127/8, multicast, broadcast, an own address)
  'martian-destination', // 0.0.0.0, or 127/8 from outside
  'reverse-path', // rp_filter
  'not-forwarding', // ip_forward is 0
  'no-route',
  'unreachable-route', // a route of type blackhole, unreachable or prohibit
  'ttl-exceeded',
  'fragmentation-needed',
  'bad-options', // IP options that cannot be parsed, or source routing that is off
  'fragment-bad', // fragments that overlap, or end beyond 65,535
  'fragment-timeout',
  'fragment-limit', // no memory or slot left to hold fragments
  'netfilter', // a rule, a chain's policy or a hook said DROP
  'conntrack', // flow table full, or a tracker said drop
  'confirm-clash', // another packet's flow took the tuple first
  'nat', // no tuple left for a binding, or a rewrite that is impossible
  'queue-unbound', // NFQUEUE without a listener
  'no-slot', // no free slot for a packet of the router's own
  'delivered', // reached the router itself, which answered where an answer was due
  'device-queue-full', // EAGAIN or ENOBUFS on write
  'device-error', // EIO, EINVAL, a device that went away
  'broadcast', // broadcast or multicast that is not forwarded
  'stolen', // a hook kept it
  'too-many-nested', // the router's own packets caused each other too deeply
  'offload-header', // a virtio-net header that does not fit its packet
  'queue-full', // NFQUEUE with more packets than its listener lets wait
  'synproxy', // a segment of a handshake that target SYNPROXY answered
] as const

export type ReasonName = (typeof REASONS)[number]

/** Reason numbers by name, for the packet path: `REASON.netfilter`. */
export const REASON = Object.fromEntries(REASONS.map((name, i) => [name, i])) as Readonly<Record<ReasonName, number>>
