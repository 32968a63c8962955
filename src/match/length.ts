// Match length (xt_length): the packet's length with its IP header.

import { defineMatch } from '../rule/define.ts'
import { u16Range } from './number-range.ts'

export const length = defineMatch({
  name: 'length',
  summary: "the packet's length",
  options: { length: u16Range({ reversed: true }).negatable().required().help('bytes, header included') },
  list: ({ length: { value, not } }) => `length ${not ? '!' : ''}${u16Range().kind.format(value)}`,
  looks: 'packet',
  match: ({ length: { value, not } }) => {
    const { min, max } = value
    return (p) => ((p.length >= min && p.length <= max) === not ? 0 : 1)
  },
})
