// Target MASQUERADE (xt_MASQUERADE): SNAT to the address that the outgoing device has when the flow begins.

import { defineTarget } from '../rule/define.ts'
import { flag } from '../rule/option.ts'
import { formatNatPorts, natPorts, natRange } from './nat-to.ts'

export const masquerade = defineTarget({
  name: 'MASQUERADE',
  summary: "gives a new flow the outgoing device's address as its source",
  tables: ['nat'],
  hooks: ['POSTROUTING'],
  conntrack: true,
  terminal: true,
  options: {
    'to-ports': natPorts().help('ports to choose from'),
    random: flag().help('the port is chosen at random'),
    'random-fully': flag().help('the port is chosen at random, unpredictably'),
  },
  list: (o) => {
    const ports = o['to-ports'] && `masq ports: ${formatNatPorts(o['to-ports'])}`
    return [ports, o.random && 'random', o['random-fully'] && 'random-fully'].filter(Boolean).join(' ')
  },
  target: (o, { nat }) => {
    const range = natRange({ ports: o['to-ports'] }, { random: o.random, randomFully: o['random-fully'] })
    return (p) => nat.masquerade(p, range)
  },
})
