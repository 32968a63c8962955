// Match dscp (xt_dscp): the upper six bits of the TOS byte (RFC 2474).

import { defineMatch } from '../rule/define.ts'
import { dscpClass, dscpNumber } from '../rule/dscp-value.ts'
import { bang } from '../rule/listing.ts'
import { tosByte, tosShift } from './tos-byte.ts'

export const dscp = defineMatch({
  name: 'dscp',
  summary: 'the differentiated services code point',
  options: {
    dscp: dscpNumber.negatable().help('this value'),
    'dscp-class': dscpClass.negatable().help('the value of this class'),
  },
  exclusive: [['dscp', 'dscp-class']],
  anyOf: ['dscp', 'dscp-class'],
  normalize: (o) => ({ dscp: o.dscp ?? o['dscp-class'] }),
  list: ({ dscp }) => `DSCP match ${bang(dscp)}${dscpNumber.kind.format(dscp?.value ?? 0)}`,
  looks: 'packet',
  match: ({ dscp: { value, not } = { value: 0, not: false } }, _env, { family }) => {
    const shift = tosShift(family)
    return (p) => ((tosByte(p, shift) >>> 2 === value) === not ? 0 : 1)
  },
})
