// An IPv6 packet into its bytes (RFC 8200), its extension headers in the order in which they are written.

import type { Extension, Field, FieldName, Packet } from './model.ts'
import { bytesOf, DEFAULT, isHole, PROTOCOL_NUMBER } from './model.ts'
import { checksumAt, chosen, numberOf, sum } from './transport.ts'

/** @param body the transport header and what follows, without a checksum */
export function encode6(
  packet: Packet,
  get: (name: FieldName, otherwise?: number) => number,
  body: Uint8Array,
): Uint8Array {
  const protocol = packet.proto === 'ip' ? get('proto') : PROTOCOL_NUMBER[packet.proto]
  const extensions = (packet.extensions ?? []).map((extension) => ({
    kind: extension.kind,
    bytes: bytesAfter(extension),
  }))
  const chain = Uint8Array.from(extensions.flatMap(({ bytes }, i) => [extensions[i + 1]?.kind ?? protocol, ...bytes]))
  const header = 40 + chain.length
  const bytes = new Uint8Array(header + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, (6 << 28) | (get('tc') << 20) | get('flow'))
  view.setUint16(4, get('iplen', (bytes.length - 40) & 0xffff))
  bytes[6] = extensions[0]?.kind ?? protocol
  bytes[7] = get('hl', DEFAULT.hl)
  setAddress(view, 8, packet.source, 'source')
  setAddress(view, 24, packet.destination, 'destination')
  bytes.set(chain, 40)
  bytes.set(body, header)
  const sumAt = checksumAt(packet)
  if (sumAt !== undefined) {
    const pseudo = new Uint8Array(40)
    pseudo.set(bytes.subarray(8, 40))
    new DataView(pseudo.buffer).setUint32(32, body.length)
    pseudo[39] = protocol
    let right = ~sum(body, sum(pseudo)) & 0xffff
    if (packet.proto === 'udp' && right === 0) right = 0xffff
    view.setUint16(header + sumAt, chosen(packet.fields.sum, right))
  }
  return bytes.slice(0, get('cut', bytes.length))
}

/** An extension header's bytes behind the number of the next one. */
function bytesAfter(extension: Extension): Uint8Array {
  if ('hex' in extension) return bytesOf(extension.hex)
  const bytes = new Uint8Array(7)
  const view = new DataView(bytes.buffer)
  view.setUint16(1, extension.offset | (extension.more ? 1 : 0))
  view.setUint32(3, numberOf(extension.id, 'the fragment id'))
  return bytes
}

function setAddress(view: DataView, at: number, address: Field, name: string): void {
  if (isHole(address)) throw new SyntaxError(`the place-holder $${address.hole} for ${name} has no value yet`)
  if (typeof address !== 'bigint') throw new SyntaxError(`the ${name} is no IPv6 address`)
  view.setBigUint64(at, address >> 64n)
  view.setBigUint64(at + 8, address & 0xffff_ffff_ffff_ffffn)
}

/** Fragments of at most `mtu` bytes, as the sender makes them: hop-by-hop and routing headers go into all of them. */
export function fragments6(whole: Uint8Array, mtu: number, id: number): Uint8Array[] {
  if (whole.length <= mtu) return [whole]
  let header = 40
  let at = 6
  while (whole[at] === 0 || whole[at] === 43) {
    at = header
    header += (whole[header + 1]! + 1) * 8
  }
  const step = (mtu - header - 8) & ~7
  if (step <= 0) throw new SyntaxError(`nothing fits into split ${mtu}`)
  const result: Uint8Array[] = []
  for (let from = header; from < whole.length; from += step) {
    const part = whole.subarray(from, from + step)
    const bytes = new Uint8Array(header + 8 + part.length)
    const view = new DataView(bytes.buffer)
    bytes.set(whole.subarray(0, header))
    bytes[at] = 44
    bytes[header] = whole[at]!
    view.setUint16(header + 2, (from - header) | (from + step < whole.length ? 1 : 0))
    view.setUint32(header + 4, id)
    view.setUint16(4, bytes.length - 40)
    bytes.set(part, header + 8)
    result.push(bytes)
  }
  return result
}
