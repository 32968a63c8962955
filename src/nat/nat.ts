// NAT: a flow's first packet chooses a binding (nat/binding.ts), which is written into the flow's reply tuple; every
// packet, the first included, is then rewritten by comparing tuples. So an established flow never asks a rule again, and
// a null binding is a binding like any other. This follows Linux's nf_nat_inet_fn and nf_nat_proto.

import { type Conntrack, invertIcmp } from '../conntrack/conntrack.ts'
import * as f from '../conntrack/record.ts'
import type { Links } from '../device/link.ts'
import { ACCEPT, DROP, INPUT, OUTPUT, POSTROUTING } from '../hook/hook.ts'
import { CT_ESTABLISHED, CT_RELATED, NO_FLOW, type Packet } from '../packet/packet.ts'
import type { Routing } from '../route/routing.ts'
import { checksum } from '../wire/checksum.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import { Binding, hasPorts } from './binding.ts'
import { MANIP_DST, MANIP_SRC, MAP_IPS, type NatRange } from './range.ts'
import { rewrite, rewriteAt } from './rewrite.ts'

/** Walks the nat table at a hook; ACCEPT when no rule said otherwise. */
export type NatTable = (p: Packet, hook: number) => number

export class Nat {
  readonly #conntrack: Conntrack
  readonly #routing: () => Routing
  readonly #links: Links
  readonly #binding: Binding

  constructor(conntrack: Conntrack, routing: () => Routing, links: Links, random: () => number) {
    this.#conntrack = conntrack
    this.#routing = routing
    this.#links = links
    this.#binding = new Binding(conntrack, random)
  }

  /** The nat hook: binds a new flow by `table`, then rewrites the packet. ACCEPT or DROP (or what the table said). */
  input(p: Packet, hook: number, table: NatTable): number {
    if (p.ct === NO_FLOW) return ACCEPT
    const manip = manipOf(hook)
    if (p.ctinfo === CT_RELATED && p.protocol === ip.PROTO_ICMP) return this.#translateError(p, manip)
    const { words } = this.#conntrack.flows
    const base = p.ct * f.WORDS
    const done = manip === MANIP_SRC ? f.SRC_NAT_DONE : f.DST_NAT_DONE
    if (p.ctinfo !== CT_ESTABLISHED && (words[base + f.STATUS] & done) === 0) {
      const verdict = table(p, hook)
      if (verdict !== ACCEPT) return verdict
      if ((words[base + f.STATUS] & done) === 0) {
        const bound = this.#bindNull(p, manip)
        if (bound !== ACCEPT) return bound
      }
    } else if (hook === POSTROUTING && this.#leftElsewhere(p, words[base + f.STATUS])) {
      // The route moved to another device: the address that MASQUERADE chose is wrong there. The flow begins anew.
      this.#conntrack.kill(p.ct)
      p.ct = NO_FLOW
      return DROP
    }
    return this.#translate(p, manip, base)
  }

