// Which values the options of each match are given. What only a clock or a dice could tell apart is left out: limits refill so slowly
// here that no run sees it, and `statistic` counts. A test holds this against the declarations: each option is here, or left out for
// a reason.

import { setReference } from './sets.ts'
import { address, device, flag, list, masked, of, ports, prefixed, type Uses, type Values } from './uses.ts'

const STATES = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED']
const FLAGS = ['SYN', 'ACK', 'FIN', 'RST', 'URG', 'PSH']
const TYPES = ['LOCAL', 'UNICAST', 'BROADCAST', 'MULTICAST', 'ANYCAST', 'UNSPEC']

const flags: Values = (chance) => `${chance.some(FLAGS).join(',')} ${chance.some(FLAGS).join(',')}`
const mark = of('0x1', '0x2/0x2', '0x0', '0x5/0xf', '0x3/0x0')
const range: Values = (_, { family }) => (family === 4 ? '10.0.1.2-10.0.1.50' : '2001:db8:1::2-2001:db8:1::50')
const wide: Values = (_, { family }) => (family === 4 ? '198.0.0.0-203.0.113.40' : '2001:db8:2::-2001:db8:10::')
const eitherRange: Values = (chance, world) => chance.pick([range, wide])(chance, world)
const mask: Values = (chance, { family }) => chance.pick(family === 4 ? ['32', '24', '8'] : ['128', '64', '32'])
const netmask: Values = (chance, { family }) =>
  chance.pick(family === 4 ? ['255.255.255.255', '255.255.255.0'] : ['ffff:ffff:ffff:ffff::', 'ffff:ffff::ffff'])
const number = of(0, 1, 2, 6, 8, 16)
// Not every number: what is saved of that differs, because iptables loses it.
const range32 = of('0:100', '7', '256:513', '1:4294967295')

/** A name that hardly anything else has. */
const fresh =
  (letter: string): Values =>
  (chance) =>
    `${letter}${chance.below(100_000)}`

