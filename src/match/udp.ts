// Match udp (xt_tcpudp): ports. A later fragment does not match; a header that is cut off is dropped at once.

import { defineMatch, HOTDROP } from '../rule/define.ts'
import { portRange } from '../rule/kinds.ts'
import { PROTO_UDP } from '../wire/ipv4.ts'
import { ANY_PORT, fragmentOffset, unlessAny } from './port-match.ts'

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
  match: (o) => {
    const source = o.sport?.value ?? ANY_PORT
    const sourceNot = o.sport?.not === true
    const destination = o.dport?.value ?? ANY_PORT
    const destinationNot = o.dport?.not === true
    return (p) => {
      if (fragmentOffset(p) !== 0) return 0
      if (p.transport === 0) return HOTDROP
      if ((p.sport >= source.min && p.sport <= source.max) === sourceNot) return 0
      return (p.dport >= destination.min && p.dport <= destination.max) === destinationNot ? 0 : 1
    }
  },
})
