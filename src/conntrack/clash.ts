// Two packets that began the same flow at a time: one of them was held (by a queue) while the other one's flow was confirmed. Mirrors
// nf_ct_resolve_clash. Where packets stand for themselves (UDP, GRE, protocols without a tracker) the late one goes with the flow that
// is there; TCP's and ICMP's is dropped, and its sender will send it again.
//
// Where NAT bound the late one to something else, that may be on its way to another server by now: its flow enters the table for a
// second with its reply tuple alone, so that the answer comes home; all else finds the flow that was there first, and nobody sees
// this one (NAT_CLASH).

import { ACCEPT, DROP } from '../hook/hook.ts'
import { CT_ESTABLISHED, CT_NEW, type Packet } from '../packet/packet.ts'
import type { Time } from '../time.ts'
import { ACCOUNT_WORDS } from './extensions.ts'
import type { FlowTable } from './flows.ts'
import * as f from './record.ts'
import { CLASH_RESOLVE, INSERT_FAILED, STAT_DROP } from './statistics.ts'
import type { Tracker } from './tracker.ts'

/** How long an answer to a packet that was bound to something else is waited for, in milliseconds. */
const LATE_LIFETIME = 1000

/** What is clashed in: a family's conntrack. */
export interface Clashing {
  readonly flows: FlowTable
  readonly time: Time
  readonly stats: Float64Array
  tracker(protocol: number): Tracker
  forget(p: Packet): void
}

/**
 * A packet's flow cannot be confirmed, because the table has its tuples.
 * @param original what has its original tuple, as record << 1 | direction, or -1
 * @param reply what has its reply tuple, likewise
 * @returns ACCEPT, with the flow that the packet is to have, or DROP
 */
export function resolveClash(conntrack: Clashing, p: Packet, original: number, reply: number): number {
  const { stats } = conntrack
  if (conntrack.tracker(p.protocol).mayClash) {
    // Both tuples are the same flow's, turned round where each side sent its first packet. In zones for one direction only they need
    // not be, and then nothing fits.
    if ((original ^ reply) === 1) {
      stats[CLASH_RESOLVE]++
      return join(conntrack, p, original)
    }
    if (reply < 0) {
      stats[CLASH_RESOLVE]++
      return enterForReply(conntrack, p)
    }
  }
  stats[STAT_DROP]++
  stats[INSERT_FAILED]++
  return DROP
}

/** The packet, and what was counted for its flow, goes over to the one that was first. */
function join(conntrack: Clashing, p: Packet, winner: number): number {
  const { accounts } = conntrack.flows.extensions
  const direction = winner & 1
  if (accounts !== undefined) {
    const from = p.ct * ACCOUNT_WORDS
    const to = (winner >> 1) * ACCOUNT_WORDS + 2 * p.direction
    accounts[to] += accounts[from]
    accounts[to + 1] += accounts[from + 1]
  }
  conntrack.forget(p)
  p.ct = winner >> 1
  p.direction = direction
  p.ctinfo = direction === 1 ? CT_ESTABLISHED : CT_NEW
  return ACCEPT
}

function enterForReply({ flows, time }: Clashing, p: Packet): number {
  const base = p.ct * f.WORDS
  flows.words[base + f.STATUS] |= f.CONFIRMED | f.FIXED_TIMEOUT | f.NAT_CLASH
  flows.words[base + f.EXPIRES] = (time.now + LATE_LIFETIME) | 0
  flows.insertReply(p.ct)
  p.begins = false
  return ACCEPT
}
