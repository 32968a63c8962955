// Match comment: a remark on the rule; every packet matches.

import { defineMatch } from '../rule/define.ts'
import { text } from '../rule/option.ts'

export const comment = defineMatch({
  name: 'comment',
  summary: 'a remark on the rule; matches every packet',
  options: { comment: text({ max: 255, lines: true }).required().help('the remark') },
  list: ({ comment }) => `/* ${comment} */`,
  looks: 'flow',
  remark: true,
  match: () => () => 1,
})
