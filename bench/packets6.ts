// The benchmark's traffic for IPv6: the same flows as IPv4's (packets.ts), in packets of the same length: 40 bytes of IP header,
// 8 of UDP, 16 of payload.

import { checksum, fold, sumOf } from '../src/wire/checksum.ts'
import { PROTO_UDP } from '../src/wire/ipv4.ts'
import * as ipv6 from '../src/wire/ipv6.ts'
import * as udp from '../src/wire/udp.ts'
import { type Flow, flow, LENGTH, type Traffic } from './packets.ts'

/** fd00:1::/32 for clients, 2001:db8:2::/48 for servers; the last word is the IPv4 address of the same flow. */
const CLIENTS = [0xfd000001 | 0, 0, 0] as const
const SERVERS = [0x20010db8, 0x00020000, 0] as const
/** 2001:db8:1::1 */
const MASQUERADE_ADDRESS = [0x20010db8, 0x00010000, 0, 1] as const

function write(view: DataView, at: number, source: readonly number[], destination: readonly number[], f: Flow): void {
  const length = LENGTH - ipv6.HEADER
  ipv6.writeHeader(view, at, length, PROTO_UDP, 64, 0)
  for (let i = 0; i < 4; i++) {
    view.setInt32(at + ipv6.SOURCE + 4 * i, source[i])
    view.setInt32(at + ipv6.DESTINATION + 4 * i, destination[i])
  }
  const transport = at + ipv6.HEADER
  view.setUint16(transport + udp.SOURCE_PORT, f.sport)
  view.setUint16(transport + udp.DESTINATION_PORT, f.dport)
  view.setUint16(transport + udp.LENGTH, length)
  view.setUint16(transport + udp.CHECKSUM, 0)
  for (let i = udp.HEADER; i < length; i++) view.setUint8(transport + i, i)
  const pseudo = ipv6.pseudoSum(view, at, PROTO_UDP, length)
  view.setUint16(transport + udp.CHECKSUM, checksum(view, transport, length, pseudo) || 0xffff)
}

export const TRAFFIC6: Traffic = {
  write(view, at, i) {
    const f = flow(i)
    write(view, at, [...CLIENTS, f.source], [...SERVERS, f.destination], f)
  },
  writeReply(view, at, i) {
    const f = flow(i)
    write(view, at, [...SERVERS, f.destination], MASQUERADE_ADDRESS, { ...f, sport: f.dport, dport: f.sport })
  },
  isMasqueraded(view, at) {
    if (MASQUERADE_ADDRESS.some((word, i) => view.getInt32(at + ipv6.SOURCE + 4 * i) !== word)) return false
    const length = LENGTH - ipv6.HEADER
    return fold(ipv6.pseudoSum(view, at, PROTO_UDP, length) + sumOf(view, at + ipv6.HEADER, length)) === 0xffff
  },
}
