// The router's own voice in IPv6: ICMPv6 errors, resets, redirects, and answers to those who ask (echo, neighbour solicitations).
// What it says goes through OUTPUT and POSTROUTING like any local packet. Contents follow Linux's icmp6_send, icmpv6_echo_reply,
// tcp_v6_send_reset, ndisc_send_na, ndisc_send_redirect and nf_send_reset6 (RFC 4443, RFC 4861, RFC 9293 3.10.7).

import type { Conntrack6 } from '../conntrack/conntrack6.ts'
import { Quoted6 } from '../conntrack/quoted6.ts'
import { LOOPBACK, NO_LINK } from '../device/link.ts'
import { NO_PROTOCOL, type Packet } from '../packet/packet.ts'
import { readHeader6 } from '../packet/parse6.ts'
import type { FlowKey } from '../route/key.ts'
import type { Routing6 } from '../route/routing6.ts'
import * as type from '../route/type.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import { checksum, fold, sumOf } from '../wire/checksum.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'
import * as vnet from '../wire/vnet.ts'
import { attach } from './attach.ts'
import { Duplicates6 } from './duplicates6.ts'
import type { Mouth } from './local.ts'
import type { IcmpCredit } from './rate.ts'
import { IcmpRate6 } from './rate6.ts'
import { writeReset } from './reset.ts'
import { Synproxy6 } from './synproxy6.ts'

/** Hop limit of what only neighbours may say. */
const LINK_HOP_LIMIT = 255
/** What a socket of the kernel's own does with the flow label, by auto_flowlabels: 1 and 3 set it. */
const AUTO_LABEL = 0b1010
/** ICMPv6 header, target and destination. */
const REDIRECT_HEADER = 40
const REDIRECTED_OPTION = 4
const OPTION_HEADER = 8
const ADVERTISEMENT = 24

export class Local6 {
  /** What TEE sends. */
  readonly duplicates: Duplicates6
  /** What SYNPROXY does. */
  readonly synproxy: Synproxy6
  readonly #conntrack: Conntrack6
  readonly #routing: () => Routing6
  readonly #mouth: Mouth
  readonly #rate: IcmpRate6
  readonly #hopLimit: number
  readonly #labelled: boolean
  readonly #reflectMark: boolean
  readonly #labelSeed: number

