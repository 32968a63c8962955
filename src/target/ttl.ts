// Target TTL (xt_HL): sets, raises or lowers the time to live; it stays between 0 and 255.

import { CONTINUE, defineTarget } from '../rule/define.ts'
import { u8 } from '../rule/option.ts'
import { update16 } from '../wire/checksum.ts'
import { CHECKSUM, TTL } from '../wire/ipv4.ts'

export const ttlTarget = defineTarget({
  name: 'TTL',
  summary: 'changes the time to live',
  families: [4],
  tables: ['mangle'],
  terminal: false,
  options: {
    'ttl-set': u8().help('to this'),
    'ttl-dec': u8({ min: 1 }).help('by so much down'),
    'ttl-inc': u8({ min: 1 }).help('by so much up'),
  },
  exclusive: [['ttl-set', 'ttl-dec', 'ttl-inc']],
  anyOf: ['ttl-set', 'ttl-dec', 'ttl-inc'],
  list: (o) =>
    o['ttl-set'] !== undefined
      ? `TTL set to ${o['ttl-set']}`
      : o['ttl-dec'] !== undefined
        ? `TTL decrement by ${o['ttl-dec']}`
        : `TTL increment by ${o['ttl-inc']}`,
  target: (o) => {
    const set = o['ttl-set']
    const change = (o['ttl-inc'] ?? 0) - (o['ttl-dec'] ?? 0)
    return (p) => {
      const { view, start } = p
      const before = view.getUint8(start + TTL)
      const after = set ?? Math.max(0, Math.min(255, before + change))
      view.setUint8(start + TTL, after)
      view.setUint16(start + CHECKSUM, update16(view.getUint16(start + CHECKSUM), before << 8, after << 8))
      return CONTINUE
    }
  },
})
