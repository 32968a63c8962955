// Connections of TCP as the benchmark's traffic: segments without data in packets of 64 bytes, filled up with options that say nothing,
// between the ends of packets.ts's flows.

import { checksum, fold, pseudoSum4, sumOf } from '../src/wire/checksum.ts'
import * as ip from '../src/wire/ipv4.ts'
import * as tcp from '../src/wire/tcp.ts'
import { type Flow, flow, LENGTH, MASQUERADE_ADDRESS, replyOf, type Traffic } from './packets.ts'

const SEGMENT = LENGTH - ip.MIN_HEADER
const CLIENT = 1000
const SERVER = 5_000_000
const WINDOW = 0x7fff

function write(view: DataView, at: number, f: Flow, flags: number, sequence: number, acknowledgement: number): void {
  ip.writeHeader(view, at, LENGTH, 0, ip.DF, 64, ip.PROTO_TCP, 0, f.source, f.destination)
  const header = at + ip.MIN_HEADER
  view.setUint16(header + tcp.SOURCE_PORT, f.sport)
  view.setUint16(header + tcp.DESTINATION_PORT, f.dport)
  view.setInt32(header + tcp.SEQUENCE, sequence)
  view.setInt32(header + tcp.ACKNOWLEDGEMENT, acknowledgement)
  view.setUint8(header + tcp.DATA_OFFSET, (SEGMENT >> 2) << 4)
  view.setUint8(header + tcp.FLAGS, flags)
  view.setUint16(header + tcp.WINDOW, WINDOW)
  view.setUint16(header + tcp.CHECKSUM, 0)
  view.setUint16(header + tcp.URGENT, 0)
  for (let i = tcp.MIN_HEADER; i < SEGMENT; i++) view.setUint8(header + i, tcp.OPTION_NOP)
  const pseudo = pseudoSum4(f.source, f.destination, ip.PROTO_TCP, SEGMENT)
  view.setUint16(header + tcp.CHECKSUM, checksum(view, header, SEGMENT, pseudo))
}

export const SYNS: Traffic['write'] = (view, at, i) => write(view, at, flow(i), tcp.SYN, CLIENT, 0)
export const SYN_ACKS: Traffic['write'] = (view, at, i) =>
  write(view, at, replyOf(flow(i)), tcp.SYN | tcp.ACK, SERVER, CLIENT + 1)

export const TRAFFIC_TCP: Traffic = {
  write: (view, at, i) => write(view, at, flow(i), tcp.ACK, CLIENT + 1, SERVER + 1),
  writeReply: (view, at, i) => write(view, at, replyOf(flow(i)), tcp.ACK, SERVER + 1, CLIENT + 1),
  isMasqueraded: (view, at) => {
    if (view.getInt32(at + ip.SOURCE) !== MASQUERADE_ADDRESS || ip.headerSum(view, at, ip.MIN_HEADER) !== 0xffff)
      return false
    const pseudo = pseudoSum4(view.getInt32(at + ip.SOURCE), view.getInt32(at + ip.DESTINATION), ip.PROTO_TCP, SEGMENT)
    return fold(pseudo + sumOf(view, at + ip.MIN_HEADER, SEGMENT)) === 0xffff
  },
}
