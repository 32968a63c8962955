// Match state: the older form of conntrack --ctstate, without its virtual states.

import { defineMatch } from '../rule/define.ts'
import { bitNames } from '../rule/option.ts'
import { STATE, stateBit } from './ct-state.ts'

const { INVALID, NEW, ESTABLISHED, RELATED, UNTRACKED } = STATE

export const state = defineMatch({
  name: 'state',
  summary: "the flow's state",
  conntrack: true,
  options: {
    state: bitNames(
      { INVALID, NEW, ESTABLISHED, RELATED, UNTRACKED },
      { order: ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED'] },
    )
      .negatable()
      .required()
      .help('one of these states'),
  },
  plain: ({ state: { value, not } }) => ({ states: not ? ~value : value }),
  match: ({ state: { value: states, not } }) => {
    const hit = not ? 0 : 1
    return (p) => ((stateBit(p) & states) !== 0 ? hit : 1 - hit)
  },
})
