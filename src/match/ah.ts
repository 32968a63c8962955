// Match ah (ipt_ah): the security parameters index.

import { defineMatch } from '../rule/define.ts'
import { listRange } from '../rule/listing.ts'
import { u32Range } from '../rule/option.ts'
import { PROTO_AH } from '../wire/ipv4.ts'
import { indexMatch, savedRange, unlessEvery } from './spi-match.ts'

export const ah = defineMatch({
  name: 'ah',
  summary: 'the security parameters index of AH',
  families: [4],
  protocols: [PROTO_AH],
  options: { ahspi: u32Range().negatable().help('it lies there') },
  normalize: ({ ahspi }) => ({ ahspi: unlessEvery(ahspi) }),
  asSaved: ({ ahspi }) => ({ ahspi: savedRange(ahspi) }),
  list: ({ ahspi }) => `ah ${listRange('spi', ahspi)}`,
  looks: 'packet',
  match: ({ ahspi }) => indexMatch(ahspi, 4, 12),
})
