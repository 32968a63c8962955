// Match multiport (xt_multiport): up to 15 ports of the protocols that have them. It needs the ports only, so a header that
// is cut off behind them still matches; a later fragment does not.

import { defineMatch, HOTDROP } from '../rule/define.ts'
import { type PortRange, portList } from '../rule/kinds.ts'
import { protocolName, serviceName } from '../rule/names.ts'
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
  list: (o, numeric, protocol = PROTO_TCP) => {
    const kind = o.sports !== undefined ? 'sports' : o.dports !== undefined ? 'dports' : 'ports'
    const { value, not } = o[kind] ?? { value: [], not: false }
    const name = (port: number) => (numeric ? String(port) : serviceName(port, protocolName(protocol)))
    const ports = value.map(({ min, max }) => (min === max ? name(min) : `${name(min)}:${name(max)}`))
    return `multiport ${kind} ${not ? ' !' : ''}${ports.join(',')}`
  },
  looks: 'flow',
  bounds: ({ sports, dports }) => {
    const ranges = (of: typeof sports) =>
      of === undefined || of.not ? undefined : of.value.flatMap(({ min, max }) => [min, max])
    return { sports: ranges(sports), dports: ranges(dports) }
  },
  match: (o) => {
    const given = o.sports ?? o.dports ?? o.ports
    const ranges = Int32Array.from(given?.value.flatMap(({ min, max }) => [min, max]) ?? [])
    const bySource = o.dports === undefined
    const byDestination = o.sports === undefined
    const hit = given?.not === true ? 0 : 1
    const test = (sport: number, dport: number): number => {
      for (let i = 0; i < ranges.length; i += 2) {
        const min = ranges[i]
        const max = ranges[i + 1]
        if (bySource && sport >= min && sport <= max) return hit
        if (byDestination && dport >= min && dport <= max) return hit
      }
      return 1 - hit
    }
    return (p) => {
      if (p.transport !== 0) return test(p.sport, p.dport)
      if (fragmentOffset(p) !== 0) return 0
      if (p.length - p.headerLength < 4) return HOTDROP
      const at = p.start + p.headerLength
      return test(p.view.getUint16(at), p.view.getUint16(at + 2))
    }
  },
})
