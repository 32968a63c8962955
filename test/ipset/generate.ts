// Random ipset commands over a few sets: mostly sensible, some not, on addresses so few that they meet.

import fc from 'fast-check'

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const text = (...parts: readonly fc.Arbitrary<string>[]) => fc.tuple(...parts).map((each) => each.join(''))

const V4 = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.3',
  '10.0.0.9',
  '10.0.1.1',
  '10.1.0.0',
  '192.168.0.0',
  '0.0.0.0',
  '10.0.0',
  '7',
]
const V6 = ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::', 'fe80::1', '::', '::ffff:10.0.0.1']
const ip4 = pick(...V4)
const ip6 = pick(...V6)
const wrong = pick('foo', '', '10.0.0.1/', '/8', '300.0.0.1', '10.0.0.1-', '1.2.3.4.5', '10.0.0.1/33', 'fe80::/129')
const length4 = pick(8, 16, 24, 29, 30, 31, 32, 0).map(String)
const length6 = pick(16, 32, 64, 127, 128, 0).map(String)

const many4 = fc.oneof(
  { weight: 4, arbitrary: ip4 },
  { weight: 2, arbitrary: text(ip4, pick('/'), pick('24', '29', '30', '31', '32')) },
  { weight: 1, arbitrary: text(pick('10.0.0.1', '10.0.0.2'), pick('-'), pick('10.0.0.3', '10.0.0.9', '10.0.0.1')) },
)
const net4 = fc.oneof(
  { weight: 2, arbitrary: ip4 },
  { weight: 4, arbitrary: text(ip4, pick('/'), length4) },
  { weight: 1, arbitrary: text(pick('10.0.0.1', '10.0.0.2'), pick('-'), pick('10.0.0.3', '10.0.0.9', '10.0.1.1')) },
)
const many6 = fc.oneof({ weight: 4, arbitrary: ip6 }, { weight: 1, arbitrary: text(ip6, pick('/'), length6) })
const net6 = fc.oneof(ip6, text(ip6, pick('/'), length6))
const port = pick(
  ...['80', 'tcp:80', 'udp:53', '80-82', 'udp:53-54', 'http', 'tcp:0', 'sctp:9', 'gre:0', '47:0', '99:0'],
  ...['81-80', 'foo', 'tcp:foo', 'gre:1', 'tcp:70000', '80-', 'nosuch:7'],
)
const port4 = fc.oneof({ weight: 4, arbitrary: port }, pick('icmp:8/0', 'icmp:ping', 'icmp:3/3', 'icmp:9'))
const port6 = fc.oneof({ weight: 4, arbitrary: port }, pick('icmpv6:128/0', 'icmpv6:echo-reply', 'icmpv6:1'))
const device = pick('eth0', 'eth1', 'eth', 'wlan0', 'physdev:eth0', '0123456789012345')
const mac = pick('aa:bb:cc:dd:ee:ff', '1:2:3:4:5:6', '00:00:00:00:00:00', 'aa:bb')

const joined = (...parts: readonly fc.Arbitrary<string>[]) => fc.tuple(...parts).map((each) => each.join(','))

/** Elements of each type, by family. */
const ELEMENTS: Readonly<Record<string, readonly fc.Arbitrary<string>[]>> = {
  'hash:ip': [many4, many6],
  'hash:net': [net4, net6],
  'hash:ip,port': [joined(many4, port4), joined(many6, port6)],
  'hash:ip,port,ip': [joined(many4, port4, ip4), joined(many6, port6, ip6)],
  'hash:ip,port,net': [joined(many4, port4, net4), joined(many6, port6, net6)],
  'hash:net,port': [joined(net4, port4), joined(net6, port6)],
  'hash:net,iface': [joined(net4, device), joined(net6, device)],
  'bitmap:ip': [many4, many4],
  'bitmap:ip,mac': [joined(ip4, mac), ip4],
  'bitmap:port': [pick('80', '81-83', 'http', 'tcp:90', 'udp:53', '5-1', '101', '95-105', 'foo', 'gre:0'), pick('1')],
  'list:set': [pick('s0', 's1', 's2', 's3', 's9'), pick('s0')],
}

