// Helper ftp (RFC 959, 1123, 2428; nf_conntrack_ftp, nf_nat_ftp): one side says in the control connection where it waits for data:
// PORT and EPRT from the client, the answers 227 and 229 from the server. What is expected comes from the other side, any port.
//
// What always holds: a command is read only where a line begins, which is where a segment before this one ended with a newline; so
// the first segment of each direction announces nothing. A line that begins as one of these commands and does not go on as one is
// dropped; one that names an address other than its sender's announces nothing.

import { ACCEPT, DROP } from '../../hook/hook.ts'
import { CT_ESTABLISHED, type Packet } from '../../packet/packet.ts'
import { parse6 } from '../../wire/address6.ts'
import { PROTO_TCP } from '../../wire/ipv4.ts'
import * as tcp from '../../wire/tcp.ts'
import { ADDED, type Expectation } from '../expect.ts'
import { before } from '../tcp-record.ts'
import {
  addressText,
  expectNear,
  type Helper,
  type Helping,
  isTranslated,
  payloadOf,
  rewriteText,
  textOf,
} from './helper.ts'

/** Of one master; the next takes the place of the one before. */
const POLICY = { max: 1, timeout: 300_000 }
/** Places where a line begins that are remembered of each direction. */
const LINES = 2
const NEWLINE = 10

/** Where somebody waits. */
interface Place {
  /** Where in the payload the address and port are written, and how long that is. */
  readonly at: number
  readonly length: number
  /** Words of an address; undefined for the sender's own. */
  readonly address: readonly number[] | undefined
  readonly port: number
}

interface Command {
  /** As it begins, in upper case. */
  readonly name: string
  /** What stands directly before the place; '' where it is to be looked for. */
  readonly behind: string
  readonly read: (text: string, at: number, own: readonly number[]) => Place | undefined
  readonly write: (address: readonly number[], port: number) => string
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** So many numbers with separators between them, and behind them `end`, or anything where that is ''. */
function numbers(text: string, at: number, count: number, separator: string, end: string) {
  const values = [0]
  for (let i = at; i < text.length && values.length <= count; i++) {
    const code = text.charCodeAt(i)
    if (isDigit(code)) values[values.length - 1] = (Math.imul(values[values.length - 1], 10) + code - 48) | 0
    else if (text[i] === separator) values.push(0)
    else if ((end === '' || text[i] === end) && values.length === count) return { values, length: i - at }
    else return undefined
  }
  return undefined
}

/** Bytes of an address that were written as numbers; what is above 255 runs over into the byte before. */
function word([a, b, c, d]: readonly number[]): number {
  return (a << 24) | (b << 16) | (c << 8) | d
}

/** `10,0,1,2,4,1` */
function readSix(text: string, at: number, own: readonly number[], end: string): Place | undefined {
  const found = numbers(text, at, 6, ',', end)
  if (found === undefined) return undefined
  const { values, length } = found
  return { at, length, address: [word(values), ...own.slice(1)], port: ((values[4] << 8) | values[5]) & 0xffff }
}

/** The same, wherever the first digit is (RFC 1123). */
function readSixSomewhere(text: string, at: number, own: readonly number[]): Place | undefined {
  const digit = text.slice(at).search(/[0-9]/)
  return digit < 0 ? undefined : readSix(text, at + digit, own, '')
}

/** A delimiter that both sides of RFC 2428 allow; '' for none. */
function delimiterAt(text: string, at: number): string {
  const code = text.charCodeAt(at)
  return code >= 33 && code <= 126 && !isDigit(code) ? text[at] : ''
}

/** A port and the delimiter behind it. @returns the port and the place behind, undefined where there is none */
function portAt(text: string, at: number, delimiter: string): { port: number; end: number } | undefined {
  let port = 0
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (text[i] === delimiter) return port === 0 ? undefined : { port, end: i + 1 }
    if (!isDigit(code)) return undefined
    port = (port * 10 + code - 48) & 0xffff
  }
  return undefined
}

/** `|1|10.0.1.2|1025|`, `|2|2001:db8::2|1025|` */
function readExtended(text: string, at: number, own: readonly number[]): Place | undefined {
  const delimiter = delimiterAt(text, at)
  const isFour = own.length === 1
  if (text.length - at <= 3 || delimiter === '' || text[at + 2] !== delimiter) return undefined
  if (text[at + 1] !== (isFour ? '1' : '2')) return undefined
  let address: readonly number[] | undefined
  let length: number
  if (isFour) {
    const found = numbers(text, at + 3, 4, '.', delimiter)
    if (found === undefined) return undefined
    address = [word(found.values)]
    length = found.length
  } else {
    const end = text.indexOf(delimiter, at + 3)
    if (end < 0) return undefined
    length = end - at - 3
    address = parse6(text.slice(at + 3, end))
    if (address === undefined) return undefined
  }
  const found = portAt(text, at + 3 + length + 1, delimiter)
  return found && { at, length: found.end - at, address, port: found.port }
}

