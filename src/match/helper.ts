// Match helper (xt_helper): the connection belongs to one that a connection helper (FTP, SIP ...) watches. No helper runs here, so
// nothing does, and everything matches the negation.

import { defineMatch } from '../rule/define.ts'
import { text } from '../rule/option.ts'

export const helper = defineMatch({
  name: 'helper',
  summary: 'the connection was announced in another one, which a helper watches; none does here',
  conntrack: true,
  options: { helper: text({ max: 29, cut: true }).negatable().required().help("the helper's name; empty for any") },
  list: ({ helper: { value, not } }) => `helper match ${not ? '! ' : ''}"${value}"`,
  looks: 'packet',
  match: ({ helper: { not } }) => {
    const said = not ? 1 : 0
    return () => said
  },
})
