// The port part of elements: [PROTOCOL:]PORT[-PORT], for ICMP its type and code by name or number, for protocols without
// ports the number 0. Kept as one word: protocol << 16 | port, ICMP type << 8 | code in the port's place.

import * as ip from '../wire/ipv4.ts'
import { SetError } from './fault.ts'
import type { Names } from './names.ts'
import { numberIn, type SetFamily, separatorAt, syntax, unescaped } from './words.ts'

export const PROTO_ICMPV6 = 58

/** name:type/code, in the order in which a beginning is searched; the first name of a pair is printed. */
const ICMP = names(`echo-reply:0/0 pong:0/0 network-unreachable:3/0 host-unreachable:3/1 protocol-unreachable:3/2
port-unreachable:3/3 fragmentation-needed:3/4 source-route-failed:3/5 network-unknown:3/6 host-unknown:3/7
network-prohibited:3/9 host-prohibited:3/10 TOS-network-unreachable:3/11 TOS-host-unreachable:3/12
communication-prohibited:3/13 host-precedence-violation:3/14 precedence-cutoff:3/15 source-quench:4/0
network-redirect:5/0 host-redirect:5/1 TOS-network-redirect:5/2 TOS-host-redirect:5/3 echo-request:8/0 ping:8/0
router-advertisement:9/0 router-solicitation:10/0 ttl-zero-during-transit:11/0 ttl-zero-during-reassembly:11/1
ip-header-bad:12/0 required-option-missing:12/1 timestamp-request:13/0 timestamp-reply:14/0 address-mask-request:17/0
address-mask-reply:18/0`)

const ICMPV6 = names(`no-route:1/0 communication-prohibited:1/1 address-unreachable:1/3 port-unreachable:1/4
packet-too-big:2/0 ttl-zero-during-transit:3/0 ttl-zero-during-reassembly:3/1 bad-header:4/0 unknown-header-type:4/1
unknown-option:4/2 echo-request:128/0 ping:128/0 echo-reply:129/0 pong:129/0 router-solicitation:133/0
router-advertisement:134/0 neighbour-solicitation:135/0 neigbour-solicitation:135/0 neighbour-advertisement:136/0
neigbour-advertisement:136/0 redirect:137/0`)

function names(table: string): readonly (readonly [string, number])[] {
  return table.split(/\s+/).map((entry) => {
    const [, name, type, code] = /^(.+):(\d+)\/(\d+)$/.exec(entry) as unknown as string[]
    return [name, (Number(type) << 8) | Number(code)] as const
  })
}

const PORTED: Readonly<Record<number, string | undefined>> = {
  [ip.PROTO_TCP]: 'tcp',
  [ip.PROTO_UDP]: 'udp',
  [ip.PROTO_SCTP]: 'sctp',
  [ip.PROTO_UDPLITE]: 'udplite',
}

export function hasPorts(protocol: number): boolean {
  return PORTED[protocol] !== undefined
}

/** ICMP in a set of the other family. */
export class WrongFamily extends SetError {
  /** What is wrong, without what the real one says after it. */
  readonly first: string

  constructor(first: string, more: string, word: string) {
    super(first + more, { word })
    this.first = first
  }
}

export interface Ports {
  readonly protocol: number
  readonly from: number
  readonly to: number
  /** Written as FROM-TO. */
  readonly isRange: boolean
}

