// Matches that both families have take of IPv6's packets what they take in the kernel: behind extension headers, in fragments, and cut off.

import { test } from 'vitest'
import { needsKernel } from '../kernel/with-kernel.ts'
import { expectTakenAlike, packet6 } from './beside-kernel.ts'

const UDP = '03e8003500090000aa'
const TCP = '03e800500000000100000002 50 02 ffff 00000000'
const SYN = '03e8 0050 00000001 00000000 80 c2 ffff 0000 0000 020405b4 01030307 04020101'
const source = (last: string) => `20010db8000000000000000000${last.padStart(6, '0')}`
const MAPPED = '00000000000000000000ffff0a000001'

const PACKETS = [
  packet6(17, UDP),
  packet6(17, `${UDP}bb`, { trafficClass: 0x10, source: source('01') }),
  packet6(17, `0035 03e8 000a 0000 aabb00`, { trafficClass: 0xb8, source: source('02') }),
  packet6(17, `${UDP}00000000`, { trafficClass: 3, source: source('03') }),
  packet6(17, '0035000000000000', { trafficClass: 0xff, source: source('ff'), destination: source('10') }),
  packet6(17, '00350000000000', { source: source('0100') }),
  packet6(17, '003500', { source: MAPPED, destination: MAPPED }),
  packet6(6, `${TCP}`, { source: 'fd000000000000000000000000000003' }),
  packet6(6, `${SYN}`, { source: 'fd000000000000000000000000000004', hopLimit: 5 }),
  packet6(6, `${SYN}${'61'.repeat(7)}`, { source: 'fe800000000000000000000000000004' }),
  packet6(6, '03e8005000000001000000025002ffff0000', { source: 'efffffffffffffffffffffffffffff04' }),
  packet6(6, '03e8005000000001000000024002ffff00000000'),
  packet6(6, '03e800500000000100000002f002ffff00000000'),
  packet6(60, `0600010400000000${SYN}`),
  packet6(60, `1100010400000000${UDP}7061796c6f6164`),
  packet6(60, `1100010400000000${UDP}5061594c4f6164`),
  packet6(44, `1100000100000001${UDP}0102030405060708ff`),
  packet6(44, `1100000900000001${UDP}01020304050607`),
  packet6(44, `0600000800000001${SYN}`),
  packet6(44, `0600001000000001${SYN}01`),
  packet6(44, `0600000100000001${SYN}01020304`),
  packet6(44, `0600000100000002${SYN.slice(0, 20)}`),
  packet6(50, '0000000500000001'),
  packet6(50, '00000005'),
  packet6(60, '32000104000000000000000600000001'),
  packet6(58, '8000000000010001'),
  packet6(59, ''),
  packet6(60, '1100'),
  packet6(17, `${UDP}${'7061796c6f6164'.repeat(40)}`),
]

const both = (...options: string[]) => options.flatMap((o) => [o, `! ${o}`])

