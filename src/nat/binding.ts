// Choosing a binding: which address and port a new flow's source or destination becomes, so that the reply tuple is
// unique. The order of choices is Linux's get_unique_tuple: keep what fits; use the mapping that the same source has
// already; take the address by a hash of the addresses; keep the port if that is unique; else search the port's class
// from a random place on. Here are the ports; the addresses are the family's own (binding4.ts, binding6.ts).

import type { Conntrack } from '../conntrack/conntrack.ts'
import { MASTER } from '../conntrack/extensions.ts'
import * as f from '../conntrack/record.ts'
import { sequencesAt } from '../conntrack/sequences.ts'
import * as tcp from '../conntrack/tcp-record.ts'
import { SYN_SENT, TIME_WAIT } from '../conntrack/tcp-states.ts'
import * as ip from '../wire/ipv4.ts'
import { MANIP_DST, MANIP_SRC, MAP_IPS, type NatRange, PROTO_OFFSET, PROTO_SPECIFIED, RANDOM_ANY } from './range.ts'

/** How many ports one search tries from one random place, at first; it then halves and starts elsewhere. */
const MAX_ATTEMPTS = 128
const MIN_ATTEMPTS = 16
/** So many of them before the end also take what a connection that is over still has. */
const LAST_ATTEMPTS = 32

export abstract class Binding {
  /** PORTS word of the tuple under construction. */
  protected ports = 0
  protected ct = 0
  /** KEY words of the flow, of both directions. */
  protected key = 0
  protected replyKey = 0
  protected readonly conntrack: Conntrack
  readonly #random: () => number
  #protocol = 0

  constructor(conntrack: Conntrack, random: () => number) {
    this.conntrack = conntrack
    this.#random = random
  }

  // The tuple under construction has a source and a destination of the family's kind.

  /** Begins with the inverse of the flow's reply tuple. */
  protected abstract loadAddresses(): void
  /** Whether the addresses are no longer those that the flow has. */
  protected abstract addressesChanged(): boolean
  /** Writes the inverse of the addresses into the flow's reply tuple. */
  protected abstract writeAddresses(): void
  /** Whether the source is in the range, which has addresses. */
  protected abstract sourceInRange(range: NatRange): boolean
  /** Whether another flow has the same original source address. */
  protected abstract hasSameSource(other: number): boolean
  /** Takes the source that another flow was mapped to. */
  protected abstract takeSourceOf(other: number): void
  /** Takes an address of the range, which has addresses, for that end. */
  protected abstract chooseAddress(manip: number, range: NatRange): void
  /** The flow that the reply to the tuple would belong to, as record << 1 | direction, or -1. @param ports of the reply */
  protected abstract lookUpReply(ports: number): number

  /** Gives a flow that is in no table another source or destination; true when it differs from what the flow has now. */
  choose(ct: number, manip: number, range: NatRange): boolean {
    const { words } = this.conntrack.flows
    const base = ct * f.WORDS
    this.ct = ct
    this.key = words[base + f.KEY]
    this.replyKey = words[base + f.REPLY_KEY]
    this.#protocol = this.key & 0xff
    this.#load()
    const { ports } = this
    this.#search(manip, range)
    if (this.ports === ports && !this.addressesChanged()) return false
    this.writeAddresses()
    words[base + f.TUPLE_WORDS + f.PORTS] = this.#invert(this.ports)
    return true
  }

