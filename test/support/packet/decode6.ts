// The bytes of an IPv6 packet into the Packet that says them best; as decode.ts, which has what both families share.

import { decodePacket, padded, readTcp, readUdp, set4raw, setter, settle } from './decode.ts'
import type { Extension, Packet } from './model.ts'
import { DEFAULT, hasIdentifier6, hexOf, PROTOCOL_NUMBER, quotes6 } from './model.ts'

/** The packet, whose 40 bytes of header are there. */
export function decode6(bytes: Uint8Array): Packet | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const total = 40 + view.getUint16(4)
  for (const extended of [true, false]) {
    const readings = [read(bytes, bytes.length, extended)]
    if (total !== bytes.length) readings[0]![0].fields.iplen = total - 40
    if (total > bytes.length) {
      // Cut off, most likely: what is missing is taken for the rest of the pattern.
      const cut = read(bytes, total, extended)
      cut[0].fields.cut = bytes.length
      readings.unshift(cut)
    }
    for (const sums of [false, true])
      for (const [reading, header] of readings) {
        const settled = settle(reading, bytes, header, sums)
        if (settled) return settled
      }
  }
  const [plain] = read(bytes, bytes.length, false, true)
  if (total !== bytes.length) plain.fields.iplen = total - 40
  return settle(plain, bytes, 40, true)
}

/**
 * Reads the fields; also where the transport header begins.
 * @param total how long the packet would be if all of it were there
 * @param extended extension headers are read as such, not as a payload
 * @param plain what follows the headers is a payload
 */
function read(bytes: Uint8Array, total: number, extended: boolean, plain = false): [Packet, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const extensions: Extension[] = []
  let protocol = bytes[6]!
  let header = 40
  let later = false
  while (extended && !later) {
    const found = extensionAt(bytes, protocol, header)
    if (!found) break
    extensions.push(found)
    protocol = bytes[header]!
    header += 'hex' in found ? 1 + found.hex.length / 2 : 8
    later = !('hex' in found) && found.offset > 0
  }
  const name = (['icmp6', 'tcp', 'udp'] as const).find((known) => PROTOCOL_NUMBER[known] === protocol)
  const word = view.getUint32(0)
  const packet: Packet = {
    family: 6,
    proto: name ?? 'ip',
    source: (view.getBigUint64(8) << 64n) | view.getBigUint64(16),
    destination: (view.getBigUint64(24) << 64n) | view.getBigUint64(32),
    fields: {},
    ipFlags: new Set(),
  }
  if (extensions.length > 0) packet.extensions = extensions
  const set = setter(packet)
  if (!name) packet.fields.proto = protocol
  set('tc', (word >>> 20) & 255)
  set('flow', word & 0xfffff)
  set('hl', bytes[7]!, DEFAULT.hl)
  const length = total - header
  const there = bytes.length - header
  const l4 = there < Math.min(length, 20) ? padded(bytes, header) : bytes.subarray(header)
  if (plain || later || length < 8) set4raw(packet, bytes.subarray(header), length)
  else if (name === 'udp') readUdp(packet, l4, there, length)
  else if (name === 'tcp' && length >= 20 && there >= 8) readTcp(packet, l4, there, length)
  else if (name === 'icmp6' && there >= 8) readIcmp6(packet, l4, length)
  else set4raw(packet, bytes.subarray(header), length)
  return [packet, header]
}

/** The extension header of this kind, if it is one and all of it is there. */
function extensionAt(bytes: Uint8Array, kind: number, at: number): Extension | undefined {
  if (![0, 43, 44, 51, 60].includes(kind) || at + 8 > bytes.length) return undefined
  const length = kind === 44 ? 8 : kind === 51 ? (bytes[at + 1]! + 2) * 4 : (bytes[at + 1]! + 1) * 8
  if (at + length > bytes.length) return undefined
  const hex = hexOf(bytes.subarray(at + 1, at + length))
  if (kind !== 44) return { kind, hex }
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8)
  const word = view.getUint16(2)
  if (bytes[at + 1] !== 0 || (word & 6) !== 0) return { kind, hex }
  return { kind, offset: word & 0xfff8, more: (word & 1) !== 0, id: view.getUint32(4) }
}

function readIcmp6(packet: Packet, l4: Uint8Array, length: number): void {
  const view = new DataView(l4.buffer, l4.byteOffset, l4.length)
  const set = setter(packet)
  const type = l4[0]!
  const rest = view.getUint32(4)
  packet.fields.type = type
  set('code', l4[1]!)
  if (hasIdentifier6(type)) {
    set('id', rest >>> 16)
    set('seq', rest & 0xffff)
  } else set(type === 2 ? 'mtu' : type === 4 ? 'ptr' : 'rest', rest)
  const inner = quotes6(type) && l4.length === length ? decodePacket(l4.subarray(8)) : undefined
  if (inner) packet.inner = inner
  else set4raw(packet, l4.subarray(8), length - 8)
}
