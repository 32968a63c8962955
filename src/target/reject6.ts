// Target REJECT of ip6tables (ip6t_REJECT): an ICMPv6 error or a TCP reset goes back, and the packet is dropped.

import { DROP } from '../hook/hook.ts'
import { defineTarget, NotTaken } from '../rule/define.ts'
import { oneOf } from '../rule/option.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'

/** The codes of "destination unreachable"; in this order, since the first that begins as it is written is meant. */
const CODES = {
  'icmp6-no-route': icmpv6.NO_ROUTE,
  'icmp6-adm-prohibited': icmpv6.ADMIN_PROHIBITED,
  'icmp6-addr-unreachable': icmpv6.ADDRESS_UNREACHABLE,
  'icmp6-port-unreachable': icmpv6.PORT_UNREACHABLE,
  'tcp-reset': -1,
  'icmp6-policy-fail': icmpv6.POLICY_FAIL,
  'icmp6-reject-route': icmpv6.REJECT_ROUTE,
} as const

const kind = oneOf(Object.keys(CODES) as (keyof typeof CODES)[], {
  abbreviated: true,
  anyCase: true,
  aliases: {
    'no-route': 'icmp6-no-route',
    'adm-prohibited': 'icmp6-adm-prohibited',
    'addr-unreach': 'icmp6-addr-unreachable',
    'port-unreach': 'icmp6-port-unreachable',
    'policy-fail': 'icmp6-policy-fail',
    'reject-route': 'icmp6-reject-route',
  },
})

export const reject6 = defineTarget({
  name: 'REJECT',
  summary: 'drops the packet and tells its sender',
  families: [6],
  tables: ['filter'],
  terminal: true,
  options: {
    'reject-with': kind.default('icmp6-port-unreachable', true).help('what the sender is told'),
  },
  check: ({ 'reject-with': how }, { protocol }) =>
    how === 'tcp-reset' && protocol !== PROTO_TCP
      ? new NotTaken('tables', 'tcp-reset answers TCP alone: expected -p tcp')
      : undefined,
  list: (o) => `reject-with ${o['reject-with']}`,
  target: ({ 'reject-with': how }, env) => {
    if (how === 'tcp-reset')
      return (p, hook) => {
        env.local6.reset(p, hook)
        return DROP
      }
    const code = CODES[how]
    return (p, hook) => {
      env.local6.reject(p, hook, code)
      return DROP
    }
  },
})