  #leftElsewhere(p: Packet, status: number): boolean {
    const link = status >>> f.MASQUERADE_SHIFT
    return link !== 0 && p.direction === 0 && link !== p.outLink && (status & f.CONFIRMED) !== 0
  }

  /** Rewrites the end that belongs to this hook, if the flow's binding changes it in this direction. */
  #translate(p: Packet, manip: number, base: number): number {
    const { words } = this.#conntrack.flows
    if (!changes(words[base + f.STATUS], manip, p.direction)) return ACCEPT
    // What the packet is to become is the inverse of the other direction's tuple.
    const other = base + (p.direction ^ 1) * f.TUPLE_WORDS
    const ports = words[other + f.PORTS]
    if (manip === MANIP_SRC) {
      rewrite(p, manip, words[other + f.DESTINATION], p.protocol === ip.PROTO_ICMP ? ports >>> 16 : ports & 0xffff)
    } else {
      rewrite(p, manip, words[other + f.SOURCE], ports >>> 16)
    }
    return ACCEPT
  }

  /** An ICMP error about a translated flow: the quoted packet and the outer address are both translated back. */
  #translateError(p: Packet, manip: number): number {
    const { flows } = this.#conntrack
    const { words } = flows
    const { view } = p
    const base = p.ct * f.WORDS
    const at = p.start + p.headerLength
    const end = p.start + p.length
    if (end < at + icmp.HEADER + ip.MIN_HEADER) return DROP
    if (checksum(view, at, end - at) !== 0) return DROP
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
    if (!later && hasPorts(innerProtocol) && inner + innerHeader + QUOTED_TRANSPORT > end) return DROP
    // The quoted packet went the other way: its other end is the one that was changed there.
    const innerSource = manip === MANIP_DST
    rewriteAt(
      view,
      inner,
      later || inner + innerHeader >= end ? 0 : inner + innerHeader,
      end,
      innerProtocol,
      innerSource ? MANIP_SRC : MANIP_DST,
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

  /**
   * Binds a new flow's source or destination to something in `range` (targets SNAT and DNAT).
   * @returns ACCEPT, or DROP when there is nothing to bind
   */
  setup(p: Packet, _hook: number, manip: number, range: NatRange): number {
    if (p.ct === NO_FLOW) return DROP
    const { flows } = this.#conntrack
    const { words } = flows
    const base = p.ct * f.WORDS
    if ((words[base + f.STATUS] & f.CONFIRMED) !== 0) return ACCEPT
    const b = this.#binding
    if (b.choose(p.ct, manip, range)) {
      const reply = base + f.TUPLE_WORDS
      words[reply + f.SOURCE] = b.destination
      words[reply + f.DESTINATION] = b.source
      words[reply + f.PORTS] = p.protocol === ip.PROTO_ICMP ? invertIcmp(b.ports) : (b.ports << 16) | (b.ports >>> 16)
      words[base + f.STATUS] |= manip === MANIP_SRC ? f.SRC_NAT : f.DST_NAT
    }
    if (manip === MANIP_SRC) flows.linkBySource(p.ct)
    words[base + f.STATUS] |= manip === MANIP_SRC ? f.SRC_NAT_DONE : f.DST_NAT_DONE
    return ACCEPT
  }

  /** Target MASQUERADE: the source becomes the address of the outgoing device that fits the next hop. */
  masquerade(p: Packet, range: NatRange): number {
    if (p.ct === NO_FLOW) return DROP
    const { words } = this.#conntrack.flows
    const base = p.ct * f.WORDS
    // Who has no address yet (DHCP) is left alone.
    if (words[base + f.SOURCE] === 0) return ACCEPT
    const address = this.#routing().selectSource(p.outLink, p.nexthop)
    if (address === 0) return DROP
    words[base + f.STATUS] |= p.outLink << f.MASQUERADE_SHIFT
    return this.setup(p, POSTROUTING, MANIP_SRC, toAddress(range, address))
  }

  /** Target REDIRECT: to the incoming device's address, or to the loopback address for the router's own packets. */
  redirect(p: Packet, hook: number, range: NatRange): number {
    let address = ip.LOOPBACK_ADDRESS
    if (hook !== OUTPUT) {
      const own = this.#links.at(p.inLink).addresses
      if (own.length === 0) return DROP
      address = own[0].address
    }
    return this.setup(p, hook, MANIP_DST, toAddress(range, address))
  }

  /** Binds to what the flow has already, so that only a clash changes anything. */
  #bindNull(p: Packet, manip: number): number {
    const { flows } = this.#conntrack
    const address = manip === MANIP_SRC ? flows.destination(p.ct, 1) : flows.source(p.ct, 1)
    this.#null.minAddress = address
    this.#null.maxAddress = address
    return this.setup(p, 0, manip, this.#null)
  }

  readonly #null = { flags: MAP_IPS, minAddress: 0, maxAddress: 0, minPort: 0, maxPort: 0, basePort: 0 }
}

/** What an ICMP error has to quote of a transport header that is to be rewritten (RFC 792). */
const QUOTED_TRANSPORT = 8

/** PREROUTING and OUTPUT change the destination, INPUT and POSTROUTING the source. */
function manipOf(hook: number): number {
  return hook === INPUT || hook === POSTROUTING ? MANIP_SRC : MANIP_DST
}

/** In reply direction each end takes back what the other one was given. */
function changes(status: number, manip: number, direction: number): boolean {
  return (status & ((manip === MANIP_SRC) === (direction === 0) ? f.SRC_NAT : f.DST_NAT)) !== 0
}

function toAddress(range: NatRange, address: number): NatRange {
  return { ...range, flags: range.flags | MAP_IPS, minAddress: address, maxAddress: address }
}
