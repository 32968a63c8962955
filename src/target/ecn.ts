// Target ECN (ipt_ECN): changes the congestion bits of the IP and the TCP header (RFC 3168). A packet without a whole TCP header,
// if that is to be changed, is dropped.

import { DROP } from '../hook/hook.ts'
import { CONTINUE, defineTarget, NotTaken } from '../rule/define.ts'
import { words } from '../rule/listing.ts'
import { flag, u8 } from '../rule/option.ts'
import { update16 } from '../wire/checksum.ts'
import { PROTO_TCP } from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import { changeTos } from './set-tos.ts'

const bit = u8({ max: 1 })

export const ecnTarget = defineTarget({
  name: 'ECN',
  summary: 'changes the bits of explicit congestion notification',
  families: [4],
  tables: ['mangle'],
  terminal: false,
  options: {
    'ecn-tcp-remove': flag().help('TCP: clears both bits'),
    'ecn-tcp-ece': bit.help('TCP: echo'),
    'ecn-tcp-cwr': bit.help('TCP: congestion window reduced'),
    'ecn-ip-ect': u8({ max: 3 }).help('IP: the field'),
  },
  exclusive: [
    ['ecn-tcp-remove', 'ecn-tcp-ece'],
    ['ecn-tcp-remove', 'ecn-tcp-cwr'],
  ],
  anyOf: ['ecn-tcp-remove', 'ecn-tcp-ece', 'ecn-tcp-cwr', 'ecn-ip-ect'],
  check: (o, { protocol }) => {
    const ofTcp = o['ecn-tcp-remove'] || o['ecn-tcp-ece'] !== undefined || o['ecn-tcp-cwr'] !== undefined
    return ofTcp && protocol !== PROTO_TCP ? new NotTaken('tables', 'TCP has these bits: expected -p tcp') : undefined
  },
  // Linux has one form of both bits being cleared: by its own name where nothing else is changed.
  normalize: (o) => {
    const clears = o['ecn-tcp-remove'] === true || (o['ecn-tcp-ece'] === 0 && o['ecn-tcp-cwr'] === 0)
    if (!clears) return o
    // What was said before it of the IP header is taken back by --ecn-tcp-remove.
    const given = Object.keys(o)
    const kept = given.indexOf('ecn-ip-ect') > given.indexOf('ecn-tcp-remove')
    const field = kept ? o['ecn-ip-ect'] : undefined
    return field === undefined
      ? { 'ecn-tcp-remove': true as const }
      : { 'ecn-tcp-ece': 0, 'ecn-tcp-cwr': 0, 'ecn-ip-ect': field }
  },
  list: (o) =>
    words(
      'ECN',
      o['ecn-tcp-remove'] && 'TCP remove',
      o['ecn-tcp-ece'] !== undefined && `ECE=${o['ecn-tcp-ece']}`,
      o['ecn-tcp-cwr'] !== undefined && `CWR=${o['ecn-tcp-cwr']}`,
      o['ecn-ip-ect'] !== undefined && `ECT codepoint=${o['ecn-ip-ect']}`,
    ),
  target: (o) => {
    const field = o['ecn-ip-ect']
    const both = o['ecn-tcp-remove'] === true
    const ece = both ? 0 : o['ecn-tcp-ece']
    const cwr = both ? 0 : o['ecn-tcp-cwr']
    const mask = (ece === undefined ? 0 : tcp.ECE) | (cwr === undefined ? 0 : tcp.CWR)
    const value = (ece ? tcp.ECE : 0) | (cwr ? tcp.CWR : 0)
    return (p) => {
      if (field !== undefined) changeTos(p, 3, field)
      if (mask === 0 || p.protocol !== PROTO_TCP) return CONTINUE
      const { view } = p
      const header = p.start + p.headerLength
      if (header + tcp.MIN_HEADER > p.start + p.length) return DROP
      const before = view.getUint16(header + tcp.DATA_OFFSET)
      const after = (before & ~mask) | value
      view.setUint16(header + tcp.DATA_OFFSET, after)
      const sum = header + tcp.CHECKSUM
      if (!p.partial) view.setUint16(sum, update16(view.getUint16(sum), before, after))
      return CONTINUE
    }
  },
})
