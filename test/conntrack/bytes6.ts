// IPv6 packets as bytes for the tests of conntrack and NAT, built without any code of src/. What stands behind the IP header is
// IPv4's, built by bytes.ts, but for the checksum.

import { ipPacket, type TcpFields, tcpPacket, type UdpFields, udpPacket } from './bytes.ts'

export interface Ip6Fields {
  readonly source: string
  readonly destination: string
  /** Of the upper layer. */
  readonly protocol: number
  readonly hopLimit?: number
  readonly trafficClass?: number
  /** Extension headers before the upper layer: kind and bytes behind the first, which is filled in. */
  readonly extensions?: readonly (readonly [kind: number, ...rest: number[]])[]
}

export function addressBytes6(text: string): number[] {
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)]
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return all.flatMap((group) => [group >> 8, group & 255])
}

export function ip6Packet(fields: Ip6Fields, payload: Uint8Array | readonly number[]): Uint8Array {
  const { extensions = [], trafficClass = 0 } = fields
  const chain: number[] = []
  extensions.forEach(([, ...rest], i) => {
    chain.push(extensions[i + 1]?.[0] ?? fields.protocol, ...rest)
  })
  const bytes = new Uint8Array(40 + chain.length + payload.length)
  bytes[0] = 0x60 | (trafficClass >> 4)
  bytes[1] = (trafficClass & 15) << 4
  new DataView(bytes.buffer).setUint16(4, chain.length + payload.length)
  bytes[6] = extensions[0]?.[0] ?? fields.protocol
  bytes[7] = fields.hopLimit ?? 64
  bytes.set(addressBytes6(fields.source), 8)
  bytes.set(addressBytes6(fields.destination), 24)
  bytes.set(chain, 40)
  bytes.set(payload, 40 + chain.length)
  return bytes
}

/** The checksum over pseudo-header and payload, in which the checksum field is 0. */
export function sum6(source: string, destination: string, protocol: number, payload: Uint8Array): number {
  const pseudo = [...addressBytes6(source), ...addressBytes6(destination)]
  let total = protocol + payload.length
  for (const bytes of [pseudo, payload])
    for (let i = 0; i < bytes.length; i++) total += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return ~total & 0xffff
}

/** With the right checksum, or one that is damaged. */
export function withSum(fields: Ip6Fields, payload: Uint8Array, at: number, damaged = false): Uint8Array {
  const view = new DataView(payload.buffer, payload.byteOffset)
  view.setUint16(at, 0)
  const right = sum6(fields.source, fields.destination, fields.protocol, payload)
  view.setUint16(at, damaged ? right ^ 0x0101 : right)
  return ip6Packet(fields, payload)
}

const SOMEBODY = { source: '0.0.0.0', destination: '0.0.0.0' }

type More = Pick<Ip6Fields, 'hopLimit' | 'extensions' | 'trafficClass'>

export function tcp6Packet(fields: TcpFields & More): Uint8Array {
  const payload = tcpPacket({ ...fields, ...SOMEBODY }).slice(20)
  return withSum({ ...fields, protocol: 6 }, payload, 16, fields.damaged)
}

/** As udpPacket; a checksum that is given stands as it is. */
export function udp6Packet(fields: UdpFields & More): Uint8Array {
  const protocol = fields.protocol ?? 17
  const payload = udpPacket({ ...fields, ...SOMEBODY }).slice(20)
  if (fields.checksum !== undefined) return ip6Packet({ ...fields, protocol }, payload)
  return withSum({ ...fields, protocol }, payload, 6)
}

export interface Icmp6Fields extends More {
  readonly source: string
  readonly destination: string
  readonly type: number
  readonly code?: number
  readonly id?: number
  readonly payload?: Uint8Array
  readonly damaged?: boolean
}

export function icmp6Packet(fields: Icmp6Fields): Uint8Array {
  const payload = fields.payload ?? new Uint8Array(8)
  const bytes = new Uint8Array(8 + payload.length)
  bytes[0] = fields.type
  bytes[1] = fields.code ?? 0
  new DataView(bytes.buffer).setUint16(4, fields.id ?? 0)
  bytes.set(payload, 8)
  return withSum({ ...fields, protocol: 58 }, bytes, 2, fields.damaged)
}

/** The payload of an IPv4 packet without options that a test built, as that of an IPv6 packet. */
export function payloadOf(packet: Uint8Array): Uint8Array {
  return packet.slice(20)
}

export { ipPacket }
