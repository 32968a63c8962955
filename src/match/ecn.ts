// Match ecn (xt_ecn): the congestion bits of the IP and the TCP header (RFC 3168).

import { defineMatch, NotTaken } from '../rule/define.ts'
import { bang, words } from '../rule/listing.ts'
import { flag, u8 } from '../rule/option.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import { assumedHeader } from './port-match.ts'
import { tosByte, tosShift } from './tos-byte.ts'

export const ecn = defineMatch({
  name: 'ecn',
  summary: 'the bits of explicit congestion notification',
  options: {
    'ecn-tcp-ece': flag().negatable().help('TCP: echo is set'),
    'ecn-tcp-cwr': flag().negatable().help('TCP: congestion window reduced is set'),
    'ecn-ip-ect': u8({ max: 3 }).negatable().help('IP: the field has this value'),
  },
  anyOf: ['ecn-tcp-ece', 'ecn-tcp-cwr', 'ecn-ip-ect'],
  check: (o, { protocol }) =>
    (o['ecn-tcp-ece'] || o['ecn-tcp-cwr']) && protocol !== PROTO_TCP
      ? new NotTaken('tables', 'TCP has these bits: expected -p tcp')
      : undefined,
  list: (o) => {
    const ect = o['ecn-ip-ect']
    return words(
      'ECN match',
      o['ecn-tcp-ece'] && `${bang(o['ecn-tcp-ece'])}ECE`,
      o['ecn-tcp-cwr'] && `${bang(o['ecn-tcp-cwr'])}CWR`,
      ect && `${bang(ect)}ECT=${ect.value}`,
    )
  },
  looks: 'packet',
  match: (o, _env, { family }) => {
    const shift = tosShift(family)
    const field = o['ecn-ip-ect']
    const ece = o['ecn-tcp-ece']
    const cwr = o['ecn-tcp-cwr']
    const mask = (ece ? tcp.ECE : 0) | (cwr ? tcp.CWR : 0)
    const wanted = (ece && !ece.not ? tcp.ECE : 0) | (cwr && !cwr.not ? tcp.CWR : 0)
    return (p) => {
      if (field !== undefined && ((tosByte(p, shift) & 3) === field.value) === field.not) return 0
      if (mask === 0) return 1
      // Whatever fragment this is: what follows the IP header is taken for a TCP header.
      const header = assumedHeader(p)
      if (header + tcp.MIN_HEADER > p.start + p.length) return 0
      return (p.view.getUint8(header + tcp.FLAGS) & mask) === wanted ? 1 : 0
    }
  },
})
