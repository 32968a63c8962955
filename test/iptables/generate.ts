// Rule files that are right, made at random from what the declarations offer: each option with odd values, negated or not.

import fc from 'fast-check'

const { constantFrom: one, record, tuple, array, nat, boolean, option } = fc

const not = boolean().map((yes) => (yes ? '! ' : ''))
const words = (...parts: fc.Arbitrary<string>[]) =>
  tuple(...parts).map((list) => list.filter((w) => w !== '').join(' '))
const maybe = (part: fc.Arbitrary<string>) => option(part, { nil: '' })
const negated = (name: string, value: fc.Arbitrary<string>) =>
  maybe(tuple(not, value).map(([n, v]) => `${n}${name} ${v}`))
const plain = (name: string, value: fc.Arbitrary<string>) => maybe(value.map((v) => `${name} ${v}`))
const flag = (name: string) => one('', name)

const byte = one(0, 1, 10, 127, 192, 255)
const address = tuple(byte, byte, byte, byte).map((parts) => parts.join('.'))
const network = tuple(address, one('', '/0', '/1', '/8', '/24', '/31', '/32', '/255.255.0.0', '/255.0.255.0')).map(
  (p) => p.join(''),
)
const port = one('0', '1', '22', 'domain', '0x50', '010', '1023', '65535')
const range = tuple(nat(65535), nat(65535)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
const ports = fc.oneof(
  port,
  range.map(([a, b]) => `${a}:${b}`),
  one(':1024', '1024:', '0:65535'),
)
// A range of everything, negated, is lost by the real tools when they save it.
const negatablePorts = ports.filter((p) => p !== '0:65535')
const list = (names: readonly string[]) => fc.subarray([...names], { minLength: 1 }).map((some) => some.join(','))
const flags = fc.oneof(one('ALL', 'NONE'), list(['SYN', 'ACK', 'FIN', 'RST', 'URG', 'PSH']))
const mark = tuple(nat(), one('', '/0xff', '/255', '/0', '/0xffffffff')).map(([value, mask]) => `${value}${mask}`)
const device = one('eth0', 'wlan+', 'tun0', 'a.b-c_d', 'abcdefghijklmno')
// Line ends and quotes are the lexer's; everything else may stand in a text.
const text = fc
  .string({ maxLength: 29 })
  .filter((t) => !/["\\\n]/.test(t) && t.length > 0)
  .map((t) => `"${t}"`)

const STATES = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED']
const TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
]

const conntrack = words(
  fc.constant('-m conntrack'),
  negated('--ctstate', list([...STATES, 'SNAT', 'DNAT'])),
  negated('--ctproto', one('tcp', '17', 'icmp', '0')),
  negated(
    '--ctorigsrc',
    network.filter((n) => !n.includes('255.0')),
  ),
  negated('--ctrepldst', address),
  negated('--ctorigsrcport', one('1', '2:3', 'http', '90:80', ':5')),
  negated('--ctrepldstport', one('1', '2:3', '65535', '5:')),
  negated('--ctstatus', fc.oneof(one('NONE'), list(['EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED']))),
  negated('--ctexpire', one('0', '10', '10:20', '5:', ':7', '0x10')),
  fc.constant('--ctdir ORIGINAL'),
)

const matches = fc.oneof(
  text.map((t) => `-m comment --comment ${t}`),
  tuple(not, list(STATES)).map(([n, s]) => `-m state ${n}--state ${s}`),
  conntrack,
  words(
    fc.constant('-m limit'),
    plain('--limit', one('1/s', '7/sec', '90/min', '10/hour', '25/day', '3333', '100/minute', '999/hour')),
    plain('--limit-burst', one('1', '5', '7')),
  ),
  tuple(not, mark).map(([n, m]) => `-m mark ${n}--mark ${m}`),
  words(
    fc.constant('-m addrtype'),
    tuple(not, list(TYPES)).map(([n, t]) => `${n}--src-type ${t}`),
    negated('--dst-type', list(TYPES)),
  ),
)

const protocols = fc.oneof(
  words(
    fc.constant('-p tcp'),
    flag('-m tcp'),
    negated('--sport', negatablePorts),
    negated('--dport', negatablePorts),
    negated('--tcp-option', one('1', '2', '255')),
    fc.oneof(
      maybe(not.map((n) => `${n}--syn`)),
      tuple(not, flags, flags).map(([n, mask, set]) => `${n}--tcp-flags ${mask === 'NONE' ? 'SYN' : mask} ${set}`),
    ),
  ),
  words(
    fc.constant('-p udp -m udp'),
    negated(
      '--source-port',
      negatablePorts.filter((p) => !p.includes('x')),
    ),
    negated(
      '--destination-port',
      negatablePorts.filter((p) => !p.includes('x')),
    ),
  ),
  tuple(not, one('any', '8', '3/4', 'ping', 'host-unreachable', '0/0', '11/255')).map(
    ([n, t]) => `-p icmp ${n}--icmp-type ${t}`,
  ),
  words(
    one('-p tcp', '-p udp', '-p dccp'),
    tuple(not, one('--sports', '--dports', '--ports'), fc.array(nat(65535), { minLength: 1, maxLength: 15 })).map(
      ([n, name, list]) => `-m multiport ${n}${name} ${list.join(',')}`,
    ),
  ),
  tuple(not, one('esp', '47', 'sctp', '58', '200')).map(([n, p]) => `${n}-p ${p}`),
  one('', '-p all'),
)

const REJECTS = [
  'icmp-net-unreachable',
  'host-unreach',
  'proto-unreach',
  'port-unreach',
  'net-prohib',
  'icmp-host-prohibited',
  'admin-prohib',
]
const anyTarget = fc.oneof(
  one('', '-j ACCEPT', '-j RETURN', '-j own', '-g own', '-j LOG'),
  words(
    fc.constant('-j LOG'),
    plain('--log-level', one('0', '4', 'debug', 'warning')),
    plain('--log-prefix', text),
    flag('--log-tcp-sequence'),
    flag('--log-tcp-options'),
    flag('--log-ip-options'),
    flag('--log-uid'),
    flag('--log-macdecode'),
  ),
  tuple(one('--set-mark', '--set-xmark'), mark).map(([name, m]) => `-j MARK ${name} ${m}`),
  tuple(one('--and-mark', '--or-mark', '--xor-mark'), nat()).map(([name, m]) => `-j MARK ${name} ${m}`),
)
const natPorts = fc.oneof(
  port,
  range.map(([a, b]) => `${a}-${b}`),
)
const natAddress = fc.oneof(
  address,
  tuple(address, address).map((pair) => pair.join('-')),
)

/** Chain and target of a table, behind which ports may be named. */
const natTargets = fc.oneof(
  tuple(natAddress, natPorts, flag('--random'), flag('--persistent')).map(
    ([a, p, ...rest]) => ['PREROUTING', `-p tcp -j DNAT --to-destination ${a}:${p} ${rest.join(' ')}`] as const,
  ),
  tuple(natAddress, flag('--random'), flag('--random-fully'), flag('--persistent')).map(
    ([a, ...rest]) => ['POSTROUTING', `-j SNAT --to-source ${a} ${rest.join(' ')}`] as const,
  ),
  tuple(natPorts, flag('--random'), flag('--random-fully')).map(
    ([p, ...rest]) => ['POSTROUTING', `-p udp -j MASQUERADE --to-ports ${p} ${rest.join(' ')}`] as const,
  ),
  tuple(natPorts, flag('--random')).map(([p, r]) => ['OUTPUT', `-p udp -j REDIRECT --to-ports ${p} ${r}`] as const),
  range.map(
    ([a, b]) =>
      ['OUTPUT', `-p udp -j DNAT --to-destination 10.0.0.1:${a}-${b}${a > 0 && a < b ? `/${a}` : ''}`] as const,
  ),
)

const addresses = words(
  maybe(tuple(not, network).map(([n, a]) => `${n}-s ${a}`)),
  maybe(tuple(not, network).map(([n, a]) => `${n}-d ${a}`)),
)
const counts = option(
  tuple(nat(), nat()).map(([p, b]) => `[${p}:${b}] `),
  { nil: '' },
)

const filterRule = record({
  counts,
  addresses,
  protocols,
  matches: array(matches, { maxLength: 3 }),
  target: anyTarget,
  in: negated('-i', device),
  out: negated('-o', device),
  f: one('', '-f', '! -f'),
}).map(
  (r) =>
    `${r.counts}-A FORWARD ${[r.addresses, r.protocols, ...r.matches, r.in, r.out, r.f, r.target].filter((w) => w !== '').join(' ')}`,
)
const rejectRule = tuple(one('INPUT', 'OUTPUT', 'own'), one(...REJECTS)).map(
  ([c, how]) => `-A ${c} -j REJECT --reject-with ${how}`,
)
const natRule = tuple(counts, natTargets, addresses, array(matches, { maxLength: 1 })).map(
  ([c, [chain, target], a, m]) => `${c}-A ${chain} ${a} ${m.join(' ')} ${target}`,
)
const rawRule = tuple(
  one('PREROUTING', 'OUTPUT'),
  addresses,
  one('-j NOTRACK', '-j CT --notrack', '-j CT --zone 7', '-j CT'),
).map((parts) => `-A ${parts.join(' ')}`)

const policy = tuple(one('INPUT', 'FORWARD', 'OUTPUT'), one('DROP', 'ACCEPT'), nat(), nat()).map(
  ([chain, p, packets, bytes]) => `:${chain} ${p} [${packets}:${bytes}]`,
)

/** Tables filter, nat and raw with some rules each. */
export const ruleFile = record({
  policies: array(policy, { maxLength: 2 }),
  filter: array(fc.oneof({ weight: 4, arbitrary: filterRule }, { weight: 1, arbitrary: rejectRule }), { maxLength: 8 }),
  nat: array(natRule, { maxLength: 4 }),
  raw: array(rawRule, { maxLength: 3 }),
}).map(({ policies, filter, nat, raw }) =>
  [
    '*filter',
    ...policies,
    ':own - [0:0]',
    ...filter,
    'COMMIT',
    '*nat',
    ':own - [0:0]',
    ...nat,
    'COMMIT',
    '*raw',
    ...raw,
    'COMMIT',
    '',
  ].join('\n'),
)
