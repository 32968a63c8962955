// Match ah of IPv6 (ip6t_ah): the authentication header, wherever it stands among the extension headers.

import { defineMatch } from '../rule/define.ts'
import { listNumber, listRange } from '../rule/listing.ts'
import { flag, u32, u32Range } from '../rule/option.ts'
import * as extension from '../wire/ipv6-extension.ts'
import { isAsked, onExtension } from './extension-header.ts'
import { EVERY_INDEX, savedRange, unlessEvery } from './spi-match.ts'

/** With the sequence number. */
const HEADER = 12
const RESERVED = 2
const SPI = 4

export const ah6 = defineMatch({
  name: 'ah',
  summary: 'the authentication header: index, length and reserved field',
  families: [6],
  options: {
    ahspi: u32Range().negatable().help('the index lies there'),
    ahlen: u32().negatable().help('the header has so many bytes'),
    ahres: flag().help('the reserved field is 0'),
  },
  // A length of 0 is not asked for, negated or not; iptables saves it where it is negated.
  normalize: (o) => ({
    ...o,
    ahspi: unlessEvery(o.ahspi),
    ahlen: o.ahlen !== undefined && o.ahlen.value === 0 && !o.ahlen.not ? undefined : o.ahlen,
  }),
  asSaved: (o) => ({ ...o, ahspi: savedRange(o.ahspi) }),
  list: ({ ahspi, ahlen, ahres }) =>
    `ah ${listRange('spi', ahspi)}${listNumber('length', ahlen)}${ahres ? ' reserved' : ''}`,
  looks: 'packet',
  match: ({ ahspi = EVERY_INDEX, ahlen, ahres }) => {
    const { value, not } = ahspi
    const { min, max } = value
    const length = ahlen?.value === 0 ? undefined : ahlen
    return onExtension(extension.AUTHENTICATION, HEADER, ({ view }, at) => {
      const index = view.getInt32(at + SPI) >>> 0
      if ((index >= min && index <= max) === not) return false
      if (!isAsked(length, extension.lengthOf(view, extension.AUTHENTICATION, at))) return false
      return ahres === undefined || view.getUint16(at + RESERVED) === 0
    })
  },
})
