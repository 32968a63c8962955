// The packets of a flow: the one that opens it, what its other end answers to a packet that reached it, and what both ends
// send from then on. Answers are made by turning round what left the router, so whatever NAT did to it is met. Small
// packets, right checksums; of TCP the handshake, with sequence numbers that the window tracking takes (RFC 9293).

import { checksum, pseudoSum4 } from '../wire/checksum.ts'
import * as icmp from '../wire/icmp.ts'
import * as ip from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import * as udp from '../wire/udp.ts'

export interface Tuple {
  /** int32, as everywhere. */
  readonly source: number
  readonly destination: number
  /** One of IPv4's PROTO_TCP, PROTO_UDP, PROTO_ICMP. */
  readonly protocol: number
  /** Of ICMP: the echo's identifier. */
  readonly sport: number
  /** Of ICMP: 0. */
  readonly dport: number
}

/** Bytes of a packet that carries data. */
const LENGTH = 64
const CLIENT_FIRST = 1_000_000
const SERVER_FIRST = 2_000_000
const WINDOW = 29_200
const TCP_HEADER = 20

/** What a client sends first: SYN, a datagram, an echo request. */
export function opening(tuple: Tuple): Uint8Array {
  return tuple.protocol === ip.PROTO_TCP ? segment(tuple, tcp.SYN, CLIENT_FIRST, 0, 0) : carrying(tuple, icmp.ECHO)
}

/** What the other end says to a first packet that reached it. */
export function answerTo(left: Uint8Array): Uint8Array {
  const tuple = turned(left)
  return tuple.protocol === ip.PROTO_TCP
    ? segment(tuple, tcp.SYN | tcp.ACK, SERVER_FIRST, CLIENT_FIRST + 1, 0)
    : carrying(tuple, icmp.ECHO_REPLY)
}

/** Ends the handshake; only TCP has one. */
export function acknowledgement(tuple: Tuple): Uint8Array {
  return segment(tuple, tcp.ACK, CLIENT_FIRST + 1, SERVER_FIRST + 1, 0)
}

/** What the client sends in an established flow. */
export function request(tuple: Tuple): Uint8Array {
  if (tuple.protocol !== ip.PROTO_TCP) return opening(tuple)
  return segment(tuple, tcp.ACK, CLIENT_FIRST + 1, SERVER_FIRST + 1, LENGTH - ip.MIN_HEADER - TCP_HEADER)
}

/** What the server sends in an established flow, whose first packet reached it like this. */
export function reply(left: Uint8Array): Uint8Array {
  const tuple = turned(left)
  if (tuple.protocol !== ip.PROTO_TCP) return carrying(tuple, icmp.ECHO_REPLY)
  return segment(tuple, tcp.ACK, SERVER_FIRST + 1, CLIENT_FIRST + 1, LENGTH - ip.MIN_HEADER - TCP_HEADER)
}

/** Whether a packet is an echo reply. */
export function isEchoReply(bytes: Uint8Array): boolean {
  return bytes[ip.PROTOCOL] === ip.PROTO_ICMP && bytes[(bytes[0] & 15) << 2] === icmp.ECHO_REPLY
}

/** Whether a packet has a flow's protocol and no error stands in it: of several that left, it is the flow's own. */
export function isOf(bytes: Uint8Array, { protocol }: Tuple): boolean {
  return bytes[ip.PROTOCOL] === protocol && (protocol !== ip.PROTO_ICMP || !icmp.isError(bytes[(bytes[0] & 15) << 2]))
}

function turned(bytes: Uint8Array): Tuple {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = (bytes[0] & 15) << 2
  const protocol = bytes[ip.PROTOCOL]
  const echo = protocol === ip.PROTO_ICMP
  return {
    source: view.getInt32(ip.DESTINATION),
    destination: view.getInt32(ip.SOURCE),
    protocol,
    sport: view.getUint16(echo ? at + icmp.ID : at + udp.DESTINATION_PORT),
    dport: echo ? 0 : view.getUint16(at + udp.SOURCE_PORT),
  }
}

function begun(tuple: Tuple, length: number): DataView {
  const view = new DataView(new ArrayBuffer(length))
  ip.writeHeader(view, 0, length, 0, ip.DF, 64, tuple.protocol, 0, tuple.source, tuple.destination)
  return view
}

function segment(tuple: Tuple, flags: number, sequence: number, acknowledged: number, data: number): Uint8Array {
  const view = begun(tuple, ip.MIN_HEADER + TCP_HEADER + data)
  const at = ip.MIN_HEADER
  view.setUint16(at + tcp.SOURCE_PORT, tuple.sport)
  view.setUint16(at + tcp.DESTINATION_PORT, tuple.dport)
  view.setUint32(at + tcp.SEQUENCE, sequence)
  view.setUint32(at + tcp.ACKNOWLEDGEMENT, acknowledged)
  view.setUint8(at + tcp.DATA_OFFSET, (TCP_HEADER >> 2) << 4)
  view.setUint8(at + tcp.FLAGS, flags)
  view.setUint16(at + tcp.WINDOW, WINDOW)
  return summed(view, tuple, tcp.CHECKSUM)
}

/** A datagram, or an echo of this type. */
function carrying(tuple: Tuple, echo: number): Uint8Array {
  const view = begun(tuple, LENGTH)
  const at = ip.MIN_HEADER
  if (tuple.protocol === ip.PROTO_ICMP) {
    view.setUint8(at + icmp.TYPE, echo)
    view.setUint16(at + icmp.ID, tuple.sport)
    view.setUint16(at + icmp.SEQUENCE, 1)
    view.setUint16(at + icmp.CHECKSUM, checksum(view, at, LENGTH - at))
    return new Uint8Array(view.buffer)
  }
  view.setUint16(at + udp.SOURCE_PORT, tuple.sport)
  view.setUint16(at + udp.DESTINATION_PORT, tuple.dport)
  view.setUint16(at + udp.LENGTH, LENGTH - at)
  return summed(view, tuple, udp.CHECKSUM)
}

function summed(view: DataView, { source, destination, protocol }: Tuple, field: number): Uint8Array {
  const at = ip.MIN_HEADER
  const length = view.byteLength - at
  view.setUint16(at + field, checksum(view, at, length, pseudoSum4(source, destination, protocol, length)) || 0xffff)
  return new Uint8Array(view.buffer as ArrayBuffer)
}
