// Match pkttype (xt_pkttype): how the packet was addressed on its link. A TUN device has no link addresses: whatever comes from
// it, or from the router itself, is for this host.

import { defineMatch } from '../rule/define.ts'
import { oneOf } from '../rule/option.ts'

const types = oneOf(['unicast', 'broadcast', 'multicast', 'otherhost'], {
  anyCase: true,
  aliases: { host: 'unicast', bcast: 'broadcast', mcast: 'multicast' },
})

export const pkttype = defineMatch({
  name: 'pkttype',
  summary: 'how the packet was addressed on its link; always to this host here',
  options: { 'pkt-type': types.negatable().required().help('in this way') },
  list: ({ 'pkt-type': { value, not } }) => `PKTTYPE ${not ? '!=' : '='} ${types.kind.format(value)}`,
  looks: 'packet',
  match: ({ 'pkt-type': { value, not } }) => {
    const said = (value === 'unicast') === not ? 0 : 1
    return () => said
  },
})
