// Bytes into the Packet that says them best. Whatever is returned encodes to exactly these bytes: a reading is taken only
// when that holds, the most natural one first, and `raw` is the last. So a line never says more or less than its bytes.

import { decode6 } from './decode6.ts'
import { encode } from './encode.ts'
import type { FieldName, IpFlag, Packet, Payload, Raw } from './model.ts'
import { DEFAULT, hasIdentifier, hexOf, IP_FLAGS, PROTOCOL_NUMBER, quotes } from './model.ts'
import { printPacket } from './print.ts'
import { checksumAt, spoil, tcpOptions } from './transport.ts'

/** The line for these bytes. */
export function describePacket(bytes: Uint8Array): string {
  return printPacket(decode(bytes))
}

export function decode(bytes: Uint8Array): Packet | Raw {
  return decodePacket(bytes) ?? { proto: 'raw', hex: hexOf(bytes) }
}

export function decodePacket(bytes: Uint8Array): Packet | undefined {
  if (bytes.length >= 40 && bytes[0]! >> 4 === 6) return decode6(bytes)
  if (bytes.length < 20 || bytes[0]! >> 4 !== 4) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const total = view.getUint16(2)
  const ihl = bytes[0]! & 15
  const header = ihl >= 5 && ihl * 4 <= bytes.length ? ihl * 4 : 20
  const whole = read(bytes, header, bytes.length - header)
  if (header !== ihl * 4) whole.fields.ihl = ihl
  if (total !== bytes.length) whole.fields.iplen = total
  const readings = [whole]
  if (total > bytes.length) {
    // Cut off, most likely: what is missing is taken for the rest of the pattern.
    const cut = read(bytes, header, total - header)
    cut.fields.cut = bytes.length
    readings.unshift(cut)
  }
  for (const sums of [false, true])
    for (const reading of readings) {
      const settled = settle(reading, bytes, header, sums)
      if (settled) return settled
    }
  return settle(plain(whole, bytes, header), bytes, header, true)
}

/** Reads the fields. `length` is how long the transport part would be if all of it were there. */
function read(bytes: Uint8Array, header: number, length: number): Packet {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const protocol = bytes[9]!
  const name = (['icmp', 'tcp', 'udp'] as const).find((known) => PROTOCOL_NUMBER[known] === protocol)
  const packet: Packet = {
    proto: name ?? 'ip',
    source: view.getUint32(12),
    destination: view.getUint32(16),
    fields: {},
    ipFlags: new Set(),
  }
  const set = setter(packet)
  if (!name) packet.fields.proto = protocol
  set('tos', bytes[1]!)
  set('ipid', view.getUint16(4))
  set('ttl', bytes[8]!, DEFAULT.ttl)
  const word = view.getUint16(6)
  for (const flag of Object.keys(IP_FLAGS) as IpFlag[]) if (word & IP_FLAGS[flag]) packet.ipFlags.add(flag)
  set('frag', (word & 0x1fff) * 8)
  if (header > 20) packet.ipOptions = hexOf(bytes.subarray(20, header))

  // Where the header is cut off too, its missing fields read as the defaults.
  const there = bytes.length - header
  const l4 = there < Math.min(length, 20) ? padded(bytes, header) : bytes.subarray(header)
  if (word & 0x1fff || length < 8) set4raw(packet, bytes.subarray(header), length)
  else if (name === 'udp') readUdp(packet, l4, there, length)
  else if (name === 'tcp' && length >= 20 && there >= 8) readTcp(packet, l4, there, length)
  else if (name === 'icmp' && there >= 8) readIcmp(packet, l4, length)
  else set4raw(packet, bytes.subarray(header), length)
  return packet
}

export function padded(bytes: Uint8Array, header: number): Uint8Array {
  const result = new Uint8Array(20)
  result[12] = 0x50
  result[14] = result[15] = 255
  result.set(bytes.subarray(header, header + 20))
  return result
}

export function setter(packet: Packet) {
  return (name: FieldName, value: number, otherwise = 0) => {
    if (value !== otherwise) packet.fields[name] = value
  }
}

export function set4raw(packet: Packet, there: Uint8Array, length: number): void {
  const payload = describePayload(there, length)
  if (payload) packet.payload = payload
}

/** The packet with everything after the IP header as its payload. */
function plain(packet: Packet, bytes: Uint8Array, header: number): Packet {
  const { proto, source, destination, ipFlags, ipOptions } = packet
  const result: Packet = { proto, source, destination, ipFlags, fields: {} }
  if (ipOptions) result.ipOptions = ipOptions
  for (const name of ['proto', 'tos', 'ipid', 'frag', 'ttl', 'ihl', 'iplen'] as const) {
    const value = packet.fields[name]
    if (value !== undefined) result.fields[name] = value
  }
  set4raw(result, bytes.subarray(header), bytes.length - header)
  return result
}

export function readUdp(packet: Packet, l4: Uint8Array, there: number, length: number): void {
  const view = new DataView(l4.buffer, l4.byteOffset, l4.length)
  packet.sourcePort = view.getUint16(0)
  packet.destinationPort = view.getUint16(2)
  if (there >= 6) setter(packet)('ulen', view.getUint16(4), length)
  set4raw(packet, l4.subarray(8, Math.max(8, there)), length - 8)
}

