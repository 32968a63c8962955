// Match connmark (xt_connmark): the mark of the packet's flow, under a mask. A packet without a flow never matches.

import { NO_FLOW } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import { formatMark, maskedMark } from '../rule/kinds.ts'

export const connmark = defineMatch({
  name: 'connmark',
  summary: "the flow's mark",
  conntrack: true,
  options: { mark: maskedMark().negatable().required().help('the value under the mask') },
  list: ({ mark: { value, not } }) => `connmark match ${not ? '!' : ''} ${formatMark(value)}`,
  looks: 'packet',
  match: ({ mark: { value: wanted, not } }, { conntrack: { flows } }) => {
    const { value, mask } = wanted
    const hit = not ? 0 : 1
    return (p) => {
      if (p.ct === NO_FLOW) return 0
      return (flows.mark(p.ct) & mask) === value ? hit : 1 - hit
    }
  },
})
