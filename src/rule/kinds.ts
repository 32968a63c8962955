// Kinds of option values that packets are about: ports, protocols, addresses, marks, device names. Each reads what the
// iptables 1.8.9 option of that sort reads; where its options differ among themselves (a port is read in three manners)
// the difference is a parameter here.

import { formatAny, masked, maskLength, maskWords, parseAton, parseLoose, parseMask, parseStrict } from './address.ts'
import type { Family, InterfaceName, Network } from './model.ts'
import { exactProtocolNumber, protocolName, protocolNumber, servicePort } from './names.ts'
import { isNumber, parseDecimal, parseNumber } from './number.ts'
import { type Option, option, type ParseContext, Problem, type Range, shown, unexpected, word } from './option.ts'

type Plain<T> = Option<T, false, false>

export type PortRange = Range

/** Whose services a name is looked up among: one protocol's, the rule's -p, or any. */
export type ServiceOf = 'tcp' | 'sctp' | 'rule' | 'any'

/** A port by number or service name; undefined where it is none. */
export function readPort(text: string, of: ServiceOf, context: ParseContext): number | undefined {
  if (isNumber(text)) return parseNumber(text, 0xffff)
  if (of !== 'rule') return servicePort(text, of === 'any' ? undefined : of)
  return context.protocol === undefined ? undefined : servicePort(text, protocolName(context.protocol.value))
}

/** The same where getaddrinfo reads it: a leading 0 makes no octal number, and there are no hexadecimal ones. */
export function readDecimalPort(text: string, of: ServiceOf, context: ParseContext): number | undefined {
  const digits = text.trimStart().replace(/^\+(?=\d)/, '')
  return /^\d/.test(digits) ? parseDecimal(digits, 0xffff) : readPort(text, of, context)
}

function noPort(text: string, expects: string): Problem {
  if (/^\d+$/.test(text)) return new Problem(`${shown(text)} is out of range: expected ${expects}`)
  return new Problem(`${shown(text)} is neither a port number nor a known service: expected ${expects}`)
}

interface PortRangeOptions {
  readonly services: ServiceOf
  /** `90:80` is taken as it stands, and matches nothing. */
  readonly reversed?: boolean
  /** Only decimal numbers are numbers (getaddrinfo's view). */
  readonly decimal?: boolean
}

/** `80`, `http`, `80:90`, `:1024`, `1024:`. */
export function portRange({ services, reversed = false, decimal = false }: PortRangeOptions): Plain<PortRange> {
  const expects = 'a port from 0 to 65535 or a service name, or a range FIRST:LAST of them'
  return word(
    expects,
    (text, context) => {
      const parts = text.split(':')
      if (parts.length > 2) return unexpected(text, expects)
      const ends: number[] = []
      for (const [i, part] of parts.entries()) {
        const open = part === '' && parts.length === 2
        const read = decimal ? readDecimalPort : readPort
        const port = open ? [0, 0xffff][i] : read(part, services, context)
        if (port === undefined) return noPort(part, expects)
        ends.push(port)
      }
      const [min, max = min] = ends
      if (min > max && !reversed) return new Problem(`${shown(text)} runs backwards: expected ${expects}`)
      return { min, max }
    },
    formatPorts,
  )
}

export function formatPorts({ min, max }: PortRange): string {
  return min === max ? String(min) : `${min}:${max}`
}

/** Up to 15 ports; a range FIRST:LAST counts for two. */
export function portList(): Plain<readonly PortRange[]> {
  const expects = 'up to 15 ports or service names, joined by commas; a range FIRST:LAST counts for two'
  return word(
    expects,
    (text, context) => {
      const ranges: PortRange[] = []
      let places = 0
      for (const part of text.split(',')) {
        const ends = part.split(':')
        if (ends.length > 2) return unexpected(part, expects)
        const ports = ends.map((end) => readPort(end, 'rule', context))
        const wrong = ports.indexOf(undefined)
        if (wrong >= 0) return noPort(ends[wrong], expects)
        const [min, max = min] = ports as number[]
        if (ends.length === 2 && min >= max)
          return new Problem(`${shown(part)} is no range: expected the first port to be less than the last`)
        ranges.push({ min, max })
        places += ends.length
      }
      if (places > 15) return new Problem(`${shown(text)} is too long (${places} places): expected ${expects}`)
      return ranges
    },
    (ranges) => ranges.map(formatPorts).join(','),
  )
}

