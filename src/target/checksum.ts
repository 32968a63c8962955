// Target CHECKSUM (xt_CHECKSUM): completes a transport checksum that was left to the device. Every other packet has a whole one, and
// stays as it is.

import type { Packet } from '../packet/packet.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import { flag } from '../rule/option.ts'
import { checksum } from '../wire/checksum.ts'
import * as vnet from '../wire/vnet.ts'

export const checksumTarget = defineTarget({
  name: 'CHECKSUM',
  summary: 'completes a transport checksum that was left to the device',
  tables: ['mangle'],
  terminal: false,
  options: { 'checksum-fill': flag().required().help('does it') },
  target: () => (p) => {
    if (p.partial) complete(p)
    return CONTINUE
  },
})

/** The field holds the pseudo-header's sum; where it stands and what it covers is in the packet's virtio-net header. */
function complete(p: Packet): void {
  const { view, start } = p
  if (view.getUint8(start + vnet.GSO_TYPE) !== vnet.GSO_NONE) return
  const from = view.getUint16(start + vnet.CHECKSUM_START, true)
  const field = start + from + view.getUint16(start + vnet.CHECKSUM_OFFSET, true)
  view.setUint16(field, checksum(view, start + from, p.length - from) || 0xffff)
  view.setUint8(start + vnet.FLAGS, view.getUint8(start + vnet.FLAGS) & ~vnet.NEEDS_CHECKSUM)
  p.partial = false
}
