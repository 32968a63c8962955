// What the matches that look into a transport header have in common: later fragments have none, and ports are compared
// with a range.

import type { Packet } from '../packet/packet.ts'
import { HOTDROP, type PlainTest } from '../rule/define.ts'
import type { PortRange } from '../rule/kinds.ts'
import type { Negatable } from '../rule/model.ts'
import { serviceName } from '../rule/names.ts'
import { FRAGMENT_OFFSET_MASK } from '../wire/ipv4.ts'
import { FRAGMENT_HEADER } from '../wire/ipv6-extension.ts'

export const ANY_PORT: PortRange = { min: 0, max: 0xffff }

export function fragmentOffset(p: Packet): number {
  return p.fragment & FRAGMENT_OFFSET_MASK
}

/**
 * Where Linux takes the transport header to be, whatever fragment it is: in a later fragment of IPv6 that is where the fragment
 * header stands.
 */
export function assumedHeader(p: Packet): number {
  const at = p.start + p.headerLength
  return p.family === 6 && fragmentOffset(p) !== 0 ? at - FRAGMENT_HEADER : at
}

/** What a match on a transport header says where there is none: a later fragment does not match, a stump is dropped. */
export function withoutTransport(p: Packet): number {
  return fragmentOffset(p) !== 0 ? 0 : HOTDROP
}

/** `dpt:80`, `spts:!1:1024`, as listings show the ports of tcp and udp. */
export function listPorts(
  source: Negatable<PortRange> | undefined,
  destination: Negatable<PortRange> | undefined,
  protocol: string,
  numeric: boolean,
): string[] {
  const port = (n: number) => (numeric ? String(n) : serviceName(n, protocol))
  const one = (name: string, given: Negatable<PortRange> | undefined) => {
    const range = unlessAny(given)
    if (range === undefined) return []
    const { min, max } = range.value
    const not = range.not ? '!' : ''
    return [min === max ? `${name}:${not}${port(min)}` : `${name}s:${not}${port(min)}:${port(max)}`]
  }
  return [...one('spt', source), ...one('dpt', destination)]
}

interface Ports {
  readonly sport?: Negatable<PortRange>
  readonly dport?: Negatable<PortRange>
}

/** Two ranges of ports as a plain test; not where one is negated. */
export function plainPorts({ sport, dport }: Ports): PlainTest | undefined {
  if (sport?.not || dport?.not) return undefined
  return { ports: { sport: sport?.value ?? ANY_PORT, dport: dport?.value ?? ANY_PORT } }
}

/** `0:65535` is nothing at all; negated it stays, and matches nothing. */
export function unlessAny(range: Negatable<PortRange> | undefined): Negatable<PortRange> | undefined {
  return range !== undefined && !range.not && range.value.min === 0 && range.value.max === 0xffff ? undefined : range
}

/** Both ranges as iptables-save has them: negated, `0:65535` is lost too. */
export function savedPorts({ sport, dport }: Ports): Ports {
  const kept = (range: Negatable<PortRange> | undefined) => unlessAny(range && { ...range, not: false }) && range
  return { sport: kept(sport), dport: kept(dport) }
}