/** A protocol by number or name, as `-p` reads it; 0 is "all". */
export function readProtocol(text: string): number | undefined {
  return isNumber(text) ? parseNumber(text, 255) : protocolNumber(text)
}

export const EXPECTS_PROTOCOL = "a protocol's name, or a number from 0 to 255"

/** Saved by number; names in capitals only as /etc/protocols has them. */
export function protocol(): Plain<number> {
  return word(
    EXPECTS_PROTOCOL,
    (text) =>
      (isNumber(text) ? parseNumber(text, 255) : exactProtocolNumber(text)) ?? unexpected(text, EXPECTS_PROTOCOL),
    (value) => String(value),
  )
}

export const EXPECTS_NETWORK: Readonly<Record<Family, string>> = {
  4: 'an IPv4 address, with /LENGTH or /MASK for a network (names of hosts are looked up by commands on a gateway)',
  6: 'an IPv6 address, with /LENGTH or /MASK for a network (names of hosts are looked up by commands on a gateway)',
}

/** A network as -s and -d read it: bits outside the mask are cleared, `anything/0` is every address. */
export function readNetwork(text: string, family: Family): Network | Problem {
  const slash = text.lastIndexOf('/')
  const written = slash < 0 ? text : text.slice(0, slash)
  const mask = slash < 0 ? maskWords(family === 4 ? 32 : 128, family) : parseMask(text.slice(slash + 1), family)
  if (mask === undefined)
    return new Problem(
      `${shown(text.slice(slash + 1))} is no mask: expected ${family === 4 ? 'a length from 0 to 32, or four parts as in 255.255.255.0' : 'a length from 0 to 128, or a mask in IPv6 form'}`,
    )
  const any = mask.every((part) => part === 0)
  // "any/0" and the like are read by iptables; a mask in dotted form does not make a name an address.
  const name = any && isNumber(text.slice(slash + 1))
  const address = parseLoose(written.trimStart(), family) ?? (name ? mask : undefined)
  if (address === undefined) return unexpected(text, EXPECTS_NETWORK[family])
  return masked({ address, mask })
}

/** An address in inet_aton's forms with a mask, of which all bits are kept and saved; /32 and /128 are not saved. */
export function hostMask(): Plain<Network> {
  const format = ({ address, mask }: Network) => {
    const length = maskLength(mask)
    return length === mask.length * 32 ? formatAny(address) : `${formatAny(address)}/${length}`
  }
  return option({
    words: 1,
    expects: 'an address, with /LENGTH or /MASK for a network',
    parse: ([text], { family }) => {
      const slash = text.indexOf('/')
      const written = slash < 0 ? text : text.slice(0, slash)
      const address = family === 4 ? aton(written) : parseStrict(written, 6)
      if (address === undefined) return unexpected(text, EXPECTS_NETWORK[family])
      const mask = slash < 0 ? hostOf(family) : readHostMask(text.slice(slash + 1), family)
      if (mask === undefined)
        return new Problem(
          `${shown(text.slice(slash + 1))} is no mask: expected a length from 0 to ${family === 4 ? 32 : 128}, or a mask`,
        )
      return { address, mask }
    },
    format,
    formatNamed: (network) => (network.address.every((word) => word === 0) ? 'anywhere' : format(network)),
  })
}

const hostOf = (family: Family) => maskWords(family === 4 ? 32 : 128, family)

function aton(text: string): readonly number[] | undefined {
  const address = parseAton(text)
  return address === undefined ? undefined : [address]
}

