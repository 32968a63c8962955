// The TCP header of a reset (RFC 9293, 3.10.7.1), for both families.

import type { Packet } from '../packet/packet.ts'
import * as tcp from '../wire/tcp.ts'

/** Writes at `at` the 20 bytes of a header that answers p's segment, but for its checksum, which is 0. */
export function writeReset(p: Packet, at: number): void {
  const { view, transport } = p
  const flags = view.getUint8(transport + tcp.FLAGS)
  view.setUint16(at + tcp.SOURCE_PORT, view.getUint16(transport + tcp.DESTINATION_PORT))
  view.setUint16(at + tcp.DESTINATION_PORT, view.getUint16(transport + tcp.SOURCE_PORT))
  let seq = 0
  let ack = 0
  if ((flags & tcp.ACK) !== 0) seq = view.getInt32(transport + tcp.ACKNOWLEDGEMENT)
  else {
    const data = p.start + p.length - transport - tcp.headerLength(view, transport)
    const phantom = ((flags & tcp.SYN) !== 0 ? 1 : 0) + ((flags & tcp.FIN) !== 0 ? 1 : 0)
    ack = view.getInt32(transport + tcp.SEQUENCE) + data + phantom
  }
  view.setInt32(at + tcp.SEQUENCE, seq)
  view.setInt32(at + tcp.ACKNOWLEDGEMENT, ack)
  view.setUint8(at + tcp.DATA_OFFSET, (tcp.MIN_HEADER >> 2) << 4)
  view.setUint8(at + tcp.FLAGS, (flags & tcp.ACK) !== 0 ? tcp.RST : tcp.RST | tcp.ACK)
  view.setUint16(at + tcp.WINDOW, 0)
  view.setInt32(at + tcp.CHECKSUM, 0)
}
