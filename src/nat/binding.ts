// Choosing a binding: which address and port a new flow's source or destination becomes, so that the reply tuple is
// unique. The order of choices is Linux's get_unique_tuple: keep what fits; use the mapping that the same source has
// already; take the address by a hash of the addresses; keep the port if that is unique; else search the port's class
// from a random place on.

import { type Conntrack, invertIcmp } from '../conntrack/conntrack.ts'
import * as f from '../conntrack/record.ts'
import * as ip from '../wire/ipv4.ts'
import { hashAddresses, scale } from './hash.ts'
import {
  MANIP_DST,
  MANIP_SRC,
  MAP_IPS,
  type NatRange,
  NETMAP,
  PERSISTENT,
  PROTO_OFFSET,
  PROTO_SPECIFIED,
  RANDOM_ANY,
} from './range.ts'

/** How many ports one search tries from one random place, at first; it then halves and starts elsewhere. */
const MAX_ATTEMPTS = 128
const MIN_ATTEMPTS = 16

export class Binding {
  // The tuple under construction; the result of choose().
  source = 0
  destination = 0
  ports = 0

  readonly #conntrack: Conntrack
  readonly #random: () => number
  #ct = 0
  #key = 0
  #replyKey = 0
  #protocol = 0

  constructor(conntrack: Conntrack, random: () => number) {
    this.#conntrack = conntrack
    this.#random = random
  }

  /** Leaves the chosen tuple in the fields; true when it differs from what the flow has now. */
  choose(ct: number, manip: number, range: NatRange): boolean {
    const { words } = this.#conntrack.flows
    const base = ct * f.WORDS
    const reply = base + f.TUPLE_WORDS
    this.#ct = ct
    this.#key = words[base + f.KEY]
    this.#replyKey = words[base + f.REPLY_KEY]
    this.#protocol = this.#key & 0xff
    const source = words[reply + f.DESTINATION]
    const destination = words[reply + f.SOURCE]
    const ports = this.#invert(words[reply + f.PORTS])
    this.#set(source, destination, ports)
    this.#search(manip, range)
    return this.source !== source || this.destination !== destination || this.ports !== ports
  }

  #set(source: number, destination: number, ports: number): void {
    this.source = source
    this.destination = destination
    this.ports = ports
  }

  #search(manip: number, range: NatRange): void {
    const { source, destination, ports } = this
    const random = (range.flags & RANDOM_ANY) !== 0
    if (manip === MANIP_SRC && !random) {
      if (this.#inRange(range)) {
        if (!this.#used()) return
      } else if (this.#knownMapping(range)) {
        if (!this.#used()) return
      }
      this.#set(source, destination, ports)
    }
    this.#chooseAddress(manip, range)
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
    if ((range.flags & MAP_IPS) !== 0 && !between(this.source, range.minAddress, range.maxAddress)) return false
    return (range.flags & PROTO_SPECIFIED) === 0 || this.#portInRange(MANIP_SRC, range)
  }

  #portInRange(manip: number, range: NatRange): boolean {
    if (!hasPorts(this.#protocol)) return true
    const port = this.#port(manip)
    return port >= range.minPort && port <= range.maxPort
  }

  /** Takes over what another flow of the same source was mapped to, if the range allows it. */
  #knownMapping(range: NatRange): boolean {
    const { flows } = this.#conntrack
    const { words } = flows
    const own = this.#ct * f.WORDS
    const source = words[own + f.SOURCE]
    const sport = words[own + f.PORTS] >>> 16
    const { destination, ports } = this
    for (let ct = flows.firstBySource(source, sport, this.#key); ct >= 0; ct = flows.nextBySource(ct)) {
      const base = ct * f.WORDS
      if (
        words[base + f.SOURCE] !== source ||
        words[base + f.PORTS] >>> 16 !== sport ||
        words[base + f.KEY] !== this.#key
      )
        continue
      const mapped = this.#invert(words[base + f.TUPLE_WORDS + f.PORTS])
      this.source = words[base + f.TUPLE_WORDS + f.DESTINATION]
      this.destination = destination
      this.ports = (mapped & 0xffff0000) | (ports & 0xffff)
      if (this.#inRange(range)) return true
    }
    return false
  }

  #chooseAddress(manip: number, range: NatRange): void {
    if ((range.flags & MAP_IPS) === 0) return
    let address = range.minAddress
    if ((range.flags & NETMAP) !== 0) {
      const mask = ~(range.minAddress ^ range.maxAddress)
      address = (range.minAddress & mask) | ((manip === MANIP_SRC ? this.source : this.destination) & ~mask)
    } else if (range.minAddress !== range.maxAddress) {
      const spread = ((range.maxAddress >>> 0) - (range.minAddress >>> 0) + 1) >>> 0
      const zone = this.#key >>> 8
      const h = hashAddresses(this.source, (range.flags & PERSISTENT) !== 0 ? 0 : this.destination, zone)
      address = (range.minAddress + scale(h, spread)) | 0
    }
    if (manip === MANIP_SRC) this.source = address
    else this.destination = address
  }

  #choosePort(manip: number, range: NatRange): void {
    if (!hasPorts(this.#protocol)) return
    let min = range.minPort
    let size = range.maxPort - range.minPort + 1
    if ((range.flags & PROTO_SPECIFIED) === 0) {
      if (this.#protocol === ip.PROTO_ICMP) {
        min = 0
        size = 65536
      } else {
        // Nobody asked for another destination port, so it stays.
        if (manip === MANIP_DST) return
        const port = this.#port(manip)
        // The classes of ports: BSD's reserved ones stay reserved.
        if (port < 512) [min, size] = [1, 511]
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
        if (!this.#used()) return
      }
      // Nothing free: the clash is found when the flow is confirmed, and the packet dropped.
      if (attempts >= size || attempts < MIN_ATTEMPTS) return
      offset = this.#random() & 0xffff
    }
  }

  /** Would the reply to this tuple look like a packet of another flow? */
  #used(): boolean {
    return this.#conntrack.taken(this.destination, this.source, this.#invert(this.ports), this.#replyKey, this.#ct)
  }

  #invert(ports: number): number {
    return this.#protocol === ip.PROTO_ICMP ? invertIcmp(ports) : (ports << 16) | (ports >>> 16)
  }

  /** The port of that end; an ICMP flow has one identifier for both. */
  #port(manip: number): number {
    return manip === MANIP_SRC || this.#protocol === ip.PROTO_ICMP ? this.ports >>> 16 : this.ports & 0xffff
  }

  #setPort(manip: number, port: number): void {
    this.ports =
      manip === MANIP_SRC || this.#protocol === ip.PROTO_ICMP
        ? (port << 16) | (this.ports & 0xffff)
        : (this.ports & 0xffff0000) | port
  }
}

/** Protocols whose ports, or identifier, NAT changes. */
export function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE:
    case ip.PROTO_ICMP:
    case ip.PROTO_SCTP:
      return true
    default:
      return false
  }
}

function between(address: number, min: number, max: number): boolean {
  return address >>> 0 >= min >>> 0 && address >>> 0 <= max >>> 0
}
