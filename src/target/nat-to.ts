// What the NAT targets are told to bind to, as text: addresses, ports, or both, with ranges. And how that, with the flags of
// the target, becomes the range that NAT chooses from.

import {
  MAP_IPS,
  type NatRange,
  PERSISTENT,
  PROTO_OFFSET,
  PROTO_RANDOM,
  PROTO_RANDOM_FULLY,
  PROTO_SPECIFIED,
} from '../nat/range.ts'
import { formatAny, parseStrict } from '../rule/address.ts'
import { readPort } from '../rule/kinds.ts'
import type { Family } from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import { type Option, type ParseContext, Problem, type Range, shown, unexpected, word } from '../rule/option.ts'
import { PROTO_DCCP, PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../wire/ipv4.ts'

export interface NatPorts extends Range {
  /** Where the original ports begin that are mapped one to one. */
  readonly base?: number
}

export interface NatTo {
  readonly addresses?: { readonly min: readonly number[]; readonly max: readonly number[] }
  readonly ports?: NatPorts
}

/** Protocols whose ports, or identifiers, NAT can change. */
const WITH_PORTS = [PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_DCCP, PROTO_ICMP]

const EXPECTS_PORTS = 'a port from 0 to 65535, a service name, or a range FIRST-LAST of numbers'

/** `PORT`, `FIRST-LAST`, with `base` also `FIRST-LAST/BASE`. */
function readPorts(text: string, base: boolean, context: ParseContext): NatPorts | Problem {
  const { protocol } = context
  if (protocol === undefined || !WITH_PORTS.includes(protocol.value))
    return new Problem(
      'ports need a protocol that has them: expected -p tcp, udp, sctp, dccp or icmp to stand before it',
    )
  const expects = base ? `${EXPECTS_PORTS}, with or without /BASE` : EXPECTS_PORTS
  const found = /^([^-/]+)-([^-/]+)(?:\/(.+))?$/.exec(text)
  if (found === null || parseNumber(found[1], 0xffff) === undefined) {
    const port = readPort(text, 'any', context)
    return port === undefined ? unexpected(text, expects) : { min: port, max: port }
  }
  const min = parseNumber(found[1], 0xffff) as number
  const max = parseNumber(found[2], 0xffff)
  if (max === undefined) return unexpected(text, expects)
  if (min > max) return new Problem(`${shown(text)} runs backwards: expected ${expects}`)
  if (found[3] === undefined) return { min, max }
  const first = base ? readPort(found[3], 'any', context) : undefined
  return first === undefined || first === 0 ? unexpected(text, expects) : { min, max, base: first }
}

function formatPorts({ min, max, base }: NatPorts): string {
  return `${min}${max === min ? '' : `-${max}`}${base === undefined ? '' : `/${base}`}`
}

/** `ADDRESS[-ADDRESS][:PORT[-PORT]]`; IPv6 addresses stand in brackets where ports follow. */
export function natTo({ base }: { base: boolean }): Option<NatTo, false, false> {
  const expects = `ADDRESS, FIRST-LAST, either with or without :PORTS${base ? ' (:FIRST-LAST/BASE maps ports one to one)' : ''}, or :PORTS`
  return word<NatTo>(
    expects,
    (text, context) => {
      const [written, after] = context.family === 4 ? split4(text) : split6(text)
      const ports = after === undefined ? undefined : readPorts(after, base, context)
      if (ports instanceof Problem) return ports
      if (written === '' && ports !== undefined) return { ports }
      const addresses = readAddresses(written, context.family)
      if (addresses === undefined) return unexpected(text, expects)
      return ports === undefined ? { addresses } : { addresses, ports }
    },
    ({ addresses, ports }) => {
      const behind = ports === undefined ? '' : `:${formatPorts(ports)}`
      if (addresses === undefined) return behind
      const min = formatAny(addresses.min)
      const max = formatAny(addresses.max)
      const range = min === max ? min : `${min}-${max}`
      return addresses.min.length > 1 && ports !== undefined ? `[${range}]${behind}` : `${range}${behind}`
    },
  )
}

function split4(text: string): [string, string | undefined] {
  const colon = text.indexOf(':')
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)]
}

function split6(text: string): [string, string | undefined] {
  const bracketed = /^\[(.*)\](?::(.*))?$/.exec(text)
  if (bracketed !== null) return [bracketed[1], bracketed[2]]
  return /^:[^:]/.test(text) ? ['', text.slice(1)] : [text, undefined]
}

function readAddresses(text: string, family: Family): NatTo['addresses'] {
  const ends = text.split('-').map((end) => parseStrict(end, family))
  const [min, max] = ends.length === 1 ? [ends[0], ends[0]] : ends
  return ends.length > 2 || min === undefined || max === undefined ? undefined : { min, max }
}

/** `PORT` or `FIRST-LAST`: what MASQUERADE and REDIRECT take. */
export function natPorts(): Option<NatPorts, false, false> {
  return word<NatPorts>(EXPECTS_PORTS, (text, context) => readPorts(text, false, context), formatPorts)
}

/** As listings show it: `to:1.2.3.4:80`. */
export function formatNatTo(to: NatTo): string {
  return natTo({ base: true }).kind.format(to)
}

/** As listings show MASQUERADE's and REDIRECT's ports. */
export const formatNatPorts = formatPorts

interface NatFlags {
  readonly random?: true
  readonly randomFully?: true
  readonly persistent?: true
}

/** What NAT chooses from. */
export function natRange({ addresses, ports }: NatTo, { random, randomFully, persistent }: NatFlags): NatRange {
  return {
    flags:
      (addresses === undefined ? 0 : MAP_IPS) |
      (ports === undefined ? 0 : PROTO_SPECIFIED) |
      (ports?.base === undefined ? 0 : PROTO_OFFSET) |
      (random ? PROTO_RANDOM : 0) |
      (randomFully ? PROTO_RANDOM_FULLY : 0) |
      (persistent ? PERSISTENT : 0),
    min: addresses?.min ?? [],
    max: addresses?.max ?? [],
    minPort: ports?.min ?? 0,
    maxPort: ports?.max ?? 0,
    basePort: ports?.base ?? 0,
  }
}
