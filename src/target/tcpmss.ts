// Target TCPMSS (xt_TCPMSS): lowers the maximum segment size that a SYN announces, to a number or to what the smaller MTU of
// the ways there and back has room for. It is never raised. Where the option is missing it is added, with at most 536
// (RFC 1122, 4.2.2.6; 1220 for IPv6), unless the segment carries data. A segment whose header is not whole is dropped.

import { DROP } from '../hook/hook.ts'
import { Packet } from '../packet/packet.ts'
import type { Routing } from '../route/routing.ts'
import type { Routing6 } from '../route/routing6.ts'
import { CONTINUE, defineTarget, lastOf, NotTaken } from '../rule/define.ts'
import type { Family, MatchUse, Negatable } from '../rule/model.ts'
import { flag, u16 } from '../rule/option.ts'
import { update16, update32 } from '../wire/checksum.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as tcp from '../wire/tcp.ts'
import { optionStep } from '../wire/tcp-options.ts'

const OPTION_LENGTH = 4
/** Bytes of the smallest headers, and the size that is taken to be meant where none is told. */
const HEADERS = { 4: ip.MIN_HEADER + tcp.MIN_HEADER, 6: ipv6.HEADER + tcp.MIN_HEADER } as const
const DEFAULT_MSS = { 4: 536, 6: ipv6.MIN_MTU - HEADERS[6] } as const
/** Where there is no way back, only the way there counts. */
const NO_MTU = 0x7fffffff

function tcpmss(family: Family) {
  const headers = HEADERS[family]
  return defineTarget({
    name: 'TCPMSS',
    summary: 'lowers the maximum segment size of new TCP connections',
    families: [family],
    protocols: [ip.PROTO_TCP],
    hooksFor: (o) => (o['clamp-mss-to-pmtu'] ? ['FORWARD', 'OUTPUT', 'POSTROUTING'] : undefined),
    terminal: false,
    options: {
      'set-mss': u16({ max: 0xffff - headers + tcp.MIN_HEADER }).help('to this'),
      'clamp-mss-to-pmtu': flag().help(`to the path's MTU less ${headers}`),
    },
    anyOf: ['set-mss', 'clamp-mss-to-pmtu'],
    normalize: (o) => (lastOf(o, ['set-mss', 'clamp-mss-to-pmtu']) === 'set-mss' ? { 'set-mss': o['set-mss'] } : CLAMP),
    list: (o) => (o['set-mss'] === undefined ? 'TCPMSS clamp to PMTU' : `TCPMSS set ${o['set-mss']}`),
    check: (_, { matches = [] }) =>
      matches.some(wantsSyn)
        ? undefined
        : new NotTaken('tables', 'it works on SYN segments alone: expected --syn or --tcp-flags SYN,RST SYN'),
    target: (o, { routing, routing6 }) => {
      const given = o['set-mss']
      const wayBack = family === 4 ? wayBack4(routing) : wayBack6(routing6)
      return (p) => {
        if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return CONTINUE
        if (p.transport === 0) return DROP
        const header = tcp.headerLength(p.view, p.transport)
        if (header < tcp.MIN_HEADER || p.transport + header > p.start + p.length) return DROP
        let mss = given ?? 0
        if (given === undefined) {
          const mtu = Math.min(family === 4 ? routing.pathMtu(p) : p.mtu, wayBack(p))
          if (mtu <= headers) return DROP
          mss = mtu - headers
        }
        lower(p, header, mss)
        return CONTINUE
      }
    },
  })
}

export const tcpmss4 = tcpmss(4)
export const tcpmss6 = tcpmss(6)

const CLAMP = { 'clamp-mss-to-pmtu': true } as const

/** The kernel asks for a match tcp that wants SYN to be set. */
function wantsSyn({ declaration, options }: MatchUse): boolean {
  if (declaration.name !== 'tcp') return false
  const flags = options['tcp-flags'] as Negatable<{ readonly set: number }> | undefined
  return flags !== undefined && !flags.not && (flags.value.set & tcp.SYN) !== 0
}

/** The MTU of the way to a packet's source. */
type WayBack = (p: Packet) => number

function wayBack4(routing: Routing): WayBack {
  return (p) => (routing.output(routing.key.to(p.source)) ? routing.mtu : NO_MTU)
}

function wayBack6(routing: Routing6): WayBack {
  let back: Packet | undefined
  return (p) => {
    back ??= new Packet(p.slab)
    back.destination = p.source
    back.destination1 = p.source1
    back.destination2 = p.source2
    back.destination3 = p.source3
    const key = routing.key.to6(p.source, p.source1, p.source2, p.source3)
    key.outLink = p.inLink
    return routing.output(back, key) ? back.mtu : NO_MTU
  }
}

function lower(p: Packet, header: number, mss: number): void {
  const { view, transport } = p
  for (let at = transport + tcp.MIN_HEADER; at <= transport + header - OPTION_LENGTH; ) {
    if (view.getUint8(at) === tcp.OPTION_MSS && view.getUint8(at + 1) === OPTION_LENGTH) {
      const before = view.getUint16(at + 2)
      if (before > mss) setWord(p, at + 2, mss)
      return
    }
    at += optionStep(view, at)
  }
  if (p.start + p.length > transport + header || header === 60) return
  add(p, Math.min(mss, DEFAULT_MSS[p.family === 6 ? 6 : 4]))
}

/** Puts the option before the others; the segment ends with its header. */
function add(p: Packet, mss: number): void {
  const { view, transport, start } = p
  const at = transport + tcp.MIN_HEADER
  const segment = start + p.length - transport
  p.slab.bytes.copyWithin(at + OPTION_LENGTH, at, transport + segment)
  const option = (tcp.OPTION_MSS << 24) | (OPTION_LENGTH << 16) | mss
  view.setInt32(at, option)
  p.length += OPTION_LENGTH
  const sum = view.getUint16(transport + tcp.CHECKSUM)
  // A partial checksum holds the pseudo-header alone, not complemented; the length is all of it that changes here.
  if (p.partial) {
    view.setUint16(transport + tcp.CHECKSUM, ~update16(~sum & 0xffff, segment, segment + OPTION_LENGTH) & 0xffff)
  } else {
    view.setUint16(transport + tcp.CHECKSUM, update16(update32(sum, 0, option), segment, segment + OPTION_LENGTH))
  }
  setWord(p, transport + tcp.DATA_OFFSET, view.getUint16(transport + tcp.DATA_OFFSET) + (1 << 12))
  if (p.family === 6) {
    const field = start + ipv6.PAYLOAD_LENGTH
    return view.setUint16(field, view.getUint16(field) + OPTION_LENGTH)
  }
  const total = view.getUint16(start + ip.TOTAL_LENGTH)
  view.setUint16(start + ip.TOTAL_LENGTH, total + OPTION_LENGTH)
  view.setUint16(start + ip.CHECKSUM, update16(view.getUint16(start + ip.CHECKSUM), total, total + OPTION_LENGTH))
}

/** Replaces a 16-bit word of the segment. At an odd place the sum comes out wrong, in Linux and so here: no stack sends that. */
function setWord(p: Packet, at: number, value: number): void {
  const { view, transport } = p
  const before = view.getUint16(at)
  view.setUint16(at, value)
  const field = transport + tcp.CHECKSUM
  if (!p.partial) view.setUint16(field, update16(view.getUint16(field), before, value))
}
