// Connection tracking for IPv6: its tuples beside the records (flows6.ts), ICMPv6 (nf_conntrack_icmpv6_error), and errors. What the
// link itself says (neighbour and router discovery, multicast listeners) is UNTRACKED, but for a redirect, which is INVALID. An
// error belongs to the flow that it quotes as in IPv4 (icmp-error.ts).

import { ACCEPT } from '../hook/hook.ts'
import { CT_UNTRACKED, NO_FLOW, NO_PROTOCOL, type Packet } from '../packet/packet.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { NO_NEXT } from '../wire/ipv6-extension.ts'
import { checksumWrong } from './checksum.ts'
import { Conntrack, NOT_INVERTIBLE } from './conntrack.ts'
import { ADDRESS_WORDS, FlowTable6 } from './flows6.ts'
import { keysAt } from './gre.ts'
import { ERROR_MESSAGE, LINK_MESSAGE, MESSAGE, WRONG_MESSAGE } from './icmp.ts'
import { Quoted6 } from './quoted6.ts'
import * as f from './record.ts'
import type { ConntrackParts } from './tracker.ts'

export class Conntrack6 extends Conntrack<FlowTable6> {
  readonly #quoted = new Quoted6()
  readonly #verify: boolean

  /** @param seed an int32 from a random source */
  constructor(parts: ConntrackParts, seed: number) {
    const { sysctl } = parts
    const flows = new FlowTable6(sysctl['net.netfilter.nf_conntrack_max'], seed)
    super(parts, flows, { protocol: ip.PROTO_ICMPV6, name: 'icmpv6', isRequest: icmpv6.isRequest })
    this.#verify = sysctl['net.netfilter.nf_conntrack_checksum'] !== 0
  }