  constructor(
    conntrack: Conntrack6,
    routing: () => Routing6,
    mouth: Mouth,
    random: () => number,
    time: Time,
    sysctl: Sysctl,
    credit: IcmpCredit,
  ) {
    this.#conntrack = conntrack
    this.#routing = routing
    this.#mouth = mouth
    this.duplicates = new Duplicates6(routing, mouth)
    this.#rate = new IcmpRate6(time, sysctl, credit)
    this.#hopLimit = sysctl['net.ipv6.conf.all.hop_limit']
    this.synproxy = new Synproxy6(conntrack, routing, mouth, time, random, this.#hopLimit)
    this.#reflectMark = sysctl['net.ipv6.fwmark_reflect'] !== 0
    this.#labelled = ((AUTO_LABEL >>> sysctl['net.ipv6.auto_flowlabels']) & 1) !== 0
    this.#labelSeed = random()
  }

  // ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The packet is no longer its flow's. */
  giveUp(p: Packet): void {
    this.#conntrack.forget(p)
  }

  /**
   * Sends an ICMPv6 error about a packet to its source, if one may be sent (RFC 4443, 2.4): never about an ICMPv6 error or to a
   * source that is no single host, about what went to many only where that is allowed; within the rate limits; no longer than
   * the smallest MTU.
   * @param info second word of the header: MTU or pointer
   */
  error(p: Packet, kind: number, code: number, info: number): void {
    const { view, start } = p
    if (ipv6.isMulticast(p.source) || ipv6.isUnspecified(p.source, p.source1, p.source2, p.source3)) return
    if (ipv6.isMulticast(p.destination) && !mayAnswerMulticast(p, kind, code, info)) return
    if (quotesError(p)) return
    // As in IPv4: the socket that an error would be sent by is taken. Not so about a copy (target TEE).
    const own = p.depth > 0 && p.inLink === NO_LINK && this.duplicates.from === NO_LINK
    if (own && p.protocol === ip.PROTO_ICMPV6) return
    const routing = this.#routing()
    // Nobody speaks by an anycast address: a source that is one is nobody's.
    if (routing.addressType(p.source, p.source1, p.source2, p.source3, NO_LINK) === type.ANYCAST) return
    const source = wordsOf(p.source, p.source1, p.source2, p.source3)
    const speaking = this.#isOwnDestination(p)
      ? wordsOf(p.destination, p.destination1, p.destination2, p.destination3)
      : this.#speakerAbout(p, kind, source)
    const key = this.#key(p).as(ip.PROTO_ICMPV6, 0, 0, 0)
    if (speaking !== undefined) key.from6(speaking[0], speaking[1], speaking[2], speaking[3])
    // Of several ways the one that packets such as this one take.
    key.packet = p
    const answer = this.#towardsSource(p, key)
    if (answer === undefined) return
    if (answer.outLink !== LOOPBACK && !this.#rate.allow(source, kind)) return this.#mouth.discard(answer)
    const speaker = speaking ?? routing.source ?? routing.selectSource(answer.outLink, source)
    if (speaker === undefined) return this.#mouth.discard(answer)
    const quote = Math.min(p.length, ipv6.MIN_MTU - ipv6.HEADER - icmpv6.HEADER)
    const at = answer.start + ipv6.HEADER
    p.slab.bytes.copyWithin(at + icmpv6.HEADER, start, start + quote)
    view.setUint8(at, kind)
    view.setUint8(at + icmpv6.CODE, code)
    view.setInt32(at + icmpv6.REST, info)
    attach(answer, p)
    this.#sendIcmp(answer, icmpv6.HEADER + quote, speaker, this.#label(answer, speaker, (kind << 8) | code), 0)
  }

  /**
   * Who speaks about a packet that came in is chosen as if the answer left by the same device, whichever it leaves by, and so it is about
   * a copy of one that is too long for its way; undefined where that is for the answer's route to say.
   */
  #speakerAbout(p: Packet, kind: number, destination: readonly number[]): readonly number[] | undefined {
    const link = kind === icmpv6.PACKET_TOO_BIG && p.inLink === NO_LINK ? this.duplicates.from : p.inLink
    return link === NO_LINK ? undefined : this.#routing().selectSource(link, destination)
  }

  /** An address of the router's own; a link-local one has to be that of the device. */
  #isOwnDestination(p: Packet): boolean {
    const link = ipv6.isLinkLocal(p.destination) ? p.inLink : NO_LINK
    const { destination, destination1, destination2, destination3 } = p
    const found = this.#routing().addressType(destination, destination1, destination2, destination3, link)
    return found === type.LOCAL || found === type.ANYCAST
  }

