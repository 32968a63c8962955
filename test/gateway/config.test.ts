// A configuration file is read whole or refused whole, with everything that is wrong in it.

import { describe, expect, test } from 'vitest'
import { RefusedError } from '../../src/errors.ts'
import { parseConfig, readConfig } from '../../src/gateway/config.ts'

function complaintsOf(text: string): string[] {
  try {
    parseConfig(text, 'g.yaml')
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedError)
    expect((error as RefusedError).code).toBe('ERR_CONFIG')
    return (error as RefusedError).message.split('\n')
  }
  throw new Error(`was not refused:\n${text}`)
}

const DEVICES = 'devices: { tun0: { addresses: [10.0.1.1/24] }, tun1: { addresses: [203.0.113.1/24] } }\n'

describe('a configuration that is right', () => {
  test('is what the file says', () => {
    const text = `
devices:
  tun0: { addresses: [10.0.1.1/24], mtu: 1500 }
  tun1: { addresses: [203.0.113.1/24] }
routes:
  - { to: default, via: 203.0.113.254, dev: tun1 }
sysctl: { net.ipv4.ip_forward: 1, net.netfilter.nf_conntrack_max: 262144 }
`
    expect(parseConfig(text, 'g.yaml')).toEqual({
      devices: { tun0: { addresses: ['10.0.1.1/24'], mtu: 1500 }, tun1: { addresses: ['203.0.113.1/24'] } },
      routes: [{ to: 'default', via: '203.0.113.254', dev: 'tun1' }],
      sysctl: { 'net.ipv4.ip_forward': 1, 'net.netfilter.nf_conntrack_max': 262144 },
    })
  })

  test('may be JSON, and may use what YAML has for repetition', () => {
    expect(parseConfig('{"devices": {"tun0": {"addresses": ["10.0.1.1/24"]}}}', 'g.json').devices).toEqual({
      tun0: { addresses: ['10.0.1.1/24'] },
    })
    expect(parseConfig('devices: { a: &x { mtu: 900 }, b: *x }', 'g.yaml').devices).toEqual({
      a: { mtu: 900 },
      b: { mtu: 900 },
    })
  })

  test("a device's other end has addresses, and routes as text or in full", () => {
    const text = `
devices:
  tun0:
    kind: tun
    addresses: [10.0.1.1/24]
    netns: /proc/12/ns/net
    persist: true
    queueLength: 500
    peer: { addresses: [10.0.1.2/24], routes: [default, { to: 10.9.0.0/16, via: 10.0.1.1, metric: 5 }] }
`
    expect(parseConfig(text, 'g.yaml').devices.tun0.peer).toEqual({
      addresses: ['10.0.1.2/24'],
      routes: [{ to: 'default' }, { to: '10.9.0.0/16', via: '10.0.1.1', metric: 5 }],
    })
  })

  test('point-to-point addresses reach their peer', () => {
    const text =
      'devices: { t: { addresses: [10.0.0.1 peer 10.0.0.2/32] } }\nroutes: [{ to: default, via: 10.0.0.2, dev: t }]'
    expect(parseConfig(text, 'g.yaml').routes).toHaveLength(1)
  })
})

test('addresses and routes of both families stand beside each other', () => {
  const text = `devices:
  tun0:
    addresses: [10.0.1.1/24, "2001:db8:1::1/64", "fe80::1/64"]
    peer: { addresses: [10.0.1.2/24, "2001:db8:1::2/64"], routes: [default, "::/0"] }
routes:
  - { to: default, via: 10.0.1.9 }
  - { to: default, via: "2001:db8:1::9" }
  - { to: "2001:db8:9::/48", via: "fe80::9", dev: tun0 }
`
  expect(parseConfig(text, 'g.yaml').routes).toHaveLength(3)
})

