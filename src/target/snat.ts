// Target SNAT (xt_nat): the flow's source becomes one of these addresses and ports.

import { MANIP_SRC } from '../nat/range.ts'
import { defineTarget } from '../rule/define.ts'
import { flag } from '../rule/option.ts'
import { formatNatTo, natRange, natTo } from './nat-to.ts'

export const snat = defineTarget({
  name: 'SNAT',
  summary: "gives a new flow one of these sources; the flow's later packets follow",
  tables: ['nat'],
  hooks: ['POSTROUTING', 'INPUT'],
  conntrack: true,
  terminal: true,
  options: {
    'to-source': natTo({ base: false }).required().help('addresses, ports, or both to choose from'),
    random: flag().help('the port is chosen at random'),
    'random-fully': flag().help('the port is chosen at random, unpredictably'),
    persistent: flag().help('a client keeps its address for every destination'),
  },
  list: (o) =>
    `to:${formatNatTo(o['to-source'])}${o.random ? ' random' : ''}${o['random-fully'] ? ' random-fully' : ''}${o.persistent ? ' persistent' : ''}`,
  target: (o, { nat }) => {
    const range = natRange(o['to-source'], {
      random: o.random,
      randomFully: o['random-fully'],
      persistent: o.persistent,
    })
    return (p, hook) => nat.setup(p, hook, MANIP_SRC, range)
  },
})
