// Target AUDIT (xt_AUDIT): a record for the audit daemon. Linux writes none while auditing is off, which it is until a daemon turns
// it on; a router in user space has no such daemon, so this is what Linux does there: the packet goes on.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { oneOf } from '../rule/option.ts'

export const audit = defineTarget({
  name: 'AUDIT',
  summary: 'would tell the audit daemon, which a router in user space does not have',
  terminal: false,
  options: {
    type: oneOf(['accept', 'drop', 'reject'], { anyCase: true }).required().help('what the record says'),
  },
  list: (o) => `AUDIT ${o.type}`,
  target: () => () => CONTINUE,
})