export const MATCHES: Readonly<Record<string, Uses>> = {
  addrtype: {
    options: {
      'src-type': list(...TYPES),
      'dst-type': list(...TYPES),
      'limit-iface-in': flag,
      'limit-iface-out': flag,
    },
  },
  ah: { options: { ahspi: range32, ahlen: of(12, 16, 24), ahres: flag }, protocols: [51] },
  bpf: {
    options: {
      bytecode: (chance, { family }) =>
        chance
          .pick(
            family === 4
              ? ['4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0', '4,40 0 0 2,37 0 1 100,6 0 0 1,6 0 0 0']
              : ['4,48 0 0 6,21 0 1 6,6 0 0 1,6 0 0 0', '4,40 0 0 4,37 0 1 60,6 0 0 1,6 0 0 0'],
          )
          .replace(/^.*$/, '"$&"'),
    },
  },
  cgroup: { weight: 1, options: { cgroup: of(0, 1) } },
  cluster: {
    options: {
      'cluster-local-node': of(1, 2),
      'cluster-local-nodemask': of('0x1', '0x2', '0x3'),
      'cluster-total-nodes': of(2, 3),
      'cluster-hash-seed': of('0x1', '0xdeadbeef'),
    },
  },
  comment: { weight: 1, options: { comment: of('"a remark"', 'word') } },
  connbytes: {
    options: {
      connbytes: of('1:2', '3', '100:900', '0:50', '2000:'),
      'connbytes-mode': of('packets', 'bytes', 'avgpkt'),
      'connbytes-dir': of('both', 'original', 'reply'),
    },
  },
  connlabel: { options: { label: of(0, 1, 40, 127), set: flag } },
  connmark: { weight: 3, options: { mark } },
  conntrack: {
    weight: 8,
    options: {
      ctstate: list(...STATES, 'SNAT', 'DNAT'),
      ctproto: of(6, 17, 1, 58, 47),
      ctorigsrc: prefixed,
      ctorigdst: prefixed,
      ctreplsrc: prefixed,
      ctrepldst: prefixed,
      ctorigsrcport: ports,
      ctorigdstport: ports,
      ctreplsrcport: ports,
      ctrepldstport: ports,
      ctstatus: list('EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED'),
      // Not around two minutes: a SYN that is refused ends its flow, which the kernel shows with the time that it would have had.
      ctexpire: of('0:1000000', '200:', '50000:'),
      ctdir: of('ORIGINAL', 'REPLY'),
    },
  },
  dccp: {
    options: {
      sport: ports,
      dport: ports,
      'dccp-types': list('REQUEST', 'RESPONSE', 'DATA', 'ACK', 'RESET'),
      'dccp-option': of(1, 32),
    },
  },
  devgroup: { weight: 1, options: { 'src-group': of(0, '0x1/0x1'), 'dst-group': of(0, '0x1') } },
  dscp: { options: { dscp: of('0x00', '0x04', '0x2e'), 'dscp-class': of('CS0', 'AF11', 'EF') } },
  dst: { options: { 'dst-len': of(8, 16, 24), 'dst-opts': of('1', '1:4', '5:2', '0', '4,1') } },
  ecn: { options: { 'ecn-tcp-ece': flag, 'ecn-tcp-cwr': flag, 'ecn-ip-ect': of(0, 1, 2, 3) } },
  esp: { options: { espspi: range32 } },
  eui64: { weight: 1, options: {} },
  frag: {
    options: { fragid: range32, fraglen: of(8), fragres: flag, fragfirst: flag, fragmore: flag, fraglast: flag },
  },
  hashlimit: {
    weight: 3,
    options: {
      'hashlimit-upto': of('1/hour', '2/day', '1/hour'),
      'hashlimit-above': of('1/hour', '2/day'),
      'hashlimit-burst': of(1, 2, 4),
      'hashlimit-mode': list('srcip', 'dstip', 'srcport', 'dstport'),
      'hashlimit-name': fresh('h'),
      'hashlimit-htable-size': of(10, 64),
      'hashlimit-htable-max': of(100),
      'hashlimit-htable-expire': of(100_000),
      'hashlimit-srcmask': mask,
      'hashlimit-dstmask': mask,
    },
  },
  hbh: { options: { 'hbh-len': of(8, 16, 24), 'hbh-opts': of('1', '1:4', '5:2', '0', '5:2,1') } },
  helper: { weight: 1, options: { helper: of('ftp', '""') } },
  hl: { options: { 'hl-eq': of(63, 64, 1, 255), 'hl-lt': of(5, 64), 'hl-gt': of(64, 200) } },
  icmp: {
    weight: 6,
    options: { 'icmp-type': of('8', '0', '3', '3/3', '11', 'any', 'echo-request', 'host-unreachable', '5', '12') },
  },
  icmp6: {
    weight: 6,
    options: { 'icmpv6-type': of('128', '129', '1', '1/4', '3', '2', '4', 'echo-request', 'no-route', '135') },
  },
  ipcomp: { weight: 1, options: { ipcompspi: range32, compres: flag } },
  iprange: { options: { 'src-range': eitherRange, 'dst-range': eitherRange } },
  ipv6header: {
    weight: 3,
    options: { header: list('hop', 'dst', 'route', 'frag', 'auth', 'esp', 'none', 'proto'), soft: flag },
  },
  length: { options: { length: of('0:60', '28', '48', '100:600', '1000:65535') } },
  limit: { options: { limit: of('1/hour', '2/hour'), 'limit-burst': of(1, 3, 10) }, always: ['limit'] },
  mac: { weight: 1, options: { 'mac-source': of('00:11:22:33:44:55') } },
  mark: { weight: 4, options: { mark } },
  mh: { weight: 1, options: { 'mh-type': of('0:5', 'binding-refresh-request', 'cot') } },
  multiport: {
    weight: 4,
    options: {
      sports: of('22,53,80', '1000:2000,443', '40000'),
      dports: of('22,53,80', '1000:9000,443', '600,1000'),
      ports: of('53', '80,443,600:1000'),
    },
  },
  osf: { weight: 1, options: { genre: of('Linux', 'unknown'), ttl: of(0, 1, 2) } },
  owner: {
    options: { 'socket-exists': flag, 'uid-owner': of(0, '0-100', 1000), 'gid-owner': of(0, 5), 'suppl-groups': flag },
  },
  physdev: {
    weight: 1,
    options: {
      'physdev-is-in': flag,
      'physdev-in': device,
      'physdev-is-out': flag,
      'physdev-out': device,
      'physdev-is-bridged': flag,
    },
  },
  pkttype: { options: { 'pkt-type': of('unicast', 'broadcast', 'multicast') } },
  policy: {
    weight: 1,
    options: {
      dir: of('in', 'out'),
      pol: of('none', 'ipsec'),
      strict: flag,
      reqid: of(0, 1),
      spi: of('0x1'),
      proto: of('esp', 'ah'),
      mode: of('transport', 'tunnel'),
      'tunnel-dst': address,
      'tunnel-src': address,
    },
  },
  quota: { options: { quota: of(0, 100, 1000, 5000) } },
  realm: { weight: 1, options: { realm: of(0, '0x1', '0x1/0x2') } },
  recent: {
    weight: 4,
    options: {
      set: flag,
      rcheck: flag,
      update: flag,
      remove: flag,
      seconds: of(6000),
      hitcount: of(1, 2, 4),
      rttl: flag,
      name: of('r0', 'r1'),
      mask: netmask,
      rsource: flag,
      rdest: flag,
    },
    always: ['name'],
  },
  rpfilter: { options: { loose: flag, validmark: flag, 'accept-local': flag, invert: flag } },
  rt: {
    options: {
      'rt-type': of(0, 2, 4),
      'rt-segsleft': of('0', '0:1', '1:10'),
      'rt-len': of(8, 24),
      'rt-0-res': flag,
      'rt-0-addrs': (chance, world) => `${address(chance, world)}`,
      'rt-0-not-strict': flag,
    },
  },
  sctp: {
    options: {
      sport: ports,
      dport: ports,
      'chunk-types': of(
        'any INIT',
        'all DATA',
        'only INIT',
        'any DATA,SACK',
        'any ABORT,SHUTDOWN',
        'only COOKIE_ECHO',
        'any DATA:Be',
      ),
    },
  },
  set: {
    weight: 4,
    options: {
      'match-set': (chance, world) => setReference(chance, world),
      'return-nomatch': flag,
      'update-counters': flag,
      'update-subcounters': flag,
      'packets-eq': number,
      'packets-lt': number,
      'packets-gt': number,
      'bytes-eq': of(40, 60, 100),
      'bytes-lt': of(500),
      'bytes-gt': of(100, 1000),
    },
  },
  socket: { weight: 1, options: { transparent: flag, nowildcard: flag, 'restore-skmark': flag } },
  srh: {
    options: {
      'srh-next-hdr': of(6, 17, 59),
      'srh-hdr-len-eq': of(0, 2),
      'srh-hdr-len-gt': of(0, 1),
      'srh-hdr-len-lt': of(2, 4),
      'srh-segs-left-eq': of(0, 1),
      'srh-segs-left-gt': of(0),
      'srh-segs-left-lt': of(1, 2),
      'srh-last-entry-eq': of(0, 1),
      'srh-last-entry-gt': of(0),
      'srh-last-entry-lt': of(2),
      'srh-tag': of(0, 1),
      'srh-psid': masked,
      'srh-nsid': masked,
      'srh-lsid': masked,
    },
  },
  state: { weight: 4, options: { state: list(...STATES) } },
  statistic: { options: { mode: of('nth'), every: of(2, 3), packet: of(0, 1) }, always: ['every', 'packet'] },
  string: {
    options: {
      string: of('GET', 'abc', 'xyz', 'get'),
      'hex-string': of('"|00010203|"', '"G|45|T"', '"|ff|"'),
      algo: of('bm', 'kmp'),
      from: of(0, 20, 40, 41),
      to: of(64, 100, 65_535),
      icase: flag,
    },
  },
  tcp: {
    weight: 10,
    options: { sport: ports, dport: ports, 'tcp-option': of(2, 3, 4, 8), 'tcp-flags': flags, syn: flag },
  },
  tcpmss: { options: { mss: of('0:1460', '1460', '536:1400') } },
  time: {
    options: {
      timestart: of('00:00'),
      timestop: of('23:59:59'),
      datestart: of('2015-01-01', '2037-01-01T00:00:00'),
      datestop: of('2015-02-01', '2037-12-31'),
      kerneltz: flag,
      utc: flag,
    },
    always: ['datestart', 'datestop'],
  },
  tos: { options: { tos: of('0x10', '0x00', '0x08/0x1c', 'Minimize-Delay') } },
  ttl: { options: { 'ttl-eq': of(63, 64, 1, 255), 'ttl-lt': of(5, 64), 'ttl-gt': of(64, 200) } },
  u32: {
    options: {
      u32: (chance, { family }) =>
        chance.pick(
          family === 4
            ? ['"6&0xFF=0x6"', '"0>>22&0x3C@0>>16=0:1023"', '"2&0xFFFF=0x20:0x40"', '"4&0x3FFF=0&&6&0xFF=1,17"']
            : ['"3&0xFF=0x6,0x11"', '"4>>16=8:100"', '"40>>16=0:1023"', '"20=0x20010db8&&4&0xFF=0x3f"'],
        ),
    },
  },
  udp: { weight: 7, options: { sport: ports, dport: ports } },
}

/** Matches and options (`match option`) that are never used, and why. */
export const NO_MATCHES: Readonly<Record<string, string>> = {
  connlimit: 'within one tick the kernel counts packets that were dropped',
  cpu: 'the kernel has several',
  'cgroup path': 'the group has to be there',
  'hashlimit hashlimit-rate-match': 'what it measures is time',
  'hashlimit hashlimit-rate-interval': 'what it measures is time',
  'hashlimit hashlimit-htable-gcinterval': 'when the kernel collects is its own affair',
  'osf log': "its lines have no prefix by which they could be known as this namespace's",
  nfacct: 'its objects are made with nfacct',
  'policy next': 'not enforced',
  rateest: 'what it measures is time',
  'recent reap': 'it needs seconds to pass',
  'statistic probability': 'chance',
  udplite: 'iptables has no words for it',
  'time monthdays': 'the two clocks are years apart',
  'time weekdays': 'the two clocks are years apart',
  'time contiguous': 'the two clocks are years apart',
}
