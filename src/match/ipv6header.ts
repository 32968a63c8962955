// Match ipv6header (ip6t_ipv6header): which extension headers there are, each counted once, and whether an upper layer follows them.
// The chain is followed in the fragments of a packet too, as far as it goes; behind ESP nothing can be seen.

import type { Packet } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import { exactProtocolNumber } from '../rule/names.ts'
import { flag, Problem, shown, word } from '../rule/option.ts'
import { PROTO_ESP } from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import { endOf } from './extension-header.ts'

interface Header {
  readonly number: number
  readonly bit: number
  /** The one under which it is saved first. */
  readonly names: readonly string[]
}

const PROTOCOL = 255
const HEADERS: readonly Header[] = [
  { number: extension.HOP_BY_HOP, bit: 1 << 7, names: ['hop-by-hop', 'hop', 'hopopt'] },
  { number: extension.DESTINATION_OPTIONS, bit: 1 << 6, names: ['ipv6-opts', 'dst'] },
  { number: extension.ROUTING, bit: 1 << 5, names: ['ipv6-route', 'route'] },
  { number: extension.FRAGMENT, bit: 1 << 4, names: ['ipv6-frag', 'frag'] },
  { number: extension.AUTHENTICATION, bit: 1 << 3, names: ['ah', 'auth'] },
  { number: PROTO_ESP, bit: 1 << 2, names: ['esp'] },
  { number: extension.NO_NEXT, bit: 1 << 1, names: ['ipv6-nonxt', 'none'] },
  { number: PROTOCOL, bit: 1, names: ['protocol', 'prot'] },
]
const UPPER_LAYER = 1
/** By number, what it adds to what was found. */
const BITS = Uint8Array.from({ length: 256 }, (_, number) => HEADERS.find((one) => one.number === number)?.bit ?? 0)
const EXPECTS = `headers joined by commas, each one of ${HEADERS.map(({ names }) => names.join(' or ')).join(', ')}`

const headers = word<number>(
  EXPECTS,
  (text) => {
    let bits = 0
    for (const part of text.split(',')) {
      if (part === '') continue
      const found = HEADERS.find(
        ({ names, number }) =>
          names.includes(part) || String(number) === part || (part !== 'all' && number === exactProtocolNumber(part)),
      )
      if (found === undefined) return new Problem(`${shown(part)} is no header: expected ${EXPECTS}`)
      bits |= found.bit
    }
    return bits === 0 ? new Problem(`the list is empty: expected ${EXPECTS}`) : bits
  },
  (bits) =>
    HEADERS.filter(({ bit }) => (bits & bit) !== 0)
      .map(({ names }) => names[0])
      .join(','),
)

export const ipv6header = defineMatch({
  name: 'ipv6header',
  summary: 'which extension headers there are',
  families: [6],
  options: {
    header: headers.negatable().required().help('just these'),
    soft: flag().help('these, and perhaps others; with ! none of these'),
  },
  list: ({ header: { value, not }, soft }, numeric) => {
    const shown = numeric ? `0x${value.toString(16).toUpperCase().padStart(2, '0')}` : headers.kind.format(value)
    return `ipv6header flags:${not ? '!' : ''}${shown}${soft ? ' soft' : ''}`
  },
  looks: 'packet',
  match: ({ header: { value, not }, soft }) => {
    if (soft) {
      const wanted = not ? 0 : value
      return (p) => {
        const found = headersOf(p)
        return found >= 0 && (found & value) === wanted ? 1 : 0
      }
    }
    return (p) => {
      const found = headersOf(p)
      return found >= 0 && (found === value) !== not ? 1 : 0
    }
  },
})

/** The bits of what is there, or -1 where a header is not whole enough to be followed. */
function headersOf(p: Packet): number {
  const { view } = p
  const end = endOf(p)
  let number = view.getUint8(p.start + ipv6.NEXT_HEADER)
  let at = p.start + ipv6.HEADER
  let found = 0
  for (;;) {
    const bit = BITS[number]
    if (bit <= UPPER_LAYER) return found | UPPER_LAYER
    if (number === extension.NO_NEXT) return found | bit
    if (at + 2 > end) return -1
    if (number === PROTO_ESP) return found | bit
    found |= bit
    const next = view.getUint8(at + extension.NEXT)
    at += extension.lengthOf(view, number, at)
    number = next
    if (at > end) return found | UPPER_LAYER
  }
}
