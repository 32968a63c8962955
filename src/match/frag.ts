// Match frag (ip6t_frag): the fragment header. The length that --fraglen names is not looked at, as in Linux since 2.6.10: a
// fragment header has but one.

import { defineMatch } from '../rule/define.ts'
import { listNumber, listRange, words } from '../rule/listing.ts'
import { flag, u32, u32Range } from '../rule/option.ts'
import * as extension from '../wire/ipv6-extension.ts'
import { onExtension } from './extension-header.ts'
import { EVERY_INDEX, savedRange, unlessEvery } from './spi-match.ts'

const RESERVED = 1
/** In the word of the offset. */
const RESERVED_BITS = 6

export const frag = defineMatch({
  name: 'frag',
  summary: 'the fragment header',
  families: [6],
  options: {
    fragid: u32Range().negatable().help('the identification lies there'),
    fraglen: u32().negatable().help('makes no difference: the length of this header is fixed'),
    fragres: flag().help('the reserved fields are 0'),
    fragfirst: flag().help('it is the first fragment'),
    fragmore: flag().help('more fragments follow'),
    fraglast: flag().help('it is the last fragment'),
  },
  exclusive: [['fragmore', 'fraglast']],
  normalize: (o) => ({ ...o, fragid: unlessEvery(o.fragid) }),
  asSaved: (o) => ({ ...o, fragid: savedRange(o.fragid) }),
  list: (o) => {
    const rest = words(
      listNumber('length', o.fraglen),
      o.fragres && 'reserved',
      o.fragfirst && 'first',
      o.fragmore && 'more',
      o.fraglast && 'last',
    )
    return `frag ${listRange('id', o.fragid)}${rest === '' ? '' : ` ${rest}`}`
  },
  looks: 'packet',
  match: (o) => {
    const { value, not } = o.fragid ?? EVERY_INDEX
    const { min, max } = value
    const reserved = o.fragres === true
    const first = o.fragfirst === true
    const more = o.fragmore === true
    const last = o.fraglast === true
    return onExtension(extension.FRAGMENT, extension.FRAGMENT_HEADER, ({ view }, at) => {
      const id = view.getInt32(at + extension.FRAGMENT_ID) >>> 0
      if ((id >= min && id <= max) === not) return false
      const word = view.getUint16(at + extension.FRAGMENT_OFFSET)
      if (reserved && (view.getUint8(at + RESERVED) !== 0 || (word & RESERVED_BITS) !== 0)) return false
      if (first && (word & extension.OFFSET_BYTES) !== 0) return false
      const follows = (word & extension.MORE) !== 0
      return !((more && !follows) || (last && follows))
    })
  },
})
