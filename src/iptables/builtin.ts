// The matches and targets that tunfilter has. A new one is a file in src/match/ or src/target/ and a line here.

import { addrtype } from '../match/addrtype.ts'
import { comment } from '../match/comment.ts'
import { connmark } from '../match/connmark.ts'
import { conntrack } from '../match/conntrack.ts'
import { icmp } from '../match/icmp.ts'
import { iprange } from '../match/iprange.ts'
import { limit } from '../match/limit.ts'
import { mark } from '../match/mark.ts'
import { multiport } from '../match/multiport.ts'
import { recent } from '../match/recent.ts'
import { state } from '../match/state.ts'
import { tcp } from '../match/tcp.ts'
import { ttl } from '../match/ttl.ts'
import { udp } from '../match/udp.ts'
import { connmarkTarget } from '../target/connmark.ts'
import { ct, notrack } from '../target/ct.ts'
import { dnat } from '../target/dnat.ts'
import { log } from '../target/log.ts'
import { markTarget } from '../target/mark.ts'
import { masquerade } from '../target/masquerade.ts'
import { redirect } from '../target/redirect.ts'
import { reject } from '../target/reject.ts'
import { snat } from '../target/snat.ts'
import { tcpmss } from '../target/tcpmss.ts'
import { accept, drop, returning } from '../target/verdict.ts'
import { Registry } from './registry.ts'

export const BUILTIN = new Registry([
  connmark,
  iprange,
  recent,
  ttl,
  connmarkTarget,
  tcpmss,
  addrtype,
  comment,
  conntrack,
  icmp,
  limit,
  mark,
  multiport,
  state,
  tcp,
  udp,
  accept,
  ct,
  dnat,
  drop,
  log,
  markTarget,
  masquerade,
  notrack,
  redirect,
  reject,
  returning,
  snat,
])