/** `|||1025|` */
function readPassive(text: string, at: number): Place | undefined {
  const delimiter = delimiterAt(text, at)
  if (text.length - at <= 3 || delimiter === '') return undefined
  if (text[at + 1] !== delimiter || text[at + 2] !== delimiter) return undefined
  const found = portAt(text, at + 3, delimiter)
  return found && { at, length: found.end - at, address: undefined, port: found.port }
}

function writeSix([address]: readonly number[], port: number): string {
  return [24, 16, 8, 0]
    .map((shift) => (address >>> shift) & 255)
    .concat(port >> 8, port & 255)
    .join(',')
}

/** By direction. */
const COMMANDS: readonly (readonly Command[])[] = [
  [
    { name: 'PORT', behind: ' ', read: (text, at, own) => readSix(text, at, own, '\r'), write: writeSix },
    {
      name: 'EPRT',
      behind: ' ',
      read: readExtended,
      write: (address, port) => `|${address.length === 1 ? 1 : 2}|${addressText(address)}|${port}|`,
    },
  ],
  [
    { name: '227 ', behind: '', read: readSixSomewhere, write: writeSix },
    { name: '229 ', behind: '(', read: readPassive, write: (_, port) => `|||${port}|` },
  ],
]

interface Found {
  readonly command: Command
  readonly place: Place
}

/** The command that the line is, with its place; 'none', or 'broken' where it begins as one. */
function commandOf(text: string, direction: number, own: readonly number[]): Found | 'none' | 'broken' {
  for (const command of COMMANDS[direction]) {
    const { name, behind } = command
    const begins = text.slice(0, name.length).toUpperCase()
    if (text.length <= name.length) {
      if (name.startsWith(begins)) return 'broken'
      continue
    }
    if (begins !== name) continue
    const found = behind === '' ? name.length : text.indexOf(behind, name.length) + 1
    const place = found === 0 ? undefined : command.read(text, found, own)
    return place === undefined ? 'broken' : { command, place }
  }
  return 'none'
}

export const ftp: Helper = {
  name: 'ftp',
  families: [4, 6],
  protocol: PROTO_TCP,
  policies: [POLICY],
  help(p: Packet, helping: Helping, number: number): number {
    if (p.ctinfo !== CT_ESTABLISHED) return ACCEPT
    const at = payloadOf(p)
    const end = p.start + p.length
    if (at >= end) return ACCEPT
    const sequence = p.view.getInt32(p.transport + tcp.SEQUENCE)
    const next = (sequence + end - at) | 0
    const endsLine = p.view.getUint8(end - 1) === NEWLINE
    const lines = linesOf(p, helping)
    let verdict = ACCEPT
    if (lines.includes(sequence)) {
      const found = commandOf(textOf(p, at), p.direction, helping.flows.sourceWords(p.ct, p.direction))
      if (found === 'broken') return DROP
      if (found !== 'none') verdict = announce(p, helping, number, at, found)
    }
    if (endsLine) remember(lines, next)
    return verdict
  },
}

/** The sequence numbers at which lines of this packet's direction begin. */
function linesOf({ ct, direction }: Packet, { kept }: Helping): number[] {
  let both = kept.get(ct) as number[][] | undefined
  if (both === undefined) {
    both = [[], []]
    kept.set(ct, both)
  }
  return both[direction]
}

function remember(lines: number[], sequence: number): void {
  if (lines.includes(sequence)) return
  if (lines.length < LINES) lines.push(sequence)
  else lines[before(lines[0], lines[1]) ? 0 : 1] = sequence
}

/** @param at where the payload begins */
function announce(p: Packet, helping: Helping, number: number, at: number, { command, place }: Found): number {
  const { flows, expectations } = helping
  const { ct, direction } = p
  const own = flows.sourceWords(ct, direction)
  if (place.address?.some((word, i) => word !== own[i])) return ACCEPT
  const other = direction ^ 1
  const translated = isTranslated(flows, ct)
  const source = flows.sourceWords(ct, other)
  const expected = (port: number): Expectation => ({
    helper: number,
    class: 0,
    master: ct,
    protocol: PROTO_TCP,
    source,
    sourceMask: source.map(() => -1),
    destination: flows.destinationWords(ct, other),
    sport: 0,
    sportMask: 0,
    dport: port,
    follow: translated ? { direction: other, port: place.port } : undefined,
  })
  if (!translated) return expectations.add(expected(place.port), POLICY) === ADDED ? ACCEPT : DROP
  const port = expectNear(helping, place.port, POLICY, expected)
  if (port === 0) return DROP
  const text = command.write(flows.destinationWords(ct, other), port)
  if (rewriteText(p, helping, at + place.at, place.length, text)) return ACCEPT
  expectations.find(PROTO_TCP, source, flows.destinationWords(ct, other), 0, port)?.remove()
  return DROP
}
