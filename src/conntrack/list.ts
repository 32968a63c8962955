// Flows as text: one line each, as `conntrack -L -o extended` prints them.

import { formatAddress } from '../wire/address.ts'
import { PROTO_DCCP, PROTO_GRE, PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP, PROTO_UDPLITE } from '../wire/ipv4.ts'
import type { FlowTable } from './flows.ts'
import * as f from './record.ts'
import type { Tracker } from './tracker.ts'

/** @param now Time.now  @param tracker the one of the flow's protocol */
export function formatFlow(flows: FlowTable, ct: number, now: number, tracker: Pick<Tracker, 'stateName'>): string {
  const protocol = flows.protocol(ct)
  const status = flows.status(ct)
  const seconds = Math.max(0, Math.floor(((flows.expires(ct) - now) | 0) / 1000))
  const state = tracker.stateName(ct)
  const words = [
    `ipv4     2 ${protocolName(protocol).padEnd(8)} ${protocol} ${seconds}`,
    state,
    tuple(flows, ct, 0, protocol),
    (status & f.SEEN_REPLY) === 0 ? '[UNREPLIED]' : '',
    tuple(flows, ct, 1, protocol),
    (status & f.ASSURED) !== 0 ? '[ASSURED]' : '',
    `mark=${flows.mark(ct) >>> 0}`,
    zones(flows, ct),
    'use=1',
  ]
  return words.filter((word) => word !== '').join(' ')
}

/** All confirmed flows that last, one line each. */
export function* formatFlows(
  flows: FlowTable,
  now: number,
  trackerOf: (protocol: number) => Pick<Tracker, 'stateName'>,
): Generator<string> {
  for (let ct = 0; ct < flows.used; ct++) {
    const listed = flows.inUse(ct) && (flows.status(ct) & f.CONFIRMED) !== 0
    // What is over but not yet removed is not shown, as in Linux.
    if (listed && ((flows.expires(ct) - now) | 0) > 0) yield formatFlow(flows, ct, now, trackerOf(flows.protocol(ct)))
  }
}

function zones(flows: FlowTable, ct: number): string {
  const [original, reply] = [flows.zone(ct, 0), flows.zone(ct, 1)]
  if (original === reply) return original === 0 ? '' : `zone=${original}`
  return reply === 0 ? `zone-orig=${original}` : `zone-reply=${reply}`
}

function protocolName(protocol: number): string {
  switch (protocol) {
    case PROTO_ICMP:
      return 'icmp'
    case PROTO_TCP:
      return 'tcp'
    case PROTO_UDP:
      return 'udp'
    case PROTO_DCCP:
      return 'dccp'
    case PROTO_GRE:
      return 'gre'
    case PROTO_SCTP:
      return 'sctp'
    case PROTO_UDPLITE:
      return 'udplite'
    default:
      return 'unknown'
  }
}

function tuple(flows: FlowTable, ct: number, direction: number, protocol: number): string {
  const addresses = `src=${formatAddress(flows.source(ct, direction))} dst=${formatAddress(flows.destination(ct, direction))}`
  const sport = flows.sport(ct, direction)
  const dport = flows.dport(ct, direction)
  switch (protocol) {
    case PROTO_ICMP:
      return `${addresses} type=${dport >> 8} code=${dport & 255} id=${sport}`
    case PROTO_GRE:
      return `${addresses} srckey=0x${sport.toString(16)} dstkey=0x${dport.toString(16)}`
    case PROTO_TCP:
    case PROTO_UDP:
    case PROTO_DCCP:
    case PROTO_SCTP:
    case PROTO_UDPLITE:
      return `${addresses} sport=${sport} dport=${dport}`
    default:
      return addresses
  }
}
