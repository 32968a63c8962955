// Match esp (xt_esp): the security parameters index.

import { defineMatch } from '../rule/define.ts'
import { listRange, words } from '../rule/listing.ts'
import { u32Range } from '../rule/option.ts'
import { PROTO_ESP } from '../wire/ipv4.ts'
import { indexMatch, savedRange, unlessEvery } from './spi-match.ts'

export const esp = defineMatch({
  name: 'esp',
  summary: 'the security parameters index of ESP',
  protocols: [PROTO_ESP],
  options: { espspi: u32Range().negatable().help('it lies there') },
  normalize: ({ espspi }) => ({ espspi: unlessEvery(espspi) }),
  asSaved: ({ espspi }) => ({ espspi: savedRange(espspi) }),
  list: ({ espspi }) => words('esp', listRange('spi', espspi)),
  looks: 'packet',
  match: ({ espspi }) => indexMatch(espspi, 0, 8),
})
