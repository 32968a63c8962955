// Match helper (xt_helper): the connection was announced in another one, which a connection helper of that name reads. It is asked
// about the announced connection only, in both directions; the announcing one matches the negation, as everything else does.

import { EXTRA_WORDS, HELPER_ID, MASTER } from '../conntrack/extensions.ts'
import { helperName } from '../conntrack/helper/index.ts'
import { NO_FLOW } from '../packet/packet.ts'
import { defineMatch } from '../rule/define.ts'
import { text } from '../rule/option.ts'

export const helper = defineMatch({
  name: 'helper',
  summary: 'the connection was announced in another one, which a helper watches',
  conntrack: true,
  options: { helper: text({ max: 29, cut: true }).negatable().required().help("the helper's name; empty for any") },
  list: ({ helper: { value, not } }) => `helper match ${not ? '! ' : ''}"${value}"`,
  looks: 'packet',
  match: ({ helper: { value, not } }, { conntrack }) => {
    const hit = not ? 0 : 1
    const { extensions } = conntrack.flows
    // Linux compares as many characters as the helper's own name has: tftp-6969 is tftp.
    const isMeant = (number: number) => value === '' || value.startsWith(helperName(number))
    return ({ ct }) => {
      const { extras } = extensions
      if (ct === NO_FLOW || extras === undefined) return 1 - hit
      const master = extras[ct * EXTRA_WORDS + MASTER] - 1
      const number = master < 0 ? 0 : extras[master * EXTRA_WORDS + HELPER_ID]
      return number !== 0 && isMeant(number) ? hit : 1 - hit
    }
  },
})
