// Target REJECT (ipt_REJECT): an ICMP error or a TCP reset goes back, and the packet is dropped.

import { DROP } from '../hook/hook.ts'
import { defineTarget, NotTaken } from '../rule/define.ts'
import { oneOf } from '../rule/option.ts'
import * as icmp from '../wire/icmp.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'

/** The codes of "destination unreachable"; in this order, since the first that begins as it is written is meant. */
const CODES = {
  'icmp-net-unreachable': icmp.NET_UNREACHABLE,
  'icmp-host-unreachable': icmp.HOST_UNREACHABLE,
  'icmp-proto-unreachable': icmp.PROTOCOL_UNREACHABLE,
  'icmp-port-unreachable': icmp.PORT_UNREACHABLE,
  'icmp-net-prohibited': icmp.NET_PROHIBITED,
  'icmp-host-prohibited': icmp.HOST_PROHIBITED,
  'tcp-reset': -1,
  'icmp-admin-prohibited': icmp.ADMIN_PROHIBITED,
} as const

const kind = oneOf(Object.keys(CODES) as (keyof typeof CODES)[], {
  abbreviated: true,
  anyCase: true,
  aliases: {
    'net-unreach': 'icmp-net-unreachable',
    'host-unreach': 'icmp-host-unreachable',
    'proto-unreach': 'icmp-proto-unreachable',
    'port-unreach': 'icmp-port-unreachable',
    'net-prohib': 'icmp-net-prohibited',
    'host-prohib': 'icmp-host-prohibited',
    'tcp-rst': 'tcp-reset',
    'admin-prohib': 'icmp-admin-prohibited',
  },
})

export const reject = defineTarget({
  name: 'REJECT',
  summary: 'drops the packet and tells its sender',
  families: [4],
  tables: ['filter'],
  terminal: true,
  options: {
    'reject-with': kind.default('icmp-port-unreachable', true).help('what the sender is told'),
  },
  check: ({ 'reject-with': how }, { protocol }) =>
    how === 'tcp-reset' && protocol !== PROTO_TCP
      ? new NotTaken('tables', 'tcp-reset answers TCP alone: expected -p tcp')
      : undefined,
  list: (o) => `reject-with ${o['reject-with']}`,
  target: ({ 'reject-with': how }, env) => {
    if (how === 'tcp-reset')
      return (p, hook) => {
        env.local.reset(p, hook)
        return DROP
      }
    const code = CODES[how]
    return (p, hook) => {
      env.local.reject(p, hook, icmp.DEST_UNREACHABLE, code)
      return DROP
    }
  },
})
