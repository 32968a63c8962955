// Target CONNSECMARK (xt_CONNSECMARK): copies a security mark between packet and flow. Only SECMARK makes one, and that needs a
// security module (SELinux, Smack); without it every mark is 0, in Linux as here, and a copy changes nothing.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { flag } from '../rule/option.ts'

export const connsecmark = defineTarget({
  name: 'CONNSECMARK',
  summary: 'copies security marks, of which there are none without a security module',
  tables: ['mangle', 'security'],
  conntrack: true,
  terminal: false,
  options: {
    save: flag().help("the packet's to the flow"),
    restore: flag().help("the flow's to the packet"),
  },
  exclusive: [['save', 'restore']],
  anyOf: ['save', 'restore'],
  list: (o) => `CONNSECMARK ${o.save ? 'save' : 'restore'}`,
  target: () => () => CONTINUE,
})
