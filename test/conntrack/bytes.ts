// Packets as bytes for the tests of conntrack, built without any code of src/.

export interface IpFields {
  readonly source: string
  readonly destination: string
  readonly protocol: number
  readonly id?: number
  /** The word with DF, MF and the offset in units of 8 bytes. */
  readonly fragment?: number
  readonly tos?: number
  /** A multiple of four bytes. */
  readonly options?: readonly number[]
}

export interface TcpFields {
  readonly source: string
  readonly destination: string
  readonly sport: number
  readonly dport: number
  /** Any of F S R P A U. */
  readonly flags: string
  readonly seq?: number
  readonly ack?: number
  readonly window?: number
  readonly options?: readonly number[]
  readonly data?: number
  /** The checksum is wrong. */
  readonly damaged?: boolean
}

export function addressBytes(text: string): number[] {
  return text.split('.').map(Number)
}

export function int32(text: string): number {
  return addressBytes(text).reduce((address, byte) => (address << 8) | byte, 0)
}

function sum(bytes: Uint8Array | readonly number[], initial = 0): number {
  let total = initial
  for (let i = 0; i < bytes.length; i++) total += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return total
}

export function ipPacket(fields: IpFields, payload: Uint8Array | readonly number[]): Uint8Array {
  const options = fields.options ?? []
  const header = 20 + options.length
  const bytes = new Uint8Array(header + payload.length)
  const view = new DataView(bytes.buffer)
  bytes[0] = 0x40 | (header / 4)
  bytes[1] = fields.tos ?? 0
  view.setUint16(2, bytes.length)
  view.setUint16(4, fields.id ?? 0)
  view.setUint16(6, fields.fragment ?? 0)
  bytes[8] = 64
  bytes[9] = fields.protocol
  bytes.set(addressBytes(fields.source), 12)
  bytes.set(addressBytes(fields.destination), 16)
  bytes.set(options, 20)
  view.setUint16(10, ~sum(bytes.subarray(0, header)) & 0xffff)
  bytes.set(payload, header)
  return bytes
}

function pseudo(fields: { source: string; destination: string }, protocol: number, length: number): number {
  return sum([...addressBytes(fields.source), ...addressBytes(fields.destination)], protocol + length)
}

const FLAGS = 'FSRPAU'

export function tcpPacket(fields: TcpFields): Uint8Array {
  const options = [...(fields.options ?? [])]
  while (options.length % 4 !== 0) options.push(0)
  const bytes = new Uint8Array(20 + options.length + (fields.data ?? 0))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, fields.sport)
  view.setUint16(2, fields.dport)
  view.setUint32(4, (fields.seq ?? 0) >>> 0)
  view.setUint32(8, (fields.ack ?? 0) >>> 0)
  bytes[12] = ((20 + options.length) / 4) << 4
  for (const letter of fields.flags) bytes[13]! |= 1 << FLAGS.indexOf(letter)
  view.setUint16(14, fields.window ?? 0)
  bytes.set(options, 20)
  const right = ~sum(bytes, pseudo(fields, 6, bytes.length)) & 0xffff
  view.setUint16(16, fields.damaged ? right ^ 0x0101 : right)
  return ipPacket({ source: fields.source, destination: fields.destination, protocol: 6 }, bytes)
}

export interface UdpFields {
  readonly source: string
  readonly destination: string
  readonly sport: number
  readonly dport: number
  readonly data?: number
  /** Instead of the right ones. */
  readonly length?: number
  readonly checksum?: number
  /** 17, or 136 for UDP-Lite. */
  readonly protocol?: number
}

export function udpPacket(fields: UdpFields): Uint8Array {
  const protocol = fields.protocol ?? 17
  const bytes = new Uint8Array(8 + (fields.data ?? 0)).fill(0x55)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, fields.sport)
  view.setUint16(2, fields.dport)
  view.setUint16(4, fields.length ?? bytes.length)
  view.setUint16(6, 0)
  const covered = protocol === 136 && fields.length ? bytes.subarray(0, fields.length) : bytes
  view.setUint16(6, fields.checksum ?? (~sum(covered, pseudo(fields, protocol, bytes.length)) & 0xffff || 0xffff))
  return ipPacket({ source: fields.source, destination: fields.destination, protocol }, bytes)
}

export interface IcmpFields {
  readonly source: string
  readonly destination: string
  readonly type: number
  readonly code?: number
  readonly id?: number
  readonly payload?: Uint8Array
  readonly damaged?: boolean
}

export function icmpPacket(fields: IcmpFields): Uint8Array {
  const payload = fields.payload ?? new Uint8Array(8)
  const bytes = new Uint8Array(8 + payload.length)
  const view = new DataView(bytes.buffer)
  bytes[0] = fields.type
  bytes[1] = fields.code ?? 0
  view.setUint16(4, fields.id ?? 0)
  bytes.set(payload, 8)
  view.setUint16(2, (~sum(bytes) & 0xffff) ^ (fields.damaged ? 0x0101 : 0))
  return ipPacket({ source: fields.source, destination: fields.destination, protocol: 1 }, bytes)
}
