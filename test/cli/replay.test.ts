// `tunfilter replay` from outside: the built command, files in, files out.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { PcapngReader } from '../../src/device/pcapng/reader.ts'
import { PcapngWriter } from '../../src/device/pcapng/writer.ts'
import { builtCommand } from '../support/build.ts'
import { describePacket, packetsOf } from '../support/packet/index.ts'

const command = builtCommand()
const directory = mkdtempSync(join(tmpdir(), 'tunfilter-replay-'))
afterAll(() => rmSync(directory, { recursive: true }))

const path = (name: string) => join(directory, name)
const read = (name: string) => readFileSync(path(name), 'utf8')
const START = 1_700_000_000_123_456_789n
const SECOND = 1_000_000_000n

function replay(...args: string[]) {
  return spawnSync(process.execPath, [command, 'replay', ...args], { cwd: directory, encoding: 'utf8' })
}

const FILES = ['--config', 'node.yaml', '--rules', 'rules.v4', 'in.pcapng']

/** `[seconds, device, packet]`, as test/scenario/README.md describes packets. */
function capture(
  lines: readonly (readonly [number, string, string])[],
  names = ['tun0', 'tun1'],
  resolution: 6 | 9 = 9,
) {
  const writer = new PcapngWriter(
    path('in.pcapng'),
    names.map((name) => ({ name })),
    { resolution },
  )
  for (const [seconds, name, line] of lines) {
    const time = START + BigInt(Math.round(seconds * 1e9))
    for (const bytes of packetsOf(line)) writer.write(names.indexOf(name), time, bytes)
  }
  writer.close()
}

function written(name = 'out.pcapng') {
  const reader = new PcapngReader(path(name))
  const packets: [bigint, string | undefined, string][] = []
  for (let p = reader.next(); p !== undefined; p = reader.next())
    packets.push([(p.time ?? 0n) - START, p.interface.name, describePacket(p.data)])
  reader.close()
  return { packets, interfaces: reader.interfaces }
}

const RULES = `*nat
-A POSTROUTING -s 10.0.1.0/24 -o tun1 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i tun0 -p udp -m udp --dport 9 -j LOG --log-prefix "refused: "
-A FORWARD -i tun0 -p udp -m udp --dport 9 -j REJECT --reject-with icmp-port-unreachable
-A FORWARD -i tun0 -j ACCEPT
COMMIT
`

beforeEach(() => {
  for (const name of readdirSync(directory)) rmSync(path(name))
  writeFileSync(path('rules.v4'), RULES)
  writeFileSync(
    path('node.yaml'),
    'devices: { tun0: { addresses: [10.0.1.1/24] }, tun1: { addresses: [203.0.113.1/24] }, spare: {} }\n',
  )
})

test('rules find what --ipset says in sets, until it ends on the capture’s clock', () => {
  writeFileSync(path('sets'), 'create allowed hash:ip timeout 0\nadd allowed 10.0.1.2 timeout 5\n')
  writeFileSync(
    path('rules.v4'),
    '*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m set --match-set allowed src -j ACCEPT\nCOMMIT\n',
  )
  const packet = (source: string) => `udp ${source}:1000 > 203.0.113.9:53 len 5`
  capture([
    [0, 'tun0', packet('10.0.1.2')],
    [1, 'tun0', packet('10.0.1.3')],
    [4.5, 'tun0', packet('10.0.1.2')],
    [5.5, 'tun0', packet('10.0.1.2')],
  ])
  expect(replay(...FILES)).toMatchObject({ status: 1, stderr: expect.stringContaining("Set allowed doesn't exist.") })
  expect(replay('--ipset', 'sets', '--write', 'out.pcapng', ...FILES)).toMatchObject({ status: 0, stderr: '' })
  expect(written().packets.map(([time]) => Number(time / 1_000_000n))).toEqual([0, 4500])
  writeFileSync(path('sets'), 'create allowed hash:nonsense\n')
  expect(replay('--ipset', 'sets', ...FILES)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('sets:1:16: '),
  })
})

