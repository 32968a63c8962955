// NAT for IPv4: headers, ICMP errors, and the router's own addresses.

import type { Conntrack4 } from '../conntrack/conntrack4.ts'
import * as f from '../conntrack/record.ts'
import type { Links } from '../device/link.ts'
import { ACCEPT, DROP, OUTPUT, POSTROUTING } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import type { Routing } from '../route/routing.ts'
import { checksum } from '../wire/checksum.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import { Binding4 } from './binding4.ts'
import { changes, mayRewriteGre, Nat } from './nat.ts'
import { MANIP_DST, MANIP_SRC } from './range.ts'
import { rewrite, rewriteAt, rewriteEnds } from './rewrite4.ts'

export class Nat4 extends Nat {
  readonly #conntrack: Conntrack4
  readonly #routing: () => Routing
  readonly #links: Links

  constructor(conntrack: Conntrack4, routing: () => Routing, links: Links, random: () => number) {
    super(conntrack, new Binding4(conntrack, random), random)
    this.#conntrack = conntrack
    this.#routing = routing
    this.#links = links
  }

  protected override rewriteEnd(p: Packet, manip: number, direction: number, port: number): void {
    const tuple = p.ct * f.WORDS + direction * f.TUPLE_WORDS
    const address = this.#conntrack.flows.words[tuple + (manip === MANIP_SRC ? f.DESTINATION : f.SOURCE)]
    rewrite(p, manip, address, port)
  }

  protected override rewriteEnds(p: Packet, direction: number): void {
    const { words } = this.#conntrack.flows
    const tuple = p.ct * f.WORDS + direction * f.TUPLE_WORDS
    const ports = words[tuple + f.PORTS]
    rewriteEnds(p, words[tuple + f.DESTINATION], words[tuple + f.SOURCE], (ports << 16) | (ports >>> 16))
  }

  protected override translateError(p: Packet, manip: number, hook: number): number {
    const { flows } = this.#conntrack
    const { words } = flows
    const { view } = p
    const base = p.ct * f.WORDS
    const at = p.start + p.headerLength
    const end = p.start + p.length
    if (end < at + icmp.HEADER + ip.MIN_HEADER) return DROP
    // Linux knows it to be right from the hook before, whatever rules did to the packet since.
    if (hook !== POSTROUTING && checksum(view, at, end - at) !== 0) return DROP
    const status = words[base + f.STATUS]
    // A redirect names a gateway, which translation would make a lie.
    if (view.getUint8(at) === icmp.REDIRECT && ((status & f.NAT_DONE) !== f.NAT_DONE || (status & f.NAT) !== 0))
      return DROP
    if (!changes(status, manip, p.direction)) return ACCEPT
    const other = base + (p.direction ^ 1) * f.TUPLE_WORDS
    const ports = words[other + f.PORTS]
    const inner = at + icmp.HEADER
    const innerProtocol = view.getUint8(inner + ip.PROTOCOL)
    const innerHeader = (view.getUint8(inner) & 15) << 2
    const later = (view.getUint16(inner + ip.FLAGS_FRAGMENT) & ip.FRAGMENT_OFFSET_MASK) !== 0
    if (!later && this.#conntrack.hasPorts(innerProtocol) && inner + innerHeader + QUOTED_TRANSPORT > end) return DROP
    // The quoted packet went the other way: its other end is the one that was changed there.
    const innerSource = manip === MANIP_DST
    const innerManip = innerSource ? MANIP_SRC : MANIP_DST
    if (!later && innerProtocol === ip.PROTO_GRE && !mayRewriteGre(view, inner + innerHeader, end, innerManip))
      return DROP
    rewriteAt(
      view,
      inner,
      later || inner + innerHeader >= end ? 0 : inner + innerHeader,
      end,
      innerProtocol,
      innerManip,
      innerSource ? words[other + f.SOURCE] : words[other + f.DESTINATION],
      innerSource || innerProtocol === ip.PROTO_ICMP ? ports >>> 16 : ports & 0xffff,
      false,
    )
    view.setUint16(at + icmp.CHECKSUM, 0)
    view.setUint16(at + icmp.CHECKSUM, checksum(view, at, end - at))
    const address = manip === MANIP_SRC ? words[other + f.DESTINATION] : words[other + f.SOURCE]
    rewrite(p, manip, address, 0)
    return ACCEPT
  }

  protected override masqueradeAddress(p: Packet): readonly number[] | undefined {
    const address = this.#routing().selectSource(p.outLink, p.nexthop)
    return address === 0 ? undefined : [address]
  }

  /** The incoming device's address, or the loopback address for the router's own packets. */
  protected override redirectAddress(p: Packet, hook: number): readonly number[] | undefined {
    if (hook === OUTPUT) return [ip.LOOPBACK_ADDRESS]
    const own = this.#links.at(p.inLink).addresses
    return own.length === 0 ? undefined : [own[0].address]
  }

  protected override readAddress(ct: number, manip: number, into: number[]): void {
    const { flows } = this.#conntrack
    into[0] = manip === MANIP_SRC ? flows.destination(ct, 1) : flows.source(ct, 1)
  }

  protected override hasNoSource(ct: number): boolean {
    return this.#conntrack.flows.source(ct, 0) === 0
  }
}

/** What an ICMP error has to quote of a transport header that is to be rewritten (RFC 792). */
const QUOTED_TRANSPORT = 8
