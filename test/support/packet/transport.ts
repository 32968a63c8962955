// What stands behind an IP header, in bytes (RFC 792, 4443, 768, 9293), and what both families compute alike.

import type { Field, FieldName, Packet, Payload, Raw } from './model.ts'
import { bytesOf, DEFAULT, hasIdentifier, hasIdentifier6, isHole } from './model.ts'

/** Where in the transport header the checksum is, if there is such a header. */
export function checksumAt(packet: Packet): number | undefined {
  if (packet.proto === 'icmp' || packet.proto === 'icmp6') return packet.fields.type === undefined ? undefined : 2
  return packet.sourcePort === undefined ? undefined : packet.proto === 'tcp' ? 16 : 6
}

/** The right checksum plus one, in one's complement arithmetic. */
export function spoil(right: number): number {
  const wrong = right + 1
  return wrong > 0xffff ? 1 : wrong
}

export function chosen(field: Field | undefined, right: number): number {
  return field === undefined ? right : field === 'bad' ? spoil(right) : numberOf(field, 'sum')
}

export function numberOf(field: Field, name: string): number {
  if (isHole(field)) throw new SyntaxError(`the place-holder $${field.hole} for ${name} has no value yet`)
  if (typeof field !== 'number') throw new SyntaxError(`"${field}" is no value of ${name}`)
  return field
}

/** @param encode for the packet that an ICMP error quotes */
export function transport(
  packet: Packet,
  get: (name: FieldName, otherwise?: number) => number,
  encode: (inner: Packet | Raw) => Uint8Array,
): Uint8Array {
  const payload = packet.inner ? encode(packet.inner) : payloadBytes(packet.payload)
  let header = new Uint8Array(0)
  let view = new DataView(header.buffer)
  const make = (length: number) => {
    header = new Uint8Array(length)
    view = new DataView(header.buffer)
  }
  const wide = packet.proto === 'icmp6'
  if ((packet.proto === 'icmp' || wide) && packet.fields.type !== undefined) {
    make(8)
    const type = get('type')
    header[0] = type
    header[1] = get('code')
    if (packet.fields.rest !== undefined) view.setUint32(4, get('rest'))
    else if (packet.fields.gw !== undefined) view.setUint32(4, get('gw'))
    else if (packet.fields.ptr !== undefined) wide ? view.setUint32(4, get('ptr')) : view.setUint8(4, get('ptr'))
    else if (packet.fields.mtu !== undefined) wide ? view.setUint32(4, get('mtu')) : view.setUint16(6, get('mtu'))
    else if (wide ? hasIdentifier6(type) : hasIdentifier(type)) {
      view.setUint16(4, get('id'))
      view.setUint16(6, get('seq'))
    }
  } else if (packet.sourcePort !== undefined && packet.destinationPort !== undefined) {
    const options = packet.proto === 'tcp' ? tcpOptions(packet.tcpOptions ?? []) : new Uint8Array(0)
    make(packet.proto === 'udp' ? 8 : 20 + options.length)
    view.setUint16(0, numberOf(packet.sourcePort, 'the source port'))
    view.setUint16(2, numberOf(packet.destinationPort, 'the destination port'))
    if (packet.proto === 'udp') view.setUint16(4, get('ulen', 8 + payload.length))
    else {
      view.setUint32(4, get('seq'))
      view.setUint32(8, get('ack'))
      header[12] = (get('doff', header.length / 4) << 4) | get('res')
      header[13] = packet.tcpFlags ?? 0
      view.setUint16(14, get('win', DEFAULT.win))
      view.setUint16(18, get('urg'))
      header.set(options, 20)
    }
  }
  const bytes = new Uint8Array(header.length + payload.length)
  bytes.set(header)
  bytes.set(payload, header.length)
  return bytes
}

export function payloadBytes(payload: Payload | undefined): Uint8Array {
  if (payload === undefined) return new Uint8Array(0)
  if (payload.kind === 'text') return Uint8Array.from(Buffer.from(payload.text, 'latin1'))
  if (payload.kind === 'hex') return bytesOf(payload.hex)
  return Uint8Array.from({ length: payload.length }, (_, i) => (payload.from + i) & 255)
}

/** The options' bytes, filled up with zeros to a multiple of 4. */
export function tcpOptions(options: readonly string[]): Uint8Array {
  const bytes: number[] = []
  const push = (value: number, size: number) => {
    for (let shift = size - 1; shift >= 0; shift--) bytes.push(Math.floor(value / 256 ** shift) & 255)
  }
  for (const option of options) {
    const [name, ...args] = option.split(/[ :]/)
    const numbers = args.map(Number)
    if (name === 'eol' || name === 'nop') bytes.push(name === 'nop' ? 1 : 0)
    else if (name === 'sackOK') bytes.push(4, 2)
    else if (name === 'mss' && numbers.length === 1) bytes.push(2, 4, ...word(numbers[0]!))
    else if (name === 'wscale' && numbers.length === 1) bytes.push(3, 3, numbers[0]!)
    else if (name === 'ts' && numbers.length === 2) {
      bytes.push(8, 10)
      for (const value of numbers) push(value, 4)
    } else if (name === 'sack' && numbers.length % 2 === 0) {
      bytes.push(5, 2 + 4 * numbers.length)
      for (const value of numbers) push(value, 4)
    } else if (name === 'hex' && args.length === 1) bytes.push(...bytesOf(args[0]!))
    else
      throw new SyntaxError(
        `"${option}" is not a TCP option (mss N, wscale N, sackOK, sack A:B, ts A B, nop, eol, hex H)`,
      )
    if (numbers.some(Number.isNaN) && name !== 'hex')
      throw new SyntaxError(`a number is wrong in the option "${option}"`)
  }
  while (bytes.length % 4 !== 0) bytes.push(0)
  if (bytes.length > 40) throw new SyntaxError(`TCP options take at most 40 bytes, not ${bytes.length}`)
  return Uint8Array.from(bytes)
}

const word = (value: number) => [value >>> 8, value & 255]

/** The folded sum of the big-endian words, on top of `initial`. */
export function sum(bytes: Uint8Array, initial = 0): number {
  let total = initial
  for (let i = 0; i < bytes.length; i++) total += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return total
}
