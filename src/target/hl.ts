// Target HL (xt_HL): sets, raises or lowers IPv6's hop limit; it stays between 0 and 255.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { u8 } from '../rule/option.ts'
import { HOP_LIMIT } from '../wire/ipv6.ts'

const change = u8({ min: 1 })

export const hl = defineTarget({
  name: 'HL',
  summary: 'changes the hop limit',
  families: [6],
  tables: ['mangle'],
  terminal: false,
  options: {
    'hl-set': u8().help('to this'),
    'hl-dec': change.help('by so much down'),
    'hl-inc': change.help('by so much up'),
  },
  exclusive: [['hl-set', 'hl-dec', 'hl-inc']],
  anyOf: ['hl-set', 'hl-dec', 'hl-inc'],
  list: (o) => {
    const set = o['hl-set']
    if (set !== undefined) return `HL set to ${set}`
    const down = o['hl-dec']
    return down === undefined ? `HL increment by ${o['hl-inc']}` : `HL decrement by ${down}`
  },
  target: (o) => {
    const set = o['hl-set']
    const by = (o['hl-inc'] ?? 0) - (o['hl-dec'] ?? 0)
    return (p) => {
      const { view } = p
      const at = p.start + HOP_LIMIT
      const before = view.getUint8(at)
      const after = set ?? Math.max(0, Math.min(255, before + by))
      view.setUint8(at, after)
      p.unsummed += after - before
      return CONTINUE
    }
  },
})
