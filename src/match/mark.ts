// Match mark: the packet's mark, under a mask (xt_mark). The value is not masked: with a bit outside the mask it never fits.

import { defineMatch } from '../rule/define.ts'
import { formatMark, maskedMark } from '../rule/kinds.ts'

export const mark = defineMatch({
  name: 'mark',
  summary: "the packet's mark",
  options: { mark: maskedMark().negatable().required().help('the value under the mask') },
  list: ({ mark: { value, not } }) => `mark match ${not ? '! ' : ''}${formatMark(value)}`,
  plain: ({ mark: { value, not } }) => (value.mask === 0 ? undefined : { mark: { ...value, not } }),
  looks: 'flow',
  match: ({ mark: { value: wanted, not } }) => {
    const { value, mask } = wanted
    const hit = not ? 0 : 1
    return (p) => ((p.mark & mask) === value ? hit : 1 - hit)
  },
})
