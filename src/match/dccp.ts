// Match dccp (xt_dccp): ports, the packet's type and the presence of an option (RFC 4340). A later fragment does not match; a header
// that is cut off is dropped at once, and so is one whose options are, where somebody looks at them.

import type { Packet } from '../packet/packet.ts'
import { defineMatch, HOTDROP } from '../rule/define.ts'
import { portRange } from '../rule/kinds.ts'
import type { Negatable } from '../rule/model.ts'
import { Problem, shown, u8, word } from '../rule/option.ts'
import { PROTO_DCCP } from '../wire/ipv4.ts'
import { ANY_PORT, listPorts, plainPorts, withoutTransport } from './port-match.ts'

/** By number. */
const TYPES = [
  'REQUEST',
  'RESPONSE',
  'DATA',
  'ACK',
  'DATAACK',
  'CLOSEREQ',
  'CLOSE',
  'RESET',
  'SYNC',
  'SYNCACK',
  'INVALID',
] as const
/** All numbers from here on. */
const INVALID = TYPES.length - 1
const EXPECTS = `types joined by commas, each one of ${TYPES.join(', ')}`
/** Offsets and lengths (RFC 4340, 5). */
const DATA_OFFSET = 4
const TYPE_AND_X = 8
const GENERIC = 12
const LONG_SEQUENCE = 4
/** What a packet of each type has behind the generic header, before its options. */
const ADDITIONAL = [4, 12, 0, 8, 8, 8, 8, 12, 8, 8]

const types = word<number>(
  EXPECTS,
  (text) => {
    let bits = 0
    for (const part of text.split(',')) {
      const at = (TYPES as readonly string[]).indexOf(part.toUpperCase())
      if (at < 0) return new Problem(`${shown(part)} is no type: expected ${EXPECTS}`)
      bits |= 1 << at
    }
    return bits
  },
  (bits) => TYPES.filter((_, at) => (bits & (1 << at)) !== 0).join(','),
)

const ports = portRange({ services: 'any', decimal: true, reversed: true }).negatable()

export const dccp = defineMatch({
  name: 'dccp',
  summary: 'DCCP ports, types and options',
  protocols: [PROTO_DCCP],
  options: {
    sport: ports.alias('source-port').help('source port or range'),
    dport: ports.alias('destination-port').help('destination port or range'),
    'dccp-types': types.negatable().help("the packet's type is one of these"),
    'dccp-option': u8({ min: 1 }).negatable().help('an option of this kind is there'),
  },
  plain: (o) => (o['dccp-types'] === undefined && o['dccp-option'] === undefined ? plainPorts(o) : undefined),
  list: (o, numeric) => ['dccp', ...listPorts(o.sport, o.dport, 'dccp', numeric), ...listRest(o, numeric)].join(' '),
  looksFor: (o) => (o['dccp-types'] === undefined && o['dccp-option'] === undefined ? 'flow' : 'packet'),
  match: (o) => {
    const { min: sportMin, max: sportMax } = o.sport?.value ?? ANY_PORT
    const { min: dportMin, max: dportMax } = o.dport?.value ?? ANY_PORT
    const sportNot = o.sport?.not === true
    const dportNot = o.dport?.not === true
    const { value: bits, not: typesNot } = o['dccp-types'] ?? { value: -1, not: false }
    const wanted = o['dccp-option']
    return (p) => {
      if (p.transport === 0) return withoutTransport(p)
      if ((p.sport >= sportMin && p.sport <= sportMax) === sportNot) return 0
      if ((p.dport >= dportMin && p.dport <= dportMax) === dportNot) return 0
      if (((bits & (1 << typeOf(p))) !== 0) === typesNot) return 0
      return wanted === undefined ? 1 : hasOption(p, wanted)
    }
  },
})

function listRest(
  o: { 'dccp-types'?: Negatable<number>; 'dccp-option'?: Negatable<number> },
  numeric: boolean,
): string[] {
  const words: string[] = []
  const given = o['dccp-types']
  if (given !== undefined)
    words.push(`${given.not ? '! ' : ''}${(numeric ? numbersOf : types.kind.format)(given.value)}`)
  const option = o['dccp-option']
  if (option !== undefined) words.push(`option=${option.not ? '!' : ''}${option.value}`)
  return words
}

/** The types by their numbers; INVALID stands for all from its own on. */
function numbersOf(bits: number): string {
  const numbers = Array.from({ length: 16 }, (_, type) => type)
  return numbers.filter((type) => ((bits >>> Math.min(type, INVALID)) & 1) === 1).join(',')
}

function typeOf(p: Packet): number {
  return Math.min((p.view.getUint8(p.transport + TYPE_AND_X) >>> 1) & 15, INVALID)
}

function hasOption(p: Packet, { value: kind, not }: Negatable<number>): number {
  const { view, transport } = p
  const long = view.getUint8(transport + TYPE_AND_X) & 1
  const first = GENERIC + long * LONG_SEQUENCE + (ADDITIONAL[typeOf(p)] ?? ADDITIONAL[7])
  const header = view.getUint8(transport + DATA_OFFSET) << 2
  if (header < first) return HOTDROP
  const end = transport + header
  if (header > first && end > p.start + p.length) return HOTDROP
  for (let at = transport + first; at < end; ) {
    const found = view.getUint8(at)
    if (found === kind) return not ? 0 : 1
    // Padding is one byte; of others the length follows, and 0 there must not hold the search up.
    at += found < 2 || at + 1 >= end ? 1 : view.getUint8(at + 1) || 1
  }
  return not ? 1 : 0
}
