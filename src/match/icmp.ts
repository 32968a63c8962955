// Match icmp (ip_tables' own): type, and code where it is given. A later fragment does not match; a header that is cut off is
// dropped at once. Type 255 stands for every type.

import { defineMatch } from '../rule/define.ts'
import { PROTO_ICMP } from '../wire/ipv4.ts'
import { icmpMatch, icmpNotes, icmpTypes, listIcmp } from './icmp-type.ts'

/** Names of types and of codes, as iptables lists them; `type` or `type/code`. */
const NAMES = `any:255 echo-reply:0 pong:0 destination-unreachable:3 network-unreachable:3/0 host-unreachable:3/1
protocol-unreachable:3/2 port-unreachable:3/3 fragmentation-needed:3/4 source-route-failed:3/5 network-unknown:3/6
host-unknown:3/7 network-prohibited:3/9 host-prohibited:3/10 TOS-network-unreachable:3/11 TOS-host-unreachable:3/12
communication-prohibited:3/13 host-precedence-violation:3/14 precedence-cutoff:3/15 source-quench:4 redirect:5
network-redirect:5/0 host-redirect:5/1 TOS-network-redirect:5/2 TOS-host-redirect:5/3 echo-request:8 ping:8
router-advertisement:9 router-solicitation:10 time-exceeded:11 ttl-exceeded:11 ttl-zero-during-transit:11/0
ttl-zero-during-reassembly:11/1 parameter-problem:12 ip-header-bad:12/0 required-option-missing:12/1
timestamp-request:13 timestamp-reply:14 address-mask-request:17 address-mask-reply:18`
  .split(/\s+/)
  .map((entry) => entry.split(':') as [string, string])

/** It stands for every type, whatever code stands behind it. */
const ANY = 255

const types = icmpTypes(NAMES, "a type's name, a number from 0 to 255, TYPE/CODE, or any", ANY)

export const icmp = defineMatch({
  name: 'icmp',
  summary: 'ICMP type and code',
  notes: icmpNotes('Valid ICMP Types', NAMES),
  families: [4],
  protocols: [PROTO_ICMP],
  options: { 'icmp-type': types.negatable().required().help('type, with or without code, by name or number') },
  list: ({ 'icmp-type': { value, not } }, numeric) => listIcmp('icmp', NAMES, value, not, numeric),
  looks: 'flow',
  match: ({ 'icmp-type': { value, not } }) => icmpMatch(value, not, ANY),
})
