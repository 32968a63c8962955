// A Packet into its bytes (RFC 791, 792, 768, 9293). Checksums and lengths are computed unless the packet says otherwise. It
// shares no code with src/: it is there to find that code's mistakes.

import type { Field, FieldName, Packet, Payload, Raw } from './model.ts'
import { bytesOf, DEFAULT, hasIdentifier, IP_FLAGS, isHole, PROTOCOL_NUMBER } from './model.ts'

/** All packets that a line stands for: several with `split MTU`, otherwise one. */
export function encodeAll(packet: Packet | Raw): Uint8Array[] {
  if (packet.proto === 'raw' || packet.fields.split === undefined) return [encode(packet)]
  const { split, ...fields } = packet.fields
  return fragments(encode({ ...packet, fields }), numberOf(split, 'split'))
}

export function encode(packet: Packet | Raw): Uint8Array {
  if (packet.proto === 'raw') return bytesOf(packet.hex)
  const { fields } = packet
  if (fields.split !== undefined) throw new SyntaxError('split makes several packets; here one is needed')
  const get = (name: FieldName, otherwise = 0) => numberOf(fields[name] ?? otherwise, name)
  const protocol = packet.proto === 'ip' ? get('proto') : PROTOCOL_NUMBER[packet.proto]
  const options = bytesOf(packet.ipOptions ?? '')
  const header = 20 + options.length
  const source = numberOf(packet.source, 'source')
  const destination = numberOf(packet.destination, 'destination')

  const body = transport(packet, get)
  const bytes = new Uint8Array(header + body.length)
  const view = new DataView(bytes.buffer)
  let flags = get('frag') / 8
  for (const flag of packet.ipFlags) flags |= IP_FLAGS[flag]
  bytes[0] = 0x40 | get('ihl', header / 4)
  bytes[1] = get('tos')
  view.setUint16(2, get('iplen', bytes.length))
  view.setUint16(4, get('ipid'))
  view.setUint16(6, flags)
  bytes[8] = get('ttl', DEFAULT.ttl)
  bytes[9] = protocol
  view.setUint32(12, source)
  view.setUint32(16, destination)
  bytes.set(options, 20)
  view.setUint16(10, chosen(fields.ipsum, ~sum(bytes.subarray(0, header)) & 0xffff))
  bytes.set(body, header)

  const sumAt = checksumAt(packet)
  if (sumAt !== undefined) {
    const pseudo = new Uint8Array(12)
    pseudo.set(bytes.subarray(12, 20))
    pseudo[9] = protocol
    new DataView(pseudo.buffer).setUint16(10, body.length)
    let right = ~sum(body, packet.proto === 'icmp' ? 0 : sum(pseudo)) & 0xffff
    if (packet.proto === 'udp' && right === 0) right = 0xffff
    view.setUint16(header + sumAt, chosen(fields.sum, right))
  }
  return bytes.slice(0, get('cut', bytes.length))
}

/** Where in the transport header the checksum is, if there is such a header. */
export function checksumAt(packet: Packet): number | undefined {
  if (packet.proto === 'icmp') return packet.fields.type === undefined ? undefined : 2
  return packet.sourcePort === undefined ? undefined : packet.proto === 'tcp' ? 16 : 6
}

/** The right checksum plus one, in one's complement arithmetic. */
export function spoil(right: number): number {
  const wrong = right + 1
  return wrong > 0xffff ? 1 : wrong
}

function chosen(field: Field | undefined, right: number): number {
  return field === undefined ? right : field === 'bad' ? spoil(right) : numberOf(field, 'sum')
}

function numberOf(field: Field, name: string): number {
  if (isHole(field)) throw new SyntaxError(`the place-holder $${field.hole} for ${name} has no value yet`)
  if (field === 'bad') throw new SyntaxError(`"bad" is no value of ${name}`)
  return field
}

function transport(packet: Packet, get: (name: FieldName, otherwise?: number) => number): Uint8Array {
  const payload = packet.inner ? encode(packet.inner) : payloadBytes(packet.payload)
  let header = new Uint8Array(0)
  let view = new DataView(header.buffer)
  const make = (length: number) => {
    header = new Uint8Array(length)
    view = new DataView(header.buffer)
  }
  if (packet.proto === 'icmp' && packet.fields.type !== undefined) {
    make(8)
    const type = get('type')
    header[0] = type
    header[1] = get('code')
    if (packet.fields.rest !== undefined) view.setUint32(4, get('rest'))
    else if (packet.fields.gw !== undefined) view.setUint32(4, get('gw'))
    else if (packet.fields.ptr !== undefined) header[4] = get('ptr')
    else if (packet.fields.mtu !== undefined) view.setUint16(6, get('mtu'))
    else if (hasIdentifier(type)) {
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

/** Fragments of at most `mtu` bytes. IP options are copied to all of them. */
export function fragments(whole: Uint8Array, mtu: number): Uint8Array[] {
  const header = (whole[0]! & 15) * 4
  const step = (mtu - header) & ~7
  if (step <= 0) throw new SyntaxError(`nothing fits into split ${mtu}`)
  if (whole.length <= mtu) return [whole]
  const result: Uint8Array[] = []
  for (let at = header; at < whole.length; at += step) {
    const part = whole.subarray(at, at + step)
    const bytes = new Uint8Array(header + part.length)
    const view = new DataView(bytes.buffer)
    bytes.set(whole.subarray(0, header))
    bytes.set(part, header)
    const more = at + step < whole.length ? IP_FLAGS.MF : 0
    view.setUint16(2, bytes.length)
    view.setUint16(6, view.getUint16(6) | more | ((at - header) / 8))
    view.setUint16(10, 0)
    view.setUint16(10, ~sum(bytes.subarray(0, header)) & 0xffff)
    result.push(bytes)
  }
  return result
}

/** The folded sum of the big-endian words, on top of `initial`. */
export function sum(bytes: Uint8Array, initial = 0): number {
  let total = initial
  for (let i = 0; i < bytes.length; i++) total += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return total
}
