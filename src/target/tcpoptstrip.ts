// Target TCPOPTSTRIP (xt_TCPOPTSTRIP): overwrites TCP options with padding. A later fragment is left alone; a packet whose header is
// not whole is dropped.

import { DROP } from '../hook/hook.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import { parseNumber } from '../rule/number.ts'
import { Problem, shown, unexpected, word } from '../rule/option.ts'
import { update16 } from '../wire/checksum.ts'
import { FRAGMENT_OFFSET_MASK, PROTO_TCP } from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import { optionStep } from '../wire/tcp-options.ts'

const NAMES: Readonly<Record<string, number>> = {
  wscale: 3,
  mss: 2,
  'sack-permitted': 4,
  sack: 5,
  timestamp: 8,
  md5: 19,
}
const EXPECTS = `numbers from 2 to 255 or names (${Object.keys(NAMES).join(', ')}), joined by commas`

const kinds = word<readonly number[]>(
  EXPECTS,
  (text) => {
    const found = new Set<number>()
    for (const part of text.split(',')) {
      const kind = Object.hasOwn(NAMES, part) ? NAMES[part] : parseNumber(part, 255, 2)
      if (kind === undefined) return unexpected(part, EXPECTS)
      if (found.has(kind)) return new Problem(`${shown(part)} is named twice: expected ${EXPECTS}`)
      found.add(kind)
    }
    return [...found].sort((a, b) => a - b)
  },
  (value) => value.join(','),
)

export const tcpoptstrip = defineTarget({
  name: 'TCPOPTSTRIP',
  summary: 'overwrites TCP options with padding',
  protocols: [PROTO_TCP],
  tables: ['mangle'],
  terminal: false,
  options: { 'strip-options': kinds.help('these') },
  list: (o, numeric) => {
    const name = (kind: number) => Object.keys(NAMES).find((one) => NAMES[one] === kind) ?? String(kind)
    const given = o['strip-options']
    if (given === undefined) return ''
    return `TCPOPTSTRIP options ${numeric ? given.join(',') : given.map(name).join(',')}`
  },
  target: (o) => {
    const stripped = new Uint8Array(256)
    for (const kind of o['strip-options'] ?? []) stripped[kind] = 1
    return (p) => {
      if ((p.fragment & FRAGMENT_OFFSET_MASK) !== 0) return CONTINUE
      const { view, transport } = p
      if (transport === 0) return DROP
      const header = tcp.headerLength(view, transport)
      if (header < tcp.MIN_HEADER || transport + header > p.start + p.length) return DROP
      const end = transport + header
      for (let at = transport + tcp.MIN_HEADER; at < end - 1; ) {
        const kind = view.getUint8(at)
        const length = optionStep(view, at)
        if (at + length > end) break
        if (stripped[kind] === 1) for (let i = at; i < at + length; i++) pad(view, transport, i, p.partial)
        at += length
      }
      return CONTINUE
    }
  },
})

/** One byte becomes padding, and the sum follows. */
function pad(view: DataView, transport: number, at: number, partial: boolean): void {
  const before = view.getUint8(at)
  view.setUint8(at, tcp.OPTION_NOP)
  if (partial) return
  const shift = ((at - transport) & 1) === 0 ? 8 : 0
  const field = transport + tcp.CHECKSUM
  view.setUint16(field, update16(view.getUint16(field), before << shift, tcp.OPTION_NOP << shift))
}
