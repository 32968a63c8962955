// What a binding may become: addresses and ports to choose from. The flags are Linux's NF_NAT_RANGE_*.

export const MAP_IPS = 1 << 0
export const PROTO_SPECIFIED = 1 << 1
export const PROTO_RANDOM = 1 << 2
export const PERSISTENT = 1 << 3
export const PROTO_RANDOM_FULLY = 1 << 4
export const PROTO_OFFSET = 1 << 5
export const NETMAP = 1 << 6
export const RANDOM_ANY = PROTO_RANDOM | PROTO_RANDOM_FULLY

/** Which end of a packet a binding changes. */
export const MANIP_SRC = 0
export const MANIP_DST = 1

export interface NatRange {
  readonly flags: number
  /** The first and the last address as int32 words, compared unsigned; empty without MAP_IPS. */
  readonly min: readonly number[]
  readonly max: readonly number[]
  /** Ports, or ICMP identifiers; both 0 without PROTO_SPECIFIED. */
  readonly minPort: number
  readonly maxPort: number
  /** The original port that maxPort - minPort counts from, with PROTO_OFFSET. */
  readonly basePort: number
}
