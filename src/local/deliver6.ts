// Delivery of an IPv6 packet to the router itself: extension headers one by one, each as Linux's handler of it does, then the upper
// layer. Nothing listens here, so what is due is an answer, or silence. Fragments come this far, behind INPUT, before they
// are put together, unless conntrack did it (ip6_protocol_deliver_rcu).

import { upperHeader } from '../conntrack/quoted6.ts'
import { checkOptions6, OPTIONS_FINE, type OptionBounds, UNKNOWN_OPTION } from '../packet/options6.ts'
import { NO_FLOW, NO_PROTOCOL, type Packet } from '../packet/packet.ts'
import type { Routing6 } from '../route/routing6.ts'
import * as type from '../route/type.ts'
import type { Sysctl } from '../sysctl.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import type { Local6 } from './local6.ts'

/** What a fragment on its way to the router becomes; true: a whole packet, its headers read. */
export type Reassemble6 = (p: Packet) => boolean

const ROUTING_RPL = 3
const ROUTING_SEGMENTS = 4
const SOLICITATION = 24
/** Hop limit of messages that no router passed on. */
const FRESH = 255

export class Delivery6 {
  readonly #local: Local6
  readonly #routing: () => Routing6
  readonly #optionBounds: OptionBounds
  readonly #router: boolean
  /** Conntrack looks at checksums. */
  readonly #verifies: boolean
  readonly #ignoreEcho: boolean
  readonly #ignoreMulticastEcho: boolean
  readonly #ignoreAnycastEcho: boolean
  readonly #anycastEchoSource: boolean

