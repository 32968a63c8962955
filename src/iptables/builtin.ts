// The matches and targets that tunfilter has. A new one is a file in src/match/ or src/target/ and a line here.

import { addrtype } from '../match/addrtype.ts'
import { ah } from '../match/ah.ts'
import { ah6 } from '../match/ah6.ts'
import { bpf } from '../match/bpf.ts'
import { cgroup } from '../match/cgroup.ts'
import { cluster } from '../match/cluster.ts'
import { comment } from '../match/comment.ts'
import { connbytes } from '../match/connbytes.ts'
import { connlabel } from '../match/connlabel.ts'
import { connlimit } from '../match/connlimit.ts'
import { connmark } from '../match/connmark.ts'
import { conntrack } from '../match/conntrack.ts'
import { cpu } from '../match/cpu.ts'
import { dccp } from '../match/dccp.ts'
import { devgroup } from '../match/devgroup.ts'
import { dscp } from '../match/dscp.ts'
import { dst } from '../match/dst.ts'
import { ecn } from '../match/ecn.ts'
import { esp } from '../match/esp.ts'
import { eui64 } from '../match/eui64.ts'
import { frag } from '../match/frag.ts'
import { hashlimit } from '../match/hashlimit.ts'
import { hbh } from '../match/hbh.ts'
import { helper } from '../match/helper.ts'
import { hlMatch } from '../match/hl.ts'
import { icmp } from '../match/icmp.ts'
import { icmp6 } from '../match/icmp6.ts'
import { ipcomp } from '../match/ipcomp.ts'
import { iprange } from '../match/iprange.ts'
import { ipv6header } from '../match/ipv6header.ts'
import { length } from '../match/length.ts'
import { limit } from '../match/limit.ts'
import { mac } from '../match/mac.ts'
import { mark } from '../match/mark.ts'
import { mh } from '../match/mh.ts'
import { multiport } from '../match/multiport.ts'
import { nfacct } from '../match/nfacct.ts'
import { osf } from '../match/osf.ts'
import { owner } from '../match/owner.ts'
import { physdev } from '../match/physdev.ts'
import { pkttype } from '../match/pkttype.ts'
import { policy } from '../match/policy.ts'
import { quota } from '../match/quota.ts'
import { rateestMatch } from '../match/rateest.ts'
import { realm } from '../match/realm.ts'
import { recent } from '../match/recent.ts'
import { rpfilter } from '../match/rpfilter.ts'
import { rt } from '../match/rt.ts'
import { sctp } from '../match/sctp.ts'
import { set } from '../match/set.ts'
import { socket } from '../match/socket.ts'
import { srh } from '../match/srh.ts'
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
import { udplite } from '../match/udplite.ts'
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
import { dnpt, snpt } from '../target/npt.ts'
import { nfqueue, queue } from '../target/queue.ts'
import { rateest } from '../target/rateest.ts'
import { redirect } from '../target/redirect.ts'
import { reject } from '../target/reject.ts'
import { reject6 } from '../target/reject6.ts'
import { setTarget } from '../target/set.ts'
import { snat } from '../target/snat.ts'
import { synproxy } from '../target/synproxy.ts'
import { tcpmss4, tcpmss6 } from '../target/tcpmss.ts'
import { tcpoptstrip } from '../target/tcpoptstrip.ts'
import { tee4, tee6 } from '../target/tee.ts'
import { tosTarget } from '../target/tos.ts'
import { tproxy4, tproxy6 } from '../target/tproxy.ts'
import { trace } from '../target/trace.ts'
import { ttlTarget } from '../target/ttl.ts'
import { accept, drop, returning } from '../target/verdict.ts'
import { Registry } from './registry.ts'

export const BUILTIN = new Registry([
  tee4,
  tee6,
  trace,
  nfqueue,
  queue,
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
  nfacct,
  quota,
  rateest,
  rateestMatch,
  checksumTarget,
  netmap,
  snpt,
  dnpt,
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
  synproxy,
  tcpmss4,
  tcpmss6,
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
  connbytes,
  connlabel,
  sctp,
  dccp,
  udplite,
  realm,
  devgroup,
  cluster,
  cpu,
  ipcomp,
  cgroup,
  socket,
  osf,
  bpf,
  icmp6,
  hlMatch,
  frag,
  hbh,
  dst,
  ipv6header,
  eui64,
  rt,
  ah6,
  mh,
  srh,
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
  reject6,
  returning,
  snat,
])
