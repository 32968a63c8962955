// NAT for IPv6: headers, ICMPv6 errors, and the router's own addresses. Linux's names for it are NAT66 and nf_nat_ipv6.

import type { Conntrack6 } from '../conntrack/conntrack6.ts'
import { Quoted6 } from '../conntrack/quoted6.ts'
import * as f from '../conntrack/record.ts'
import { ACCEPT, DROP, OUTPUT, PREROUTING } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import { fold, sumOf } from '../wire/checksum.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { Binding6 } from './binding6.ts'
import { changes, Nat } from './nat.ts'
import { MANIP_DST, MANIP_SRC } from './range.ts'
import { rewrite, rewriteAt, rewriteEnds } from './rewrite6.ts'

/** The router's own addresses, as lists of four words. */
export interface OwnAddresses {
  /** The source of packets to the packet's destination out of the packet's outgoing device; undefined without one. */
  source(p: Packet): readonly number[] | undefined
  /** A device's addresses in the order in which Linux keeps them. */
  of(link: number): readonly (readonly number[])[]
}

const LOOPBACK_ADDRESS: readonly number[] = [0, 0, 0, 1]

export class Nat6 extends Nat {
  readonly #conntrack: Conntrack6
  readonly #own: OwnAddresses
  readonly #quoted = new Quoted6()

  constructor(conntrack: Conntrack6, own: OwnAddresses, random: () => number) {
    super(conntrack, new Binding6(conntrack, random), random)
    this.#conntrack = conntrack
    this.#own = own
  }

  protected override rewriteEnd(p: Packet, manip: number, direction: number, port: number): void {
    const { flows } = this.#conntrack
    const at = manip === MANIP_SRC ? flows.destinationAt(p.ct, direction) : flows.sourceAt(p.ct, direction)
    rewrite(p, manip, flows.addresses, at, port)
  }

  protected override rewriteEnds(p: Packet, direction: number): void {
    const { flows } = this.#conntrack
    const ports = flows.words[p.ct * f.WORDS + direction * f.TUPLE_WORDS + f.PORTS]
    const source = flows.destinationAt(p.ct, direction)
    const destination = flows.sourceAt(p.ct, direction)
    rewriteEnds(p, flows.addresses, source, destination, (ports << 16) | (ports >>> 16))
  }

  /**
   * Whether Linux looks at an error's checksum: as in IPv4 not where it is known from the hook before, and not in PREROUTING, where
   * conntrack has summed up the packet and new addresses (DNPT) do not show, unless something else about the header has changed.
   */
  #isToBeSummed(p: Packet, hook: number): boolean {
    if (hook !== PREROUTING) return hook === OUTPUT
    return p.unsummed % 0xffff !== 0 || this.#conntrack.sysctl['net.netfilter.nf_conntrack_checksum'] === 0
  }

  protected override translateError(p: Packet, manip: number, hook: number): number {
    const { flows } = this.#conntrack
    const { addresses, words } = flows
    const { view } = p
    const at = p.transport
    const end = p.start + p.length
    const base = p.ct * f.WORDS
    if (at === 0 || end < at + icmpv6.HEADER + ipv6.HEADER) return DROP
    if (this.#isToBeSummed(p, hook) && fold(this.#pseudoSum(p, end - at) + sumOf(view, at, end - at)) !== 0xffff)
      return DROP
    const status = words[base + f.STATUS]
    if (!changes(status, manip, p.direction)) return ACCEPT
    const other = p.direction ^ 1
    const quoted = this.#quoted
    const known = quoted.read(view, at + icmpv6.HEADER, end) && !quoted.later
    if (known && this.#conntrack.hasPorts(quoted.protocol) && quoted.transport + QUOTED_TRANSPORT > end) return DROP
    const ports = words[base + other * f.TUPLE_WORDS + f.PORTS]
    // The quoted packet went the other way: its other end is the one that was changed there.
    const innerSource = manip === MANIP_DST
    rewriteAt(
      view,
      at + icmpv6.HEADER,
      known && quoted.transport < end ? quoted.transport : 0,
      end,
      quoted.protocol,
      innerSource ? MANIP_SRC : MANIP_DST,
      addresses,
      innerSource ? flows.sourceAt(p.ct, other) : flows.destinationAt(p.ct, other),
      innerSource || quoted.protocol === ip.PROTO_ICMPV6 ? ports >>> 16 : ports & 0xffff,
      false,
    )
    view.setUint16(at + icmpv6.CHECKSUM, 0)
    const sum = this.#pseudoSum(p, end - at) + sumOf(view, at, end - at)
    view.setUint16(at + icmpv6.CHECKSUM, ~fold(sum) & 0xffff)
    const outer = manip === MANIP_SRC ? flows.destinationAt(p.ct, other) : flows.sourceAt(p.ct, other)
    rewrite(p, manip, addresses, outer, 0)
    return ACCEPT
  }

  #pseudoSum(p: Packet, length: number): number {
    return ipv6.pseudoSum(p.view, p.start, ip.PROTO_ICMPV6, length)
  }

  /** Chosen as for a packet of the router's own to the same destination, among the device's addresses. */
  protected override masqueradeAddress(p: Packet): readonly number[] | undefined {
    return this.#own.source(p)
  }

  /**
   * The first address of the incoming device that the sender can have meant: a link-local one only for who wrote to a link-local
   * one. For the router's own packets the loopback address.
   */
  protected override redirectAddress(p: Packet, hook: number): readonly number[] | undefined {
    if (hook === OUTPUT) return LOOPBACK_ADDRESS
    const local = ipv6.isLinkLocal(p.destination)
    return this.#own.of(p.inLink).find(([word0]) => local || !ipv6.isLinkLocal(word0))
  }

  protected override readAddress(ct: number, manip: number, into: number[]): void {
    const { flows } = this.#conntrack
    const at = manip === MANIP_SRC ? flows.destinationAt(ct, 1) : flows.sourceAt(ct, 1)
    for (let i = 0; i < 4; i++) into[i] = flows.addresses[at + i]
  }

  /** Unlike in IPv4, `::` is no exception. */
  protected override hasNoSource(): boolean {
    return false
  }
}

/** What an ICMPv6 error has to quote of a transport header that is to be rewritten. */
const QUOTED_TRANSPORT = 8
