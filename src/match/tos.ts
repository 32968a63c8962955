// Match tos (xt_dscp's tos): the TOS byte under a mask.

import { defineMatch } from '../rule/define.ts'
import { tosName, tosValue } from '../rule/tos-value.ts'
import { tosByte, tosShift } from './tos-byte.ts'

export const tos = defineMatch({
  name: 'tos',
  summary: 'the type of service',
  options: { tos: tosValue(0x3f).negatable().required().help('the value under the mask, or its name') },
  list: ({ tos: { value, not } }, numeric) => {
    const name = numeric ? undefined : tosName(value)
    const text = name === undefined ? tosValue(0x3f).kind.format(value) : ` ${name}`
    return `tos match${not ? '!' : ''}${text}`
  },
  looks: 'packet',
  match: ({ tos: { value: wanted, not } }, _env, { family }) => {
    const { value, mask } = wanted
    const shift = tosShift(family)
    return (p) => (((tosByte(p, shift) & mask) === value) === not ? 0 : 1)
  },
})
