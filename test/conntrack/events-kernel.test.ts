// Events of flows beside the kernel's: the same packets through a router of each, and what `conntrack -E` prints of the kernel's
// flows beside what ours prints.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { runConntrack } from '../../src/conntrack/command/run.ts'
import { CONFIG, Router } from '../engine/router.ts'
import { KernelRig } from '../kernel/rig.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { bytesOf } from '../support/packets.ts'

const RULES = `*mangle
-A FORWARD -p udp -m udp --dport 77 -j CONNMARK --set-mark 7
-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED,RELATED -j ACCEPT
COMMIT
*filter
-A FORWARD -p udp -m udp --dport 99 -j DROP
COMMIT
*nat
-A POSTROUTING -o wan -p udp -j SNAT --to-source 203.0.113.7
COMMIT
`

type Step = readonly [device: string, packet: string] | 'flush'

const CONVERSATIONS: Record<string, readonly Step[]> = {
  'TCP from handshake to the end': [
    ['lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1'],
    ['lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1'],
    ['wan', 'tcp 203.0.113.9:80 > 10.0.1.2:1000 S. seq 100 ack 2'],
    ['lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 . seq 2 ack 101'],
    ['lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 P. seq 2 ack 101 len 5'],
    ['wan', 'tcp 203.0.113.9:80 > 10.0.1.2:1000 F. seq 101 ack 7'],
    ['lan', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 F. seq 7 ack 102'],
    ['wan', 'tcp 203.0.113.9:80 > 10.0.1.2:1000 . seq 102 ack 8'],
    'flush',
  ],
  'TCP refused': [
    ['lan', 'tcp 10.0.1.2:1001 > 203.0.113.9:80 S seq 1'],
    ['wan', 'tcp 203.0.113.9:80 > 10.0.1.2:1001 R. seq 0 ack 2'],
    'flush',
  ],
  'UDP translated, marked, answered, dropped': [
    ['lan', 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5'],
    ['wan', 'udp 203.0.113.9:53 > 203.0.113.7:1000 len 7'],
    ['lan', 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5'],
    ['lan', 'udp 10.0.1.2:1000 > 203.0.113.9:77 len 5'],
    ['lan', 'udp 10.0.1.2:1000 > 203.0.113.9:99 len 5'],
    'flush',
  ],
  'ICMP, GRE, and an error': [
    ['lan', 'icmp 10.0.1.2 > 203.0.113.9 echo-request id 5 seq 1 len 8'],
    ['wan', 'icmp 203.0.113.9 > 10.0.1.2 echo-reply id 5 seq 1 len 8'],
    ['lan', 'ip 10.0.1.2 > 203.0.113.9 proto 47 hex 0000080000'],
    ['wan', 'icmp 203.0.113.9 > 10.0.1.2 port-unreachable [ ip 10.0.1.2 > 203.0.113.9 proto 47 hex 0000080000 ]'],
    'flush',
  ],
}

const SYSCTLS: Record<string, number>[] = [
  {},
  { 'net.netfilter.nf_conntrack_acct': 1, 'net.netfilter.nf_conntrack_timestamp': 1 },
]
const FORMS = ['', '-o extended', '-o save', '-o xml', '-e NEW,DESTROY', '-e UPDATES', '-p tcp', '-o ktimestamp']

let close: () => Promise<void> = async () => {}
afterEach(() => close())

/** Ids, moments and who asked are each side's own; a second may have begun; flushing has an order of its own. */
function settled(text: string): string[] {
  const lines = text
    .replace(/<id>\d+/g, '<id>N')
    .replace(/delta-time=\d+/g, 'delta-time=S')
    .replace(/<deltatime>\d+/g, '<deltatime>S')
    .replace(/\[(start|stop)=[^\]]+\]/g, '[$1=T]')
    .replace(/\[USERSPACE\] portid=\d+( progname=conntrack)?/g, '[USERSPACE]')
    .replace(/^( *\[\w+\] (?:ipv4 +2 )?\w+ +\d+ )(\d+)/gm, (_, head: string, seconds: string) => head + near(seconds))
    .replace(/(-t |<timeout>)(\d+)/g, (_, head: string, seconds: string) => head + near(seconds))
    .trimEnd()
    .split('\n')
  const first = lines.findIndex((line) => /DESTROY|^-D|type="destroy"/.test(line))
  return first < 0 ? lines : [...lines.slice(0, first), ...lines.slice(first).sort()]
}

/** Timeouts that are seen here lie more than two seconds apart. */
const near = (seconds: string) => String(Math.ceil(Number(seconds) / 5) * 5)

describe('conntrack -E tells of the same events', () => {
  for (const sysctl of SYSCTLS)
    for (const form of FORMS)
      test(
        ...needsKernel(`${form || 'plain'}${Object.keys(sysctl).length > 0 ? ', with counters and time stamps' : ''}`),
        async () => {
          const rig = await KernelRig.open({ ...CONFIG, sysctl })
          const directory = mkdtempSync(join(tmpdir(), 'tunfilter-events-'))
          close = async () => {
            await rig.close()
            rmSync(directory, { recursive: true })
          }
          await rig.load(RULES)
          for (const [name, steps] of Object.entries(CONVERSATIONS)) {
            const file = join(directory, 'events')
            const pid = await rig.shellRun(`conntrack -E ${form} > ${file} 2>/dev/null & echo $!`)
            // Until it has joined the groups of its netlink socket.
            await rig.shellRun(
              `until awk '$2 == 12 && $4 != "00000000" { f = 1 } END { exit !f }' /proc/net/netlink; do sleep 0.01; done`,
            )
            const router = new Router(RULES, { sysctl })
            let ours = ''
            const gone: (() => void)[] = []
            const client = {
              gone: false,
              unread: 0,
              onGone: (listener: () => void) => gone.push(listener),
              drained: () => Promise.resolve(),
              readInput: () => Promise.resolve(''),
              readFile: () => Promise.resolve(''),
              print: (text: string) => {
                ours += text
              },
              printError: () => {},
            }
            const environment = { protocolNumber: () => undefined, labels: () => undefined }
            const { source } = router.engine.flows
            const watching = runConntrack(['-E', ...form.split(' ').filter(Boolean)], source, client, environment, 1)
            for (const step of steps) {
              if (step === 'flush') {
                await rig.shellRun('conntrack -F 2>/dev/null')
                await runConntrack(['-F'], source, { ...client, print: () => {} }, environment, 1)
              } else {
                rig.exchange(step[0], [bytesOf(step[1])], 0)
                router.send(step[0], step[1])
              }
            }
            router.engine.step()
            // What the kernel tells last may take a moment to come through the tool.
            const lines = ours.split('\n').length - 1
            await rig.shellRun(
              `n=0; until [ $(wc -l < ${file}) -ge ${lines} ] || [ $n -ge 200 ]; do n=$((n + 1)); sleep 0.01; done; sleep 0.02`,
            )
            await rig.shellRun(`kill -INT ${pid.trim()}; while kill -0 ${pid.trim()} 2>/dev/null; do sleep 0.01; done`)
            for (const listener of gone) listener()
            await watching
            const theirs = readFileSync(file, 'latin1')
            expect([name, ...settled(ours)]).toEqual([name, ...settled(theirs)])
          }
        },
      )
})
