// Which tracker a protocol has. What no other one knows is tracked by its addresses.

import * as ip from '../wire/ipv4.ts'
import { GenericTracker } from './generic.ts'
import { GreTracker } from './gre.ts'
import { type IcmpOfFamily, IcmpTracker } from './icmp.ts'
import { SctpTracker } from './sctp.ts'
import { TcpTracker } from './tcp.ts'
import type { Tracker, Tracking } from './tracker.ts'
import { UdpTracker } from './udp.ts'

/** A family's trackers by protocol, 0 to 255. */
export function trackersOf(tracking: Tracking, icmp: IcmpOfFamily): readonly Tracker[] {
  const trackers = new Array<Tracker>(256).fill(new GenericTracker(tracking))
  trackers[ip.PROTO_TCP] = new TcpTracker(tracking)
  trackers[ip.PROTO_UDP] = new UdpTracker(tracking, ip.PROTO_UDP)
  trackers[ip.PROTO_UDPLITE] = new UdpTracker(tracking, ip.PROTO_UDPLITE)
  trackers[icmp.protocol] = new IcmpTracker(tracking, icmp)
  trackers[ip.PROTO_GRE] = new GreTracker(tracking)
  trackers[ip.PROTO_SCTP] = new SctpTracker(tracking)
  return trackers
}

/** Whether a protocol's tuples have its ports, in either family. */
export function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE:
    case ip.PROTO_SCTP:
      return true
    default:
      return false
  }
}
