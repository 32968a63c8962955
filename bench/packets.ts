// The benchmark's traffic: UDP packets of 64 bytes in all (IP header 20, UDP header 8, payload 36) with right checksums,
// and the flows that they belong to. Flow i is always the same one, and no two flows share a source port towards the
// same server, so that MASQUERADE can keep every port and replies can be made without asking what it chose.

import { checksum, fold, pseudoSum4, sumOf } from '../src/wire/checksum.ts'
import * as ip from '../src/wire/ipv4.ts'
import * as udp from '../src/wire/udp.ts'

export const LENGTH = 64
/** The router's address on the side of the servers. */
export const MASQUERADE_ADDRESS = (203 << 24) | (113 << 8) | 1
const PORTS = 50_000
const CLIENTS = 10 << 24
const SERVERS = (198 << 24) | (18 << 16)
const DNS = 53

export interface Flow {
  readonly source: number
  readonly destination: number
  readonly sport: number
  readonly dport: number
}

/** Flow number `i`: 250 flows a client, 50,000 flows a server. */
export function flow(i: number): Flow {
  return {
    source: (CLIENTS + 0x10000 + 1 + Math.floor(i / 250)) | 0,
    destination: (SERVERS + 1 + Math.floor(i / PORTS)) | 0,
    sport: 10_000 + (i % PORTS),
    dport: DNS,
  }
}

/** What the server answers to a flow that was masqueraded. */
export function replyOf(f: Flow): Flow {
  return { source: f.destination, destination: MASQUERADE_ADDRESS, sport: f.dport, dport: f.sport }
}

/** Writes one packet of a flow at `at`. */
export function writePacket(view: DataView, at: number, f: Flow): void {
  ip.writeHeader(view, at, LENGTH, 0, ip.DF, 64, ip.PROTO_UDP, 0, f.source, f.destination)
  const transport = at + ip.MIN_HEADER
  const length = LENGTH - ip.MIN_HEADER
  view.setUint16(transport + udp.SOURCE_PORT, f.sport)
  view.setUint16(transport + udp.DESTINATION_PORT, f.dport)
  view.setUint16(transport + udp.LENGTH, length)
  view.setUint16(transport + udp.CHECKSUM, 0)
  for (let i = udp.HEADER; i < length; i++) view.setUint8(transport + i, i)
  const pseudo = pseudoSum4(f.source, f.destination, ip.PROTO_UDP, length)
  view.setUint16(transport + udp.CHECKSUM, checksum(view, transport, length, pseudo) || 0xffff)
}

/** Whether a packet's IP and UDP checksums are right. */
export function checksumsRight(view: DataView, at: number): boolean {
  if (ip.headerSum(view, at, ip.MIN_HEADER) !== 0xffff) return false
  const length = LENGTH - ip.MIN_HEADER
  const pseudo = pseudoSum4(view.getInt32(at + ip.SOURCE), view.getInt32(at + ip.DESTINATION), ip.PROTO_UDP, length)
  return fold(pseudo + sumOf(view, at + ip.MIN_HEADER, length)) === 0xffff
}

/** One family's packets of flow number `i`. */
export interface Traffic {
  /** From the client. */
  write(view: DataView, at: number, i: number): void
  /** What the server answers once the flow was masqueraded. */
  writeReply(view: DataView, at: number, i: number): void
  /** Whether a packet has the router's address as source, and right checksums. */
  isMasqueraded(view: DataView, at: number): boolean
}

export const TRAFFIC4: Traffic = {
  write: (view, at, i) => writePacket(view, at, flow(i)),
  writeReply: (view, at, i) => writePacket(view, at, replyOf(flow(i))),
  isMasqueraded: (view, at) => view.getInt32(at + ip.SOURCE) === MASQUERADE_ADDRESS && checksumsRight(view, at),
}

/** The numbers 0 to n - 1 in an order that is random and always the same. */
export function shuffled(n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  let state = 0x9e3779b9
  for (let i = n - 1; i > 0; i--) {
    // xorshift32
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const j = (state >>> 0) % (i + 1)
    const kept = order[i]
    order[i] = order[j]
    order[j] = kept
  }
  return order
}
