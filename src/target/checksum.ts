// Target CHECKSUM (xt_CHECKSUM): completes a transport checksum that was left to the device. Every other packet has a whole one, and
// stays as it is.

import { complete } from '../packet/offload.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import { flag } from '../rule/option.ts'

export const checksumTarget = defineTarget({
  name: 'CHECKSUM',
  summary: 'completes a transport checksum that was left to the device',
  tables: ['mangle'],
  terminal: false,
  options: { 'checksum-fill': flag().required().help('does it') },
  list: () => 'CHECKSUM fill',
  target: () => (p) => {
    // Of a packet that is to be segmented every segment gets its own later.
    if (p.partial && p.gsoSize === 0) complete(p)
    return CONTINUE
  },
})
