// What a protocol's tracker is: one object a protocol, which sees every packet of its protocol's flows before conntrack
// settles the packet's state. It keeps its state in the words of the record from TRACKER on.

import type { TimeoutPolicy } from '../config.ts'
import type { Packet } from '../packet/packet.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import type { FlowTable } from './flows.ts'
import type { Timeouts } from './timeouts.ts'

// What a tracker says about a packet.
/** It belongs to the flow; the flow's state, EXPIRES and ASSURED are up to date. */
export const TRACKED = 1
/** It does not: the packet goes on as INVALID; a flow that was only just begun with it is given up. */
export const INVALID = 0
/** The packet is to be dropped. */
export const DROPPED = -1
/** The flow was over and is gone (`flows.kill`): look the tuple up again. */
export const REOPEN = -2

export interface Tracker {
  /** Name as `conntrack -L` prints it. */
  readonly name: string
  /**
   * p.direction tells the direction; a flow without the CONFIRMED bit is just being begun with this packet, and its tuples,
   * zones and mark are set. The tracker sets EXPIRES through `tracking.refresh`, which also counts the packet.
   */
  track(p: Packet, ct: number): number
  /** A packet whose flow another one was faster to begin may pass (clash.ts). */
  readonly mayClash?: true
  /** May a full table throw this flow out although it is ASSURED? (Connections that are being closed.) */
  mayDropEarly(ct: number): boolean
  /** The router itself ended the connection (REJECT with a RST). */
  close?(ct: number): void
}

/** What both families' conntrack is made with. */
export interface ConntrackParts {
  readonly time: Time
  readonly sysctl: Sysctl
  /** Timeout policies by name, for CT targets. */
  readonly policies?: Readonly<Record<string, TimeoutPolicy>>
  /** Where to count, shared by both families; its own when left out. */
  readonly stats?: Float64Array
}

/** What trackers work with. */
export interface Tracking {
  readonly flows: FlowTable
  readonly time: Time
  readonly sysctl: Sysctl
  readonly timeouts: Timeouts
  /** The packet counts for its flow, which ends `milliseconds` from now, unless its timeout is fixed. */
  refresh(p: Packet, ct: number, milliseconds: number): void
  /** The packet is the flow's last: it counts, and the flow is over, but its record outlives the packet. */
  over(p: Packet, ct: number): void
  /** Removes a confirmed flow from the table at once. */
  kill(ct: number): void
}
