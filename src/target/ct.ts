// Targets NOTRACK and CT (xt_CT): what conntrack is told of a packet before it sees it. The first of them that a packet meets
// counts; one that was told something already, or that has a flow (a loopback packet on its way in), is left as it is.

import { CT_UNTRACKED, NO_FLOW, type Packet } from '../packet/packet.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import { flag, notEnforced, u16 } from '../rule/option.ts'

function isTold(p: Packet): boolean {
  return p.ct !== NO_FLOW || p.ctinfo === CT_UNTRACKED || p.zone !== 0
}

export const notrack = defineTarget({
  name: 'NOTRACK',
  summary: 'the packet is not tracked',
  tables: ['raw'],
  terminal: false,
  options: {},
  list: () => 'NOTRACK',
  target: (_, { conntrack }) => {
    return (p) => {
      if (!isTold(p)) conntrack.untrack(p)
      return CONTINUE
    }
  },
})

export const ct = defineTarget({
  name: 'CT',
  summary: 'how the packet is tracked: not at all, or in a zone of its own',
  tables: ['raw'],
  terminal: false,
  // Not to be tracked is no reason to track.
  conntrackFor: (o) => o.notrack === undefined,
  options: {
    notrack: flag().help('the packet is not tracked'),
    helper: notEnforced(1, 'there are no connection helpers yet'),
    timeout: notEnforced(1, 'there are no timeout policies yet'),
    ctevents: notEnforced(1, 'there are no conntrack events yet'),
    expevents: notEnforced(1, 'there are no conntrack events yet'),
    zone: u16().default(0).help('the zone, which separates equal addresses'),
    'zone-orig': notEnforced(1, 'a zone counts for both directions here: expected --zone'),
    'zone-reply': notEnforced(1, 'a zone counts for both directions here: expected --zone'),
  },
  list: (o) => `CT${o.notrack ? ' notrack' : ''}${o.zone === 0 ? '' : ` zone ${o.zone}`}`,
  target: (o, { conntrack }) => {
    const { zone } = o
    if (o.notrack)
      return (p) => {
        if (!isTold(p)) conntrack.untrack(p)
        return CONTINUE
      }
    return (p) => {
      if (!isTold(p)) p.zone = zone
      return CONTINUE
    }
  },
})
