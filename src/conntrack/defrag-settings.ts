// What reassembly (defrag.ts) is told by its family, and whom it tells of fragments that come to nothing.

import type { Packet } from '../packet/packet.ts'

export interface DefragEvents {
  /**
   * A queue timed out whose first fragment is there: `first` is that fragment, valid during the call. An ICMP "reassembly
   * time exceeded" is due if the packet was for the router itself (Linux sends none for what it would have forwarded).
   */
  expired(first: Packet, user: number): void
  /** A fragment that was held goes no further; once for each. */
  dropped(reason: number): void
}

/** How a family's fragments lie and what they are held to. */
export interface DefragSettings {
  /** Words by which a queue is found, besides who asks. */
  readonly keyWords: number
  /** Bytes from a slot's begin to the data, for headers of usual length. */
  readonly data: number
  /** The most data that there can be. */
  readonly maxData: number
  /** A last fragment that contradicts what is there ends the queue; otherwise it alone is dropped. */
  readonly contradictionEnds: boolean
  /** How long a queue waits, in seconds. */
  readonly seconds: number
  /** Bytes held at most. */
  readonly threshold: number
}
