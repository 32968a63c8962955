// Match hl (ip6t_hl): the hop limit as it is in the packet; FORWARD and what follows see it decremented.

import { defineMatch } from '../rule/define.ts'
import { u8 } from '../rule/option.ts'
import { HOP_LIMIT } from '../wire/ipv6.ts'
import { byteMatch, listByte } from './ttl.ts'

export const hlMatch = defineMatch({
  name: 'hl',
  summary: 'the hop limit',
  families: [6],
  options: {
    'hl-eq': u8().negatable().alias('hl').help('just this'),
    'hl-lt': u8().help('less than this'),
    'hl-gt': u8().help('more than this'),
  },
  exclusive: [['hl-eq', 'hl-lt', 'hl-gt']],
  anyOf: ['hl-eq', 'hl-lt', 'hl-gt'],
  list: (o) => listByte('HL', o['hl-eq'], o['hl-lt'], o['hl-gt']),
  looks: 'packet',
  match: (o) => byteMatch(HOP_LIMIT, o['hl-eq'], o['hl-lt'], o['hl-gt']),
})