describe('a configuration that is refused', () => {
  test('every mistake is told, with line and column, in the order of the file', () => {
    const text = `devices:
  tun0: { addresses: [10.0.1.1/24, 10.0.1/8], mtu: 67, adresses: [] }
  "a b": { addresses: 5 }
routes:
  - { to: default, via: 203.0.113.254, dev: tun9 }
sysctl: { net.ipv4.ip_forwrd: 1, net.ipv4.ip_default_ttl: 300 }
sysctls: {}
`
    expect(complaintsOf(text)).toEqual([
      "g.yaml:2:36: devices.tun0.addresses[1]: expected an address such as '10.0.1.1/24', '2001:db8::1/64' or '10.0.1.1 peer 10.0.1.2/32', not \"10.0.1/8\"",
      'g.yaml:2:52: devices.tun0.mtu: expected an integer from 68 to 65535, not 67',
      "g.yaml:2:56: unknown key 'adresses' in devices.tun0; did you mean 'addresses'?",
      "g.yaml:3:3: devices: 'a b': expected 1 to 15 bytes without space, '/' and ':'",
      'g.yaml:3:23: devices.a b.addresses: expected a list, not 5',
      "g.yaml:5:45: routes: there is no device 'tun9'; did you mean 'tun0'?",
      "g.yaml:6:11: sysctl: net.ipv4.ip_forwrd: not a sysctl that tunfilter knows; did you mean 'net.ipv4.ip_forward'?",
      'g.yaml:6:59: sysctl: net.ipv4.ip_default_ttl: 300: expected 1 to 255',
      "g.yaml:7:1: unknown key 'sysctls'; did you mean 'sysctl'?",
    ])
  })

  test('an unknown key is told beside those of its own mapping', () => {
    expect(complaintsOf('devices: { tun0: {} }\naccounting: { web: { packet: 1 } }\n')).toEqual([
      "g.yaml:2:22: unknown key 'packet' in accounting.web; did you mean 'packets'?",
    ])
    expect(complaintsOf('devices: { tun0: {} }\naccounting: { web: { x: 1 } }\n')).toEqual([
      "g.yaml:2:22: unknown key 'x' in accounting.web; expected 'packets', 'bytes'",
    ])
  })

  test.each([
    ['', /^g.yaml:1:1: configuration: expected a mapping, not null$/],
    ['devices:\n', /^g.yaml:1:1: devices: expected a mapping of device names, not null$/],
    ['routes: []', /devices: expected a mapping of device names, found nothing/],
    ['devices: { lo: {} }', /:1:12: devices: 'lo': every router has this device itself/],
    ['devices: { a-name-of-16-byte: {} }', /:1:12: devices: 'a-name-of-16-byte': expected 1 to 15 bytes/],
    ['devices: { t: { mtu: 65536 } }', /:1:22: devices.t.mtu: expected an integer from 68 to 65535, not 65536/],
    ['devices: { t: { mtu: "1500" } }', /expected an integer from 68 to 65535, not "1500"/],
    ['devices: { t: { addresses: [10.0.0.1] } }', /expected an address such as '10.0.1.1\/24'/],
    ['devices: { t: { addresses: [10.0.0.1/33] } }', /expected an address such as/],
    ['devices: { t: { addresses: [10.0.0.256/8] } }', /expected an address such as/],
    ['devices: { t: { addresses: [10.0.0.1/8, 10.0.0.1/8] } }', /10.0.0.1\/8 stands here twice/],
    ['devices: { t: { kind: tap } }', /devices.t.kind: expected tun, not "tap"/],
    ['devices: { t: { netns: 5 } }', /devices.t.netns: expected the name of a network namespace/],
    ['devices: { t: { addresses: [10.0.0.1/8], peer: { addresses: [10.0.0.1/8] } } }', /is the router's own address/],
    ['devices: { t: { peer: { routes: [default] } } }', /expected a 'via', because the router has no address on t/],
    [
      'devices: { t: { addresses: [10.0.0.1/8], peer: { addresses: [11.0.0.1/8], routes: [default] } } }',
      /no prefix of devices.t.peer.addresses holds the next hop 10.0.0.1/,
    ],
    ['devices: { t: {}, t: {} }', /^g.yaml:1:19: /],
    ['devices: { t: [ }', /^g.yaml:1:\d+: /],
    ['devices: { t: { persist: 1 } }\n---\n{}', /^g.yaml:\d:\d+: /],
    [`${DEVICES}routes: [{ to: 10.2.0.1/16, dev: tun0 }]`, /without bits beyond its length, not "10.2.0.1\/16"/],
    [`${DEVICES}routes: [{ dev: tun0 }]`, /routes\[0\].to: expected 'default', an address, .* found nothing/],
    [`${DEVICES}routes: [default]`, /routes\[0\]: expected a mapping, not "default"/],
    [`${DEVICES}routes: [{ to: default }]`, /expected 'via', 'dev' or both/],
    [`${DEVICES}routes: [{ to: default, via: 10.9.9.9 }]`, /no address of any device has a prefix that holds/],
    [`${DEVICES}routes: [{ to: default, via: 10.0.1.9, dev: tun1 }]`, /no address of tun1 has a prefix that holds/],
    [`${DEVICES}routes: [{ to: default, via: 10.0.1.1 }]`, /10.0.1.1 is the router's own address/],
    [`${DEVICES}routes: [{ to: default, dev: tun0, src: 10.0.1.9 }]`, /10.0.1.9 is no address of the router's/],
    [`${DEVICES}routes: [{ to: default, dev: tun0, type: blackhole }]`, /of type blackhole has no 'dev'/],
    [`${DEVICES}routes: [{ to: default, type: nat }]`, /routes\[0\].type: expected unicast or local or/],
    [`${DEVICES}routes: [{ to: default, dev: tun0, type: throw }]`, /of type throw has no 'dev'/],
    [
      `${DEVICES}routes: [{ to: default, dev: tun0, table: wan }]`,
      /there is no table 'wan'; expected a number, or a name/,
    ],
    [`${DEVICES}tables: { main: 5 }`, /:\d+:\d+: tables: main: every router has the tables local, main and default/],
    [`${DEVICES}tables: { a: 0 }`, /tables.a: expected an integer from 1 to/],
    [`${DEVICES}policyRules: [from 10.0.0.0/8 lookup wan]`, /'from 10.0.0.0\/8 lookup wan': argument "wan" is wrong/],
    [`${DEVICES}policyRules: [from all bogus]`, /:\d+:15: policyRules: 'from all bogus': .*Failed to parse rule type/],
    [`${DEVICES}policyRules: [from 10.0.0.0/33 lookup 1]`, /prefix is expected rather than "10.0.0.0\/33"/],
    [`${DEVICES}policyRules: [tos 0x11 lookup 1]`, /ECN bits must be 0/],
    [`${DEVICES}policyRules: [goto 5 priority 9]`, /Backward goto not supported/],
    [`${DEVICES}policyRules: [uidrange 0-9 lookup 5]`, /"uidrange" is not supported here/],
    [`${DEVICES}policyRules: [5]`, /policyRules\[0\]: expected a rule such as/],
    [
      `${DEVICES}routes: [{ to: default, via: 10.0.1.9, nexthops: [] }]`,
      /expected 'nexthops', or 'via' and 'dev', not both/,
    ],
    [
      `${DEVICES}routes: [{ to: default, nexthops: [{ via: 10.9.9.9 }, { dev: tun7 }] }]`,
      /no address of any device .* 10.9.9.9\n.*there is no device 'tun7'/,
    ],
    [
      `${DEVICES}routes: [{ to: default, dev: tun0 }, { to: default, dev: tun1 }]`,
      /a route to default already \(routes\[0\]\)/,
    ],
    ['devices: { t: { addresses: ["2001:db8::1/129"] } }', /expected an address such as/],
    [
      'devices: { t: { addresses: ["2001:db8::1/64"], mtu: 1279 } }',
      /mtu: 1279: expected at least 1280 for a device with/,
    ],
    [
      `${DEVICES}routes: [{ to: "2001:db8::1/32", dev: tun0 }]`,
      /without bits beyond its length, not "2001:db8::1\/32"/,
    ],
    [
      `${DEVICES}routes: [{ to: "2001:db8::/32", via: "2001:db8::9" }]`,
      /no address of any device has a prefix that holds/,
    ],
    [`${DEVICES}routes: [{ to: "2001:db8::/32", via: 10.0.1.9 }]`, /10.0.1.9 is no IPv6 address/],
    [`${DEVICES}routes: [{ to: "2001:db8::/32", via: "fe80::1" }]`, /fe80::1 means something on one device only/],
    [
      `${DEVICES}routes: [{ to: "::/0", dev: tun0 }, { to: default, dev: tun0, src: "::1" }]`,
      /a route to default already \(routes\[0\]\)/,
    ],
    [
      'devices: { t: { addresses: ["2001:db8::1/64"], peer: { addresses: ["2001:db9::2/64"], routes: ["::/0"] } } }',
      /no prefix of devices.t.peer.addresses holds the next hop 2001:db8::1/,
    ],
    [`${DEVICES}sysctl: { net.ipv4.ip_forward: yes }`, /sysctl.net.ipv4.ip_forward: expected a number, not "yes"/],
    [`${DEVICES}sysctl: { net.ipv4.conf.tun7.rp_filter: 1 }`, /there is no device 'tun7'; did you mean/],
    [`${DEVICES}sysctl: { net.ipv4.conf.tun0.rp_filter: 3 }`, /tun0.rp_filter: 3: expected 0 to 2/],
    [`${DEVICES}sysctl: { net.ipv4.conf.tun0.mtu: 3 }`, /not a sysctl that tunfilter knows/],
    [`${DEVICES}sysctl: { nf_conntrack_max: 9 }`, /did you mean 'net.netfilter.nf_conntrack_max'/],
  ])('%j', (text, expected) => {
    expect(complaintsOf(text).join('\n')).toMatch(expected)
  })

  test('a file that is not there is an error that names it', () => {
    expect(() => readConfig('/nonexistent/g.yaml')).toThrow(/\/nonexistent\/g.yaml: ENOENT/)
  })
})
