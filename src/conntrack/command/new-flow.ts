// The tuples of a flow that a command describes: both directions, the reply being the original's inverse where the command does
// not say it, or what NAT makes of it.

import { inverseType } from '../../wire/icmp.ts'
import * as icmpv6 from '../../wire/icmpv6.ts'
import * as ip from '../../wire/ipv4.ts'
import type { NewTuple } from '../flow-change.ts'
import type { Address, Manip, Request, Values } from './request.ts'

export const familyOf = (address: Address): 4 | 6 => (address.length === 1 ? 4 : 6)

/** undefined for one that cannot be. */
export function newFlow(request: Request): { readonly original: NewTuple; readonly reply: NewTuple } | undefined {
  const { values, protocol } = request
  const source = values.src ?? values['reply-dst']
  const destination = values.dst ?? values['reply-src']
  if (source === undefined || destination === undefined || protocol === undefined) return undefined
  const ports = originalPorts(values, protocol)
  const inverse = inversePorts(ports, protocol)
  if (inverse === undefined) return undefined
  const zone = values.zone ?? 0
  const original = {
    source,
    destination,
    ports,
    zone: values.zone ?? values['orig-zone'] ?? zone,
  }
  const reply = replyOf(values, protocol, original, inverse)
  if (reply === undefined) return undefined
  return { original, reply: { ...reply, zone: values.zone ?? values['reply-zone'] ?? zone } }
}

function originalPorts(values: Values, protocol: number): number {
  if (isIcmp(protocol))
    return ((values.sport ?? 0) << 16) | ((values['icmp-type'] ?? 0) << 8) | (values['icmp-code'] ?? 0)
  return hasPorts(protocol) ? ((values.sport ?? 0) << 16) | (values.dport ?? 0) : 0
}

function inversePorts(ports: number, protocol: number): number | undefined {
  if (!isIcmp(protocol)) return (ports << 16) | (ports >>> 16)
  const type = (ports >>> 8) & 255
  const answer = protocol === ip.PROTO_ICMP ? inverseType(type) : icmpv6.inverseType(type)
  return answer < 0 ? undefined : (ports & 0xffff00ff) | (answer << 8)
}

function replyOf(
  values: Values,
  protocol: number,
  original: NewTuple,
  inverse: number,
): Omit<NewTuple, 'zone'> | undefined {
  const from = values['reply-src']
  const to = values['reply-dst']
  const said = from !== undefined && to !== undefined && values.src !== undefined
  let ports = inverse
  if (said && hasPorts(protocol)) {
    const [sport, dport] = [values['reply-port-src'], values['reply-port-dst']]
    if (sport === undefined || dport === undefined) return undefined
    ports = (sport << 16) | dport
  }
  const snat = values['src-nat']
  const dnat = values['dst-nat']
  return {
    source: natAddress(dnat) ?? (said ? from : original.destination),
    destination: natAddress(snat) ?? (said ? to : original.source),
    ports: natPorts(ports, snat, dnat),
  }
}

function natAddress(manip: Manip | undefined): Address | undefined {
  return manip?.address
}

function natPorts(ports: number, snat: Manip | undefined, dnat: Manip | undefined): number {
  const source = dnat?.port ?? ports >>> 16
  const destination = snat?.port ?? ports & 0xffff
  return (source << 16) | destination
}

function isIcmp(protocol: number): boolean {
  return protocol === ip.PROTO_ICMP || protocol === ip.PROTO_ICMPV6
}

function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE:
    case ip.PROTO_SCTP:
    case ip.PROTO_GRE:
      return true
    default:
      return false
  }
}
