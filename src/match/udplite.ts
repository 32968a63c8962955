// Match udplite (xt_tcpudp): the ports of UDP-Lite, as udp has them.

import { defineMatch } from '../rule/define.ts'
import { PROTO_UDPLITE } from '../wire/ipv4.ts'
import { udp } from './udp.ts'

export const udplite = defineMatch({
  ...udp,
  name: 'udplite',
  summary: 'UDP-Lite ports',
  protocols: [PROTO_UDPLITE],
})
