// Match udp (xt_tcpudp): ports. A later fragment does not match; a header that is cut off is dropped at once.

import { defineMatch } from '../rule/define.ts'
import { portRange } from '../rule/kinds.ts'
import { PROTO_UDP } from '../wire/ipv4.ts'
import { ANY_PORT, listPorts, plainPorts, savedPorts, unlessAny, withoutTransport } from './port-match.ts'

const ports = portRange({ services: 'any', decimal: true, reversed: true }).negatable()

export const udp = defineMatch({
  name: 'udp',
  summary: 'UDP ports',
  protocols: [PROTO_UDP],
  options: {
    sport: ports.alias('source-port').help('source port or range'),
    dport: ports.alias('destination-port').help('destination port or range'),
  },
  normalize: (o) => ({ sport: unlessAny(o.sport), dport: unlessAny(o.dport) }),
  asSaved: savedPorts,
  list: (o, numeric) => ['udp', ...listPorts(o.sport, o.dport, 'udp', numeric)].join(' '),
  plain: plainPorts,
  looks: 'flow',
  match: (o) => {
    const { min: sportMin, max: sportMax } = o.sport?.value ?? ANY_PORT
    const { min: dportMin, max: dportMax } = o.dport?.value ?? ANY_PORT
    const sportNot = o.sport?.not === true
    const dportNot = o.dport?.not === true
    return (p) => {
      if (p.transport === 0) return withoutTransport(p)
      if ((p.sport >= sportMin && p.sport <= sportMax) === sportNot) return 0
      return (p.dport >= dportMin && p.dport <= dportMax) === dportNot ? 0 : 1
    }
  },
})
