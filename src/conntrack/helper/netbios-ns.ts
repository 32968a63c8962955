// Helper netbios-ns (RFC 1002; nf_conntrack_netbios_ns): it expects answers to the broadcasts of sockets of the machine itself, and
// reads nothing else. A router in user space has no such sockets, so nothing is ever expected, as on a Linux that only forwards.
// IPv4 alone.

import { ACCEPT } from '../../hook/hook.ts'
import { PROTO_UDP } from '../../wire/ipv4.ts'
import type { Helper } from './helper.ts'

export const netbiosNs: Helper = {
  name: 'netbios-ns',
  families: [4],
  protocol: PROTO_UDP,
  policies: [{ max: 1, timeout: 3000 }],
  help: () => ACCEPT,
}
