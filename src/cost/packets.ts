// The packets of a flow: the one that opens it, what its other end answers to a packet that reached it, and what both ends
// send from then on. Answers are made by turning round what left the router, so whatever NAT did to it is met. Small
// packets, right checksums; of TCP the handshake, with sequence numbers that the window tracking takes (RFC 9293).

import { checksum, pseudoSum4 } from '../wire/checksum.ts'
import * as icmp from '../wire/icmp.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'

export interface Tuple {
  /** int32 words, as everywhere: one of IPv4, four of IPv6. */
  readonly source: readonly number[]
  readonly destination: readonly number[]
  /** PROTO_TCP, PROTO_UDP, or the family's: PROTO_ICMP, PROTO_ICMPV6. */
  readonly protocol: number
  /** Of an echo: its identifier. */
  readonly sport: number
  /** Of an echo: 0. */
  readonly dport: number
}

/** Bytes behind the IP header of a packet that carries data. */
const LENGTH = 44
const CLIENT_FIRST = 1_000_000
const SERVER_FIRST = 2_000_000
const WINDOW = 29_200
const TCP_HEADER = 20

/** What a client sends first: SYN, a datagram, an echo request. */
export function opening(tuple: Tuple): Uint8Array {
  return tuple.protocol === ip.PROTO_TCP ? segment(tuple, tcp.SYN, CLIENT_FIRST, 0, 0) : carrying(tuple, true)
}

/** What the other end says to a first packet that reached it. */
export function answerTo(left: Uint8Array): Uint8Array {
  const tuple = turned(left)
  return tuple.protocol === ip.PROTO_TCP
    ? segment(tuple, tcp.SYN | tcp.ACK, SERVER_FIRST, CLIENT_FIRST + 1, 0)
    : carrying(tuple, false)
}

/** Ends the handshake; only TCP has one. */
export function acknowledgement(tuple: Tuple): Uint8Array {
  return segment(tuple, tcp.ACK, CLIENT_FIRST + 1, SERVER_FIRST + 1, 0)
}

/** What the client sends in an established flow. */
export function request(tuple: Tuple): Uint8Array {
  if (tuple.protocol !== ip.PROTO_TCP) return opening(tuple)
  return segment(tuple, tcp.ACK, CLIENT_FIRST + 1, SERVER_FIRST + 1, LENGTH - TCP_HEADER)
}

/** What the server sends in an established flow, whose first packet reached it like this. */
export function reply(left: Uint8Array): Uint8Array {
  const tuple = turned(left)
  if (tuple.protocol !== ip.PROTO_TCP) return carrying(tuple, false)
  return segment(tuple, tcp.ACK, SERVER_FIRST + 1, CLIENT_FIRST + 1, LENGTH - TCP_HEADER)
}

/** Whether a packet is an echo reply. */
export function isEchoReply(bytes: Uint8Array): boolean {
  const { protocol, at } = headerOf(bytes)
  return (
    (protocol === ip.PROTO_ICMP && bytes[at] === icmp.ECHO_REPLY) ||
    (protocol === ip.PROTO_ICMPV6 && bytes[at] === icmpv6.ECHO_REPLY)
  )
}

/** Whether a packet has a flow's protocol and no error stands in it: of several that left, it is the flow's own. */
export function isOf(bytes: Uint8Array, tuple: Tuple): boolean {
  const { protocol, at } = headerOf(bytes)
  if (protocol !== tuple.protocol) return false
  if (protocol === ip.PROTO_ICMP) return !icmp.isError(bytes[at])
  return protocol !== ip.PROTO_ICMPV6 || !icmpv6.isError(bytes[at])
}

/** A packet's protocol, and where that begins. What is made here has no extension headers; what has some is not of a flow. */
function headerOf(bytes: Uint8Array): { readonly protocol: number; readonly at: number } {
  return bytes[0] >>> 4 === 6
    ? { protocol: bytes[ipv6.NEXT_HEADER], at: ipv6.HEADER }
    : { protocol: bytes[ip.PROTOCOL], at: (bytes[0] & 15) << 2 }
}