/** A length; or a mask, which counts as that of a host where it has holes. */
export function readHostMask(text: string, family: Family): readonly number[] | undefined {
  const length = parseNumber(text, family === 4 ? 32 : 128)
  if (length !== undefined) return maskWords(length, family)
  const mask = family === 4 ? aton(text) : parseStrict(text, 6)
  return mask === undefined || maskLength(mask) !== undefined ? mask : hostOf(family)
}

/** Value and mask as int32. */
export interface MaskedMark {
  readonly value: number
  readonly mask: number
}

/** `VALUE` or `VALUE/MASK`. With `mask: 'always'` a mask of all ones is saved too. */
export function maskedMark({ mask: saved = 'needed' }: { mask?: 'always' | 'needed' } = {}): Plain<MaskedMark> {
  const expects = 'a mark from 0 to 0xffffffff, with or without /MASK'
  return word(
    expects,
    (text) => {
      const parts = text.split('/')
      const [value, mask = 0xffffffff] = parts.map((part) => parseNumber(part, 0xffffffff) ?? Number.NaN)
      if (parts.length > 2 || Number.isNaN(value) || Number.isNaN(mask)) return unexpected(text, expects)
      return { value: value | 0, mask: mask | 0 }
    },
    (mark) => (saved === 'needed' ? formatMark(mark) : `${hex(mark.value)}/${hex(mark.mask)}`),
  )
}

/** `0x1`, or `0x1/0xff` where the mask leaves bits out. */
export function formatMark({ value, mask }: MaskedMark): string {
  return mask === -1 ? hex(value) : `${hex(value)}/${hex(mask)}`
}

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}

/** `eth0`, or `eth+` for every device whose name begins so. */
export function readInterface(text: string): InterfaceName | Problem {
  const expects = "a device's name of at most 15 bytes, with + at its end for every name that begins so"
  if (text === '') return new Problem(`the name is empty: expected ${expects}`)
  if (Buffer.byteLength(text) > 15) return new Problem(`${shown(text)} is too long: expected ${expects}`)
  const wildcard = text.endsWith('+')
  const name = wildcard ? text.slice(0, -1) : text
  // No device can have such a name, and it could not be saved and read again.
  if (/[\s/"\\]/.test(name)) return new Problem(`${shown(text)} can be no device's name: expected ${expects}`)
  return { name, wildcard }
}

export function formatInterface({ name, wildcard }: InterfaceName): string {
  return wildcard ? `${name}+` : name
}

export function interfaceName(): Plain<InterfaceName> {
  return word("a device's name, with + at its end for every name that begins so", readInterface, formatInterface)
}

/** Packets per unit of time in iptables' own measure: tenths of a millisecond between two packets. */
export const RATE_SCALE = 10_000

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['min', 60],
  ['sec', 1],
] as const

/** `5/second`, `3/hour`; a bare number is per second. Kept as the time between two packets, in 1/RATE_SCALE seconds. */
export function rate(): Plain<number> {
  const expects = 'a rate such as 5/second, 10/minute, 3/hour or 1/day, at most 10000/second'
  return word(
    expects,
    (text) => {
      const found = /^\s*(\d{1,10})\s*(?:\/([a-z]+))?$/i.exec(text)
      const unit = (found?.[2] ?? 'second').toLowerCase()
      const full = ['day', 'hour', 'minute', 'second'].findIndex((name) => name.startsWith(unit))
      const packets = Number(found?.[1])
      if (found === null || full < 0 || !(packets > 0)) return unexpected(text, expects)
      const scaled = RATE_SCALE * UNITS[full][1]
      if (packets > scaled) return new Problem(`${shown(text)} is too fast: expected ${expects}`)
      return Math.floor(scaled / packets)
    },
    // In the finest unit in which it comes out nearly whole.
    (period) => {
      let best = 0
      for (let i = 1; i < UNITS.length; i++) {
        const scaled = UNITS[i][1] * RATE_SCALE
        if (period > scaled || Math.floor(scaled / period) < scaled % period) break
        best = i
      }
      return `${Math.floor((UNITS[best][1] * RATE_SCALE) / period)}/${UNITS[best][0]}`
    },
  )
}