  constructor(local: Local6, routing: () => Routing6, sysctl: Sysctl) {
    this.#local = local
    this.#routing = routing
    this.#optionBounds = {
      length: sysctl['net.ipv6.max_dst_opts_length'],
      number: sysctl['net.ipv6.max_dst_opts_number'],
    }
    this.#verifies = sysctl['net.netfilter.nf_conntrack_checksum'] !== 0
    this.#router = sysctl['net.ipv6.conf.all.forwarding'] !== 0
    this.#ignoreEcho = sysctl['net.ipv6.icmp.echo_ignore_all'] !== 0
    this.#ignoreMulticastEcho = sysctl['net.ipv6.icmp.echo_ignore_multicast'] !== 0
    this.#ignoreAnycastEcho = sysctl['net.ipv6.icmp.echo_ignore_anycast'] !== 0
    this.#anycastEchoSource = sysctl['net.ipv6.anycast_src_echo_reply'] !== 0
  }

  /**
   * @returns false when the packet is held or was dropped by `reassemble`, which then has seen to it
   */
  deliver(p: Packet, reassemble: Reassemble6): boolean {
    const { view } = p
    let { start } = p
    let nextAt = ipv6.NEXT_HEADER
    let at = start + ipv6.HEADER
    let kind = view.getUint8(start + nextAt)
    // Conntrack may have put it together: another fragment header is one too many.
    let fragmented = p.fragmentMax !== 0
    if (kind === extension.HOP_BY_HOP) {
      // Judged when it came in.
      nextAt = ipv6.HEADER
      kind = view.getUint8(at)
      at += extension.lengthOf(view, extension.HOP_BY_HOP, at)
    }
    for (;;) {
      const end = p.start + p.length
      switch (kind) {
        case extension.DESTINATION_OPTIONS: {
          if (at + extension.MIN_HEADER > end) return true
          const said = checkOptions6(p, at, kind, this.#optionBounds)
          if (said !== OPTIONS_FINE) {
            this.wrongOptions(p, said)
            return true
          }
          break
        }
        case extension.ROUTING:
          if (at + extension.MIN_HEADER > end || at + extension.lengthOf(view, kind, at) > end) return true
          if (!this.#routingHeader(p, at)) return true
          break
        case extension.FRAGMENT: {
          const wrong = fragmented ? at - start : fragmentIsWrong(p, at)
          if (wrong >= 0) {
            this.#local.error(p, icmpv6.PARAMETER_PROBLEM, icmpv6.HEADER_FIELD, wrong)
            return true
          }
          if (isPartOfMore(p, at)) {
            const told = wrongPart(p, at)
            if (told >= 0) {
              this.#local.error(p, icmpv6.PARAMETER_PROBLEM, told >>> 16, told & 0xffff)
              return true
            }
            if (!reassemble(p)) return false
            // The packet is another one: the fragment header is gone, and what it named stands in its place.
            at += p.start - start
            start = p.start
            kind = view.getUint8(start + nextAt)
            fragmented = true
            continue
          }
          fragmented = true
          break
        }
        case extension.NO_NEXT:
          return true
        default:
          this.#upperLayer(p, kind, nextAt)
          return true
      }
      nextAt = at - start
      const length = extension.lengthOf(view, kind, at)
      kind = view.getUint8(at + extension.NEXT)
      at += length
    }
  }

  /** Tells the sender what checkOptions6 said that it is to be told. */
  wrongOptions(p: Packet, said: number): void {
    if (said < 0) return
    const code = (said & UNKNOWN_OPTION) !== 0 ? icmpv6.UNKNOWN_OPTION : icmpv6.HEADER_FIELD
    this.#local.error(p, icmpv6.PARAMETER_PROBLEM, code, said & 0xffff)
  }

  /** Segment routing and RPL are off; of other types those that are used up are passed over (RFC 8200, 4.4). */
  #routingHeader(p: Packet, at: number): boolean {
    const { view } = p
    if (p.routeType === type.MULTICAST) return false
    const kind = view.getUint8(at + extension.ROUTING_TYPE)
    if (kind === ROUTING_SEGMENTS || kind === ROUTING_RPL) return false
    if (view.getUint8(at + extension.SEGMENTS_LEFT) === 0) return true
    const pointer = at + extension.ROUTING_TYPE - p.start
    this.#local.error(p, icmpv6.PARAMETER_PROBLEM, icmpv6.HEADER_FIELD, pointer)
    return false
  }

  #upperLayer(p: Packet, protocol: number, nextAt: number): void {
    switch (protocol) {
      case ip.PROTO_ICMPV6:
        return this.#icmpv6(p)
      case ip.PROTO_TCP:
        if (p.routeType === type.LOCAL && this.#tcpIsWhole(p)) this.#local.resetClosed(p)
        return
      case ip.PROTO_UDP:
        if (this.#udpIsWhole(p)) this.#portUnreachable(p)
        return
      case ip.PROTO_UDPLITE:
        if (this.#udpLiteIsWhole(p)) this.#portUnreachable(p)
        return
      case PROTO_PIM:
        return
      default:
        this.#local.error(p, icmpv6.PARAMETER_PROBLEM, icmpv6.UNKNOWN_NEXT_HEADER, nextAt)
    }
  }

  #portUnreachable(p: Packet): void {
    // As in IPv4: the error finds its flow by itself, or rules leave it untracked.
    this.#local.giveUp(p)
    this.#local.error(p, icmpv6.DEST_UNREACHABLE, icmpv6.PORT_UNREACHABLE, 0)
  }

  // ── ICMPv6 ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #icmpv6(p: Packet): void {
    const { view, transport } = p
    if (transport === 0) return
    const length = p.start + p.length - transport
    if (!this.#local.sumIsRight(p, transport, length)) return
    switch (view.getUint8(transport)) {
      case icmpv6.PACKET_TOO_BIG:
        return this.#local.learn(p)
      case icmpv6.ECHO:
        return this.#echo(p)
      case icmpv6.NEIGHBOUR_SOLICITATION:
        return this.#solicitation(p, length)
    }
  }

  #echo(p: Packet): void {
    if (this.#ignoreEcho) return
    const multicast = p.routeType === type.MULTICAST
    const anycast = p.routeType === type.ANYCAST
    if ((multicast && this.#ignoreMulticastEcho) || (anycast && this.#ignoreAnycastEcho)) return
    this.#local.echo(p, multicast || (anycast && !this.#anycastEchoSource))
  }

  /**
   * A neighbour asks who has an address (RFC 4861, 7.2.3). Those who try out an address of their own (from `::`) ask groups that
   * nobody joins on a device without link addresses, and get no answer.
   */
  #solicitation(p: Packet, length: number): void {
    const { view, transport, start } = p
    if (view.getUint8(start + ipv6.HOP_LIMIT) !== FRESH || view.getUint8(transport + icmpv6.CODE) !== 0) return
    if (length < SOLICITATION || p.fragment !== 0 || !optionsAreWhole(view, transport + SOLICITATION, start + p.length))
      return
    if (ipv6.isUnspecified(p.source, p.source1, p.source2, p.source3)) return
    const target = [0, 4, 8, 12].map((i) => view.getInt32(transport + icmpv6.HEADER + i))
    const [word0, word1, word2, word3] = target
    if (ipv6.isMulticast(word0)) return
    const routing = this.#routing()
    const own = routing.hasAddress(p.inLink, target)
    const anycast = !own && routing.addressType(word0, word1, word2, word3, p.inLink) === type.ANYCAST
    if (own || anycast) this.#local.advertise(p, target, anycast, this.#router)
  }

  // ── transport headers ───────────────────────────────────────────────────────────────────────────────────────────────

  #tcpIsWhole(p: Packet): boolean {
    if (p.transport === 0) return false
    const header = tcp.headerLength(p.view, p.transport)
    const end = p.start + p.length
    return (
      header >= tcp.MIN_HEADER &&
      p.transport + header <= end &&
      this.#local.sumIsRight(p, p.transport, end - p.transport)
    )
  }

  /** Also cuts what lies behind the UDP length, which is then not quoted either. A checksum has to be there (RFC 8200, 8.1). */
  #udpIsWhole(p: Packet): boolean {
    if (p.transport === 0) return false
    const room = p.start + p.length - p.transport
    // A length of 0 is that of a jumbogram: as long as the packet.
    const length = p.view.getUint16(p.transport + udp.LENGTH) || room
    if (length < udp.HEADER || length > room) return false
    p.length -= room - length
    if (this.#isThoughtWrong(p, length)) return false
    return p.view.getUint16(p.transport + udp.CHECKSUM) !== 0 && this.#local.sumIsRight(p, p.transport, length)
  }

  /**
   * Linux remembers the sum of the whole packet that it made for conntrack. Of a datagram that is longer than it would sum up again
   * it believes that sum, and takes the checksum for wrong where a rule has changed the header since (HL, TOS, DSCP).
   */
  #isThoughtWrong(p: Packet, length: number): boolean {
    return p.unsummed % 0xffff !== 0 && length > SUMMED_AGAIN && p.ct !== NO_FLOW && this.#verifies && !p.partial
  }

  /** UDP-Lite's checksum covers as much as its header says (RFC 3828), 0 for all, and has to be there. */
  #udpLiteIsWhole(p: Packet): boolean {
    if (p.transport === 0 || p.view.getUint16(p.transport + udp.CHECKSUM) === 0) return false
    const length = p.start + p.length - p.transport
    const covered = p.view.getUint16(p.transport + udp.LENGTH) || length
    if (covered < udp.HEADER || covered > length) return false
    return this.#local.sumIsRight(p, p.transport, covered, length)
  }
}

