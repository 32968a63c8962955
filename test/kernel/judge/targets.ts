// Which values the options of each target are given, as matches.ts has them of matches. Verdicts and NAT are chosen by rules.ts more
// often than others, because every conversation depends on them.

import { CHANGED, MAPPED, setReference } from './sets.ts'
import { address, flag, of, port, type Uses, type Values } from './uses.ts'

const mark = of('0x1', '0x2/0x3', '0x0/0xf', '0x5')
const bits = of('0x1', '0x3', '0xf')
const xmark = of('0x1/0xffffffff', '0x2/0x3', '0x4/0xf', '0x0')

const bracketed: Values = (chance, world) => {
  const text = address(chance, world)
  return world.family === 4 ? text : `[${text}]`
}
const toPort: Values = (chance, world) => chance.pick([port(chance, world), '5000-5999', '700-701', '3000-3999'])
const destination: Values = (chance, world) =>
  chance.pick([
    address(chance, world),
    address(chance, world),
    `${bracketed(chance, world)}:${toPort(chance, world)}`,
    `${bracketed(chance, world)}:5000-5099/1000`,
    `:${port(chance, world)}`,
    world.family === 4 ? '10.0.1.2-10.0.1.9' : '2001:db8:1::2-2001:db8:1::9',
  ])
const source: Values = (chance, world) => {
  const [from, to] = [world.spare[0]!, world.spare.at(-1)!]
  const one = chance.pick([...world.own, from])
  return chance.pick([
    one,
    one,
    `${from}-${to}`,
    `${world.family === 4 ? one : `[${one}]`}:${toPort(chance, world)}`,
    `:3000-3999`,
  ])
}
const network: Values = (chance, { family }) =>
  family === 4
    ? chance.pick(['203.0.113.64/28', '203.0.113.0/28', '10.0.1.0/24'])
    : chance.pick(['2001:db8:2::40/124', '2001:db8:2::/124', '2001:db8:1::/64'])
const prefix = of('2001:db8:1::/64', '2001:db8:2::/64', '2001:db8:10::/48', 'fd00:1::/48', '2001:db8:77:1::/64')

const REJECTS = {
  4: [
    'icmp-net-unreachable',
    'icmp-host-unreachable',
    'icmp-port-unreachable',
    'icmp-proto-unreachable',
    'icmp-net-prohibited',
    'icmp-host-prohibited',
    'icmp-admin-prohibited',
    'tcp-reset',
  ],
  6: [
    'icmp6-no-route',
    'icmp6-adm-prohibited',
    'icmp6-addr-unreachable',
    'icmp6-port-unreachable',
    'icmp6-policy-fail',
    'icmp6-reject-route',
    'tcp-reset',
  ],
} as const

