// `tunfilter up --workers N`: whatever queue a packet comes by, the outcome is that of one thread. Two namespaces with many flows between.

import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { native, needsTun } from '../device/with-native.ts'
import { root } from '../support/build.ts'
import { command, type Namespace, newDirectory, newNamespace, RunningGateway, reason } from './lab.ts'

const FLOWS_PROGRAM = join(root, 'test/gateway/flows.py')
const python = spawnSync('python3', ['--version']).error === undefined ? '' : 'needs python3'

function needsLab(title: string) {
  const [name, options] = needsTun(title)
  const why = reason || python
  return why === '' || options.skip
    ? ([name, options] as const)
    : ([`${title} (skipped: ${why})`, { skip: true }] as const)
}

const NAT = `*nat
-A POSTROUTING -o tun1 -j MASQUERADE
COMMIT
*filter
-A FORWARD -i tun0 -o tun1 -p udp -j ACCEPT
-A FORWARD -i tun1 -o tun0 -p udp -j ACCEPT
COMMIT
`

interface Lab {
  readonly client: Namespace
  readonly server: Namespace
  readonly directory: string
  readonly gateway: RunningGateway
}

interface LabOptions {
  readonly rules?: string
  readonly sets?: string
  /** Lines of the configuration. */
  readonly more?: string
  readonly options?: readonly string[]
}

async function newLab({ rules = NAT, sets, more = '', options = ['--workers', '2'] }: LabOptions = {}): Promise<Lab> {
  const [client, server] = [newNamespace(), newNamespace()]
  const config = `${more}devices:
  tun0:
    addresses: [10.0.1.1/24]
    netns: ${client.path}
    queueLength: 10000
    peer: { addresses: [10.0.1.2/24], routes: [default] }
  tun1:
    addresses: [203.0.113.1/24]
    netns: ${server.path}
    queueLength: 10000
    peer: { addresses: [203.0.113.2/24] }
`
  const files = { 'gateway.yaml': config, 'rules.v4': rules, ...(sets !== undefined && { sets }) }
  const directory = newDirectory(files)
  const gateway = new RunningGateway(directory, [
    ...['--config', 'gateway.yaml', '--rules', 'rules.v4', '--control', 'socket'],
    ...(sets === undefined ? [] : ['--ipset', 'sets']),
    ...options,
  ])
  await gateway.until('"started"')
  return { client, server, directory, gateway }
}

/** What a program prints until it ends. */
function output(program: ChildProcess): Promise<string> {
  let text = ''
  program.stdout!.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  return once(program, 'close').then(() => text)
}

/** Counters of a device, by name. */
function counters(listing: string, device: string): Record<string, number> {
  const line = new RegExp(`^${device} (rxPackets=.*)$`, 'm').exec(listing)?.[1] ?? ''
  return Object.fromEntries(line.split(' ').map((word) => [word.split('=')[0], Number(word.split('=')[1])]))
}

/** Packets and bytes that the first rule that begins so has counted. */
function counted(listing: string, rule: string): [number, number] {
  const line = listing.split('\n').find((text) => text.includes(`] -A FORWARD ${rule}`))
  const [, packets, bytes] = /^\[(\d+):(\d+)\]/.exec(line ?? '') ?? []
  return [Number(packets), Number(bytes)]
}

function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

