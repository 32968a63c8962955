// The router's own voice: echo replies, resets and unreachables for closed ports, and the ICMP errors and resets that
// forwarding and REJECT cause. What it says goes through OUTPUT and POSTROUTING like any local packet. Contents follow
// Linux's icmp_send, icmp_reply, tcp_v4_send_reset and nf_send_reset (RFC 792, RFC 1812 4.3, RFC 9293 3.10.7).

import type { Conntrack } from '../conntrack/conntrack.ts'
import { LOOPBACK, NO_LINK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import { readHeader4 } from '../packet/parse.ts'
import type { FlowKey } from '../route/key.ts'
import type { Routing } from '../route/routing.ts'
import * as type from '../route/type.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import { checksum, fold, pseudoSum4, sumOf } from '../wire/checksum.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import * as vnet from '../wire/vnet.ts'
import { attach } from './attach.ts'
import { Duplicates } from './duplicates.ts'
import { type IcmpCredit, IcmpRate } from './rate.ts'
import { writeReset } from './reset.ts'
import { Synproxy4 } from './synproxy4.ts'

/** An ICMP error is at most this long (RFC 1812, 4.3.2.3). */
const ERROR_MAX = 576
const INTERNETWORK_CONTROL = 0xc0

/** What the pipeline does for the router's own packets. */
export interface Mouth {
  /** A packet at a free slot, one level deeper than its cause; undefined when there is no slot, or it is too deep. */
  take(cause: Packet): Packet | undefined
  /** Sends a packet whose header has been read and whose route has been chosen; it is used up. */
  output(p: Packet): void
  /** Gives a packet up that take() gave. */
  discard(p: Packet): void
  /** A packet that came in goes no further: it is counted under one reason, and its slot is given back. */
  drop(p: Packet, reason: number): void
}

export class Local {
  /** What TEE sends. */
  readonly duplicates: Duplicates
  /** What SYNPROXY does. */
  readonly synproxy: Synproxy4
  readonly #conntrack: Conntrack
  readonly #routing: () => Routing
  readonly #mouth: Mouth
  readonly #random: () => number
  readonly #time: Time
  readonly #rate: IcmpRate
  readonly #ttl: number
  readonly #ignoreEcho: boolean
  readonly #ignoreBroadcastEcho: boolean
  readonly #useInbound: boolean
  readonly #reflectMark: boolean

  constructor(
    conntrack: Conntrack,
    routing: () => Routing,
    mouth: Mouth,
    random: () => number,
    time: Time,
    sysctl: Sysctl,
    credit: IcmpCredit,
  ) {
    this.#conntrack = conntrack
    this.#routing = routing
    this.#mouth = mouth
    this.duplicates = new Duplicates(routing, mouth)
    this.#random = random
    this.#time = time
    this.#rate = new IcmpRate(time, sysctl, credit)
    this.#ttl = sysctl['net.ipv4.ip_default_ttl']
    this.synproxy = new Synproxy4(conntrack, routing, mouth, time, random, this.#ttl)
    this.#ignoreEcho = sysctl['net.ipv4.icmp_echo_ignore_all'] !== 0
    this.#ignoreBroadcastEcho = sysctl['net.ipv4.icmp_echo_ignore_broadcasts'] !== 0
    this.#reflectMark = sysctl['net.ipv4.fwmark_reflect'] !== 0
    this.#useInbound = sysctl['net.ipv4.icmp_errors_use_inbound_ifaddr'] !== 0
  }

  /** Delivers a packet to the router itself. Nothing listens here, so what is due is an answer, or silence. */
  deliver(p: Packet): void {
    // Nobody can answer for an address of others: a copy (target TEE) was sent to the router, and has the original's destination.
    if (p.inLink === LOOPBACK && !this.#routing().isOwn(p.destination)) return
    switch (p.protocol) {
      case ip.PROTO_ICMP:
        return this.#deliverIcmp(p)
      case ip.PROTO_TCP:
        if (p.routeType === type.LOCAL && this.#tcpIsWhole(p)) this.#resetClosed(p)
        return
      case ip.PROTO_UDP:
        if (p.routeType === type.LOCAL && this.#udpIsWhole(p)) this.#portUnreachable(p)
        return
      case ip.PROTO_UDPLITE:
        if (p.routeType === type.LOCAL && this.#udpLiteIsWhole(p)) this.#portUnreachable(p)
        return
      case ip.PROTO_IGMP:
        return
      default:
        this.error(p, icmp.DEST_UNREACHABLE, icmp.PROTOCOL_UNREACHABLE, 0)
    }
  }

  #deliverIcmp(p: Packet): void {
    if (p.transport === 0) return
    const { view, transport } = p
    const length = p.start + p.length - transport
    if (checksum(view, transport, length) !== 0) return
    const kind = view.getUint8(transport)
    if (kind === icmp.DEST_UNREACHABLE) return this.#learn(p)
    if (kind !== icmp.ECHO && kind !== icmp.TIMESTAMP) return
    if (kind === icmp.ECHO && this.#ignoreEcho) return
    if (p.routeType !== type.LOCAL && this.#ignoreBroadcastEcho) return
    if (kind === icmp.TIMESTAMP && length < icmp.HEADER + 4) return
    const tos = view.getUint8(p.start + ip.TOS)
    const source = p.routeType === type.LOCAL ? p.destination : this.#sourceTowards(p, tos)
    const answer = this.#prepare(p, this.#key(p).from(source).as(ip.PROTO_ICMP, tos, 0, 0))
    if (answer === undefined) return
    const reply = kind === icmp.ECHO ? icmp.ECHO_REPLY : icmp.TIMESTAMP_REPLY
    if (answer.outLink !== LOOPBACK && !this.#rate.allow(p.source, reply, 0)) return this.#mouth.discard(answer)
    const at = answer.start + ip.MIN_HEADER
    const size = kind === icmp.TIMESTAMP ? icmp.HEADER + 12 : length
    p.slab.bytes.copyWithin(at, transport, transport + Math.min(size, length))
    view.setUint8(at, reply)
    if (kind === icmp.TIMESTAMP) {
      view.setUint8(at + icmp.CODE, 0)
      const sinceMidnight = Math.floor(this.#time.wall) % 86_400_000
      view.setUint32(at + icmp.HEADER + 4, sinceMidnight)
      view.setUint32(at + icmp.HEADER + 8, sinceMidnight)
    }
    view.setUint16(at + icmp.CHECKSUM, 0)
    view.setUint16(at + icmp.CHECKSUM, checksum(view, at, size))
    this.#send(answer, size, this.#id(), 0, ip.PROTO_ICMP, tos, source, p.source)
  }

  /**
   * A router on the way says that an echo reply of ours was too long (RFC 1191). What it quotes of TCP and UDP is nobody's here.
   */
  #learn(p: Packet): void {
    const { view, transport } = p
    const at = transport + icmp.HEADER
    const isNeeded = view.getUint8(transport + icmp.CODE) === icmp.FRAGMENTATION_NEEDED
    if (!isNeeded || p.routeType !== type.LOCAL || at + ip.MIN_HEADER > p.start + p.length) return
    const header = (view.getUint8(at) & 15) << 2
    if (header < ip.MIN_HEADER || at + header + icmp.HEADER > p.start + p.length) return
    if (view.getUint8(at + ip.PROTOCOL) !== ip.PROTO_ICMP || view.getUint8(at + header) !== icmp.ECHO_REPLY) return
    const routing = this.#routing()
    const key = routing.key.to(view.getInt32(at + ip.DESTINATION)).from(view.getInt32(at + ip.SOURCE))
    if (this.#reflectMark) key.mark = p.mark
    key.as(ip.PROTO_ICMP, view.getUint8(at + ip.TOS), 0, 0)
    routing.learnMtu(key, view.getUint16(transport + icmp.MTU))
  }

  /**
   * Sends an ICMP error about a packet to its source, if one may be sent (RFC 1122, 3.2.2): never about an ICMP error, a
   * later fragment, or what was not for one host; within the rate limits; quoting at most 576 bytes in all.
   * @param info second word of the header: MTU, gateway or pointer
   */
  error(p: Packet, kind: number, code: number, info: number): void {
    if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return
    if (p.routeType === type.BROADCAST || p.routeType === type.MULTICAST) return
    // While Linux sends an ICMP message of its own, its socket for that is taken, and another one cannot be sent about it.
    if (p.protocol === ip.PROTO_ICMP && p.depth > 0 && p.inLink === NO_LINK) return
    const { view } = p
    if (p.protocol === ip.PROTO_ICMP) {
      if (p.start + p.length <= p.start + p.headerLength) return
      const quoted = view.getUint8(p.start + p.headerLength)
      if (!mayBeAnswered(quoted)) return
    }
    const tos = (view.getUint8(p.start + ip.TOS) & 0x1e) | INTERNETWORK_CONTROL
    const key = this.#key(p).as(ip.PROTO_ICMP, tos, 0, 0)
    if (p.routeType === type.LOCAL) key.from(p.destination)
    // Of several ways the one that packets such as this one take.
    key.packet = p
    const answer = this.#prepare(p, key)
    if (answer === undefined) return
    if (answer.outLink !== LOOPBACK && !this.#rate.allow(p.source, kind, code)) return this.#mouth.discard(answer)
    const room = Math.min(answer.mtu, ERROR_MAX) - ip.MIN_HEADER - icmp.HEADER
    const quote = Math.min(p.length, room)
    const at = answer.start + ip.MIN_HEADER
    p.slab.bytes.copyWithin(at + icmp.HEADER, p.start, p.start + quote)
    view.setUint8(at, kind)
    view.setUint8(at + icmp.CODE, code)
    view.setUint16(at + icmp.CHECKSUM, 0)
    view.setInt32(at + icmp.REST, info)
    view.setUint16(at + icmp.CHECKSUM, checksum(view, at, icmp.HEADER + quote))
    const source = this.#errorSource(p)
    if (source === 0) return this.#mouth.discard(answer)
    attach(answer, p)
    this.#send(answer, icmp.HEADER + quote, this.#id(), 0, ip.PROTO_ICMP, tos, source, p.source)
  }

  /** Who speaks when p, whose source the last look-up was for, is answered by an error. */
  #errorSource(p: Packet): number {
    if (p.routeType === type.LOCAL) return p.destination
    const routing = this.#routing()
    return this.#useInbound && p.inLink !== NO_LINK ? routing.selectSource(p.inLink, p.source) : routing.preferredSource
  }

  /** Tells the sender that there is no route, or that it must not be used. */
  routeError(p: Packet, code: number): void {
    if (this.#rate.allowRouteError(p.source)) this.error(p, icmp.DEST_UNREACHABLE, code, 0)
  }

  /** Tells a host on the same link of a better gateway. */
  redirect(p: Packet, gateway: number): void {
    if (this.#rate.allowRedirect(p.source)) this.error(p, icmp.REDIRECT, 1, gateway)
  }

  /** What REJECT sends by ICMP: like error(), but nothing about a packet whose checksum is wrong. */
  reject(p: Packet, _hook: number, kind: number, code: number): void {
    if (this.#checksumIsRight(p)) this.error(p, kind, code, 0)
  }

  /** What REJECT --reject-with tcp-reset sends: never in answer to a RST, and only if the checksum is right. */
  reset(p: Packet, _hook: number): void {
    if (p.protocol !== ip.PROTO_TCP || p.transport === 0 || !this.#checksumIsRight(p)) return
    if ((p.view.getUint8(p.transport + tcp.FLAGS) & tcp.RST) !== 0) return
    if (p.routeType === type.BROADCAST || p.routeType === type.MULTICAST) return
    const answer = this.#reset(p, 0)
    if (answer === undefined) return
    attach(answer, p)
    this.#conntrack.close(p)
    // Linux makes this one without a socket.
    this.#send(answer, tcp.MIN_HEADER, 0, ip.DF, ip.PROTO_TCP, 0, p.destination, p.source, false)
  }

  /** UDP gives the flow up before it looks for a socket: the error finds its flow by itself, or rules leave it untracked. */
  #portUnreachable(p: Packet): void {
    this.#conntrack.forget(p)
    this.error(p, icmp.DEST_UNREACHABLE, icmp.PORT_UNREACHABLE, 0)
  }

  /** A segment for a port that nothing listens on. */
  #resetClosed(p: Packet): void {
    if ((p.view.getUint8(p.transport + tcp.FLAGS) & tcp.RST) !== 0) return
    // Without the ECN bits, which are the other connection's.
    const tos = p.view.getUint8(p.start + ip.TOS) & ip.DSCP
    const answer = this.#reset(p, tos)
    if (answer === undefined) return
    this.#send(answer, tcp.MIN_HEADER, 0, ip.DF, ip.PROTO_TCP, tos, p.destination, p.source)
  }

  #reset(p: Packet, tos: number): Packet | undefined {
    const key = this.#key(p).from(p.destination).as(ip.PROTO_TCP, tos, p.dport, p.sport)
    const answer = this.#prepare(p, key)
    if (answer === undefined) return undefined
    const { view } = p
    const at = answer.start + ip.MIN_HEADER
    writeReset(p, at)
    const pseudo = pseudoSum4(p.destination, p.source, ip.PROTO_TCP, tcp.MIN_HEADER)
    view.setUint16(at + tcp.CHECKSUM, checksum(view, at, tcp.MIN_HEADER, pseudo))
    return answer
  }

  /** What the way of an answer to p depends on; whether marks do is net.ipv4.fwmark_reflect's business. */
  #key(p: Packet): FlowKey {
    const key = this.#routing().key.to(p.source)
    if (this.#reflectMark) key.mark = p.mark
    return key
  }

  /** A free packet with a route, for an answer to p; undefined when there is no slot or no way. */
  #prepare(p: Packet, key: FlowKey): Packet | undefined {
    const { destination } = key
    if (destination === 0 || ip.isMulticast(destination) || destination === ip.BROADCAST_ADDRESS) return undefined
    const routing = this.#routing()
    if (!routing.output(key)) return undefined
    const answer = this.#mouth.take(p)
    if (answer === undefined) return undefined
    answer.mark = key.mark
    answer.outLink = routing.link
    answer.nexthop = routing.nexthop
    answer.mtu = routing.mtu
    answer.routeType = routing.type
    return answer
  }

  /** The address by which the router speaks to p's source. */
  #sourceTowards(p: Packet, tos: number): number {
    const routing = this.#routing()
    const key = routing.key.to(p.source)
    key.tos = tos & ip.DSCP
    return routing.output(key) ? routing.preferredSource : 0
  }

  #send(
    answer: Packet,
    payload: number,
    id: number,
    fragment: number,
    protocol: number,
    tos: number,
    source: number,
    destination: number,
    socket = true,
  ): void {
    answer.length = ip.MIN_HEADER + payload
    const { view, start } = answer
    ip.writeHeader(view, start, answer.length, id, fragment, this.#ttl, protocol, tos, source, destination)
    vnet.clear(view, start)
    readHeader4(answer)
    answer.socket = socket
    this.#mouth.output(answer)
  }

  #id(): number {
    return this.#random() & 0xffff
  }

  /** As REJECT judges it: the plain sum over all that follows the IP header, but for protocols that have another one. */
  #checksumIsRight(p: Packet): boolean {
    switch (p.protocol) {
      case ip.PROTO_UDP:
        if (p.transport !== 0 && p.view.getUint16(p.transport + udp.CHECKSUM) === 0) return true
        break
      case ip.PROTO_UDPLITE:
      case ip.PROTO_SCTP:
      case ip.PROTO_GRE:
      case ip.PROTO_ESP:
      case ip.PROTO_AH:
        return true
    }
    return this.#sumIsRight(p, p.length - p.headerLength)
  }

  /** Over the first `length` bytes behind the IP header; with a pseudo-header where the protocol has one. */
  #sumIsRight(p: Packet, length: number): boolean {
    if (p.partial) return true
    const sum = sumOf(p.view, p.start + p.headerLength, length)
    const plain = p.protocol !== ip.PROTO_TCP && p.protocol !== ip.PROTO_UDP
    const whole = fold(plain ? sum : sum + pseudoSum4(p.source, p.destination, p.protocol, length))
    return whole === 0xffff || whole === 0
  }

  #tcpIsWhole(p: Packet): boolean {
    if (p.transport === 0) return false
    const header = tcp.headerLength(p.view, p.transport)
    return (
      header >= tcp.MIN_HEADER &&
      p.transport + header <= p.start + p.length &&
      this.#sumIsRight(p, p.length - p.headerLength)
    )
  }

  /** Also cuts what lies behind the UDP length, which is then not quoted either. */
  #udpIsWhole(p: Packet): boolean {
    if (p.transport === 0) return false
    const length = p.view.getUint16(p.transport + udp.LENGTH)
    if (length < udp.HEADER || p.transport + length > p.start + p.length) return false
    p.length = p.headerLength + length
    return p.view.getUint16(p.transport + udp.CHECKSUM) === 0 || this.#sumIsRight(p, length)
  }

  /** UDP-Lite's checksum covers as much as its header says (RFC 3828), 0 for all, and has to be there. */
  #udpLiteIsWhole(p: Packet): boolean {
    if (p.transport === 0 || p.view.getUint16(p.transport + udp.CHECKSUM) === 0) return false
    const length = p.length - p.headerLength
    const covered = p.view.getUint16(p.transport + udp.LENGTH) || length
    if (covered < udp.HEADER || covered > length) return false
    const pseudo = pseudoSum4(p.source, p.destination, p.protocol, length)
    return fold(sumOf(p.view, p.transport, covered) + pseudo) === 0xffff
  }
}

/** Messages about which no error is sent: errors, and what Linux knows only as something to discard. */
const NO_ANSWER = (0b111 << 1) | (0b1111 << 4) | (0b1111 << 9)

function mayBeAnswered(kind: number): boolean {
  return kind <= icmp.MAX_TYPE && ((NO_ANSWER >>> kind) & 1) === 0
}
