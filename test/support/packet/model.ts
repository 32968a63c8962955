// A packet as the scenario language sees it: what one line of text says, and nothing that can be computed. Everything
// that is left out has one default (test/scenario/README.md), so that a line and its bytes determine each other.

/**
 * A place that is filled at first sight: `$name[low-high]`, `$name`, or `$any`, which is filled anew each time. `$name+N`, `$name-N`
 * and `N-$name` are made of a value that is known, in 32 bits.
 */
export interface Hole {
  readonly hole: string
  readonly plus?: number
  /** The value is subtracted from `plus`. */
  readonly turned?: boolean
  readonly low: number | bigint
  readonly high: number | bigint
}

/** IPv6 addresses are bigints, all else is a number. `bad` is for checksums only: the right one plus one, which an incremental update carries through. */
export type Field = number | bigint | 'bad' | Hole

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
export const IP6_FIELDS = ['proto', 'tc', 'flow', 'hl', 'iplen', 'cut', 'split', 'ipid'] as const
export type L4FieldName = (typeof L4_FIELDS)[number]
export type FieldName = L4FieldName | (typeof IP_FIELDS)[number] | (typeof IP6_FIELDS)[number]

/** Printed as 0x...; `gw` is printed as an address. */
export const HEXADECIMAL: ReadonlySet<string> = new Set(['tos', 'tc', 'flow', 'sum', 'ipsum', 'rest'])

export const IP_FLAGS = { evil: 0x8000, DF: 0x4000, MF: 0x2000 } as const
export type IpFlag = keyof typeof IP_FLAGS

export type Payload =
  | { readonly kind: 'len'; readonly length: number; readonly from: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'hex'; readonly hex: string }

/** An extension header of IPv6: its bytes behind the next header's number; a fragment header by its fields. */
export type Extension =
  | { readonly kind: number; readonly hex: string }
  | { readonly kind: 44; readonly offset: number; readonly more: boolean; readonly id: Field }

export interface Packet {
  /** IPv4 when left out. */
  family?: 6
  /** `ip` is for protocols that the language has no words for: the field `proto` says which. */
  proto: 'tcp' | 'udp' | 'icmp' | 'icmp6' | 'ip'
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
  /** IPv6: in the order in which they stand. */
  extensions?: Extension[]
  payload?: Payload
  /** The quoted packet of an ICMP error. */
  inner?: Packet | Raw
}

/** `raw 4500...`: the way out for what no line can say. */
export interface Raw {
  proto: 'raw'
  hex: string
}

export const PROTOCOL_NUMBER = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const

/** Names of extension headers whose length is what their bytes take; a fragment header is `fh`, others are `xN`. */
export const EXTENSION_NAMES: readonly (readonly [string, number])[] = [
  ['hbh', 0],
  ['rt', 43],
  ['dst', 60],
]

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

/** The same for ICMPv6. */
export const ICMP6_NAMES: readonly (readonly [string, number, number])[] = [
  ['no-route', 1, 0],
  ['adm-prohibited', 1, 1],
  ['beyond-scope', 1, 2],
  ['addr-unreachable', 1, 3],
  ['port-unreachable', 1, 4],
  ['policy-fail', 1, 5],
  ['reject-route', 1, 6],
  ['packet-too-big', 2, 0],
  ['time-exceeded', 3, 0],
  ['reassembly-time-exceeded', 3, 1],
  ['bad-header', 4, 0],
  ['unknown-header', 4, 1],
  ['unknown-option', 4, 2],
  ['echo-request', 128, 0],
  ['echo-reply', 129, 0],
  ['router-solicitation', 133, 0],
  ['router-advertisement', 134, 0],
  ['neighbour-solicitation', 135, 0],
  ['neighbour-advertisement', 136, 0],
  ['redirect', 137, 0],
]

/** The names that a packet of this protocol has for its types and codes. */
export function namesOf(proto: Packet['proto']): typeof ICMP_NAMES {
  return proto === 'icmp' ? ICMP_NAMES : proto === 'icmp6' ? ICMP6_NAMES : []
}

const icmpError = new Set([3, 4, 5, 11, 12])
export const quotes = (type: number) => icmpError.has(type)
export const hasIdentifier = (type: number) => type === 0 || type === 8 || (type >= 13 && type <= 18)
export const quotes6 = (type: number) => type >= 1 && type <= 4
export const hasIdentifier6 = (type: number) => type === 128 || type === 129

export const DEFAULT = { ttl: 64, hl: 64, win: 65535 } as const

export const hexOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

export function bytesOf(hex: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new SyntaxError(`"${hex}" is not an even number of hexadecimal digits`)
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

export function addressText(address: number | bigint): string {
  if (typeof address === 'bigint') return address6Text(address)
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

export function addressNumber(text: string): number {
  const parts = text.split('.')
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255))
    throw new SyntaxError(`"${text}" is not an IPv4 address`)
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** As RFC 5952 wants it. */
export function address6Text(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number((address >> BigInt(112 - 16 * i)) & 0xffffn))
  const text = groups.map((group) => group.toString(16)).join(':')
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)]
  // The run that begins the text has no colon before it: compared by groups, not by letters.
  const zeros = (run: string) => run.split(':').filter((group) => group === '0').length
  const best = runs.sort((a, b) => zeros(b[0]) - zeros(a[0]) || a.index - b.index)[0]
  if (!best) return text
  return `${text.slice(0, best.index)}::${text.slice(best.index + best[0].length).replace(/^:/, '')}`
}

export function address6Number(text: string): bigint {
  const wrong = () => new SyntaxError(`"${text}" is not an IPv6 address`)
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const given = halves.flat()
  if (halves.length > 2 || given.some((group) => !/^[\da-f]{1,4}$/i.test(group))) throw wrong()
  if (halves.length === 1 ? given.length !== 8 : given.length > 7) throw wrong()
  const zeros = Array<string>(8 - given.length).fill('0')
  const groups = halves.length === 1 ? given : [...halves[0]!, ...zeros, ...halves[1]!]
  return groups.reduce((sum, group) => sum * 65536n + BigInt(Number.parseInt(group, 16)), 0n)
}
