// Match icmp6 (ip6_tables' own): ICMPv6's type, and code where it is given. A later fragment does not match; a header that is cut off is
// dropped at once.

import { defineMatch } from '../rule/define.ts'
import { PROTO_ICMPV6 } from '../wire/ipv4.ts'
import { icmpMatch, icmpNotes, icmpTypes, listIcmp } from './icmp-type.ts'

const NAMES =
  `destination-unreachable:1 no-route:1/0 communication-prohibited:1/1 beyond-scope:1/2 address-unreachable:1/3
port-unreachable:1/4 failed-policy:1/5 reject-route:1/6 packet-too-big:2 time-exceeded:3 ttl-exceeded:3
ttl-zero-during-transit:3/0 ttl-zero-during-reassembly:3/1 parameter-problem:4 bad-header:4/0 unknown-header-type:4/1
unknown-option:4/2 echo-request:128 ping:128 echo-reply:129 pong:129 router-solicitation:133 router-advertisement:134
neighbour-solicitation:135 neighbor-solicitation:135 neighbour-advertisement:136 neighbor-advertisement:136 redirect:137`
    .split(/\s+/)
    .map((entry) => entry.split(':') as [string, string])

const types = icmpTypes(NAMES, "a type's name, a number from 0 to 255, or TYPE/CODE")

export const icmp6 = defineMatch({
  name: 'icmp6',
  summary: 'ICMPv6 type and code',
  notes: icmpNotes('Valid ICMPv6 Types', NAMES),
  families: [6],
  protocols: [PROTO_ICMPV6],
  options: { 'icmpv6-type': types.negatable().required().help('type, with or without code, by name or number') },
  list: ({ 'icmpv6-type': { value, not } }, numeric) => listIcmp('ipv6-icmp', NAMES, value, not, numeric),
  looks: 'flow',
  match: ({ 'icmpv6-type': { value, not } }) => icmpMatch(value, not),
})
