// Match ipcomp (xt_ipcomp): the compression parameter index (RFC 3173). A later fragment does not match; a header that is cut off is
// dropped at once.

import { defineMatch, HOTDROP } from '../rule/define.ts'
import { listRange } from '../rule/listing.ts'
import { flag, u32Range } from '../rule/option.ts'
import { fragmentOffset } from './port-match.ts'
import { savedRange } from './spi-match.ts'

const PROTO_IPCOMP = 108
const HEADER = 4
const INDEX = 2

export const ipcomp = defineMatch({
  name: 'ipcomp',
  summary: 'the compression parameter index of IPComp',
  protocols: [PROTO_IPCOMP],
  options: {
    ipcompspi: u32Range().negatable().default({ min: 0, max: 0 }, true).help('it lies there'),
    compres: flag().help('makes no difference: the flags are not looked at'),
  },
  // Read again without it, a rule asks for the index 0.
  saved: ({ ipcompspi, compres }, whole) => {
    const range = whole ? ipcompspi : savedRange(ipcompspi)
    const index = range && `${range.not ? ' !' : ''} --ipcompspi ${u32Range().kind.format(range.value)}`
    return `${index ?? ''}${compres ? ' --compres' : ''}`
  },
  list: ({ ipcompspi, compres }) => {
    const { min, max } = ipcompspi.value
    const every = !ipcompspi.not && min === 0 && max === 0xffffffff
    return `comp ${every ? '' : listRange('spi', ipcompspi)}${compres ? ' reserved' : ''}`
  },
  looks: 'packet',
  match: ({ ipcompspi: { value, not } }) => {
    const { min, max } = value
    return (p) => {
      if (fragmentOffset(p) !== 0) return 0
      const at = p.start + p.headerLength
      if (at + HEADER > p.start + p.length) return HOTDROP
      const index = p.view.getUint16(at + INDEX)
      return (index >= min && index <= max) === not ? 0 : 1
    }
  },
})