  override input(p: Packet): number {
    if (p.ct !== NO_FLOW || p.ctinfo === CT_UNTRACKED) return ACCEPT
    const nothing = p.protocol === NO_PROTOCOL || p.protocol === NO_NEXT
    if (nothing || (p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return this.invalid(p)
    return super.input(p)
  }

  protected override lookUp(p: Packet, ports: number, key: number): number {
    const { flows } = this
    const { sought } = flows
    flows.put(sought, p.source, p.source1, p.source2, p.source3)
    flows.put(sought + ADDRESS_WORDS, p.destination, p.destination1, p.destination2, p.destination3)
    return flows.findAt(sought, sourceDigest(flows, p), destinationDigest(flows, p), ports, key)
  }

  protected override lookUpLike(ct: number, direction: number): number {
    const { words } = this.flows
    const base = ct * f.WORDS
    const tuple = base + direction * f.TUPLE_WORDS
    return this.flows.findAt(
      this.flows.sourceAt(ct, direction),
      words[tuple + f.SOURCE],
      words[tuple + f.DESTINATION],
      words[tuple + f.PORTS],
      words[base + f.KEY + direction * f.KEY_STEP],
    )
  }

  protected override hashOf(p: Packet, ports: number, key: number): number {
    const { flows } = this
    return flows.hash(sourceDigest(flows, p), destinationDigest(flows, p), ports, key)
  }

  protected override writeAddresses(p: Packet, ct: number): void {
    const { flows } = this
    flows.put(flows.sourceAt(ct, 0), p.source, p.source1, p.source2, p.source3)
    flows.put(flows.destinationAt(ct, 0), p.destination, p.destination1, p.destination2, p.destination3)
    flows.copy(flows.destinationAt(ct, 0), flows.sourceAt(ct, 1))
    flows.copy(flows.sourceAt(ct, 0), flows.destinationAt(ct, 1))
    flows.digestTuple(ct, 0)
    flows.digestTuple(ct, 1)
  }

  override writeTuple(ct: number, direction: number, source: readonly number[], destination: readonly number[]): void {
    const { flows } = this
    flows.addresses.set(source, flows.sourceAt(ct, direction))
    flows.addresses.set(destination, flows.destinationAt(ct, direction))
    flows.digestTuple(ct, direction)
  }

  protected override judgeMessage(p: Packet): number {
    if (p.transport === 0) return WRONG_MESSAGE
    if (this.#verify && checksumWrong(p)) return WRONG_MESSAGE
    const type = p.dport >>> 8
    switch (type) {
      case icmpv6.MLD_QUERY:
      case icmpv6.MLD_REPORT:
      case icmpv6.MLD_DONE:
      case icmpv6.ROUTER_SOLICITATION:
      case icmpv6.ROUTER_ADVERTISEMENT:
      case icmpv6.NEIGHBOUR_SOLICITATION:
      case icmpv6.NEIGHBOUR_ADVERTISEMENT:
      case icmpv6.MLD2_REPORT:
      case icmpv6.MULTICAST_ROUTER_ADVERTISEMENT:
      case icmpv6.MULTICAST_ROUTER_SOLICITATION:
        return LINK_MESSAGE
      default:
        return icmpv6.isError(type) ? ERROR_MESSAGE : MESSAGE
    }
  }

  protected override lookUpQuoted(p: Packet, direction: number): number {
    const { flows } = this
    const { view } = p
    const quoted = this.#quoted
    if (!quoted.read(view, p.transport + icmpv6.HEADER, p.start + p.length) || quoted.later) return -1
    const ports = this.#invertedPorts(view, quoted)
    if (ports === NOT_INVERTIBLE) return -1
    // Inverted: as packets go that answer the quoted one.
    const { sought } = flows
    const from = quoted.start + ipv6.DESTINATION
    const to = quoted.start + ipv6.SOURCE
    flows.put(sought, view.getInt32(from), view.getInt32(from + 4), view.getInt32(from + 8), view.getInt32(from + 12))
    const target = sought + ADDRESS_WORDS
    flows.put(target, view.getInt32(to), view.getInt32(to + 4), view.getInt32(to + 8), view.getInt32(to + 12))
    const key = f.keyIn(quoted.protocol, p.zone, direction)
    const found = flows.findAt(sought, flows.digestAt(sought), flows.digestAt(target), ports, key)
    if (found < 0) return -1
    flows.put(target, p.destination, p.destination1, p.destination2, p.destination3)
    return flows.same(flows.destinationAt(found >> 1, found & 1), target) ? found : -1
  }

  /** The PORTS word of the quoted packet's inverse, or NOT_INVERTIBLE where too little is quoted. */
  #invertedPorts(view: DataView, { protocol, transport, end }: Quoted6): number {
    if (protocol === ip.PROTO_GRE) {
      const keys = keysAt(view, transport, end)
      return keys < 0 ? NOT_INVERTIBLE : keys << 16
    }
    if (!this.hasPorts(protocol)) return 0
    if (protocol !== ip.PROTO_ICMPV6)
      return transport + 4 > end ? NOT_INVERTIBLE : (view.getUint16(transport + 2) << 16) | view.getUint16(transport)
    if (transport + icmpv6.HEADER > end) return NOT_INVERTIBLE
    return this.invertMessage(
      (view.getUint16(transport + icmpv6.ID) << 16) |
        (view.getUint8(transport + icmpv6.TYPE) << 8) |
        view.getUint8(transport + icmpv6.CODE),
    )
  }

  override invertMessage(ports: number): number {
    const answer = icmpv6.inverseType((ports >>> 8) & 255)
    return answer < 0 ? NOT_INVERTIBLE : (ports & 0xffff00ff) | (answer << 8)
  }
}

function sourceDigest(flows: FlowTable6, p: Packet): number {
  return flows.digest(p.source, p.source1, p.source2, p.source3)
}

function destinationDigest(flows: FlowTable6, p: Packet): number {
  return flows.digest(p.destination, p.destination1, p.destination2, p.destination3)
}