export const TARGETS: Readonly<Record<string, Uses>> = {
  ACCEPT: { weight: 12, options: {} },
  AUDIT: { weight: 1, options: { type: of('accept', 'drop', 'reject') } },
  CHECKSUM: { weight: 1, options: { 'checksum-fill': flag } },
  CLASSIFY: { weight: 1, options: { 'set-class': of('1:2') } },
  CONNMARK: {
    weight: 5,
    options: {
      'set-xmark': xmark,
      'set-mark': mark,
      'and-mark': bits,
      'or-mark': bits,
      'xor-mark': bits,
      'save-mark': flag,
      'restore-mark': flag,
      nfmask: bits,
      ctmask: bits,
      mask: bits,
      'left-shift-mark': of(1, 4),
      'right-shift-mark': of(1),
    },
  },
  CT: {
    weight: 4,
    options: {
      notrack: flag,
      helper: of('ftp', 'tftp', 'irc'),
      ctevents: of('new', 'new,destroy'),
      expevents: of('new'),
      zone: of(1, 2, 'mark'),
      'zone-orig': of(1, 3),
      'zone-reply': of(2, 3),
    },
  },
  DNAT: { weight: 8, options: { 'to-destination': destination, random: flag, persistent: flag } },
  DNPT: { weight: 2, options: { 'src-pfx': prefix, 'dst-pfx': prefix } },
  DROP: { weight: 5, options: {} },
  DSCP: { options: { 'set-dscp': of('0x2e', '0x00'), 'set-dscp-class': of('EF', 'CS1') } },
  ECN: {
    options: { 'ecn-tcp-remove': flag, 'ecn-tcp-ece': of(0, 1), 'ecn-tcp-cwr': of(0, 1), 'ecn-ip-ect': of(0, 1, 3) },
  },
  HL: { options: { 'hl-set': of(64, 1), 'hl-dec': of(1, 5), 'hl-inc': of(2, 200) } },
  HMARK: {
    options: {
      'hmark-src-prefix': of(24, 32),
      'hmark-dst-prefix': of(8, 32),
      'hmark-sport-mask': of('0xffff', '0x00ff'),
      'hmark-dport-mask': of('0xffff'),
      'hmark-spi-mask': of('0xffffffff'),
      'hmark-sport': of('0x1000'),
      'hmark-dport': of('0x0001'),
      'hmark-spi': of('0x00000001'),
      'hmark-proto-mask': of('0xffff', '0x0000'),
      'hmark-rnd': of('0x1', '0xcafe'),
      'hmark-mod': of(2, 10),
      'hmark-offset': of(1, 100),
      'hmark-tuple': of('src,dst', 'src,dst,sport,dport', 'ct,src,dst', 'spi'),
    },
  },
  LOG: {
    weight: 5,
    options: {
      'log-prefix': (chance) => `"l${chance.below(1000)} "`,
      'log-level': of(4, 'debug'),
      'log-tcp-sequence': flag,
      'log-tcp-options': flag,
      'log-ip-options': flag,
      'log-uid': flag,
      'log-macdecode': flag,
    },
    always: ['log-prefix'],
  },
  MARK: {
    weight: 6,
    options: { 'set-xmark': xmark, 'set-mark': mark, 'and-mark': bits, 'or-mark': bits, 'xor-mark': bits },
  },
  MASQUERADE: { weight: 8, options: { 'to-ports': of('2000-2999', 1500), random: flag, 'random-fully': flag } },
  NETMAP: { weight: 2, options: { to: network } },
  NFLOG: {
    options: {
      'nflog-prefix': of('a'),
      'nflog-group': of(1),
      'nflog-range': of(50),
      'nflog-size': of(40),
      'nflog-threshold': of(2),
    },
  },
  NFQUEUE: {
    weight: 1,
    options: { 'queue-num': of(0, 3), 'queue-balance': of('0:3'), 'queue-bypass': flag, 'queue-cpu-fanout': flag },
  },
  NOTRACK: { weight: 3, options: {} },
  QUEUE: { weight: 1, options: {} },
  REDIRECT: { weight: 3, options: { 'to-ports': of(8080, '5000-5010', 22), random: flag } },
  REJECT: { weight: 10, options: { 'reject-with': (chance, { family }) => chance.pick(REJECTS[family]) } },
  RETURN: { weight: 4, options: {} },
  SET: {
    weight: 3,
    options: {
      'add-set': (chance, world) => setReference(chance, world, CHANGED),
      exist: flag,
      'del-set': (chance, world) => setReference(chance, world, CHANGED),
      'map-set': (chance, world) => setReference(chance, world, MAPPED),
      'map-mark': flag,
    },
  },
  SNAT: { weight: 8, options: { 'to-source': source, random: flag, 'random-fully': flag, persistent: flag } },
  SNPT: { weight: 2, options: { 'src-pfx': prefix, 'dst-pfx': prefix } },
  TCPMSS: { options: { 'set-mss': of(536, 1200, 1400), 'clamp-mss-to-pmtu': flag } },
  TCPOPTSTRIP: { options: { 'strip-options': of('3,8', 'timestamp', 'mss', 'sack-permitted,wscale') } },
  TEE: { weight: 1, options: { gateway: (chance, { hosts }) => chance.pick(hosts).address } },
  TOS: {
    options: {
      'set-tos': of('0x10', '0x08/0x1c', '0x00'),
      'and-tos': of('0xfc'),
      'or-tos': of('0x04'),
      'xor-tos': of('0x10'),
    },
  },
  TPROXY: { weight: 1, options: { 'on-port': of(0, 8080), 'on-ip': address, 'tproxy-mark': of('0x1/0x1') } },
  TTL: { options: { 'ttl-set': of(64, 1), 'ttl-dec': of(1, 5), 'ttl-inc': of(2, 200) } },
}

/** Targets and options (`target option`) that are never used, and why. */
export const NO_TARGETS: Readonly<Record<string, string>> = {
  CONNSECMARK: 'a kernel without a security module does not load it',
  'CT timeout': 'a policy is made with nfct, which is not a part of a rule set',
  IDLETIMER: "a timer's name is the machine's, not the namespace's",
  RATEEST: 'what it measures is time',
  'SET map-prio': 'not enforced',
  'SET map-queue': 'not enforced',
  'SET timeout': 'what is left of it is a matter of milliseconds',
  SYNPROXY: 'its cookies are chance',
  'TEE oif': 'the copy is the same, and the kernel needs the device to be there when the rule is loaded',
  TRACE: "its lines have no prefix by which they could be known as this namespace's",
}
