// Match rt (ip6t_rt): the routing header, and the addresses that one of type 0 lists (RFC 2460, 4.4). A list of addresses is
// the whole of what is there, or with --rt-0-not-strict some of it in this order.

import type { Packet } from '../packet/packet.ts'
import { formatAny, parseStrict } from '../rule/address.ts'
import { defineMatch } from '../rule/define.ts'
import { listNumber, listRange, words } from '../rule/listing.ts'
import { flag, list, u32, u32Range, unexpected, word } from '../rule/option.ts'
import * as extension from '../wire/ipv6-extension.ts'
import { isAsked, onExtension } from './extension-header.ts'
import { EVERY_INDEX, savedRange, unlessEvery } from './spi-match.ts'

const EXPECTS = 'an IPv6 address'
/** Bytes before the addresses, the reserved word among them. */
const HEADER = 8
const RESERVED = 4

const address = word<readonly number[]>(EXPECTS, (text) => parseStrict(text, 6) ?? unexpected(text, EXPECTS), formatAny)

export const rt = defineMatch({
  name: 'rt',
  summary: 'the routing header',
  families: [6],
  options: {
    'rt-type': u32().negatable().help('its type'),
    'rt-segsleft': u32Range().negatable().help('the segments that are left lie there'),
    'rt-len': u32().negatable().help('the header has so many bytes'),
    'rt-0-res': flag().help('type 0: the reserved field is 0'),
    'rt-0-addrs': list(address, { max: 16 }).help('type 0: it has these addresses'),
    'rt-0-not-strict': flag().help('with --rt-0-addrs: it has these, in this order, and may have others'),
  },
  // The names stand in the order of writing here.
  normalize: (o) => ({ ...o, 'rt-segsleft': unlessEvery(o['rt-segsleft']) }),
  check: (o) => {
    const given = Object.keys(o).filter((name) => o[name as keyof typeof o] !== undefined)
    const after = (name: string, first: string) =>
      given.includes(name) && !given.slice(0, given.indexOf(name)).includes(first)
    const type = o['rt-type']
    for (const name of ['rt-0-res', 'rt-0-addrs'])
      if (given.includes(name) && (type?.value !== 0 || type.not || after(name, 'rt-type')))
        return `--${name}: expected --rt-type 0 to stand before it`
    return after('rt-0-not-strict', 'rt-0-addrs')
      ? '--rt-0-not-strict: expected --rt-0-addrs to stand before it'
      : undefined
  },
  asSaved: (o) => ({ ...o, 'rt-segsleft': savedRange(o['rt-segsleft']) }),
  list: (o) =>
    words(
      'rt',
      // As a signed number, there too.
      listNumber('type', o['rt-type'] && { ...o['rt-type'], value: o['rt-type'].value | 0 }),
      listRange('segsleft', o['rt-segsleft']),
      listNumber('length', o['rt-len']),
      o['rt-0-res'] && 'reserved',
      o['rt-0-addrs'] && `0-addrs ${o['rt-0-addrs'].map(formatAny).join(',')}`,
      o['rt-0-not-strict'] && '0-not-strict',
    ),
  looks: 'packet',
  match: (o) => {
    const { value, not } = o['rt-segsleft'] ?? EVERY_INDEX
    const { min, max } = value
    const type = o['rt-type']
    const length = o['rt-len']
    const reserved = o['rt-0-res'] === true
    const addresses = o['rt-0-addrs'] && Int32Array.from(o['rt-0-addrs'].flat())
    const strict = o['rt-0-not-strict'] === undefined
    return onExtension(extension.ROUTING, 4, (p, at) => {
      const { view } = p
      const bytes = extension.lengthOf(view, extension.ROUTING, at)
      const left = view.getUint8(at + extension.SEGMENTS_LEFT)
      if ((left >= min && left <= max) === not) return false
      if (!isAsked(length, bytes) || !isAsked(type, view.getUint8(at + extension.ROUTING_TYPE))) return false
      if (reserved && view.getInt32(at + RESERVED) !== 0) return false
      return addresses === undefined || lists(p, at + HEADER, (bytes - HEADER) >> 4, addresses, strict)
    })
  },
})

/** Whether the `count` addresses from `at` on are these, or have these among them in their order. */
function lists({ view }: Packet, at: number, count: number, wanted: Int32Array, strict: boolean): boolean {
  const many = wanted.length >> 2
  if (strict ? many !== count : many > count) return false
  let found = 0
  for (let i = 0; i < count && found < many; i++) {
    let same = true
    for (let j = 0; j < 4; j++) if (view.getInt32(at + 16 * i + 4 * j) !== wanted[4 * found + j]) same = false
    if (same) found++
    else if (strict) return false
  }
  return found === many
}
