// Match multiport (xt_multiport): up to 15 ports of the protocols that have them. It needs the ports only, so a header that
// is cut off behind them still matches; a later fragment does not.

import { defineMatch, HOTDROP } from '../rule/define.ts'
import { type PortRange, portList } from '../rule/kinds.ts'
import { type Option, option, type ParseContext, Problem } from '../rule/option.ts'
import { PROTO_DCCP, PROTO_SCTP, PROTO_TCP, PROTO_UDP, PROTO_UDPLITE } from '../wire/ipv4.ts'
import { fragmentOffset } from './port-match.ts'

const PROTOCOLS = [PROTO_TCP, PROTO_UDP, PROTO_UDPLITE, PROTO_SCTP, PROTO_DCCP]

/** -p must stand before the option: it says whose services a name is looked up among. */
function afterProtocol(of: Option<readonly PortRange[]>): Option<readonly PortRange[], false, false> {
  return option({
    ...of.kind,
    parse: (words: readonly string[], context: ParseContext) => {
      const { protocol } = context
      if (protocol === undefined || protocol.not || !PROTOCOLS.includes(protocol.value))
        return new Problem(
          'the protocol is not known here: expected -p tcp, udp, udplite, sctp or dccp to stand before it',
        )
      return of.kind.parse(words, context)
    },
  })
}

const ports = afterProtocol(portList()).negatable()

export const multiport = defineMatch({
  name: 'multiport',
  summary: 'up to 15 ports and ranges at once',
  protocols: PROTOCOLS,
  options: {
    sports: ports.alias('source-ports').help('the source port is one of these'),
    dports: ports.alias('destination-ports').help('the destination port is one of these'),
    ports: ports.alias('port').help('the source or the destination port is one of these'),
  },
  exclusive: [['sports', 'dports', 'ports']],
  anyOf: ['sports', 'dports', 'ports'],
  match: (o) => {
    const given = o.sports ?? o.dports ?? o.ports
    const ranges = Int32Array.from(given?.value.flatMap(({ min, max }) => [min, max]) ?? [])
    const either = o.ports !== undefined
    const bySource = either || o.sports !== undefined
    const byDestination = either || o.dports !== undefined
    const hit = given?.not === true ? 0 : 1
    return (p) => {
      if (fragmentOffset(p) !== 0) return 0
      let source = p.sport
      let destination = p.dport
      if (p.transport === 0) {
        if (p.length - p.headerLength < 4) return HOTDROP
        source = p.view.getUint16(p.start + p.headerLength)
        destination = p.view.getUint16(p.start + p.headerLength + 2)
      }
      for (let i = 0; i < ranges.length; i += 2) {
        if (bySource && source >= ranges[i] && source <= ranges[i + 1]) return hit
        if (byDestination && destination >= ranges[i] && destination <= ranges[i + 1]) return hit
      }
      return 1 - hit
    }
  },
})
