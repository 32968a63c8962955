// Helper tftp (RFC 1350; nf_conntrack_tftp): a request to read or to write is answered from another port than the one it was
// sent to. What is expected goes from the server, any port, to the port that the request came from.

import { ACCEPT, DROP } from '../../hook/hook.ts'
import type { Packet } from '../../packet/packet.ts'
import { PROTO_UDP } from '../../wire/ipv4.ts'
import * as udp from '../../wire/udp.ts'
import { ADDED } from '../expect.ts'
import * as f from '../record.ts'
import type { Helper, Helping } from './helper.ts'

const READ = 1
const WRITE = 2
/** The opcode and the least that may follow it. */
const LEAST = 2

/** Of one master; the next takes the place of the one before. */
const POLICY = { max: 1, timeout: 300_000 }

export const tftp: Helper = {
  name: 'tftp',
  families: [4, 6],
  protocol: PROTO_UDP,
  policies: [POLICY],
  help(p: Packet, { flows, expectations }: Helping, number: number): number {
    const at = p.transport + udp.HEADER
    if (at + LEAST > p.start + p.length) return ACCEPT
    const opcode = p.view.getUint16(at)
    if (opcode !== READ && opcode !== WRITE) return ACCEPT
    const { ct } = p
    const isTranslated = (flows.status(ct) & f.NAT) !== 0
    const said = expectations.add(
      {
        helper: number,
        class: 0,
        master: ct,
        protocol: PROTO_UDP,
        source: flows.sourceWords(ct, 1),
        sourceMask: flows.sourceWords(ct, 1).map(() => -1),
        destination: flows.destinationWords(ct, 1),
        sport: 0,
        sportMask: 0,
        dport: flows.dport(ct, 1),
        follow: isTranslated ? { direction: 1, port: flows.sport(ct, 0) } : undefined,
      },
      POLICY,
    )
    return said === ADDED ? ACCEPT : DROP
  },
}
