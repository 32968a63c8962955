// Match ttl (ipt_ttl): the time to live as it is in the packet; FORWARD and what follows see it decremented.

import { defineMatch } from '../rule/define.ts'
import { u8 } from '../rule/option.ts'
import { TTL } from '../wire/ipv4.ts'

export const ttl = defineMatch({
  name: 'ttl',
  summary: 'the time to live',
  families: [4],
  options: {
    'ttl-eq': u8().negatable().alias('ttl').help('just this'),
    'ttl-lt': u8().help('less than this'),
    'ttl-gt': u8().help('more than this'),
  },
  exclusive: [['ttl-eq', 'ttl-lt', 'ttl-gt']],
  anyOf: ['ttl-eq', 'ttl-lt', 'ttl-gt'],
  match: (o) => {
    const equal = o['ttl-eq']
    if (equal !== undefined) {
      const { value, not } = equal
      return (p) => ((p.view.getUint8(p.start + TTL) === value) === not ? 0 : 1)
    }
    const below = o['ttl-lt'] ?? 256
    const above = o['ttl-gt'] ?? -1
    return (p) => {
      const found = p.view.getUint8(p.start + TTL)
      return found < below && found > above ? 1 : 0
    }
  },
})