describe.each(['uring', 'read'])('several workers, --io %s', (io) => {
  test(...needsLab('keep many NATed flows in order and whole, and lose nothing that is not counted'), async () => {
    const { client, server, gateway } = await newLab({ options: ['--workers', '2', '--io', io] })
    expect(gateway.stderr).toContain(`"io":"${io === 'uring' ? 'io_uring' : 'read'}, 2 workers"`)
    const sink = server.start('python3', FLOWS_PROGRAM, 'sink', '7000')
    const sunk = output(sink)
    await once(sink.stdout!, 'data')
    const source = client.start('python3', FLOWS_PROGRAM, 'source', '20000', '203.0.113.2', '7000', '32', '800')
    const sent = JSON.parse(await output(source)) as Record<string, number>
    sink.kill('SIGTERM')
    const came = JSON.parse((await sunk).split('\n')[1]!) as Record<string, number>
    expect(sent).toMatchObject({ answered: 32, disorder: 0, corrupt: 0, flows: 32 })
    expect(came).toMatchObject({ disorder: 0, corrupt: 0, flows: 32 })

    const listing = await gateway.list()
    const [lan, wan] = [counters(listing, 'tun0'), counters(listing, 'tun1')]
    const [there] = counted(listing, '-i tun0 ')
    const [back] = counted(listing, '-i tun1 ')
    expect([lan.rxPackets, wan.rxPackets]).toEqual([there, back])
    expect([wan.txPackets, lan.txPackets]).toEqual([there, back])
    expect(came.packets).toBe(wan.txPackets)
    expect([lan, wan]).toMatchObject(Array(2).fill({ rxErrors: 0, txErrors: 0, txDropped: 0 }))
    expect(listing).toContain('# flows: 32\n')
    gateway.signal('SIGTERM')
    expect(await gateway.ended).toBe(0)
    expect(gateway.stdout).toMatch(new RegExp(`^tun1 +${back} +\\d+ +${there} +\\d+ +0$`, 'm'))
  })
})

const FLOWS = 40
/** Each rule that remembers something has a port of its own; packets are 100 bytes long. */
const STATEFUL = `*filter
:FORWARD DROP [0:0]
-A FORWARD -i tun1 -j ACCEPT
-A FORWARD -p udp -m udp --dport 7001 -m quota --quota 100000 -j ACCEPT
-A FORWARD -p udp -m udp --dport 7002 -m limit --limit 6/hour --limit-burst 50 -j ACCEPT
-A FORWARD -p udp -m udp --dport 7003 -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode srcport --hashlimit-name each -j ACCEPT
-A FORWARD -p udp -m udp --dport 7004 -m connlimit --connlimit-upto 10 --connlimit-mask 0 --connlimit-saddr -j ACCEPT
-A FORWARD -p udp -m udp --dport 7005 -j SET --add-set seen src,src
-A FORWARD -p udp -m udp --dport 7006 -m recent --rcheck --seconds 3600 --hitcount 20 --name often --mask 255.255.255.255 --rsource -j DROP
-A FORWARD -p udp -m udp --dport 7006 -m recent --set --name often --mask 255.255.255.255 --rsource -j ACCEPT
-A FORWARD -p udp -m udp --dport 7007
-A FORWARD -p udp -m udp --dport 7007 -m statistic --mode nth --every 10 --packet 0 -j ACCEPT
COMMIT
`

test(...needsLab('rules that remember something do it exactly, by whatever queues packets come at once'), async () => {
  const lab = await newLab({ rules: STATEFUL, sets: 'create seen hash:ip,port\n' })
  const { client, gateway } = lab
  const senders = [7001, 7002, 7003, 7004, 7005, 7006, 7007].map((port) => {
    const own = String(20_000 + 100 * (port - 7000))
    return output(client.start('python3', FLOWS_PROGRAM, 'send', own, '203.0.113.2', `${port}`, `${FLOWS}`, '100'))
  })
  await Promise.all(senders)
  const listing = await gateway.list()
  const rule = (start: string) => counted(listing, `-p udp -m udp --dport ${start}`)
  const flowsTo = (port: number) =>
    listing.match(new RegExp(`^ipv4 .* dport=${port} (\\[UNREPLIED\\] )?src=`, 'gm'))?.length
  expect({
    quota: rule('7001 -m quota'),
    limit: rule('7002 -m limit'),
    hashlimit: rule('7003 -m hashlimit'),
    recent: rule('7006 -m recent --set'),
    connlimit: flowsTo(7004),
  }).toEqual({
    quota: [1000, 100_000],
    limit: [50, 5000],
    hashlimit: [5 * FLOWS, 500 * FLOWS],
    recent: [20, 2000],
    connlimit: 10,
  })
  const [asked] = rule('7007')
  expect(asked).toBeGreaterThan(100)
  expect(rule('7007 -m statistic')[0]).toBe(Math.ceil(asked / 10))
  const env = { ...process.env, TUNFILTER_CONTROL: join(lab.directory, 'socket') }
  const { stdout } = spawnSync(command, ['ipset', 'save', 'seen'], { env, encoding: 'utf8' })
  expect(stdout.split('\n').filter((line) => line.startsWith('add seen 10.0.1.2,udp:'))).toHaveLength(FLOWS)
})