  #load(): void {
    this.ports = this.#invert(this.conntrack.flows.words[this.ct * f.WORDS + f.TUPLE_WORDS + f.PORTS])
    this.loadAddresses()
  }

  #search(manip: number, range: NatRange): void {
    const random = (range.flags & RANDOM_ANY) !== 0
    if (manip === MANIP_SRC && !random) {
      if (this.#inRange(range)) {
        if (!this.#used()) return
      } else if (this.#knownMapping(range)) {
        if (!this.#used()) return
      }
      this.#load()
    }
    if ((range.flags & MAP_IPS) !== 0) this.chooseAddress(manip, range)
    if (!random) {
      if ((range.flags & PROTO_SPECIFIED) !== 0) {
        if (
          (range.flags & PROTO_OFFSET) === 0 &&
          this.#portInRange(manip, range) &&
          (range.minPort === range.maxPort || !this.#used())
        )
          return
      } else if (!this.#used()) return
    }
    this.#choosePort(manip, range)
  }

  /** Is the source as it stands one that the range allows? */
  #inRange(range: NatRange): boolean {
    if ((range.flags & MAP_IPS) !== 0 && !this.sourceInRange(range)) return false
    return (range.flags & PROTO_SPECIFIED) === 0 || this.#portInRange(MANIP_SRC, range)
  }

  #portInRange(manip: number, range: NatRange): boolean {
    if (!this.#hasPorts()) return true
    const port = this.#port(manip)
    return port >= range.minPort && port <= range.maxPort
  }

  /** Takes over what another flow of the same source was mapped to, if the range allows it. */
  #knownMapping(range: NatRange): boolean {
    const { flows } = this.conntrack
    const { words } = flows
    const own = this.ct * f.WORDS
    const sport = words[own + f.PORTS] >>> 16
    const { ports } = this
    for (let ct = flows.firstBySource(words[own + f.SOURCE], sport, this.key); ct >= 0; ct = flows.nextBySource(ct)) {
      const base = ct * f.WORDS
      if (words[base + f.PORTS] >>> 16 !== sport || words[base + f.KEY] !== this.key || !this.hasSameSource(ct))
        continue
      const mapped = this.#invert(words[base + f.TUPLE_WORDS + f.PORTS])
      this.takeSourceOf(ct)
      this.ports = (mapped & 0xffff0000) | (ports & 0xffff)
      if (this.#inRange(range)) return true
    }
    return false
  }

  #choosePort(manip: number, range: NatRange): void {
    if (!this.#hasPorts()) return
    let min = range.minPort
    let size = range.maxPort - range.minPort + 1
    if ((range.flags & PROTO_SPECIFIED) === 0) {
      if (this.#isIcmp) {
        min = 0
        size = 65536
      } else {
        // Nobody asked for another destination port, so it stays.
        if (manip === MANIP_DST) return
        const port = this.#port(manip)
        // The classes of ports: BSD's reserved ones stay reserved.
        if (this.#protocol === ip.PROTO_GRE) [min, size] = [1, 65535]
        else if (port < 512) [min, size] = [1, 511]
        else if (port < 1024) [min, size] = [600, 424]
        else [min, size] = [1024, 64512]
      }
    }
    let offset: number
    if ((range.flags & PROTO_OFFSET) !== 0) offset = this.#port(manip) - range.basePort
    else if ((range.flags & RANDOM_ANY) !== 0 || manip !== MANIP_DST) offset = this.#random() & 0xffff
    else offset = 0
    for (let attempts = Math.min(size, MAX_ATTEMPTS); ; attempts >>= 1) {
      for (let i = 0; i < attempts; i++, offset++) {
        // The offset wraps at 16 bits, before the range is applied, also where it began below the base port.
        this.#setPort(manip, min + ((offset & 0xffff) % size))
        if (!this.#used() || (attempts - i <= LAST_ATTEMPTS && this.#evict())) return
      }
      // Nothing free: the clash is found when the flow is confirmed, and the packet dropped.
      if (attempts >= size || attempts < MIN_ATTEMPTS) return
      offset = this.#random() & 0xffff
    }
  }

  /** Would the reply to this tuple look like a packet of another flow? */
  #used(): boolean {
    const found = this.conntrack.lasting(this.lookUpReply(this.#invert(this.ports)))
    return found >= 0 && found >> 1 !== this.ct && !this.#isTwin(found)
  }

  /**
   * Two packets began that flow at a time, and the other one was faster: it keeps the binding that it would have had, and what
   * becomes of it is seen when it is confirmed (conntrack/clash.ts). Likewise where each side sent its first packet, of a protocol
   * for which that does no harm, and neither is translated.
   */
  #isTwin(found: number): boolean {
    const { conntrack, ct } = this
    const twin = conntrack.likeOriginal(ct)
    if (twin >> 1 === found >> 1 && (twin & 1) === 0) return true
    const { words } = conntrack.flows
    const translated = words[(found >> 1) * f.WORDS + f.STATUS] & (f.NAT | f.SEQ_ADJUST)
    const asItIs =
      this.ports === this.#invert(words[ct * f.WORDS + f.TUPLE_WORDS + f.PORTS]) && !this.addressesChanged()
    const { mayClash = false } = conntrack.tracker(this.#protocol)
    return (found & 1) === 0 && translated === 0 && asItIs && mayClash
  }

  /**
   * A new TCP connection takes the tuple of one that is over, if it begins behind that one's sequence numbers: what is
   * still under way then fits neither (nf_nat_used_tuple_harder).
   */
  #evict(): boolean {
    const { conntrack, ct } = this
    const { words, sequences } = conntrack.flows
    if (this.#protocol !== ip.PROTO_TCP || tcp.state(words, ct * f.WORDS + f.TRACKER) !== SYN_SENT) return false
    const found = this.lookUpReply(this.#invert(this.ports))
    if ((found & 1) === 0) return false
    const other = found >> 1
    const base = other * f.WORDS
    const status = words[base + f.STATUS]
    if (tcp.state(words, base + f.TRACKER) < TIME_WAIT) return false
    if ((status & f.FIXED_TIMEOUT) !== 0 || (status & f.SRC_NAT) === 0) return false
    const end = sequences.of(other)[sequencesAt(other) + tcp.END]
    if (((sequences.of(ct)[sequencesAt(ct) + tcp.END] - end) | 0) <= 0) return false
    conntrack.kill(other)
    return true
  }

  #invert(ports: number): number {
    return this.conntrack.invert(this.#protocol, ports)
  }

  get #isIcmp(): boolean {
    return this.#protocol === this.conntrack.icmp
  }

  /** Whether the protocol has ports, or an identifier, that NAT changes. */
  #hasPorts(): boolean {
    if (this.#protocol !== ip.PROTO_GRE) return this.conntrack.hasPorts(this.#protocol)
    // A call's number, where the helper for PPTP announced the flow.
    return this.conntrack.flows.extensions.extraOf(this.ct, MASTER) !== 0
  }

  /** The port of that end; an ICMP flow has one identifier for both. */
  #port(manip: number): number {
    return manip === MANIP_SRC || this.#isIcmp ? this.ports >>> 16 : this.ports & 0xffff
  }

  #setPort(manip: number, port: number): void {
    this.ports =
      manip === MANIP_SRC || this.#isIcmp ? (port << 16) | (this.ports & 0xffff) : (this.ports & 0xffff0000) | port
  }
}