/** `80`, `http`, `tcp:80-90`, `icmp:8/0`, `gre:0`. */
export function protocolPorts(text: string, family: SetFamily, given: Names, command: string): Ports {
  const { protocolNumber, ...names } = given
  const colon = separatorAt(text, ':')
  if (colon < 0) return portRange(text, ip.PROTO_TCP, 'tcp', names)
  const word = text.slice(0, colon)
  const rest = text.slice(colon + 1)
  const protocol = protocolOf(word, protocolNumber)
  const ported = PORTED[protocol]
  if (ported !== undefined) return portRange(rest, protocol, ported, names)
  if (protocol === ip.PROTO_ICMP || protocol === PROTO_ICMPV6) {
    const six = protocol === PROTO_ICMPV6
    if (six !== (family === 6)) {
      const only = six ? 'ICMPv6 can be used with family inet6 only' : 'ICMP can be used with family inet only'
      // The real one stumbles on: over a name that is missing, or, but for add, over flags that it cannot check.
      const more = command === 'add' ? '\nInvalid add command: missing setname' : ''
      throw new WrongFamily(`Syntax error: Protocol ${only}`, more, text)
    }
    const code = icmpCode(rest, six)
    return { protocol, from: code, to: code, isRange: false }
  }
  if (protocol === 0) {
    if (!/^\d/.test(word)) throw syntax(`Unsupported protocol '${word}'`, word)
  }
  if (rest !== '0')
    throw syntax(`Protocol ${names.protocolName(protocol)} can be used with pseudo port value 0 only.`, text)
  return { protocol, from: 0, to: 0, isRange: false }
}

function protocolOf(word: string, protocolNumber: Names['protocolNumber']): number {
  const byName = protocolNumber(word)
  if (byName !== undefined) return byName
  try {
    return numberIn(word, 0, 255)
  } catch {
    throw syntax(`cannot parse '${word}' as a protocol`, word)
  }
}

function portRange(text: string, protocol: number, name: string, names: Pick<Names, 'servicePort'>): Ports {
  const whole = onePort(text, name, names)
  if (whole !== undefined) return { protocol, from: whole, to: whole, isRange: false }
  const dash = separatorAt(text, '-')
  if (dash < 0) throw noPort(text, name)
  const end = (part: string) => {
    const port = onePort(part, name, names)
    if (port === undefined) throw noPort(part, name)
    return port
  }
  const to = end(text.slice(dash + 1))
  return { protocol, from: end(text.slice(0, dash)), to, isRange: true }
}

function onePort(text: string, protocol: string, names: Pick<Names, 'servicePort'>): number | undefined {
  const bare = unescaped(text)
  const port = names.servicePort(bare, protocol)
  if (port !== undefined) return port
  try {
    return numberIn(bare, 0, 0xffff)
  } catch {
    return undefined
  }
}

function noPort(text: string, protocol: string): SetError {
  let first = ''
  try {
    numberIn(text, 0, 0xffff)
  } catch (error) {
    first = (error as Error).message
  }
  return new SetError(
    `${first}\nSyntax error: '${protocol}' is invalid as number\ncannot parse '${text}' as a ${protocol} port`,
    { word: text },
  )
}

/** One port, or a range, of bitmap:port: the protocol only says whose services a name is looked up among. */
export function plainPorts(text: string, given: Names): Ports {
  const colon = separatorAt(text, ':')
  if (colon < 0) return portRange(text, ip.PROTO_TCP, 'tcp', given)
  const protocol = protocolOf(text.slice(0, colon), given.protocolNumber)
  if (protocol !== ip.PROTO_TCP && protocol !== ip.PROTO_UDP) throw syntax('Only protocols TCP and UDP are valid', text)
  return portRange(text.slice(colon + 1), protocol, PORTED[protocol] as string, given)
}

function icmpCode(text: string, six: boolean): number {
  const named = (six ? ICMPV6 : ICMP).find(([name]) => name.startsWith(text))
  if (named !== undefined && text !== '') return named[1]
  const slash = separatorAt(text, '/')
  if (slash < 0) throw new SetError(`Cannot parse ${text} as an ${six ? 'ICMPv6' : 'ICMP'} type/code.`, { word: text })
  return (numberIn(text.slice(0, slash), 0, 255) << 8) | numberIn(text.slice(slash + 1), 0, 255)
}

/** `tcp:80`, `icmp:echo-request`, `gre:0`. */
export function formatPort(word: number, { protocolName }: Pick<Names, 'protocolName'>): string {
  const protocol = word >>> 16
  const port = word & 0xffff
  if (protocol !== ip.PROTO_ICMP && protocol !== PROTO_ICMPV6) return `${protocolName(protocol)}:${port}`
  const named = (protocol === PROTO_ICMPV6 ? ICMPV6 : ICMP).find(([, code]) => code === port)
  return `${protocolName(protocol)}:${named?.[0] ?? `${port >> 8}/${port & 255}`}`
}