describe('a gateway with workers', () => {
  const pings = ({ client }: Lab, address = '203.0.113.2') => client.run('ping', '-c1', '-W10', address).status === 0

  test(...needsLab('sleeps when there is nothing to do'), async () => {
    const lab = await newLab({ more: 'workers: 3\n', options: [] })
    expect(lab.gateway.stderr).toContain(', 3 workers"')
    expect(pings(lab)).toBe(true)
    await sleep(1500)
    const before = processorSeconds(lab.gateway.pid)
    await sleep(1000)
    expect(processorSeconds(lab.gateway.pid) - before).toBeLessThan(0.3)
    expect(pings(lab)).toBe(true)
  })

  test(...needsLab('reads rules again, and ends while it is flooded'), async () => {
    const lab = await newLab({ options: ['--workers', '2', '--busy-poll', '50'] })
    const flood = lab.client.start('ping', '-f', '-q', '-s', '1000', '-w', '20', '203.0.113.2')
    let packets = 0
    while (packets < 100) packets = counters(await lab.gateway.list(), 'tun0').rxPackets ?? 0
    lab.gateway.signal('SIGHUP')
    await lab.gateway.until('rules loaded')
    lab.gateway.signal('SIGTERM')
    expect(await lab.gateway.ended).toBe(0)
    flood.kill('SIGKILL')
    expect(native.listLinks(lab.client.path).map(({ name }) => name)).toEqual(['lo'])
  })

  test(...needsLab('logs a vanished device once, and goes on with the others'), async () => {
    const lab = await newLab()
    expect(pings(lab)).toBe(true)
    native.deleteLink(lab.client.path, 'tun0')
    await lab.gateway.until('tun0: receive failed')
    for (let i = 0; i < 5; i++) expect(lab.server.run('ping', '-c1', '-W10', '203.0.113.1').status).toBe(0)
    expect(lab.gateway.stderr.match(/tun0: receive failed/g)).toHaveLength(1)
    expect(await lab.gateway.list()).toMatch(/^tun0 .*rxErrors=1 /m)
    lab.gateway.signal('SIGTERM')
    expect(await lab.gateway.ended).toBe(0)
  })

  test(...needsLab('attaches to a device that has several queues, and says so of one that has not'), async () => {
    const client = newNamespace()
    for (const [name, multiQueue] of [
      ['tun5', true],
      ['tun6', false],
    ] as const) {
      native.close(native.openTun({ name, multiQueue, netns: client.path, persist: true }).fd)
      native.setLink(client.path, { name, up: true })
      native.addAddress(client.path, { name, address: '10.0.1.2', prefixLength: 24 })
      const config = `{ workers: 2, devices: { ${name}: { addresses: [10.0.1.1/24], netns: ${client.path} } } }`
      const gateway = new RunningGateway(newDirectory({ 'g.yaml': config }), ['--config', 'g.yaml'])
      if (multiQueue) {
        await gateway.until('"started"')
        expect(client.run('ping', '-c1', '-W10', '10.0.1.1').status).toBe(0)
        gateway.signal('SIGTERM')
        expect(await gateway.ended).toBe(0)
        native.setLink(client.path, { name, up: false })
      } else {
        expect(await gateway.ended).toBe(1)
        expect(gateway.stderr).toMatch(
          /^tunfilter: device tun6: .*EINVAL.*--workers 2 needs a device of several queues/,
        )
      }
    }
  })
})
