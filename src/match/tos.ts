// Match tos (xt_dscp's tos): the TOS byte under a mask.

import { defineMatch } from '../rule/define.ts'
import { tosValue } from '../rule/tos-value.ts'
import { TOS } from '../wire/ipv4.ts'

export const tos = defineMatch({
  name: 'tos',
  summary: 'the type of service',
  families: [4],
  options: { tos: tosValue(0x3f).negatable().required().help('the value under the mask, or its name') },
  looks: 'packet',
  match: ({ tos: { value: wanted, not } }) => {
    const { value, mask } = wanted
    return (p) => (((p.view.getUint8(p.start + TOS) & mask) === value) === not ? 0 : 1)
  },
})
