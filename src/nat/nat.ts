// NAT: a flow's first packet chooses a binding (nat/binding.ts), which is written into the flow's reply tuple; every
// packet, the first included, is then rewritten by comparing tuples. So an established flow never asks a rule again, and
// a null binding is a binding like any other. This follows Linux's nf_nat_inet_fn and nf_nat_proto. What has to do with
// addresses and headers is the family's own: nat4.ts, nat6.ts.

import type { Conntrack } from '../conntrack/conntrack.ts'
import type { Expectation, Follow } from '../conntrack/expect.ts'
import * as f from '../conntrack/record.ts'
import { ACCEPT, DROP, INPUT, POSTROUTING } from '../hook/hook.ts'
import { CT_ESTABLISHED, CT_RELATED, NO_FLOW, type Packet } from '../packet/packet.ts'
import * as gre from '../wire/gre.ts'
import * as ip from '../wire/ipv4.ts'
import type { Binding } from './binding.ts'
import { MANIP_DST, MANIP_SRC, MAP_IPS, type NatRange, PROTO_SPECIFIED } from './range.ts'

/** Walks the nat table at a hook; ACCEPT when no rule said otherwise. */
export type NatTable = (p: Packet, hook: number) => number

export abstract class Nat {
  readonly #conntrack: Conntrack
  readonly #binding: Binding

  constructor(conntrack: Conntrack, binding: Binding, random: () => number) {
    this.#conntrack = conntrack
    this.#binding = binding
    conntrack.announced.random = random
    conntrack.announced.follow = (ct, expectation) => this.#follow(ct, expectation)
  }

  // ── the family's own ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Gives one end of the packet the address that the inverse of the flow's tuple of `direction` has there, and this port. */
  protected abstract rewriteEnd(p: Packet, manip: number, direction: number, port: number): void

  /** Gives both ends of a TCP or UDP packet what the inverse of the flow's tuple of `direction` has there. */
  protected abstract rewriteEnds(p: Packet, direction: number): void

  /** An ICMP error about a translated flow: the quoted packet and the outer address are both translated back. */
  protected abstract translateError(p: Packet, manip: number, hook: number): number

  /** The address that MASQUERADE chooses; undefined when there is none. */
  protected abstract masqueradeAddress(p: Packet): readonly number[] | undefined

  /** The address of the router itself that REDIRECT chooses. */
  protected abstract redirectAddress(p: Packet, hook: number): readonly number[] | undefined

  /** Copies the address that the flow has at that end by now. */
  protected abstract readAddress(ct: number, manip: number, into: number[]): void

  /** Whether the flow's source is no address yet (DHCP). */
  protected abstract hasNoSource(ct: number): boolean

  // ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The nat hook: binds a new flow by `table`, then rewrites the packet. ACCEPT or DROP (or what the table said). */
  input(p: Packet, hook: number, table: NatTable): number {
    if (p.ct === NO_FLOW) return ACCEPT
    const manip = manipOf(hook)
    if (p.ctinfo === CT_RELATED && p.protocol === this.#conntrack.icmp) return this.translateError(p, manip, hook)
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

  /** An established flow's packet on a known way: what both nat hooks do to it. */
  translate(p: Packet): void {
    const base = p.ct * f.WORDS
    if ((this.#conntrack.flows.words[base + f.STATUS] & f.NAT) === 0) return
    if (p.protocol === ip.PROTO_UDP || p.protocol === ip.PROTO_TCP) return this.rewriteEnds(p, p.direction ^ 1)
    this.#translate(p, MANIP_DST, base)
    this.#translate(p, MANIP_SRC, base)
  }

  #leftElsewhere(p: Packet, status: number): boolean {
    const link = status >>> f.MASQUERADE_SHIFT
    return link !== 0 && p.direction === 0 && link !== p.outLink && (status & f.CONFIRMED) !== 0
  }

  /** Rewrites the end that belongs to this hook, if the flow's binding changes it in this direction. */
  #translate(p: Packet, manip: number, base: number): number {
    const { words } = this.#conntrack.flows
    if (!changes(words[base + f.STATUS], manip, p.direction)) return ACCEPT
    if (p.protocol === ip.PROTO_GRE && !mayRewriteGre(p.view, p.start + p.headerLength, p.start + p.length, manip))
      return DROP
    // What the packet is to become is the inverse of the other direction's tuple.
    const other = p.direction ^ 1
    const ports = words[base + other * f.TUPLE_WORDS + f.PORTS]
    const isPortBelow = manip === MANIP_SRC && p.protocol !== this.#conntrack.icmp
    this.rewriteEnd(p, manip, other, isPortBelow ? ports & 0xffff : ports >>> 16)
    return ACCEPT
  }

  /**
   * Binds a new flow's source or destination to something in `range` (targets SNAT and DNAT).
   * @returns ACCEPT, or DROP when there is nothing to bind
   */
  setup(p: Packet, _hook: number, manip: number, range: NatRange): number {
    if (p.ct === NO_FLOW) return DROP
    if ((this.#conntrack.flows.words[p.ct * f.WORDS + f.STATUS] & f.CONFIRMED) === 0) this.#bind(p.ct, manip, range)
    return ACCEPT
  }

  #bind(ct: number, manip: number, range: NatRange): void {
    const { flows } = this.#conntrack
    const { words } = flows
    const base = ct * f.WORDS
    if (this.#binding.choose(ct, manip, range)) words[base + f.STATUS] |= manip === MANIP_SRC ? f.SRC_NAT : f.DST_NAT
    if (manip === MANIP_SRC) flows.linkBySource(ct)
    words[base + f.STATUS] |= manip === MANIP_SRC ? f.SRC_NAT_DONE : f.DST_NAT_DONE
  }

  /** A flow that goes where its translated master does: conntrack/expect.ts says how. */
  #follow(ct: number, { master, follow }: Expectation): void {
    if (follow === undefined) return
    const { flows } = this.#conntrack
    const from = flows.destinationWords(master, follow.direction ^ 1)
    const to = flows.sourceWords(master, follow.direction ^ 1)
    const { port } = follow
    if (follow.address !== undefined) return this.#followCall(ct, master, follow)
    this.#bind(ct, MANIP_SRC, exactly(from, follow.isSource === true ? port : undefined))
    this.#bind(ct, MANIP_DST, exactly(to, follow.isSource === true ? undefined : port))
  }

  /**
   * Media or signalling of a translated call (nf_nat_sip): it goes to the place that was announced; its source becomes what was
   * announced of it, or where it comes from the master's own host, the master's address.
   */
  #followCall(ct: number, master: number, { direction, address = [], port }: Follow): void {
    const { flows, announced } = this.#conntrack
    this.#bind(ct, MANIP_DST, exactly(address, port))
    const source = flows.sourceWords(ct, 0)
    const isSource = (words: readonly number[]) => words.every((word, i) => word === source[i])
    const pair = announced.expectations
      .of(master)
      .find(
        ({ protocol, follow, class: kind }) =>
          kind !== 0 &&
          follow?.address !== undefined &&
          protocol === flows.protocol(ct) &&
          follow.port === flows.sport(ct, 0) &&
          isSource(follow.address),
      )
    if (pair !== undefined) this.#bind(ct, MANIP_SRC, exactly(pair.destination, pair.dport))
    else if (isSource(flows.sourceWords(master, direction)))
      this.#bind(ct, MANIP_SRC, exactly(flows.destinationWords(master, direction ^ 1), undefined))
  }

  /** Target MASQUERADE: the source becomes the address of the outgoing device that fits the next hop. */
  masquerade(p: Packet, range: NatRange): number {
    if (p.ct === NO_FLOW) return DROP
    const { words } = this.#conntrack.flows
    const base = p.ct * f.WORDS
    if (this.hasNoSource(p.ct)) return ACCEPT
    const address = this.masqueradeAddress(p)
    if (address === undefined) return DROP
    words[base + f.STATUS] |= p.outLink << f.MASQUERADE_SHIFT
    return this.setup(p, POSTROUTING, MANIP_SRC, toAddress(range, address))
  }

  /**
   * A device has an address no more: flows that MASQUERADE gave it for that device end, since nothing that answers them would come.
   * @returns how many
   */
  endMasqueraded(link: number, address: readonly number[]): number {
    const { flows } = this.#conntrack
    const own: number[] = []
    let ended = 0
    for (let ct = 0; ct < flows.used; ct++) {
      if (!flows.inUse(ct) || (flows.status(ct) & f.CONFIRMED) === 0) continue
      if (flows.words[ct * f.WORDS + f.STATUS] >>> f.MASQUERADE_SHIFT !== link) continue
      this.readAddress(ct, MANIP_SRC, own)
      if (!address.every((word, i) => word === own[i])) continue
      this.#conntrack.kill(ct)
      ended++
    }
    return ended
  }

  /** Target REDIRECT: to the incoming device's address, or to the loopback address for the router's own packets. */
  redirect(p: Packet, hook: number, range: NatRange): number {
    const address = this.redirectAddress(p, hook)
    if (address === undefined) return DROP
    return this.setup(p, hook, MANIP_DST, toAddress(range, address))
  }

  /** Binds to what the flow has already, so that only a clash changes anything. */
  #bindNull(p: Packet, manip: number): number {
    this.readAddress(p.ct, manip, this.#address)
    return this.setup(p, 0, manip, this.#null)
  }

  readonly #address: number[] = []
  readonly #null: NatRange = {
    flags: MAP_IPS,
    min: this.#address,
    max: this.#address,
    minPort: 0,
    maxPort: 0,
    basePort: 0,
  }
}

/** PREROUTING and OUTPUT change the destination, INPUT and POSTROUTING the source. */
function manipOf(hook: number): number {
  return hook === INPUT || hook === POSTROUTING ? MANIP_SRC : MANIP_DST
}

/** In reply direction each end takes back what the other one was given. */
export function changes(status: number, manip: number, direction: number): boolean {
  return (status & ((manip === MANIP_SRC) === (direction === 0) ? f.SRC_NAT : f.DST_NAT)) !== 0
}

/** This address, and where it is given this port alone. */
function exactly(address: readonly number[], port: number | undefined): NatRange {
  return {
    flags: port === undefined ? MAP_IPS : MAP_IPS | PROTO_SPECIFIED,
    min: address,
    max: address,
    minPort: port ?? 0,
    maxPort: port ?? 0,
    basePort: 0,
  }
}

function toAddress(range: NatRange, address: readonly number[]): NatRange {
  return { ...range, flags: range.flags | MAP_IPS, min: address, max: address }
}

/**
 * Linux looks for the key of GRE's header, whether there is one or not; and because a key is the destination's, it gives up on
 * versions that it does not know where it changes that.
 */
export function mayRewriteGre(view: DataView, transport: number, end: number, manip: number): boolean {
  if (transport + gre.PPTP_HEADER > end) return false
  if (manip === MANIP_SRC) return true
  return (view.getUint16(transport + gre.FLAGS) & gre.VERSION_MASK) <= gre.PPTP_VERSION
}