export function readTcp(packet: Packet, l4: Uint8Array, there: number, length: number): void {
  const view = new DataView(l4.buffer, l4.byteOffset, l4.length)
  const set = setter(packet)
  packet.sourcePort = view.getUint16(0)
  packet.destinationPort = view.getUint16(2)
  packet.tcpFlags = l4[13]!
  set('seq', view.getUint32(4))
  set('ack', view.getUint32(8))
  set('win', view.getUint16(14), DEFAULT.win)
  set('urg', view.getUint16(18))
  set('res', l4[12]! & 15)
  let header = (l4[12]! >> 4) * 4
  if (header < 20 || header > there) {
    set('doff', header / 4, 5)
    header = 20
  } else if (header > 20) packet.tcpOptions = describeTcpOptions(l4.subarray(20, header))
  set4raw(packet, l4.subarray(header, Math.max(header, there)), length - header)
}

function describeTcpOptions(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const options: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at]!
    const length = bytes[at + 1] ?? 0
    if (kind === 1 || (kind === 0 && bytes.length - at >= 4)) {
      options.push(kind === 1 ? 'nop' : 'eol')
      at++
      continue
    }
    if (kind === 0 && bytes.subarray(at).every((byte) => byte === 0)) break
    const fits = at + length <= bytes.length
    const words = fits ? Array.from({ length: (length - 2) >> 2 }, (_, i) => view.getUint32(at + 2 + 4 * i)) : []
    if (fits && kind === 2 && length === 4) options.push(`mss ${view.getUint16(at + 2)}`)
    else if (fits && kind === 3 && length === 3) options.push(`wscale ${bytes[at + 2]}`)
    else if (fits && kind === 4 && length === 2) options.push('sackOK')
    else if (fits && kind === 8 && length === 10) options.push(`ts ${words.join(' ')}`)
    else if (fits && kind === 5 && length >= 10 && length % 8 === 2)
      options.push(`sack ${words.map((value, i) => `${i % 2 ? ':' : i ? ' ' : ''}${value}`).join('')}`)
    else {
      options.push(`hex ${hexOf(bytes.subarray(at))}`)
      break
    }
    at += length
  }
  const again = tcpOptions(options)
  return hexOf(again) === hexOf(bytes) ? options : [`hex ${hexOf(bytes)}`]
}

function readIcmp(packet: Packet, l4: Uint8Array, length: number): void {
  const view = new DataView(l4.buffer, l4.byteOffset, l4.length)
  const set = setter(packet)
  const type = l4[0]!
  const rest = view.getUint32(4)
  packet.fields.type = type
  set('code', l4[1]!)
  if (hasIdentifier(type)) {
    set('id', rest >>> 16)
    set('seq', rest & 0xffff)
  } else if (type === 5) set('gw', rest)
  else if (type === 12 && (rest & 0xffffff) === 0) set('ptr', rest >>> 24)
  else if (type === 3 && l4[1] === 4 && rest < 0x10000) set('mtu', rest)
  else set('rest', rest)
  const inner = quotes(type) && l4.length === length ? decodePacket(l4.subarray(8)) : undefined
  if (inner) packet.inner = inner
  else set4raw(packet, l4.subarray(8), length - 8)
}

/** What stands for these bytes and, where `length` is more, for what follows them in the pattern. */
function describePayload(bytes: Uint8Array, length: number): Payload | undefined {
  if (length <= 0) return undefined
  const from = bytes[0] ?? 0
  const consecutive = bytes.every((byte, i) => byte === ((from + i) & 255))
  if (consecutive && from === 0) return { kind: 'len', length, from }
  const text = Buffer.from(bytes).toString('latin1')
  if (bytes.length === length && /^[ -~]+$/.test(text) && (!consecutive || length < 8)) return { kind: 'text', text }
  if (consecutive && (length >= 8 || bytes.length < length)) return { kind: 'len', length, from }
  return { kind: 'hex', hex: hexOf(bytes) }
}

/** The packet if it encodes to these bytes, where `sums` allows with checksums that had to be said; otherwise undefined. */
export function settle(packet: Packet, bytes: Uint8Array, header: number, sums: boolean): Packet | undefined {
  const wanted = hexOf(bytes)
  const attempt = () => {
    try {
      return encode(packet)
    } catch {
      return undefined
    }
  }
  let got = attempt()
  if (!got || hexOf(got) === wanted) return got && packet
  if (!sums) return undefined
  const l4 = checksumAt(packet)
  for (const [name, at] of [
    ['ipsum', packet.family === 6 ? Number.NaN : 10],
    ['sum', l4 === undefined ? Number.NaN : header + l4],
  ] as const) {
    if (!(at + 2 <= bytes.length) || got.length < at + 2) continue
    const is = (bytes[at]! << 8) | bytes[at + 1]!
    const right = (got[at]! << 8) | got[at + 1]!
    if (is !== right) packet.fields[name] = is === spoil(right) ? 'bad' : is
  }
  got = attempt()
  return got && hexOf(got) === wanted ? packet : undefined
}
