// The matches and targets that tunfilter has. A new one is a file in src/match/ or src/target/ and a line here.

import { addrtype } from '../match/addrtype.ts'
import { ah } from '../match/ah.ts'
import { comment } from '../match/comment.ts'
import { connlimit } from '../match/connlimit.ts'
import { connmark } from '../match/connmark.ts'
import { conntrack } from '../match/conntrack.ts'
import { dscp } from '../match/dscp.ts'
import { ecn } from '../match/ecn.ts'
import { esp } from '../match/esp.ts'
import { hashlimit } from '../match/hashlimit.ts'
import { helper } from '../match/helper.ts'
import { icmp } from '../match/icmp.ts'
import { iprange } from '../match/iprange.ts'
import { length } from '../match/length.ts'
import { limit } from '../match/limit.ts'
import { mac } from '../match/mac.ts'
import { mark } from '../match/mark.ts'
import { multiport } from '../match/multiport.ts'
import { owner } from '../match/owner.ts'
import { physdev } from '../match/physdev.ts'
import { pkttype } from '../match/pkttype.ts'
import { policy } from '../match/policy.ts'
import { quota } from '../match/quota.ts'
import { recent } from '../match/recent.ts'
import { rpfilter } from '../match/rpfilter.ts'
import { set } from '../match/set.ts'
import { state } from '../match/state.ts'
import { statistic } from '../match/statistic.ts'
import { string } from '../match/string.ts'
import { tcp } from '../match/tcp.ts'
import { tcpmssMatch } from '../match/tcpmss.ts'
import { time } from '../match/time.ts'
import { tos } from '../match/tos.ts'
import { ttl } from '../match/ttl.ts'
import { u32 } from '../match/u32.ts'
import { udp } from '../match/udp.ts'
import { audit } from '../target/audit.ts'
import { checksumTarget } from '../target/checksum.ts'
import { classify } from '../target/classify.ts'
import { connmarkTarget } from '../target/connmark.ts'
import { connsecmark } from '../target/connsecmark.ts'
import { ct, notrack } from '../target/ct.ts'
import { dnat } from '../target/dnat.ts'
import { dscpTarget } from '../target/dscp.ts'
import { ecnTarget } from '../target/ecn.ts'
import { hl } from '../target/hl.ts'
import { hmark4, hmark6 } from '../target/hmark.ts'
import { idletimer } from '../target/idletimer.ts'
import { log } from '../target/log.ts'
import { markTarget } from '../target/mark.ts'
import { masquerade } from '../target/masquerade.ts'
import { netmap } from '../target/netmap.ts'
import { nflog } from '../target/nflog.ts'
import { redirect } from '../target/redirect.ts'
import { reject } from '../target/reject.ts'
import { setTarget } from '../target/set.ts'
import { snat } from '../target/snat.ts'
import { tcpmss } from '../target/tcpmss.ts'
import { tcpoptstrip } from '../target/tcpoptstrip.ts'
import { tosTarget } from '../target/tos.ts'
import { tproxy4, tproxy6 } from '../target/tproxy.ts'
import { ttlTarget } from '../target/ttl.ts'
import { accept, drop, returning } from '../target/verdict.ts'
import { Registry } from './registry.ts'

export const BUILTIN = new Registry([
  nflog,
  audit,
  classify,
  connsecmark,
  hl,
  hmark4,
  hmark6,
  idletimer,
  tproxy4,
  tproxy6,
  time,
  set,
  setTarget,
  u32,
  quota,
  checksumTarget,
  netmap,
  tcpoptstrip,
  ecnTarget,
  dscpTarget,
  tosTarget,
  ttlTarget,
  ah,
  esp,
  ecn,
  tos,
  dscp,
  tcpmssMatch,
  helper,
  policy,
  rpfilter,
  pkttype,
  physdev,
  mac,
  length,
  owner,
  connlimit,
  string,
  statistic,
  hashlimit,
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
