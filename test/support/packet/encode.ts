// A Packet into its bytes (RFC 791, 792, 768, 9293). Checksums and lengths are computed unless the packet says otherwise. It
// shares no code with src/: it is there to find that code's mistakes.

import { encode6, fragments6 } from './encode6.ts'
import type { FieldName, Packet, Raw } from './model.ts'
import { bytesOf, DEFAULT, IP_FLAGS, PROTOCOL_NUMBER } from './model.ts'
import { checksumAt, chosen, numberOf, sum, transport } from './transport.ts'

/** All packets that a line stands for: several with `split MTU`, otherwise one. */
export function encodeAll(packet: Packet | Raw): Uint8Array[] {
  if (packet.proto === 'raw' || packet.fields.split === undefined) return [encode(packet)]
  const { split, ...fields } = packet.fields
  if (packet.family === 6) {
    const { ipid, ...whole } = fields
    const id = numberOf(ipid ?? 0, 'ipid')
    return fragments6(encode({ ...packet, fields: whole }), numberOf(split, 'split'), id)
  }
  return fragments(encode({ ...packet, fields }), numberOf(split, 'split'))
}

export function encode(packet: Packet | Raw): Uint8Array {
  if (packet.proto === 'raw') return bytesOf(packet.hex)
  const { fields } = packet
  if (fields.split !== undefined) throw new SyntaxError('split makes several packets; here one is needed')
  const get = (name: FieldName, otherwise = 0) => numberOf(fields[name] ?? otherwise, name)
  if (packet.family === 6) return encode6(packet, get, transport(packet, get, encode))
  const protocol = packet.proto === 'ip' ? get('proto') : PROTOCOL_NUMBER[packet.proto]
  const options = bytesOf(packet.ipOptions ?? '')
  const header = 20 + options.length
  const source = numberOf(packet.source, 'source')
  const destination = numberOf(packet.destination, 'destination')

  const body = transport(packet, get, encode)
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