  /** What REJECT sends by ICMPv6: like error(), but nothing about a packet whose checksum is wrong. */
  reject(p: Packet, _hook: number, code: number): void {
    if (this.#checksumIsRight(p)) this.error(p, icmpv6.DEST_UNREACHABLE, code, 0)
  }

  /**
   * Tells a host on the same link of a better way (RFC 4861, 8.2): to the gateway where that is link-local, or straight to the
   * destination.
   */
  redirect(p: Packet): void {
    const { view } = p
    const destination = wordsOf(p.destination, p.destination1, p.destination2, p.destination3)
    if (!this.#rate.allowRedirect(destination)) return
    const routing = this.#routing()
    const speaker = routing.linkLocalOf(p.inLink)
    if (speaker === undefined) return
    const isDestination = p.nexthop3 === p.destination3 && p.nexthop2 === p.destination2 && p.nexthop === p.destination
    if (!(isDestination && p.nexthop1 === p.destination1) && !ipv6.isLinkLocal(p.nexthop)) return
    const key = this.#key(p).as(ip.PROTO_ICMPV6, 0, 0, 0)
    key.outLink = key.strict = p.inLink
    const answer = this.#towardsSource(p, key)
    if (answer === undefined) return
    const neighbour = answer.nexthop3 === answer.destination3 && answer.nexthop2 === answer.destination2
    const direct = neighbour && answer.nexthop1 === answer.destination1 && answer.nexthop === answer.destination
    const source = wordsOf(p.source, p.source1, p.source2, p.source3)
    if (!direct || !this.#rate.allowRedirect(source)) return this.#mouth.discard(answer)
    const at = answer.start + ipv6.HEADER
    const room = ipv6.MIN_MTU - ipv6.HEADER - REDIRECT_HEADER
    const option = Math.min(p.length + OPTION_HEADER, room) & ~7
    const optionAt = at + REDIRECT_HEADER
    view.setUint16(at, icmpv6.REDIRECT << 8)
    view.setInt32(at + icmpv6.REST, 0)
    putAddress(view, at + icmpv6.HEADER, wordsOf(p.nexthop, p.nexthop1, p.nexthop2, p.nexthop3))
    putAddress(view, at + icmpv6.HEADER + 16, destination)
    view.setUint16(optionAt, (REDIRECTED_OPTION << 8) | (option >> 3))
    p.slab.bytes.fill(0, optionAt + 2, optionAt + OPTION_HEADER)
    p.slab.bytes.copyWithin(optionAt + OPTION_HEADER, p.start, p.start + option - OPTION_HEADER)
    this.#sendIcmp(answer, REDIRECT_HEADER + option, speaker, 0, 0, LINK_HOP_LIMIT)
  }

  // ── resets ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What REJECT --reject-with tcp-reset sends: never in answer to a RST, and only if the checksum is right. */
  reset(p: Packet, _hook: number): void {
    if (p.protocol !== ip.PROTO_TCP || p.transport === 0 || !this.#checksumIsRight(p)) return
    if (!isUnicast(p.source, p.source1, p.source2, p.source3)) return
    if (!isUnicast(p.destination, p.destination1, p.destination2, p.destination3)) return
    const answer = this.#reset(p, 0)
    if (answer === undefined) return
    attach(answer, p)
    this.#conntrack.close(p)
    // Linux makes this one without a label.
    this.#sendReset(answer, p, 0, 0)
  }

  /** A segment for a port that nothing listens on. */
  resetClosed(p: Packet): void {
    const trafficClass = ipv6.trafficClass(p.view, p.start) & ip.DSCP
    const answer = this.#reset(p, trafficClass)
    if (answer === undefined) return
    const speaker = wordsOf(p.destination, p.destination1, p.destination2, p.destination3)
    const label = this.#label(answer, speaker, (p.dport << 16) | p.sport)
    this.#sendReset(answer, p, label, trafficClass)
  }

  #reset(p: Packet, trafficClass: number): Packet | undefined {
    if ((p.view.getUint8(p.transport + tcp.FLAGS) & tcp.RST) !== 0) return undefined
    const key = this.#key(p).from6(p.destination, p.destination1, p.destination2, p.destination3)
    const answer = this.#towardsSource(p, key.as(ip.PROTO_TCP, trafficClass, p.dport, p.sport))
    if (answer !== undefined) writeReset(p, answer.start + ipv6.HEADER)
    return answer
  }

  /** Neither kind has a socket in Linux. */
  #sendReset(answer: Packet, p: Packet, label: number, trafficClass: number): void {
    const speaker = wordsOf(p.destination, p.destination1, p.destination2, p.destination3)
    const flow = (trafficClass << 20) | label
    this.#writeHeader(answer, tcp.MIN_HEADER, ip.PROTO_TCP, this.#hopLimit, flow, speaker)
    const at = answer.start + ipv6.HEADER
    const pseudo = ipv6.pseudoSum(answer.view, answer.start, ip.PROTO_TCP, tcp.MIN_HEADER)
    answer.view.setUint16(at + tcp.CHECKSUM, checksum(answer.view, at, tcp.MIN_HEADER, pseudo))
    this.#send(answer, false)
  }

  // ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Answers an echo request.
   * @param strict it went to more than this router, or to an anycast address: the answer leaves by the device that it came in by,
   *   from an address of the router's choice
   */
  echo(p: Packet, strict: boolean): void {
    // Its class does not choose the way.
    const key = this.#key(p).as(ip.PROTO_ICMPV6, 0, 0, 0)
    key.outLink = p.inLink
    if (strict) key.strict = p.inLink
    else key.from6(p.destination, p.destination1, p.destination2, p.destination3)
    const answer = this.#towardsSource(p, key)
    if (answer === undefined) return
    const speaker = strict
      ? this.#routing().selectSource(p.inLink, wordsOf(p.source, p.source1, p.source2, p.source3))
      : wordsOf(p.destination, p.destination1, p.destination2, p.destination3)
    if (speaker === undefined) return this.#mouth.discard(answer)
    const { view, transport } = p
    const length = p.start + p.length - transport
    const at = answer.start + ipv6.HEADER
    p.slab.bytes.copyWithin(at, transport, transport + length)
    view.setUint8(at, icmpv6.ECHO_REPLY)
    const label = this.#label(answer, speaker, icmpv6.ECHO_REPLY << 8)
    this.#sendIcmp(answer, length, speaker, label, ipv6.trafficClass(view, p.start))
  }

  /** Answers a neighbour solicitation for `target`, an address of the device's own; out of that device, whatever the routes say. */
  advertise(p: Packet, target: readonly number[], anycast: boolean, router: boolean): void {
    const routing = this.#routing()
    const source = wordsOf(p.source, p.source1, p.source2, p.source3)
    const speaker = anycast ? routing.selectSource(p.inLink, source) : target
    const answer = this.#mouth.take(p)
    if (answer === undefined) return
    if (speaker === undefined) return this.#mouth.discard(answer)
    const { view } = p
    setDestination(answer, source)
    answer.outLink = p.inLink
    answer.routeType = type.UNICAST
    answer.nexthop = p.source
    answer.nexthop1 = p.source1
    answer.nexthop2 = p.source2
    answer.nexthop3 = p.source3
    answer.mtu = ipv6.MIN_MTU
    const at = answer.start + ipv6.HEADER
    const override = !anycast && ipv6.isMulticast(p.destination)
    view.setUint16(at, icmpv6.NEIGHBOUR_ADVERTISEMENT << 8)
    view.setInt32(at + icmpv6.REST, (router ? ROUTER : 0) | SOLICITED | (override ? OVERRIDE : 0))
    putAddress(view, at + icmpv6.HEADER, target)
    this.#sendIcmp(answer, ADVERTISEMENT, speaker, 0, 0, LINK_HOP_LIMIT)
  }

  // ── what it is told ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** A router on the way says that ICMPv6 of ours was too long (RFC 8201). What it quotes of TCP and UDP is nobody's here. */
  learn(p: Packet): void {
    const { view, transport } = p
    const at = transport + icmpv6.HEADER
    const end = p.start + p.length
    if (!upper.read(view, at, end) || upper.later || upper.protocol !== ip.PROTO_ICMPV6) return
    if (upper.transport + icmpv6.HEADER > end) return
    const asked = this.#mouth.take(p)
    if (asked === undefined) return
    const word = (i: number) => view.getInt32(at + ipv6.DESTINATION + 4 * i)
    const own = (i: number) => view.getInt32(at + ipv6.SOURCE + 4 * i)
    setDestination(asked, [word(0), word(1), word(2), word(3)])
    const routing = this.#routing()
    const key = routing.key.to6(word(0), word(1), word(2), word(3)).from6(own(0), own(1), own(2), own(3))
    if (this.#reflectMark) key.mark = p.mark
    key.as(ip.PROTO_ICMPV6, ipv6.trafficClass(view, at), 0, 0)
    routing.learnMtu(asked, key, view.getUint32(transport + icmpv6.MTU))
    this.#mouth.discard(asked)
  }

  // ── making packets ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the way of an answer to p depends on; whether marks do is net.ipv6.fwmark_reflect's business. */
  #key(p: Packet): FlowKey {
    const key = this.#routing().key.to6(p.source, p.source1, p.source2, p.source3)
    if (ipv6.isLinkLocal(p.source)) key.outLink = p.inLink
    if (this.#reflectMark) key.mark = p.mark
    return key
  }

  /** A free packet with a route to p's source; undefined when there is no slot or no way. */
  #towardsSource(p: Packet, key: FlowKey): Packet | undefined {
    const answer = this.#mouth.take(p)
    if (answer === undefined) return undefined
    setDestination(answer, wordsOf(p.source, p.source1, p.source2, p.source3))
    answer.mark = key.mark
    if (this.#routing().output(answer, key)) return answer
    this.#mouth.discard(answer)
    return undefined
  }

  #sendIcmp(
    answer: Packet,
    length: number,
    source: readonly number[],
    label: number,
    trafficClass: number,
    hopLimit = this.#hopLimit,
  ): void {
    const { view, start } = answer
    this.#writeHeader(answer, length, ip.PROTO_ICMPV6, hopLimit, (trafficClass << 20) | label, source)
    const at = start + ipv6.HEADER
    view.setUint16(at + icmpv6.CHECKSUM, 0)
    const pseudo = ipv6.pseudoSum(view, start, ip.PROTO_ICMPV6, length)
    view.setUint16(at + icmpv6.CHECKSUM, checksum(view, at, length, fold(pseudo)))
    this.#send(answer, true)
  }

  #writeHeader(
    answer: Packet,
    payload: number,
    next: number,
    hopLimit: number,
    flow: number,
    source: readonly number[],
  ): void {
    const { view, start } = answer
    answer.length = ipv6.HEADER + payload
    ipv6.writeHeader(view, start, payload, next, hopLimit, flow)
    putAddress(view, start + ipv6.SOURCE, source)
    view.setInt32(start + ipv6.DESTINATION, answer.destination)
    view.setInt32(start + ipv6.DESTINATION + 4, answer.destination1)
    view.setInt32(start + ipv6.DESTINATION + 8, answer.destination2)
    view.setInt32(start + ipv6.DESTINATION + 12, answer.destination3)
    vnet.clear(view, start)
  }

  #send(answer: Packet, socket: boolean): void {
    readHeader6(answer)
    answer.socket = socket
    this.#mouth.output(answer)
  }