function turned(bytes: Uint8Array): Tuple {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const { protocol, at } = headerOf(bytes)
  const echo = protocol === ip.PROTO_ICMP || protocol === ip.PROTO_ICMPV6
  const words = (o: number) => [0, 4, 8, 12].map((i) => view.getInt32(o + i))
  const six = bytes[0] >>> 4 === 6
  return {
    source: six ? words(ipv6.DESTINATION) : [view.getInt32(ip.DESTINATION)],
    destination: six ? words(ipv6.SOURCE) : [view.getInt32(ip.SOURCE)],
    protocol,
    sport: view.getUint16(echo ? at + icmp.ID : at + udp.DESTINATION_PORT),
    dport: echo ? 0 : view.getUint16(at + udp.SOURCE_PORT),
  }
}

/** A packet of so many bytes behind the IP header, and where those begin. */
function begun(tuple: Tuple, length: number): { readonly view: DataView; readonly at: number } {
  const { source, destination, protocol } = tuple
  if (source.length === 1) {
    const view = new DataView(new ArrayBuffer(ip.MIN_HEADER + length))
    ip.writeHeader(view, 0, view.byteLength, 0, ip.DF, 64, protocol, 0, source[0], destination[0])
    return { view, at: ip.MIN_HEADER }
  }
  const view = new DataView(new ArrayBuffer(ipv6.HEADER + length))
  ipv6.writeHeader(view, 0, length, protocol, 64, 0)
  for (let i = 0; i < 4; i++) {
    view.setInt32(ipv6.SOURCE + 4 * i, source[i])
    view.setInt32(ipv6.DESTINATION + 4 * i, destination[i])
  }
  return { view, at: ipv6.HEADER }
}

function segment(tuple: Tuple, flags: number, sequence: number, acknowledged: number, data: number): Uint8Array {
  const { view, at } = begun(tuple, TCP_HEADER + data)
  view.setUint16(at + tcp.SOURCE_PORT, tuple.sport)
  view.setUint16(at + tcp.DESTINATION_PORT, tuple.dport)
  view.setUint32(at + tcp.SEQUENCE, sequence)
  view.setUint32(at + tcp.ACKNOWLEDGEMENT, acknowledged)
  view.setUint8(at + tcp.DATA_OFFSET, (TCP_HEADER >> 2) << 4)
  view.setUint8(at + tcp.FLAGS, flags)
  view.setUint16(at + tcp.WINDOW, WINDOW)
  return summed(view, at, tuple, tcp.CHECKSUM)
}

/** A datagram, or an echo: a request or a reply. */
function carrying(tuple: Tuple, request: boolean): Uint8Array {
  const { view, at } = begun(tuple, LENGTH)
  if (tuple.protocol !== ip.PROTO_UDP) {
    const of = tuple.protocol === ip.PROTO_ICMP ? icmp : icmpv6
    view.setUint8(at + icmp.TYPE, request ? of.ECHO : of.ECHO_REPLY)
    view.setUint16(at + icmp.ID, tuple.sport)
    view.setUint16(at + icmp.SEQUENCE, 1)
    return summed(view, at, tuple, icmp.CHECKSUM)
  }
  view.setUint16(at + udp.SOURCE_PORT, tuple.sport)
  view.setUint16(at + udp.DESTINATION_PORT, tuple.dport)
  view.setUint16(at + udp.LENGTH, LENGTH)
  return summed(view, at, tuple, udp.CHECKSUM)
}

function summed(view: DataView, at: number, { source, destination, protocol }: Tuple, field: number): Uint8Array {
  const length = view.byteLength - at
  let pseudo = 0
  if (source.length === 4) pseudo = ipv6.pseudoSum(view, 0, protocol, length)
  else if (protocol !== ip.PROTO_ICMP) pseudo = pseudoSum4(source[0], destination[0], protocol, length)
  const sum = checksum(view, at, length, pseudo)
  // Of UDP alone 0 means that there is none.
  view.setUint16(at + field, sum === 0 && protocol === ip.PROTO_UDP ? 0xffff : sum)
  return new Uint8Array(view.buffer as ArrayBuffer)
}
