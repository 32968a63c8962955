// Target NFLOG (xt_NFLOG): a copy of the packet for who listens to the group (rule/nflog.ts), and on to the next rule.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { text, u16, u32 } from '../rule/option.ts'

export const nflog = defineTarget({
  name: 'NFLOG',
  summary: 'hands a copy to who listens to a group',
  terminal: false,
  options: {
    'nflog-prefix': text({ min: 1, max: 63, cut: true }).help(
      'stands beside the packet; what is beyond 63 bytes is cut off',
    ),
    'nflog-group': u16().default(0).help('whose listener gets it'),
    'nflog-range': u32().default(0).help('means nothing, in Linux either: see --nflog-size'),
    'nflog-size': u32().help('bytes that are copied'),
    'nflog-threshold': u16().default(0).help('packets that are collected before the listener is told'),
  },
  exclusive: [['nflog-range', 'nflog-size']],
  target: (o, { nflog: groups }) => {
    const prefix = o['nflog-prefix'] ?? ''
    const { 'nflog-group': group, 'nflog-size': size, 'nflog-threshold': threshold } = o
    return (p, hook) => {
      groups.log(p, hook, group, prefix, size, threshold)
      return CONTINUE
    }
  },
})