/** How sets of a type may be created; the families by number. */
const CREATES: readonly (readonly [string, number, string])[] = [
  ['hash:ip', 0, ''],
  ['hash:ip', 0, 'netmask 24'],
  ['hash:ip', 0, 'maxelem 3'],
  ['hash:ip', 0, 'bitmask 255.0.255.255'],
  ['hash:ip', 1, 'family inet6'],
  ['hash:ip', 1, 'family inet6 netmask 64'],
  ['hash:net', 0, ''],
  ['hash:net', 1, 'family inet6'],
  ['hash:ip,port', 0, ''],
  ['hash:ip,port', 1, '-6'],
  ['hash:ip,port,ip', 0, ''],
  ['hash:ip,port,ip', 1, '-6'],
  ['hash:ip,port,net', 0, ''],
  ['hash:ip,port,net', 1, '-6'],
  ['hash:net,port', 0, ''],
  ['hash:net,port', 1, '-6'],
  ['hash:net,iface', 0, ''],
  ['hash:net,iface', 1, '-6'],
  ['bitmap:ip', 0, 'range 10.0.0.0/24'],
  ['bitmap:ip', 0, 'range 10.0.0.0/16 netmask 29'],
  ['bitmap:ip,mac', 0, 'range 10.0.0.0/24'],
  ['bitmap:port', 0, 'range 0-100'],
  ['list:set', 0, ''],
  ['list:set', 0, 'size 2'],
]

const extensions = fc.subarray(['timeout 1000', 'counters', 'comment', 'skbinfo']).map((each) => each.join(' '))
const given = fc.oneof(
  { weight: 6, arbitrary: pick('') },
  { weight: 2, arbitrary: pick('timeout 500', 'timeout 0', 'packets 5 bytes 7', 'comment x', 'skbmark 0x5/0xff') },
  {
    weight: 1,
    arbitrary: pick('timeout 9999999', 'timeout x', 'foo', 'comment', 'nomatch', 'wildcard', 'before s0', 'after s1'),
  },
)
const exist = fc.oneof({ weight: 3, arbitrary: pick('') }, { weight: 1, arbitrary: pick('-exist ') })
const anySet = pick('s0', 's1', 's2', 's3')

/** Words, separated by single blanks: no word holds one. */
const clean = (command: string) => command.trim().split(/ +/)

/** Four sets, and commands on them. */
export const commands = fc
  .tuple(
    ...['s0', 's1', 's2', 's3'].map((name) => fc.record({ name: pick(name), create: pick(...CREATES), extensions })),
  )
  .chain((sets) => {
    const member = pick(...sets).chain(({ name, create: [type, family] }) => {
      const element = fc.oneof(
        { weight: 12, arbitrary: ELEMENTS[type]![family]! },
        { weight: 1, arbitrary: wrong },
        // Members without link addresses end in the kernel in ways of their own.
        { weight: 1, arbitrary: ELEMENTS[type === 'bitmap:ip,mac' ? type : 'hash:ip']![family]! },
      )
      return fc.tuple(exist, pick('add', 'add', 'add', 'del', 'test'), pick(name), element, given)
    })
    const command = fc.oneof(
      {
        weight: 20,
        arbitrary: member.map(([e, verb, name, element, more]) => [
          ...clean(`${e}${verb} ${name}`),
          element,
          ...clean(more),
        ]),
      },
      { weight: 1, arbitrary: fc.tuple(anySet, anySet).map(([a, b]) => ['swap', a, b]) },
      { weight: 1, arbitrary: anySet.map((a) => ['rename', a, 's8']) },
      { weight: 1, arbitrary: pick(['rename', 's8', 's0'], ['destroy', 's8'], ['list', '-n'], ['flush', 's9']) },
      { weight: 1, arbitrary: anySet.map((a) => ['flush', a]) },
      { weight: 1, arbitrary: anySet.map((a) => ['destroy', a]) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(exist, anySet, pick(...CREATES))
          .map(([e, a, [type, , options]]) => clean(`${e}create ${a} ${type} ${options}`)),
      },
      { weight: 1, arbitrary: anySet.map((a) => ['list', a, '-o', 'xml', '-s']) },
    )
    // A bitmap's counters outlive its members in the kernel: what is added again finds what was counted before.
    const creates = sets.map(({ name, create: [type, , options], extensions }) =>
      clean(
        `create ${name} ${type} ${options} ${type.startsWith('bitmap') ? extensions.replace('counters', '') : extensions}`,
      ),
    )
    return fc
      .array(command, { minLength: 20, maxLength: 60 })
      .map((all) => [...creates, ...all.map((words) => words.filter((word, i) => word !== '' || i === 2))])
  })
