// Match tcp (xt_tcpudp): ports, flags and the presence of an option. A later fragment does not match; one at offset 1, which
// would overwrite the flags of the first, and a header that is cut off are dropped at once.

import type { Packet } from '../packet/packet.ts'
import { defineMatch, HOTDROP } from '../rule/define.ts'
import { portRange } from '../rule/kinds.ts'
import type { Negatable } from '../rule/model.ts'
import { flag, option, Problem, shown, u8 } from '../rule/option.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import * as tcpHeader from '../wire/tcp.ts'
import { ANY_PORT, fragmentOffset, listPorts, plainPorts, savedPorts, unlessAny } from './port-match.ts'

interface FlagTest {
  readonly mask: number
  readonly set: number
}

/** In the order in which they are saved. */
const FLAGS = {
  FIN: tcpHeader.FIN,
  SYN: tcpHeader.SYN,
  RST: tcpHeader.RST,
  PSH: tcpHeader.PSH,
  ACK: tcpHeader.ACK,
  URG: tcpHeader.URG,
} as const
const ALL = 0x3f
const NEW_CONNECTION: FlagTest = {
  mask: tcpHeader.FIN | tcpHeader.SYN | tcpHeader.RST | tcpHeader.ACK,
  set: tcpHeader.SYN,
}
const EXPECTS_FLAGS = `${Object.keys(FLAGS).join(',')}, some of them joined by commas, ALL or NONE`

function readFlags(text: string): number | undefined {
  let sum = 0
  for (const part of text.toUpperCase().split(',')) {
    if (part === 'ALL') sum |= ALL
    else if (part in FLAGS) sum |= FLAGS[part as keyof typeof FLAGS]
    else if (part !== 'NONE') return undefined
  }
  return sum
}

function formatFlags(sum: number): string {
  const names = Object.entries(FLAGS).filter(([, bit]) => (sum & bit) !== 0)
  return names.length === 0 ? 'NONE' : names.map(([name]) => name).join(',')
}

const flagTest = option<FlagTest>({
  words: 2,
  expects: `two words, the flags to look at and those of them that are to be set, each ${EXPECTS_FLAGS}`,
  parse: ([mask, set]) => {
    const masked = readFlags(mask)
    if (masked === undefined) return new Problem(`${shown(mask)} is not understood: expected ${EXPECTS_FLAGS}`)
    const wanted = readFlags(set)
    if (wanted === undefined) return new Problem(`${shown(set)} is not understood: expected ${EXPECTS_FLAGS}`, 1)
    return { mask: masked, set: wanted }
  },
  format: ({ mask, set }) => `${formatFlags(mask)} ${formatFlags(set)}`,
})

/** Fragments up to this offset, other than the first, are dropped; IPv6 has none (Linux counts their offsets in bytes). */
const HIDING = [1, 0]

const ports = portRange({ services: 'tcp' }).negatable()

export const tcp = defineMatch({
  name: 'tcp',
  summary: 'TCP ports, flags and options',
  protocols: [PROTO_TCP],
  options: {
    sport: ports.alias('source-port').help('source port or range'),
    dport: ports.alias('destination-port').help('destination port or range'),
    'tcp-option': u8({ min: 1 }).negatable().help('a TCP option of this kind is there'),
    'tcp-flags': flagTest.negatable().help('of the flags in the first list just those in the second are set'),
    syn: flag().negatable().help('short for --tcp-flags SYN,RST,ACK,FIN SYN'),
  },
  exclusive: [['syn', 'tcp-flags']],
  normalize: (o) => ({
    sport: unlessAny(o.sport),
    dport: unlessAny(o.dport),
    'tcp-option': o['tcp-option'],
    'tcp-flags': o.syn === undefined ? unlessNone(o['tcp-flags']) : { value: NEW_CONNECTION, not: o.syn.not },
  }),
  asSaved: (o) => ({ ...o, ...savedPorts(o), 'tcp-flags': unlessUnmasked(o['tcp-flags']) }),
  list: (o, numeric) => {
    const words = ['tcp', ...listPorts(o.sport, o.dport, 'tcp', numeric)]
    const kind = o['tcp-option']
    if (kind !== undefined) words.push(`option=${kind.not ? '!' : ''}${kind.value}`)
    const flags = unlessUnmasked(o['tcp-flags'])
    if (flags !== undefined) {
      const show = (sum: number) =>
        numeric ? `0x${sum.toString(16).toUpperCase().padStart(2, '0')}` : formatFlags(sum)
      words.push(`flags:${flags.not ? '!' : ''}${show(flags.value.mask)}/${show(flags.value.set)}`)
    }
    return words.join(' ')
  },
  plain: (o) => (o['tcp-flags'] === undefined && o['tcp-option'] === undefined ? plainPorts(o) : undefined),
  looksFor: (o) => (o['tcp-flags'] === undefined && o['tcp-option'] === undefined ? 'flow' : 'packet'),
  match: (o) => {
    const { min: sportMin, max: sportMax } = o.sport?.value ?? ANY_PORT
    const { min: dportMin, max: dportMax } = o.dport?.value ?? ANY_PORT
    const sportNot = o.sport?.not === true
    const dportNot = o.dport?.not === true
    const { mask, set } = o['tcp-flags']?.value ?? { mask: 0, set: 0 }
    const flagsNot = o['tcp-flags']?.not === true
    const wanted = o['tcp-option']
    return (p) => {
      // A fragment at offset 1 would hide the flags of the one before it (RFC 3128).
      if (p.transport === 0) return fragmentOffset(p) > HIDING[p.family === 6 ? 1 : 0] ? 0 : HOTDROP
      if ((p.sport >= sportMin && p.sport <= sportMax) === sportNot) return 0
      if ((p.dport >= dportMin && p.dport <= dportMax) === dportNot) return 0
      if (((p.view.getUint8(p.transport + tcpHeader.FLAGS) & mask) === set) === flagsNot) return 0
      return wanted === undefined ? 1 : hasOption(p, wanted)
    }
  },
})

/** Nothing is looked at, so nothing is asked; negated it stays, and matches nothing. */
function unlessNone(test: Negatable<FlagTest> | undefined): Negatable<FlagTest> | undefined {
  return test !== undefined && !test.not && test.value.mask === 0 && test.value.set === 0 ? undefined : test
}

/** Flags of which none is looked at are not shown, although some that are to be set make it match nothing. */
function unlessUnmasked(test: Negatable<FlagTest> | undefined): Negatable<FlagTest> | undefined {
  return test !== undefined && !test.not && test.value.mask === 0 ? undefined : test
}

function hasOption(p: Packet, { value: kind, not }: Negatable<number>): number {
  const { view, transport } = p
  const length = tcpHeader.headerLength(view, transport)
  if (length < tcpHeader.MIN_HEADER) return HOTDROP
  const end = transport + length
  if (end > p.start + p.length) return HOTDROP
  for (let at = transport + tcpHeader.MIN_HEADER; at < end; ) {
    const found = view.getUint8(at)
    if (found === kind) return not ? 0 : 1
    // End and padding are one byte; of others the length follows, and 0 there must not hold the search up.
    at += found < 2 || at + 1 >= end ? 1 : view.getUint8(at + 1) || 1
  }
  return not ? 1 : 0
}