const PROTO_PIM = 103
/** Bytes of a datagram whose checksum Linux looks at anew on its way up. */
const SUMMED_AGAIN = 76

/** The offset that the sender of an impossible fragment header is told of, or -1. */
function fragmentIsWrong(p: Packet, at: number): number {
  const { view, start } = p
  if (view.getUint16(start + ipv6.PAYLOAD_LENGTH) === 0) return at - start
  return at + extension.FRAGMENT_HEADER > start + p.length ? at - start : -1
}

function isPartOfMore(p: Packet, at: number): boolean {
  return (p.view.getUint16(at + extension.FRAGMENT_OFFSET) & (extension.OFFSET_BYTES | extension.MORE)) !== 0
}

/**
 * What is wrong with a fragment of more than one, as the code and the pointer of a parameter problem; -1 for nothing. The first
 * one has the upper layer's header (RFC 8200, 4.5); a length is a multiple of eight but for the last one's.
 */
function wrongPart(p: Packet, at: number): number {
  const { view, start } = p
  const end = start + p.length
  const word = view.getUint16(at + extension.FRAGMENT_OFFSET)
  const offset = word & extension.OFFSET_BYTES
  const later = (p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0
  const hasUpper = !later && p.protocol !== NO_PROTOCOL && p.protocol !== extension.NO_NEXT
  if (hasUpper && start + p.headerLength + upperHeader(p.protocol) > end) return icmpv6.INCOMPLETE_CHAIN << 16
  const length = end - at - extension.FRAGMENT_HEADER
  if (offset + length > ip.MAX_PACKET) return at + extension.FRAGMENT_OFFSET - start
  if ((word & extension.MORE) !== 0 && (length & 7) !== 0) return ipv6.PAYLOAD_LENGTH
  return -1
}

/** Options of neighbour discovery: type, length in units of eight bytes, never 0. */
function optionsAreWhole(view: DataView, at: number, end: number): boolean {
  while (at < end) {
    if (at + 2 > end) return false
    const length = view.getUint8(at + 1) << 3
    if (length === 0 || at + length > end) return false
    at += length
  }
  return true
}