describe('a replay', () => {
  test('writes what leaves, with the time stamp of its cause, and one interface a device', () => {
    capture([
      [0, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:53 "ask" ipid 1'],
      [0.000001234, 'tun1', 'udp 203.0.113.9:53 > 203.0.113.1:1000 "answer" ipid 2'],
      [7, 'tun0', 'udp 10.0.1.2:1001 > 203.0.113.9:53 "late" ttl 1 ipid 3'],
      [8, 'tun1', 'udp 203.0.113.9:99 > 203.0.113.1:4444 "unasked" ipid 4'],
    ])
    const { status, stdout, stderr } = replay(...FILES, '--write', 'out.pcapng')
    expect([status, stderr]).toEqual([0, ''])
    const { packets, interfaces } = written()
    expect(packets).toEqual([
      [0n, 'tun1', 'udp 203.0.113.1:1000 > 203.0.113.9:53 "ask" ipid 1 ttl 63'],
      [1234n, 'tun0', 'udp 203.0.113.9:53 > 10.0.1.2:1000 "answer" ipid 2 ttl 63'],
      [7n * SECOND, 'tun0', expect.stringMatching(/^icmp 10\.0\.1\.1 > 10\.0\.1\.2 .*\[ udp 10\.0\.1\.2:1001 > /)],
      [8n * SECOND, 'tun1', expect.stringMatching(/^icmp 203\.0\.113\.1 > 203\.0\.113\.9 port-unreachable \[ udp /)],
    ])
    expect(interfaces.map(({ name, linkType, resolution }) => [name, linkType, resolution])).toEqual([
      ['tun0', 101, 9],
      ['tun1', 101, 9],
      ['spare', 101, 9],
    ])
    expect(stdout).toMatch(/^4 packets in 8\.000 s; 2 flows$/m)
    expect(stdout).toMatch(/^tun0 +2 +\d+ +2 +\d+ +0$/m)
    expect(stdout).toMatch(/^ {2}ttl-exceeded +1$/m)
  })

  test('takes rules of either family, or of both, and writes what both did', () => {
    const addresses = '[10.0.1.1/24, "2001:db8:1::1/64"]'
    writeFileSync(
      path('node.yaml'),
      `devices: { tun0: { addresses: ${addresses} }, tun1: { addresses: [203.0.113.1/24, "2001:db8:2::1/64"] } }\n`,
    )
    writeFileSync(
      path('rules.v6'),
      '*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p udp -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n',
    )
    capture([
      [0, 'tun0', 'udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 "ask"'],
      [1, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:53 "ask" ipid 1'],
      [2, 'tun1', 'udp [2001:db8:2::9]:53 > [2001:db8:1::2]:1000 "answer"'],
    ])
    const files = ['--config', 'node.yaml', '--rules6', 'rules.v6', 'in.pcapng', '--write', 'out.pcapng']
    const { stdout } = replay(...files, '--rules', 'rules.v4', '--counters', 'counters', '--conntrack', 'flows')
    expect(written().packets.map(([, device, line]) => [device, line])).toEqual([
      ['tun1', 'udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 "ask" hl 63'],
      ['tun1', 'udp 203.0.113.1:1000 > 203.0.113.9:53 "ask" ipid 1 ttl 63'],
    ])
    expect(stdout).toMatch(/; 2 flows$/m)
    expect(read('flows')).toMatch(/^ipv4 .*\nipv6 +10 udp +17 \d+ src=2001:db8:1::2 dst=2001:db8:2::9 /)
    expect(read('counters')).toMatch(/MASQUERADE[\s\S]*:FORWARD DROP \[1:54\][\s\S]*\[1:51\] -A FORWARD -p udp/)
    expect(replay(...files).status).toBe(0)
    expect(replay('--config', 'node.yaml', 'in.pcapng').stderr).toContain('expected --rules, --rules6 or both')
  })

  test('a capture in microseconds gives one in microseconds', () => {
    capture([[0.5, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:53']], ['tun0'], 6)
    replay(...FILES, '--write', 'out.pcapng')
    const { packets, interfaces } = written()
    expect(interfaces.map(({ resolution }) => resolution)).toEqual([6, 6, 6])
    expect(packets[0][0]).toBe(499_999_211n + 0n * SECOND)
  })

  test('prints rules with counters, flows and logged lines, each into its file', () => {
    capture([
      [0, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:53 "ask"'],
      [1, 'tun1', 'udp 203.0.113.9:53 > 203.0.113.1:1000 "answer"'],
      [11, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:9 "no"'],
    ])
    expect(replay(...FILES, '--counters', 'c', '--conntrack', 'f', '--log', 'l').status).toBe(0)
    expect(read('c').split('\n')).toEqual([
      '*filter',
      ':INPUT ACCEPT [0:0]',
      ':FORWARD DROP [0:0]',
      ':OUTPUT ACCEPT [1:58]',
      '[1:34] -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '[1:30] -A FORWARD -i tun0 -p udp -m udp --dport 9 -j LOG --log-prefix "refused: "',
      '[1:30] -A FORWARD -i tun0 -p udp -m udp --dport 9 -j REJECT --reject-with icmp-port-unreachable',
      '[1:31] -A FORWARD -i tun0 -j ACCEPT',
      'COMMIT',
      '*nat',
      ':PREROUTING ACCEPT [2:61]',
      ':INPUT ACCEPT [0:0]',
      ':OUTPUT ACCEPT [0:0]',
      ':POSTROUTING ACCEPT [0:0]',
      '[1:31] -A POSTROUTING -s 10.0.1.0/24 -o tun1 -j MASQUERADE',
      'COMMIT',
      '',
    ])
    expect(read('f')).toBe(
      'ipv4     2 udp      17 20 src=10.0.1.2 dst=203.0.113.9 sport=1000 dport=53 src=203.0.113.9 dst=203.0.113.1 sport=53 dport=1000 mark=0 use=1\n',
    )
    expect(read('l')).toMatch(/^refused: IN=tun0 OUT=tun1 .*SRC=10\.0\.1\.2 DST=203\.0\.113\.9 .*DPT=9 LEN=10 *\n$/)
  })

  test('- is standard output; the summary then goes to standard error, as JSON if asked', () => {
    capture([[0, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:9 "no"']])
    const { stdout, stderr } = replay(...FILES, '--log', '-', '--counters', '-', '--json')
    expect(stdout).toMatch(/^refused: IN=tun0 .*\n\*filter\n(.*\n)*\*nat\n(.*\n)*COMMIT\n$/)
    expect(JSON.parse(stderr)).toMatchObject({
      capture: { packets: 1, skipped: 0 },
      dropped: { netfilter: 1 },
      links: { tun0: { rxPackets: 1, txPackets: 1 } },
    })
  })

  test('the same seed gives the same ports, another seed others', () => {
    // The second sender's port is taken: another one is picked at random.
    capture([
      [0, 'tun0', 'udp 10.0.1.2:5000 > 203.0.113.9:53'],
      [1, 'tun0', 'udp 10.0.1.3:5000 > 203.0.113.9:53'],
    ])
    const run = (seed: string) => {
      replay(...FILES, '--write', 'out.pcapng', '--seed', seed)
      return readFileSync(path('out.pcapng')).toString('hex')
    }
    const [first, again, other] = [run('1'), run('1'), run('2')]
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })

  test('fragments that stay alone are given up at their time, not at that of the next packet', () => {
    writeFileSync(path('rules.v4'), '*filter\n-A INPUT -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n')
    const [fragment] = packetsOf('udp 10.0.1.2:1000 > 10.0.1.1:53 len 2000 split 1500')
    const writer = new PcapngWriter(path('in.pcapng'), [{ name: 'tun0' }], { resolution: 9 })
    writer.write(0, START, fragment)
    writer.write(0, START + 100n * SECOND, packetsOf('icmp 10.0.1.2 > 10.0.1.1 echo-request id 1')[0])
    writer.close()
    replay(...FILES, '--write', 'out.pcapng')
    const { packets } = written()
    expect(packets.map(([, , line]) => line)).toEqual([
      expect.stringMatching(/^icmp 10\.0\.1\.1 > 10\.0\.1\.2 reassembly-time-exceeded/),
      expect.stringMatching(/^icmp 10\.0\.1\.1 > 10\.0\.1\.2 echo-reply/),
    ])
    const late = packets[0][0] - 30n * SECOND
    expect(late >= 0n && late <= SECOND / 25n).toBe(true)
  })

  test('a time stamp that is earlier than the one before leaves with its packet', () => {
    capture([
      [5, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:53'],
      [4, 'tun0', 'udp 10.0.1.2:1001 > 203.0.113.9:53'],
    ])
    replay(...FILES, '--write', 'out.pcapng')
    expect(written().packets.map(([time]) => time)).toEqual([5n * SECOND, 4n * SECOND])
  })

  test('an empty capture gives an empty one', () => {
    capture([])
    expect(replay(...FILES, '--write', 'out.pcapng').status).toBe(0)
    expect(written().packets).toEqual([])
    expect(written().interfaces).toHaveLength(3)
  })
})

describe('what is refused', () => {
  test.each([
    [
      'rules',
      () => writeFileSync(path('rules.v4'), '*filter\n-A FORWARD -j NOWHERE\nCOMMIT\n'),
      /^tunfilter: rules\.v4:2:\d+: /,
    ],
    [
      'a configuration',
      () => writeFileSync(path('node.yaml'), 'devices: 5\n'),
      /^tunfilter: node\.yaml:1:10: devices: /,
    ],
    ['no rules', () => rmSync(path('rules.v4')), /^tunfilter: rules\.v4: ENOENT/],
    ['a broken capture', () => writeFileSync(path('in.pcapng'), 'what?'), /^tunfilter: in\.pcapng: offset 0: expected/],
    [
      'interfaces that are not configured',
      () => capture([[0, 'eth0', 'udp 10.0.1.2:1000 > 203.0.113.9:9']], ['tun0', 'eth0', 'eth1']),
      /^tunfilter: in\.pcapng: interfaces that no device is named after: 'eth0', 'eth1'; expected 'tun0', 'tun1', 'spare'/,
    ],
  ])('%s: status 1, the reason, and no output', (_, spoil, expected) => {
    capture([[0, 'tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:9']])
    spoil()
    const { status, stdout, stderr } = replay(...FILES, '--write', 'out.pcapng', '--log', 'l', '--counters', 'c')
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(expected)
    expect(['out.pcapng', 'l', 'c'].filter((name) => existsSync(path(name)))).toEqual([])
  })

  test('interfaces that are not configured can be passed over', () => {
    capture(
      [
        [0, 'eth0', 'udp 10.0.1.2:1000 > 203.0.113.9:53'],
        [0, 'tun0', 'udp 10.0.1.2:1001 > 203.0.113.9:53'],
      ],
      ['tun0', 'eth0'],
    )
    const { status, stdout } = replay(...FILES, '--skip-unknown', '--write', 'out.pcapng')
    expect(status).toBe(0)
    expect(stdout).toContain('2 packets in 0.000 s, 1 passed over; 1 flow')
    expect(written().packets.map(([, , line]) => line)).toEqual(['udp 203.0.113.1:1001 > 203.0.113.9:53 ttl 63'])
  })

  test('a classic pcap file, unless told which device its packets enter by', () => {
    const packet = packetsOf('udp 10.0.1.2:1000 > 203.0.113.9:53')[0]
    const header = Buffer.alloc(24 + 16)
    header.writeUInt32LE(0xa1b2c3d4, 0)
    header.writeUInt16LE(2, 4)
    header.writeUInt16LE(4, 6)
    header.writeUInt32LE(65535, 16)
    header.writeUInt32LE(101, 20)
    header.writeUInt32LE(packet.length, 32)
    header.writeUInt32LE(packet.length, 36)
    writeFileSync(path('in.pcapng'), Buffer.concat([header, packet]))
    expect(replay(...FILES).stderr).toMatch(/one without a name/)
    expect(replay(...FILES, '--interface', 'tun9').stderr).toMatch(/--interface tun9: expected 'tun0', 'tun1', 'spare'/)
    expect(replay(...FILES, '--interface', 'tun0').stdout).toMatch(/^1 packets/)
  })
})

test('--nflog writes the packets of NFLOG rules, an interface for each group', () => {
  writeFileSync(
    path('rules.v4'),
    `*raw
-A PREROUTING -j NFLOG --nflog-group 7 --nflog-prefix "seen: "
-A PREROUTING -p udp -j MARK --set-mark 0x102
COMMIT
*filter
-A FORWARD -j NFLOG --nflog-group 300 --nflog-size 24
COMMIT
`,
  )
  capture([[1.5, 'tun0', 'udp 10.0.1.2:1 > 203.0.113.2:2 len 4']])
  const { status, stderr } = replay(...FILES, '--nflog', 'nflog.pcapng')
  expect([status, stderr]).toEqual([0, ''])
  const reader = new PcapngReader(path('nflog.pcapng'))
  const packets: [string | undefined, bigint, string][] = []
  for (let p = reader.next(); p !== undefined; p = reader.next())
    packets.push([p.interface.name, (p.time ?? 0n) - START, Buffer.from(p.data).toString('hex')])
  expect(reader.interfaces.map(({ linkType }) => linkType)).toEqual([239, 239])
  reader.close()
  const ip = '4500002000000000401133c90a000102cb007102'
  expect(packets).toEqual([
    [
      'nflog:7',
      1_499_999_211n,
      `02000007${'0800010008000000'}${'0b000a007365656e3a200000'}${'24000900'}${ip}00010002000cb6ca${'00010203'}`,
    ],
    [
      'nflog:300',
      1_499_999_211n,
      `0200012c${'0800010008000200'}${'0800020000000102'}${'1c000900'}${ip.replace('401133c9', '3f1134c9')}00010002`,
    ],
  ])
})