  /** One flow has one label, which says nothing about it: 20 bits of a hash. `what` are ports, or type and code. */
  #label(answer: Packet, [word0, word1, word2, word3]: readonly number[], what: number): number {
    if (!this.#labelled) return 0
    const { destination, destination1, destination2, destination3 } = answer
    let hash = this.#labelSeed
    for (const word of [word0, word1, word2, word3, destination, destination1, destination2, destination3, what]) {
      hash = Math.imul(hash ^ word, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    return hash & 0xfffff
  }

  // ── checksums ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** As REJECT judges it: with a pseudo-header for every protocol, but for those that have another checksum or none. */
  #checksumIsRight(p: Packet): boolean {
    const at = p.start + p.headerLength
    if (p.protocol > 255 || p.protocol === extension.NO_NEXT) return false
    if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0 || at >= p.start + p.length) return false
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
    return this.sumIsRight(p, at, p.start + p.length - at)
  }

  /**
   * Whether the upper layer's bytes at `at` and its pseudo-header make a right sum.
   * @param covered bytes that the sum is over
   * @param length bytes of the upper layer, where that is more
   */
  sumIsRight(p: Packet, at: number, covered: number, length = covered): boolean {
    if (p.partial) return true
    return fold(fold(sumOf(p.view, at, covered)) + ipv6.pseudoSum(p.view, p.start, p.protocol, length)) === 0xffff
  }
}

