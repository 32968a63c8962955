// `tunfilter up`, from outside: a client and a server namespace with the built command between them.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PcapngReader } from '../../src/device/pcapng/reader.ts'
import { native, needsTun } from '../device/with-native.ts'
import { type Namespace, newDirectory, newNamespace, RunningGateway, reason } from './lab.ts'

function needsLab(title: string) {
  const [name, options] = needsTun(title)
  return reason === '' || options.skip
    ? ([name, options] as const)
    : ([`${title} (skipped: ${reason})`, { skip: true }] as const)
}

const NAT = `*nat
-A POSTROUTING -s 10.0.1.0/24 -o tun1 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i tun0 -m conntrack --ctstate NEW -j ACCEPT
COMMIT
`
/** The same without the rule that lets new flows through. */
const NOTHING_NEW = NAT.replace(/.*ctstate NEW.*\n/, '')

interface Lab {
  readonly client: Namespace
  readonly server: Namespace
  readonly directory: string
  readonly gateway: RunningGateway
}

async function newLab(rules = NAT, ...options: readonly string[]): Promise<Lab> {
  const [client, server] = [newNamespace(), newNamespace()]
  const config = `devices:
  tun0:
    addresses: [10.0.1.1/24]
    netns: ${client.path}
    peer: { addresses: [10.0.1.2/24], routes: [default] }
  tun1: { addresses: [203.0.113.1/24], netns: ${server.path}, peer: { addresses: [203.0.113.2/24] } }
`
  const directory = newDirectory({ 'gateway.yaml': config, 'rules.v4': rules })
  const gateway = new RunningGateway(directory, ['--config', 'gateway.yaml', '--rules', 'rules.v4', ...options])
  await gateway.until('"started"')
  return { client, server, directory, gateway }
}

/** Whether an echo with this identifier, which makes it part of one flow, is answered through the gateway. */
function echo({ client }: Lab, identifier: number, patience = 10): boolean {
  return client.run('ping', '-c1', `-W${patience}`, '-e', String(identifier), '203.0.113.2').status === 0
}

function messages({ gateway }: Lab): string[] {
  return gateway.stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { msg: string }).msg)
}

