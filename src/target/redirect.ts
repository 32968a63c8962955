// Target REDIRECT (xt_REDIRECT): DNAT to the router itself.

import { defineTarget } from '../rule/define.ts'
import { flag } from '../rule/option.ts'
import { formatNatPorts, natPorts, natRange } from './nat-to.ts'

export const redirect = defineTarget({
  name: 'REDIRECT',
  summary: 'sends a new flow to the router itself',
  tables: ['nat'],
  hooks: ['PREROUTING', 'OUTPUT'],
  conntrack: true,
  terminal: true,
  options: {
    'to-ports': natPorts().help('ports to choose from; the port is kept without it'),
    random: flag().help('the port is chosen at random'),
  },
  list: (o) => {
    const ports = o['to-ports'] && `redir ports ${formatNatPorts(o['to-ports'])}`
    return [ports, o.random && 'random'].filter(Boolean).join(' ')
  },
  target: (o, { nat }) => {
    const range = natRange({ ports: o['to-ports'] }, { random: o.random })
    return (p, hook) => nat.redirect(p, hook, range)
  },
})