// Flags of a neighbour advertisement, in the upper byte of its second word.
const ROUTER = 0x80000000 | 0
const SOLICITED = 0x40000000
const OVERRIDE = 0x20000000

/** Everybody may be told that a packet was too big, and of an option with which the sender asked for an answer in any case. */
function mayAnswerMulticast(p: Packet, kind: number, code: number, info: number): boolean {
  if (kind === icmpv6.PACKET_TOO_BIG) return true
  if (kind !== icmpv6.PARAMETER_PROBLEM || code !== icmpv6.UNKNOWN_OPTION) return false
  return (p.view.getUint8(p.start + info) & 0xc0) === 0x80
}

/** Whether p is an ICMPv6 error itself, or ICMPv6 of which not even the type is there; that may be in another fragment. */
function quotesError(p: Packet): boolean {
  const { view, start } = p
  const end = start + p.length
  let { protocol } = p
  let at = start + p.headerLength
  if (protocol === NO_PROTOCOL) {
    // This walk looks at two bytes of a header where that of rules wants to see four of a routing header.
    if (!upper.read(view, start, end) || upper.later) return false
    protocol = upper.protocol
    at = upper.transport
  }
  if (protocol !== ip.PROTO_ICMPV6 || (p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return false
  if (at >= end) return (p.fragment & ip.MF) === 0
  return icmpv6.isError(view.getUint8(at))
}

const upper = new Quoted6()

function isUnicast(word0: number, word1: number, word2: number, word3: number): boolean {
  return !ipv6.isMulticast(word0) && !ipv6.isUnspecified(word0, word1, word2, word3)
}

function wordsOf(word0: number, word1: number, word2: number, word3: number): readonly number[] {
  return [word0, word1, word2, word3]
}

function setDestination(p: Packet, [word0, word1, word2, word3]: readonly number[]): void {
  p.destination = word0
  p.destination1 = word1
  p.destination2 = word2
  p.destination3 = word3
}

function putAddress(view: DataView, at: number, [word0, word1, word2, word3]: readonly number[]): void {
  view.setInt32(at, word0)
  view.setInt32(at + 4, word1)
  view.setInt32(at + 8, word2)
  view.setInt32(at + 12, word3)
}
