// Match tcpmss (xt_tcpmss): the maximum segment size that a TCP header announces; a header without it matches the negation alone.
// Where header or options are cut off the packet is dropped.

import type { Packet } from '../packet/packet.ts'
import { defineMatch, HOTDROP } from '../rule/define.ts'
import { bang } from '../rule/listing.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import { u16Range } from './number-range.ts'
import { assumedHeader } from './port-match.ts'

export const tcpmssMatch = defineMatch({
  name: 'tcpmss',
  summary: 'the maximum segment size of a TCP SYN',
  protocols: [PROTO_TCP],
  options: { mss: u16Range().negatable().required().help('it lies there') },
  list: ({ mss }) => `tcpmss match ${bang(mss)}${u16Range().kind.format(mss.value)}`,
  looks: 'packet',
  match: ({ mss: { value, not } }) => {
    const { min, max } = value
    const hit = not ? 0 : 1
    return (p) => {
      const mss = announced(p)
      if (mss === BROKEN) return HOTDROP
      return mss >= min && mss <= max ? hit : 1 - hit
    }
  },
})

const NONE = -1
const BROKEN = -2
const OPTION_LENGTH = 4

function announced(p: Packet): number {
  const { view } = p
  // Whatever fragment this is: what follows the IP header is taken for a TCP header.
  const header = assumedHeader(p)
  const last = p.start + p.length
  if (header + tcp.MIN_HEADER > last) return BROKEN
  const end = header + tcp.headerLength(view, header)
  if (end < header + tcp.MIN_HEADER || end > last) return BROKEN
  for (let at = header + tcp.MIN_HEADER; at < end; ) {
    const kind = view.getUint8(at)
    if (kind === tcp.OPTION_MSS && end - at >= OPTION_LENGTH && view.getUint8(at + 1) === OPTION_LENGTH)
      return view.getUint16(at + 2)
    at += kind < 2 || at === end - 1 ? 1 : view.getUint8(at + 1) || 1
  }
  return NONE
}
