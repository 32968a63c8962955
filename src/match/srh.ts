// Match srh (ip6t_srh): the segment routing header (RFC 8754), a routing header of type 4. One whose segments left lie behind its last
// entry, or that says to be longer than the packet is, does not match.

import type { Packet } from '../packet/packet.ts'
import { formatAny, masked, maskLength } from '../rule/address.ts'
import { defineMatch, lastOf } from '../rule/define.ts'
import { hostMask } from '../rule/kinds.ts'
import type { Negatable, Network } from '../rule/model.ts'
import { type Kind, option, u8, u16 } from '../rule/option.ts'
import * as extension from '../wire/ipv6-extension.ts'
import { endOf } from './extension-header.ts'

const SEGMENT_ROUTING = 4
const LAST_ENTRY = 4
const TAG = 6
const SEGMENTS = 8
const SEGMENT = 16

const FIELDS = ['srh-hdr-len', 'srh-segs-left', 'srh-last-entry'] as const

const number = u8().negatable()
/** Saved with the bits that the mask leaves out, and always with its length. */
const segment = option<Network>({
  ...hostMask().kind,
  format: ({ address, mask }) => `${formatAny(address)}/${maskLength(mask)}`,
}).negatable()

const options = {
  'srh-next-hdr': number.help('the protocol behind it'),
  'srh-hdr-len-eq': number.help('its length, in units of 8 bytes without the first'),
  'srh-hdr-len-gt': number.help('it is longer'),
  'srh-hdr-len-lt': number.help('it is shorter'),
  'srh-segs-left-eq': number.help('the segments that are left'),
  'srh-segs-left-gt': number.help('more are left'),
  'srh-segs-left-lt': number.help('fewer are left'),
  'srh-last-entry-eq': number.help('the index of the last segment of the list'),
  'srh-last-entry-gt': number.help('it is greater'),
  'srh-last-entry-lt': number.help('it is less'),
  'srh-tag': u16().negatable().help('the tag'),
  'srh-psid': segment.help('the segment before this one'),
  'srh-nsid': segment.help('the segment behind this one'),
  'srh-lsid': segment.help('the last segment'),
}

export const srh = defineMatch({
  name: 'srh',
  summary: 'the segment routing header',
  families: [6],
  options,
  list: (o) => {
    const words = ['srh']
    for (const [name, { kind }] of Object.entries(options)) {
      const given = o[name as keyof typeof options] as Negatable<unknown> | undefined
      if (given === undefined) continue
      const text = (kind as Kind<unknown>).format(given.value)
      const short = name.slice('srh-'.length)
      if (!short.endsWith('sid')) words.push(`${short}:${given.not ? '!' : ''}${text}`)
      else words.push(`${short} ${given.not ? '!' : ''} ${text}`)
    }
    return words.join(' ')
  },
  // Linux keeps one number for the three tests of a field: the one that was written last counts for all of them.
  normalize: (o) => {
    const values = { ...o }
    for (const field of FIELDS) {
      const names = [`${field}-eq`, `${field}-gt`, `${field}-lt`] as const
      const last = lastOf(o, names)
      const value = last === undefined ? undefined : o[last]?.value
      if (value !== undefined)
        for (const name of names) if (o[name] !== undefined) values[name] = { value, not: o[name].not }
    }
    return values
  },
  looks: 'packet',
  match: (o) => {
    const tests: ((p: Packet, at: number) => boolean)[] = []
    const add = <T>(asked: Negatable<T> | undefined, make: (value: T) => (p: Packet, at: number) => boolean) => {
      if (asked === undefined) return
      const test = make(asked.value)
      const { not } = asked
      tests.push((p, at) => test(p, at) !== not)
    }
    const byte = (offset: number, name: (typeof FIELDS)[number]) => {
      add(o[`${name}-eq`], (value) => (p, at) => p.view.getUint8(at + offset) === value)
      add(o[`${name}-gt`], (value) => (p, at) => p.view.getUint8(at + offset) > value)
      add(o[`${name}-lt`], (value) => (p, at) => p.view.getUint8(at + offset) < value)
    }
    add(o['srh-next-hdr'], (value) => (p, at) => p.view.getUint8(at + extension.NEXT) === value)
    byte(extension.LENGTH, 'srh-hdr-len')
    byte(extension.SEGMENTS_LEFT, 'srh-segs-left')
    byte(LAST_ENTRY, 'srh-last-entry')
    // Linux compares the two bytes as its machine reads them, which on those of today is the lower one first.
    add(o['srh-tag'], (value) => (p, at) => p.view.getUint16(at + TAG, true) === value)
    segmentTest(tests, o['srh-psid'], (left, last) => (left === last ? -1 : left + 1))
    segmentTest(tests, o['srh-nsid'], (left) => left - 1)
    segmentTest(tests, o['srh-lsid'], () => 0)
    return (p) => {
      const { view } = p
      const end = endOf(p)
      const at = extension.find(view, p.start, end, extension.ROUTING)
      if (at < 0 || at + SEGMENTS > end) return 0
      if (at + extension.lengthOf(view, extension.ROUTING, at) > end) return 0
      if (view.getUint8(at + extension.ROUTING_TYPE) !== SEGMENT_ROUTING) return 0
      if (view.getUint8(at + extension.SEGMENTS_LEFT) > view.getUint8(at + LAST_ENTRY)) return 0
      for (let i = 0; i < tests.length; i++) if (!tests[i](p, at)) return 0
      return 1
    }
  },
})

/** @param which place in the list of the segment that is meant, by segments left and last entry; -1 where there is none */
function segmentTest(
  tests: ((p: Packet, at: number) => boolean)[],
  asked: Negatable<Network> | undefined,
  which: (left: number, last: number) => number,
): void {
  if (asked === undefined) return
  const { address, mask } = masked(asked.value)
  tests.push((p, at) => {
    const { view } = p
    const place = which(view.getUint8(at + extension.SEGMENTS_LEFT), view.getUint8(at + LAST_ENTRY))
    const from = at + SEGMENTS + SEGMENT * place
    if (place < 0 || from + SEGMENT > endOf(p)) return false
    for (let j = 0; j < 4; j++) if ((view.getInt32(from + 4 * j) & mask[j]) !== address[j]) return asked.not
    return !asked.not
  })
}