describe('a running gateway', () => {
  test(...needsLab('says at the start what its devices, rules and limits are'), async () => {
    const { gateway, client } = await newLab()
    const started = JSON.parse(gateway.stderr.split('\n')[0]) as object
    expect(started).toMatchObject({
      msg: 'started',
      rules: { file: 'rules.v4', count: 3 },
      limits: { flows: 262144 },
      devices: [`tun0 10.0.1.1/24 mtu 1500 netns ${client.path} peer 10.0.1.2/24`, expect.stringMatching(/^tun1 /)],
    })
  })

  test(...needsLab('prints flows and counters on SIGUSR1, in the forms of conntrack and iptables-save'), async () => {
    const lab = await newLab()
    expect(echo(lab, 77)).toBe(true)
    const text = await lab.gateway.list()
    expect(text).toMatch(
      /^ipv4 {5}2 icmp {5}1 \d+ src=10\.0\.1\.2 dst=203\.0\.113\.2 type=8 code=0 id=77 src=203\.0\.113\.2 dst=203\.0\.113\.1 type=0 code=0 id=77 mark=0 use=1$/m,
    )
    expect(text).toContain('[1:84] -A POSTROUTING -s 10.0.1.0/24 -o tun1 -j MASQUERADE\n')
    expect(text).toMatch(/^tun0 rxPackets=1 rxBytes=84 /m)
    const rules = text.split('\n').filter((line) => /^\[\d+:\d+\] -A /.test(line)).length
    expect(text).toMatch(new RegExp(`^memory rules=${rules} heap=[1-9]\\d{5,} external=\\d+ ledger=65536$`, 'm'))
  })

  test(...needsLab('reads the rules again on SIGHUP and keeps the flows'), async () => {
    const lab = await newLab()
    expect(echo(lab, 77)).toBe(true)
    writeFileSync(join(lab.directory, 'rules.v4'), NOTHING_NEW)
    lab.gateway.signal('SIGHUP')
    await lab.gateway.until('rules loaded')
    expect([echo(lab, 77), echo(lab, 78, 1)]).toEqual([true, false])
    // Counters of rules that stand unchanged go on.
    expect(await lab.gateway.list()).toContain(
      '[3:252] -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n',
    )
  })

  test(...needsLab('keeps the old rules when the new ones are bad, and says everything that is wrong'), async () => {
    const lab = await newLab(NOTHING_NEW)
    writeFileSync(
      join(lab.directory, 'rules.v4'),
      NAT.replace('--ctstate NEW', '--ctstate NEWW').replace(':FORWARD DROP', ':FORWARD QUIT'),
    )
    lab.gateway.signal('SIGHUP')
    await lab.gateway.until('the old rules stay')
    const said = messages(lab)
    expect(said).toContainEqual(expect.stringMatching(/^reload: rules\.v4:5:\d+: .*QUIT/))
    expect(said).toContainEqual(expect.stringMatching(/^reload: rules\.v4:7:\d+: .*NEWW/))
    expect(echo(lab, 77, 1)).toBe(false)

    rmSync(join(lab.directory, 'rules.v4'))
    lab.gateway.signal('SIGHUP')
    await lab.gateway.until('ENOENT')
    expect(echo(lab, 78, 1)).toBe(false)

    writeFileSync(join(lab.directory, 'rules.v4'), NAT)
    lab.gateway.signal('SIGHUP')
    await lab.gateway.until('rules loaded')
    expect(echo(lab, 79)).toBe(true)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(...needsLab(`ends with totals and status 0 on ${signal}, and its devices with it`), async () => {
      const lab = await newLab()
      expect(echo(lab, 77)).toBe(true)
      lab.gateway.signal(signal)
      expect(await lab.gateway.ended).toBe(0)
      expect(lab.gateway.stdout).toMatch(/^tun0 +1 +84 +1 +84 +0$/m)
      expect(native.listLinks(lab.client.path).map(({ name }) => name)).toEqual(['lo'])
    })
  }

  test(...needsLab('ends on SIGTERM while it is flooded'), async () => {
    const lab = await newLab()
    const flood = lab.client.start('ping', '-f', '-q', '-s', '1000', '-w', '20', '203.0.113.2')
    let packets = 0
    while (packets < 100) packets = Number(/^tun0 rxPackets=(\d+)/m.exec(await lab.gateway.list())?.[1])
    lab.gateway.signal('SIGTERM')
    expect(await lab.gateway.ended).toBe(0)
    flood.kill('SIGKILL')
  })

  test(...needsLab('logs a vanished device once; the others go on, and so does the log'), async () => {
    const lab = await newLab()
    native.deleteLink(lab.client.path, 'tun0')
    await lab.gateway.until('tun0: receive failed')
    for (let i = 0; i < 3; i++) expect(lab.server.run('ping', '-c1', '-W10', '203.0.113.1').status).toBe(0)
    expect(messages(lab).filter((line) => line.includes('tun0: '))).toHaveLength(1)
    expect(await lab.gateway.list()).toMatch(/^tun0 .*rxErrors=1 /m)
    lab.gateway.signal('SIGTERM')
    expect(await lab.gateway.ended).toBe(0)
  })

  test(...needsLab('writes the lines of LOG rules into its log'), async () => {
    const lab = await newLab(`*filter\n-A FORWARD -p icmp -j LOG --log-prefix "seen: " --log-level 4\nCOMMIT\n`)
    lab.client.run('ping', '-c1', '-W1', '203.0.113.2')
    await lab.gateway.until('seen: IN=tun0 OUT=tun1 ')
    const line = lab.gateway.stderr.split('\n').find((text) => text.includes('seen: '))!
    expect(JSON.parse(line)).toMatchObject({
      level: 40,
      msg: expect.stringMatching(/^seen: IN=tun0 OUT=tun1 .*DST=203.0.113.2 /),
    })
  })
})

describe('--nflog', () => {
  const rules = `*filter\n-A FORWARD -p icmp -j NFLOG --nflog-group 3 --nflog-prefix seen\nCOMMIT\n`

  test(...needsLab('writes the packets of NFLOG rules as they come'), async () => {
    const lab = await newLab(rules, '--nflog', 'nflog.pcapng')
    lab.client.run('ping', '-c3', '-W1', '-i0.01', '203.0.113.2')
    lab.gateway.signal('SIGTERM')
    expect(await lab.gateway.ended).toBe(0)
    const reader = new PcapngReader(join(lab.directory, 'nflog.pcapng'))
    let count = 0
    for (let packet = reader.next(); packet !== undefined; packet = reader.next(), count++)
      expect([packet.interface.name, Buffer.from(packet.data).includes('seen')]).toEqual(['nflog:3', true])
    reader.close()
    expect(count).toBeGreaterThanOrEqual(3)
  })

  test(...needsLab('says so once when the file cannot be written, and goes on'), async () => {
    const lab = await newLab(rules, '--nflog', '/dev/full')
    expect(lab.client.run('ping', '-c2', '-W1', '-i0.01', '203.0.113.2').output).toContain('2 packets transmitted')
    await lab.gateway.until('NFLOG: /dev/full: ENOSPC')
    lab.gateway.signal('SIGTERM')
    expect(await lab.gateway.ended).toBe(0)
    expect(messages(lab).filter((line) => line.startsWith('NFLOG'))).toHaveLength(1)
  })
})

describe('devices', () => {
  test(...needsLab('one that was there before is attached to, keeps its MTU and stays'), async () => {
    const client = newNamespace()
    native.close(native.openTun({ name: 'tun5', netns: client.path, persist: true }).fd)
    native.setLink(client.path, { name: 'tun5', mtu: 1400, up: true })
    native.addAddress(client.path, { name: 'tun5', address: '10.0.1.2', prefixLength: 24 })
    const config = `devices: { tun5: { addresses: [10.0.1.1/24], netns: ${client.path} } }`
    const gateway = new RunningGateway(newDirectory({ 'g.yaml': config }), ['--config', 'g.yaml'])
    await gateway.until('"started"')
    expect(gateway.stderr).toContain(`tun5 10.0.1.1/24 mtu 1400 netns ${client.path} attached`)
    expect(client.run('ping', '-c1', '-W10', '10.0.1.1').status).toBe(0)
    gateway.signal('SIGTERM')
    expect(await gateway.ended).toBe(0)
    expect(native.listLinks(client.path).find(({ name }) => name === 'tun5')).toMatchObject({ mtu: 1400, up: true })
  })

  test(...needsLab('addresses and routes that are there already are no error'), async () => {
    const client = newNamespace()
    const peer = 'peer: { addresses: [10.0.1.2/24], routes: [default, 10.9.0.0/16] }'
    const config = `devices: { tun5: { addresses: [10.0.1.1/24], netns: ${client.path}, persist: true, ${peer} } }`
    const directory = newDirectory({ 'g.yaml': config })
    for (let i = 0; i < 2; i++) {
      const gateway = new RunningGateway(directory, ['--config', 'g.yaml'])
      await gateway.until('"started"')
      expect(client.run('ping', '-c1', '-W10', '10.0.1.1').status).toBe(0)
      gateway.signal('SIGTERM')
      expect(await gateway.ended).toBe(0)
    }
  })

  test(...needsLab('one that is in use, or whose namespace is not there, is an error that names it'), async () => {
    const client = newNamespace()
    const { fd } = native.openTun({ name: 'tun5', netns: client.path })
    const cases = [
      [client.path, /^tunfilter: device tun5: .*EBUSY.*it is open already/],
      ['no-such-namespace', /^tunfilter: device tun5: .*there is no such network namespace/],
    ] as const
    for (const [netns, expected] of cases) {
      const directory = newDirectory({ 'g.yaml': `devices: { tun5: { netns: ${netns} } }` })
      const gateway = new RunningGateway(directory, ['--config', 'g.yaml'])
      expect(await gateway.ended).toBe(1)
      expect(gateway.stderr).toMatch(expected)
    }
    native.close(fd)
  })
})

test(...needsLab('rules or a configuration that are refused end it with status 1 and every complaint'), async () => {
  const directory = newDirectory({
    'g.yaml': `devices: { tun5: { netns: ${newNamespace().path} } }`,
    'bad.yaml': 'devices: { tun5: { mtu: 1 } }\nroute: []\n',
    'bad.v4': '*filter\n-A FORWARD -p tcp --dport 99999 -j DROP\n-A NOWHERE -j DROP\nCOMMIT\n',
  })
  const rules = new RunningGateway(directory, ['--config', 'g.yaml', '--rules', 'bad.v4'])
  expect(await rules.ended).toBe(1)
  expect(rules.stderr).toMatch(/^tunfilter: bad\.v4:2:\d+: .*\ntunfilter: bad\.v4:3:\d+: .*\n$/)
  const config = new RunningGateway(directory, ['--config', 'bad.yaml'])
  expect(await config.ended).toBe(1)
  expect(config.stderr).toMatch(/^tunfilter: bad\.yaml:1:25: .*\ntunfilter: bad\.yaml:2:1: unknown key 'route'/)
})