const RULES = [
  ...both('--tos 0x10', '--tos 0x10/0x3f', '--tos 0/0xff', '--tos Minimize-Delay').map((o) => `-m tos ${o}`),
  ...both('--dscp 0', '--dscp 46', '--dscp-class EF', '--dscp 63').map((o) => `-m dscp ${o}`),
  ...both('--ecn-ip-ect 0', '--ecn-ip-ect 3').map((o) => `-m ecn ${o}`),
  ...both('--ecn-tcp-ece', '--ecn-tcp-cwr').map((o) => `-p tcp -m ecn ${o}`),
  ...both(
    '--src-range 2001:db8::1-2001:db8::3',
    '--src-range fd00::-fd00::3',
    '--src-range ::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    '--src-range 8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    '--src-range fe80::4',
    '--src-range ::ffff:10.0.0.1-::ffff:10.0.0.1',
    '--dst-range 2001:db8::-2001:db8::10',
    '--src-range 2001:db8::3-2001:db8::1',
    '--src-range 2001:db8::-2001:db8::ffff --dst-range fd01::-fd02::',
  ).map((o) => `-m iprange ${o}`),
  ...both('--length 49', '--length 50:60', '--length 0:48').map((o) => `-m length ${o}`),
  ...[
    '0x0>>28=6',
    '4&0xff00>>8=0x11',
    '6&0xff=0x40',
    '0>>20&0xff=0x10',
    '40=0x03e80035',
    '36=1:255',
    '5&0xff=17 && 40>>16=1000',
    '0x30&0xff=0',
    '!',
  ].map((t) => (t === '!' ? '-m u32 ! --u32 "40=0x03e80035"' : `-m u32 --u32 "${t}"`)),
  ...['bm', 'kmp'].flatMap((algo) =>
    [
      '--string payload',
      '--string PAYLOAD --icase',
      '--string payload --from 57',
      '--string payload --from 58',
      '--string payload --to 63',
      '--string payload --to 64',
      '! --string payload',
      '--hex-string "|03e8|" --from 40',
      '--hex-string "|03e8|" --from 41',
      '--hex-string "|0000000000000000|"',
      '--string payload --from 200 --to 250',
    ].map((o) => `-m string --algo ${algo} ${o}`),
  ),
  ...both('--sport 1000', '--dport 53', '--sport 0:999', '--dport 0:65535').map((o) => `-p udp -m udp ${o}`),
  ...both('--sport 1000', '--dport 80:', '--tcp-flags SYN,ACK SYN', '--syn', '--tcp-option 2', '--tcp-option 8').map(
    (o) => `-p tcp -m tcp ${o}`,
  ),
  ...both('--dports 53,80', '--sports 1000,1:99', '--ports 0,53').flatMap((o) => [
    `-p udp -m multiport ${o}`,
    `-p tcp -m multiport ${o}`,
  ]),
  ...both('--mss 1460', '--mss 0:500').map((o) => `-p tcp -m tcpmss ${o}`),
  ...both('--espspi 5', '--espspi 6:9').map((o) => `-p esp -m esp ${o}`),
  ...both('--mac-source 00:11:22:33:44:55').map((o) => `-m mac ${o}`),
  ...both('--pkt-type unicast', '--pkt-type multicast').map((o) => `-m pkttype ${o}`),
  ...both('--physdev-in eth0').map((o) => `-m physdev ${o}`),
  '-m policy --dir in --pol none',
  '-m policy --dir in --pol ipsec ! --tunnel-src 1::/16 --mode tunnel',
  '-m limit --limit 1/hour --limit-burst 3',
  '-m quota --quota 200',
  '-m statistic --mode nth --every 3 --packet 1',
  '-m statistic --mode nth ! --every 4 --packet 0',
  '-m mark --mark 0',
  '-m comment --comment x',
  '-m cpu ! --cpu 4000',
  '-m devgroup --src-group 0',
  // What keeps something of the packets before.
  ...['--rsource', '--rdest', '--rsource --mask ffff:ffff::', '--rdest --mask ::'].flatMap((o) => [
    `-m recent --set --name A ${o}`,
    `-m recent --name A --set ${o} -m recent --name A --rcheck --seconds 100 --hitcount 2 ${o}`,
    `-m recent --name A --set ${o} -m recent --name A --rcheck --rttl ${o}`,
    `-m recent --name A ! --update ${o}`,
  ]),
  ...[
    '',
    '--hashlimit-mode srcip',
    '--hashlimit-mode srcip --hashlimit-srcmask 16',
    '--hashlimit-mode srcip --hashlimit-srcmask 127',
    '--hashlimit-mode srcip --hashlimit-srcmask 97',
    '--hashlimit-mode dstip',
    '--hashlimit-mode srcport',
    '--hashlimit-mode dstip,dstport',
    '--hashlimit-mode srcip,dstip,srcport,dstport --hashlimit-dstmask 0',
    '--hashlimit-mode srcip --hashlimit-rate-match',
  ].flatMap((o) => [
    `-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 2 --hashlimit-name A ${o}`,
    `-m hashlimit --hashlimit-above 1/hour --hashlimit-burst 2 --hashlimit-name A ${o}`,
  ]),
].map((rule, i) => rule.replace(/name A/g, `name A${i}`))

test(...needsKernel('matches of both families take in IPv6 what they take in the kernel'), () =>
  expectTakenAlike(6, RULES, PACKETS),
)
