// Target NETMAP (xt_NETMAP): maps one network onto another, host by host: the destination where flows come in, the source where they
// go out.

import { INPUT, POSTROUTING } from '../hook/hook.ts'
import { MANIP_DST, MANIP_SRC, MAP_IPS, type NatRange } from '../nat/range.ts'
import { formatAny, masked, maskLength, maskWords, parseAton, parseStrict } from '../rule/address.ts'
import { defineTarget } from '../rule/define.ts'
import { readHostMask } from '../rule/kinds.ts'
import type { Network } from '../rule/model.ts'
import { unexpected, word } from '../rule/option.ts'

const EXPECTS = 'a network ADDRESS/LENGTH'

const network = word<Network>(
  EXPECTS,
  (text, { family }) => {
    const [written, length] = text.split(/\/(.*)/s)
    const address = family === 4 ? addressAton(written) : parseStrict(written, 6)
    const mask = length === undefined ? maskWords(family === 4 ? 32 : 128, family) : readHostMask(length, family)
    if (address === undefined || mask === undefined) return unexpected(text, EXPECTS)
    return masked({ address, mask })
  },
  ({ address, mask }) => `${formatAny(address)}/${maskLength(mask)}`,
)

function addressAton(text: string): readonly number[] | undefined {
  const address = parseAton(text)
  return address === undefined ? undefined : [address]
}

export const netmap = defineTarget({
  name: 'NETMAP',
  summary: 'maps the addresses of a network onto those of another',
  tables: ['nat'],
  conntrack: true,
  terminal: true,
  options: { to: network.required().help('the other network') },
  list: ({ to }) => `to:${network.kind.format(to)}`,
  target: ({ to }, { nat }) => {
    const mapped: number[] = []
    const range: NatRange = { flags: MAP_IPS, min: mapped, max: mapped, minPort: 0, maxPort: 0, basePort: 0 }
    return (p, hook) => {
      const source = hook === POSTROUTING || hook === INPUT
      const address = source
        ? [p.source, p.source1, p.source2, p.source3]
        : [p.destination, p.destination1, p.destination2, p.destination3]
      to.mask.forEach((mask, i) => {
        mapped[i] = (to.address[i] & mask) | (address[i] & ~mask)
      })
      return nat.setup(p, hook, source ? MANIP_SRC : MANIP_DST, range)
    }
  },
})
