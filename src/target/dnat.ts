// Target DNAT (xt_nat): the flow's destination becomes one of these addresses and ports.

import { MANIP_DST } from '../nat/range.ts'
import { defineTarget } from '../rule/define.ts'
import { flag } from '../rule/option.ts'
import { formatNatTo, natRange, natTo } from './nat-to.ts'

export const dnat = defineTarget({
  name: 'DNAT',
  summary: "gives a new flow one of these destinations; the flow's later packets follow",
  tables: ['nat'],
  hooks: ['PREROUTING', 'OUTPUT'],
  conntrack: true,
  terminal: true,
  options: {
    'to-destination': natTo({ base: true }).required().help('addresses, ports, or both to choose from'),
    random: flag().help('the port is chosen at random'),
    persistent: flag().help('a client keeps its destination'),
  },
  list: (o) => `to:${formatNatTo(o['to-destination'])}${o.random ? ' random' : ''}${o.persistent ? ' persistent' : ''}`,
  target: (o, { nat }) => {
    const range = natRange(o['to-destination'], { random: o.random, persistent: o.persistent })
    return (p, hook) => nat.setup(p, hook, MANIP_DST, range)
  },
})
