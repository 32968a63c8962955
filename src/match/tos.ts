// Match tos (xt_dscp's tos): the TOS byte under a mask.

import { defineMatch } from '../rule/define.ts'
import { tosValue } from '../rule/tos-value.ts'
import { tosByte, tosShift } from './tos-byte.ts'

export const tos = defineMatch({
  name: 'tos',
  summary: 'the type of service',
  options: { tos: tosValue(0x3f).negatable().required().help('the value under the mask, or its name') },
  looks: 'packet',
  match: ({ tos: { value: wanted, not } }, _env, { family }) => {
    const { value, mask } = wanted
    const shift = tosShift(family)
    return (p) => (((tosByte(p, shift) & mask) === value) === not ? 0 : 1)
  },
})
