// A packet as the scenario language sees it: what one line of text says, and nothing that can be computed. Everything
// that is left out has one default (test/scenario/README.md), so that a line and its bytes determine each other.

/** A place that is filled at first sight: `$name[low-high]`, `$name`, or `$any`, which is filled anew each time. */
export interface Hole {
  readonly hole: string
  readonly low: number
  readonly high: number
}

/** `bad` is for checksums only: the right one plus one, which an incremental update carries through. */
export type Field = number | 'bad' | Hole

export const isHole = (field: Field | undefined): field is Hole => typeof field === 'object'

/** Fields written as a word and a number, in the order in which they are printed. */
export const L4_FIELDS = [
  'type',
  'code',
  'id',
  'seq',
  'ack',
  'win',
  'urg',
  'doff',
  'res',
  'ulen',
  'mtu',
  'gw',
  'ptr',
  'rest',
  'sum',
] as const
export const IP_FIELDS = ['proto', 'tos', 'ipid', 'frag', 'ttl', 'ihl', 'iplen', 'ipsum', 'cut', 'split'] as const
export type L4FieldName = (typeof L4_FIELDS)[number]
export type FieldName = L4FieldName | (typeof IP_FIELDS)[number]

/** Printed as 0x...; `gw` is printed as an address. */
export const HEXADECIMAL: ReadonlySet<string> = new Set(['tos', 'sum', 'ipsum', 'rest'])

export const IP_FLAGS = { evil: 0x8000, DF: 0x4000, MF: 0x2000 } as const
export type IpFlag = keyof typeof IP_FLAGS

export type Payload =
  | { readonly kind: 'len'; readonly length: number; readonly from: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'hex'; readonly hex: string }

export interface Packet {
  /** `ip` is for protocols that the language has no words for: the field `proto` says which. */
  proto: 'tcp' | 'udp' | 'icmp' | 'ip'
  source: Field
  destination: Field
  /** Both or none: without them what follows the IP header is the payload, as in a later fragment. */
  sourcePort?: Field
  destinationPort?: Field
  tcpFlags?: number
  /** The options as printed: `mss 1460`, `nop`, ... */
  tcpOptions?: string[]
  fields: Partial<Record<FieldName, Field>>
  ipFlags: Set<IpFlag>
  /** The IP options in hexadecimal. */
  ipOptions?: string
  payload?: Payload
  /** The quoted packet of an ICMP error. */
  inner?: Packet | Raw
}

/** `raw 4500...`: the way out for what no line can say. */
export interface Raw {
  proto: 'raw'
  hex: string
}

export const PROTOCOL_NUMBER = { icmp: 1, tcp: 6, udp: 17 } as const

/** tcpdump's letters, in tcpdump's order. */
export const TCP_FLAGS: readonly (readonly [string, number])[] = [
  ['F', 1],
  ['S', 2],
  ['R', 4],
  ['P', 8],
  ['.', 16],
  ['U', 32],
  ['E', 64],
  ['W', 128],
]

/** Name, type and code. What has no name here is written `type N code N`. */
export const ICMP_NAMES: readonly (readonly [string, number, number])[] = [
  ['echo-reply', 0, 0],
  ['net-unreachable', 3, 0],
  ['host-unreachable', 3, 1],
  ['proto-unreachable', 3, 2],
  ['port-unreachable', 3, 3],
  ['frag-needed', 3, 4],
  ['source-route-failed', 3, 5],
  ['net-prohibited', 3, 9],
  ['host-prohibited', 3, 10],
  ['admin-prohibited', 3, 13],
  ['source-quench', 4, 0],
  ['redirect-net', 5, 0],
  ['redirect-host', 5, 1],
  ['echo-request', 8, 0],
  ['time-exceeded', 11, 0],
  ['reassembly-time-exceeded', 11, 1],
  ['parameter-problem', 12, 0],
  ['timestamp-request', 13, 0],
  ['timestamp-reply', 14, 0],
  ['mask-request', 17, 0],
  ['mask-reply', 18, 0],
]

const icmpError = new Set([3, 4, 5, 11, 12])
export const quotes = (type: number) => icmpError.has(type)
export const hasIdentifier = (type: number) => type === 0 || type === 8 || (type >= 13 && type <= 18)

export const DEFAULT = { ttl: 64, win: 65535 } as const

export const hexOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

export function bytesOf(hex: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new SyntaxError(`"${hex}" is not an even number of hexadecimal digits`)
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

export function addressNumber(text: string): number {
  const parts = text.split('.')
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255))
    throw new SyntaxError(`"${text}" is not an IPv4 address`)
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}
