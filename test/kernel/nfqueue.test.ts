// Queues beside the kernel: the same rules, the same packets, listeners that give the same verdicts. What the listeners get, what leaves,
// counters, flows and LOG lines have to be the same.

import { expect, test } from 'vitest'
import type { QueueChange, QueuedPacket } from '../../src/nfnetlink/nfqueue.ts'
import { packetsOf } from '../support/packet/index.ts'
import { bytesOf } from '../support/packets.ts'
import { EngineSubject } from '../support/scenario/engine.ts'
import {
  Correspondence,
  compareConntrack,
  compareCounters,
  compareLines,
  compareSent,
  type Difference,
  differenceText,
} from './compare.ts'
import { HOOKS, KernelListener, needsListener } from './nfnetlink.ts'
import { KernelRig } from './rig.ts'

const CONFIG = {
  devices: {
    tun0: { addresses: ['10.0.1.1/24'] },
    tun1: { addresses: ['203.0.113.1/24'] },
  },
} as const
const CONFIG6 = {
  devices: {
    tun0: { addresses: ['2001:db8:1::1/64'] },
    tun1: { addresses: ['2001:db8:2::1/64'] },
  },
} as const

interface Record {
  readonly family: number
  readonly queue: number
  readonly hook: number
  readonly mark: number
  readonly priority: number
  readonly in: string
  readonly out: string
  readonly payload: string
}

interface Case {
  readonly rules: string
  /** Of the rules and the router; 4 when left out. */
  readonly family?: 4 | 6
  /** Checksums are not looked at. */
  readonly anySum?: boolean
  /** Queue number, verdicts as nfnetlink.py has them, and further arguments. */
  readonly queues: readonly (readonly [number, string, number?, number?])[]
  /** Device and packet. */
  readonly packets: readonly (readonly [string, string])[]
}

function recordOf({ family, queue, hook, mark, priority, inDevice, outDevice, payload }: QueuedPacket): Record {
  return {
    family: family === 4 ? 2 : 10,
    queue,
    hook: HOOKS.indexOf(hook),
    mark,
    priority,
    in: inDevice,
    out: outDevice,
    payload: Buffer.from(payload).toString('hex'),
  }
}

/** The IP id of the router's own packets is left to chance. */
const plain = (record: Record) =>
  record.in === ''
    ? {
        ...record,
        payload: record.payload.slice(0, 8) + record.payload.slice(24),
      }
    : record

/** A listener of the engine's that does what nfnetlink.py does. */
function judgeBy(plan: string): (packet: QueuedPacket) => void {
  const verdicts = plan.split(',').map((text) => text.trim().split(' '))
  const late: QueuedPacket[] = []
  return (packet) => {
    const words = [...((verdicts.length > 1 ? verdicts.shift() : verdicts[0]) as string[])]
    const verdict = words.shift()
    if (verdict === 'hold') return
    if (verdict === 'late') return void late.push(packet)
    give(packet, verdict, words)
    for (const each of late.splice(0)) each.accept()
  }

  function give(packet: QueuedPacket, verdict: string | undefined, words: string[]): void {
    if (verdict === 'drop') return packet.drop()
    const queue = verdict === 'queue' ? Number(words.shift()) : 0
    const at = (name: string) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined)
    const change: { mark?: number; payload?: Uint8Array } = {}
    if (at('mark') !== undefined) change.mark = Number(at('mark'))
    if (at('payload') !== undefined) change.payload = Buffer.from(at('payload') as string, 'hex')
    if (verdict === 'queue') packet.requeue(queue, change)
    else packet[verdict as 'accept' | 'repeat'](change satisfies QueueChange)
  }
}

async function compare({
  rules,
  family = 4,
  anySum = false,
  queues,
  packets,
}: Case): Promise<{ records: Record[]; sent: number; differences: string }> {
  const ours: Record[] = []
  const config = {
    ...(family === 4 ? CONFIG : CONFIG6),
    ...(anySum && { sysctl: { 'net.netfilter.nf_conntrack_checksum': 0 } }),
  }
  const subject = new EngineSubject(config)
  for (const [number, plan, maxLength, failOpen] of queues) {
    const judge = judgeBy(plan)
    subject.engine.queue(
      number,
      (packet) => {
        ours.push(recordOf(packet))
        judge(packet)
      },
      { maxLength, failOpen: failOpen === 1 },
    )
  }
  const rig = await KernelRig.open(config, { patience: 500 })
  const listeners: KernelListener<Record>[] = []
  try {
    for (const [number, plan, ...more] of queues)
      listeners.push(await KernelListener.open(rig, 'nfqueue', number, plan, ...more.map(Number)))
    subject.load(rules, family)
    await rig.load(rules, family)
    const differences: Difference[] = []
    const correspondence = new Correspondence()
    let sent = 0
    for (const [device, line] of packets) {
      const bytes = bytesOf(line)
      const engine = subject.exchange(device, [correspondence.translate(bytes)])
      const count = [...engine.values()].flat().length
      const kernel = rig.exchange(device, [bytes], count)
      sent += count
      differences.push(...compareSent(line, kernel, engine, correspondence))
    }
    differences.push(...compareCounters('end', await rig.counters(family), subject.counters(family)))
    differences.push(...compareConntrack('end', await rig.conntrack(), subject.conntrack(), correspondence, 1))
    differences.push(...compareLines('LOG', rig.log() ?? subject.log(), subject.log()))
    const theirs: Record[] = []
    for (const [i, listener] of listeners.entries()) {
      const count = ours.filter(({ queue }) => queue === queues[i][0]).length
      theirs.push(...(await listener.records(count)))
    }
    const order = (records: readonly Record[]) =>
      queues.flatMap(([number]) => records.filter((r) => r.queue === number).map(plain))
    expect(order(ours)).toEqual(order(theirs))
    return { records: ours, sent, differences: differenceText(differences) }
  } finally {
    for (const listener of listeners) await listener.close()
    await rig.close()
    subject.close()
  }
}

const UDP = ['tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 4'] as const
const BACK = ['tun1', 'udp 203.0.113.9:53 > 10.0.1.2:1000 len 9'] as const
const PING = ['tun0', 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 1 seq 1 len 3'] as const

const filter = (rules: string) => `*filter\n${rules}COMMIT\n`
const NEXT = `*security\n-A FORWARD -j LOG --log-prefix "next table: "\nCOMMIT\n`

// Of two packets that race one is held in a queue while the other one's flow is confirmed.
const race = (rules: string, protocol = 'udp') =>
  `${rules}*filter\n-A FORWARD -p ${protocol} -m conntrack --ctstate NEW -j NFQUEUE --queue-num 1\nCOMMIT\n`
const SNAT = '*nat\n-A POSTROUTING -o tun1 -j SNAT --to-source 203.0.113.1\nCOMMIT\n'
const SYN = ['tun0', 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 1'] as const
const ECHO = ['tun0', 'icmp 10.0.1.2 > 203.0.113.9 echo-request id 1 seq 1 len 3'] as const
const GRE = ['tun0', 'ip 10.0.1.2 > 203.0.113.9 proto 47 hex 00000800'] as const
const ESP = ['tun0', 'ip 10.0.1.2 > 203.0.113.9 proto 50 hex 0000080000000001'] as const
const UDPLITE = ['tun0', 'ip 10.0.1.2 > 203.0.113.9 proto 136 hex 03e800350008123441424344'] as const
const INIT = [
  'tun0',
  'ip 10.0.1.2 > 203.0.113.9 proto 132 hex 03e803e800000000000000000100001411111111000100000001000100000001',
] as const
const UDP6 = ['tun0', 'udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 len 4'] as const
const BACK6 = ['tun1', 'udp [2001:db8:2::9]:53 > [2001:db8:1::2]:1000 len 9'] as const
const SYN6 = ['tun0', 'tcp [2001:db8:1::2]:1000 > [2001:db8:2::9]:80 S seq 1'] as const
const ECHO6 = ['tun0', 'icmp6 2001:db8:1::2 > 2001:db8:2::9 echo-request id 1 seq 1 len 3'] as const
const UDPLITE6 = ['tun0', 'ip 2001:db8:1::2 > 2001:db8:2::9 proto 136 hex 03e800350008123441424344'] as const
const INIT6 = [
  'tun0',
  'ip 2001:db8:1::2 > 2001:db8:2::9 proto 132 hex 03e803e800000000000000000100001411111111000100000001000100000001',
] as const
const SNAT6 = '*nat\n-A POSTROUTING -o tun1 -j SNAT --to-source 2001:db8:2::1\nCOMMIT\n'
const LATE: [number, string][] = [[1, 'late,accept']]

/** What it shows, the case, and how many packets the listeners get, and how many leave. */
const CASES: readonly (readonly [string, Case, number, number])[] = [
  [
    'an accepted packet goes on with the next table, not the next rule',
    {
      rules: `${filter('-A FORWARD -p udp -j NFQUEUE --queue-num 7\n-A FORWARD -j DROP\n')}${NEXT}`,
      queues: [[7, 'accept mark 5']],
      packets: [UDP, BACK, UDP],
    },
    3,
    3,
  ],
  [
    'a dropped packet leaves no flow',
    {
      rules: `${filter('-A FORWARD -m conntrack --ctstate NEW -j QUEUE\n')}${NEXT}`,
      queues: [[0, 'drop,accept,drop']],
      packets: [UDP, UDP, BACK, UDP],
    },
    2,
    3,
  ],
  [
    'a repeated packet meets the same table again, with its new mark',
    {
      rules: `*mangle\n-A FORWARD -j LOG --log-prefix "before: "\nCOMMIT\n${filter(
        '-A FORWARD -m mark --mark 0x9 -j ACCEPT\n-A FORWARD -j NFQUEUE --queue-num 1\n',
      )}${NEXT}`,
      queues: [[1, 'repeat mark 3,repeat mark 9,accept']],
      packets: [UDP, UDP],
    },
    3,
    2,
  ],
  [
    'another queue is told of a packet that is handed on to it, and one without a listener drops it',
    {
      rules: `${filter('-A FORWARD -j NFQUEUE --queue-num 1\n')}${NEXT}`,
      queues: [
        [1, 'queue 2 mark 6,queue 3,accept'],
        [2, 'accept'],
      ],
      packets: [UDP, UDP, UDP],
    },
    4,
    2,
  ],
  [
    'without a listener packets are dropped, or pass with --queue-bypass',
    {
      rules: `*mangle\n-A PREROUTING -p udp -j NFQUEUE --queue-num 3 --queue-bypass\nCOMMIT\n${filter(
        '-A INPUT -j NFQUEUE --queue-num 3\n-A FORWARD -p udp -j NFQUEUE --queue-num 65535 --queue-bypass\n-A FORWARD -p udp -j DROP\n',
      )}${NEXT}`,
      queues: [],
      packets: [UDP, PING],
    },
    0,
    1,
  ],
  [
    'a full queue drops',
    {
      rules: filter('-A FORWARD -j NFQUEUE --queue-num 1 --queue-bypass\n'),
      queues: [[1, 'hold', 2]],
      packets: [UDP, UDP, UDP, BACK],
    },
    2,
    0,
  ],
  [
    'a full queue that fails open lets packets pass',
    {
      rules: `${filter('-A FORWARD -j NFQUEUE --queue-num 1\n')}${NEXT}`,
      queues: [[1, 'hold', 2, 1]],
      packets: [UDP, UDP, UDP, BACK],
    },
    2,
    2,
  ],
  [
    'packets are queued at every hook, in raw before conntrack, and NAT is done to what was accepted',
    {
      rules: `*raw
-A PREROUTING -j NFQUEUE --queue-num 1
-A OUTPUT -j NFQUEUE --queue-num 1
COMMIT
*mangle
-A PREROUTING -j NFQUEUE --queue-num 1
-A INPUT -j NFQUEUE --queue-num 1
-A FORWARD -j NFQUEUE --queue-num 1
-A OUTPUT -j NFQUEUE --queue-num 1
-A POSTROUTING -j CLASSIFY --set-class 0001:0002
-A POSTROUTING -j NFQUEUE --queue-num 1
COMMIT
*nat
-A PREROUTING -i tun0 -d 203.0.113.9/32 -j DNAT --to-destination 203.0.113.10
-A POSTROUTING -o tun1 -j SNAT --to-source 203.0.113.1
COMMIT
`,
      queues: [[1, 'accept']],
      packets: [UDP, ['tun1', 'udp 203.0.113.10:53 > 203.0.113.1:1000 len 9'], PING],
    },
    14,
    3,
  ],
  [
    'what was rewritten goes on as it is then',
    {
      rules: `${filter(
        '-A FORWARD -p udp -m udp --dport 53 -j NFQUEUE --queue-num 1\n-A FORWARD -j LOG\n',
      )}*nat\n-A POSTROUTING -o tun1 -j SNAT --to-source 203.0.113.1\nCOMMIT\n`,
      queues: [
        [
          1,
          `accept payload ${Buffer.from(bytesOf('udp 10.0.1.2:1000 > 203.0.113.9:53 len 40 ttl 9')).toString('hex')}`,
        ],
      ],
      packets: [UDP, ['tun1', 'udp 203.0.113.9:53 > 203.0.113.1:1000 len 9']],
    },
    1,
    2,
  ],
  [
    'a new destination in OUTPUT is routed anew',
    {
      rules: '*mangle\n-A OUTPUT -p icmp -j NFQUEUE --queue-num 1\n-A POSTROUTING -j LOG\nCOMMIT\n',
      queues: [
        [
          1,
          `accept payload ${Buffer.from(bytesOf('icmp 10.0.1.1 > 203.0.113.9 echo-reply id 1 seq 1')).toString('hex')}`,
        ],
      ],
      packets: [PING],
    },
    1,
    1,
  ],
  [
    'a datagram that lost a race goes with the flow that won',
    { rules: race(''), queues: LATE, packets: [UDP, UDP, BACK, UDP] },
    2,
    4,
  ],
  [
    'through NAT too',
    {
      rules: race(SNAT),
      queues: LATE,
      packets: [UDP, UDP, ['tun1', 'udp 203.0.113.9:53 > 203.0.113.1:1000 len 9']],
    },
    2,
    3,
  ],
  ['a SYN that lost a race, through NAT too', { rules: race(SNAT, 'tcp'), queues: LATE, packets: [SYN, SYN] }, 2, 1],
  ['a SYN that lost a race', { rules: race('', 'tcp'), queues: LATE, packets: [SYN, SYN] }, 2, 1],
  ['an echo request that lost a race', { rules: race('', 'icmp'), queues: LATE, packets: [ECHO, ECHO] }, 2, 1],
  ['GRE that lost a race', { rules: race('', '47'), queues: LATE, packets: [GRE, GRE] }, 2, 2],
  ['ESP that lost a race', { rules: race('', '50'), queues: LATE, packets: [ESP, ESP] }, 2, 2],
  [
    'UDP-Lite that lost a race',
    {
      rules: race('', '136'),
      queues: LATE,
      packets: [UDPLITE, UDPLITE],
      anySum: true,
    },
    2,
    2,
  ],
  [
    'UDP-Lite that lost a race, through NAT',
    {
      rules: race(SNAT, '136'),
      queues: LATE,
      packets: [UDPLITE, UDPLITE],
      anySum: true,
    },
    2,
    2,
  ],
  [
    'an INIT of SCTP that lost a race',
    {
      rules: race('', '132'),
      queues: LATE,
      packets: [INIT, INIT],
      anySum: true,
    },
    2,
    1,
  ],
  [
    'an INIT of SCTP that lost a race, through NAT',
    {
      rules: race(SNAT, '132'),
      queues: LATE,
      packets: [INIT, INIT],
      anySum: true,
    },
    2,
    1,
  ],
  [
    'IPv6: a datagram that lost a race goes with the flow that won',
    {
      family: 6,
      rules: race(''),
      queues: LATE,
      packets: [UDP6, UDP6, BACK6, UDP6],
    },
    2,
    4,
  ],
  [
    'IPv6: through NAT too',
    {
      family: 6,
      rules: race(SNAT6),
      queues: LATE,
      packets: [UDP6, UDP6, ['tun1', 'udp [2001:db8:2::9]:53 > [2001:db8:2::1]:1000 len 9']],
    },
    2,
    3,
  ],
  ['IPv6: a SYN that lost a race', { family: 6, rules: race('', 'tcp'), queues: LATE, packets: [SYN6, SYN6] }, 2, 1],
  [
    'IPv6: a SYN that lost a race, through NAT too',
    {
      family: 6,
      rules: race(SNAT6, 'tcp'),
      queues: LATE,
      packets: [SYN6, SYN6],
    },
    2,
    1,
  ],
  [
    'IPv6: an echo request that lost a race',
    {
      family: 6,
      rules: race('', 'ipv6-icmp'),
      queues: LATE,
      packets: [ECHO6, ECHO6],
    },
    2,
    1,
  ],
  [
    'IPv6: UDP-Lite that lost a race',
    {
      family: 6,
      rules: race('', '136'),
      queues: LATE,
      packets: [UDPLITE6, UDPLITE6],
      anySum: true,
    },
    2,
    2,
  ],
  [
    'IPv6: an INIT of SCTP that lost a race',
    {
      family: 6,
      rules: race('', '132'),
      queues: LATE,
      packets: [INIT6, INIT6],
      anySum: true,
    },
    2,
    1,
  ],
  [
    'IPv6: a datagram that met its answer',
    {
      family: 6,
      rules: race(''),
      queues: LATE,
      packets: [UDP6, BACK6, UDP6, BACK6],
    },
    2,
    4,
  ],
  [
    'IPv6: a datagram of which NAT made something else',
    {
      family: 6,
      rules: race(
        '*nat\n-A PREROUTING -i tun0 -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 2001:db8:2::10\n-A PREROUTING -i tun0 -j DNAT --to-destination 2001:db8:2::11\nCOMMIT\n',
      ),
      queues: LATE,
      packets: [
        UDP6,
        UDP6,
        ['tun1', 'udp [2001:db8:2::10]:53 > [2001:db8:1::2]:1000 len 1'],
        ['tun1', 'udp [2001:db8:2::11]:53 > [2001:db8:1::2]:1000 len 1'],
        UDP6,
      ],
    },
    2,
    5,
  ],
  ['a datagram that met its answer', { rules: race(''), queues: LATE, packets: [UDP, BACK, UDP, BACK] }, 2, 4],
  [
    'a datagram that met its answer, where NAT looks at both',
    {
      rules: race('*nat\n-A POSTROUTING -o nothing -j MASQUERADE\nCOMMIT\n'),
      queues: LATE,
      packets: [UDP, BACK, UDP, BACK],
    },
    2,
    4,
  ],
  [
    'a datagram of which NAT made something else',
    {
      rules: race(
        '*nat\n-A PREROUTING -i tun0 -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 203.0.113.10\n-A PREROUTING -i tun0 -j DNAT --to-destination 203.0.113.11\nCOMMIT\n',
      ),
      queues: LATE,
      packets: [
        UDP,
        UDP,
        ['tun1', 'udp 203.0.113.10:53 > 10.0.1.2:1000 len 1'],
        ['tun1', 'udp 203.0.113.11:53 > 10.0.1.2:1000 len 1'],
        UDP,
      ],
    },
    2,
    5,
  ],
  [
    'fragments and reassembled packets',
    {
      rules: `${filter('-A FORWARD -m conntrack --ctstate NEW -j NFQUEUE --queue-num 1\n')}${NEXT}`,
      queues: [[1, 'accept']],
      packets: [['tun0', 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 1400 opts 01010101']],
    },
    1,
    1,
  ],
]

for (const [title, situation, seen, left] of CASES) {
  test(...needsListener(title), async () => {
    const { records, sent, differences } = await compare(situation)
    expect(differences).toBe('')
    expect([records.length, sent]).toEqual([seen, left])
  })
}

test(...needsListener('IPv6: a packet is queued, rewritten and repeated as IPv4 is'), async () => {
  const rules = filter('-A FORWARD -m mark --mark 0x9 -j ACCEPT\n-A FORWARD -p udp -j NFQUEUE --queue-num 1\n')
  const bytes = packetsOf('udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:53 len 4')[0]
  const other = packetsOf('udp [2001:db8:1::2]:1000 > [2001:db8:2::9]:54 len 40 hl 9')[0]
  const plan = `accept,drop,repeat mark 9,accept payload ${Buffer.from(other).toString('hex')}`
  const ours: Record[] = []
  const judge = judgeBy(plan)
  const subject = new EngineSubject(CONFIG6)
  subject.engine.queue(1, (packet) => {
    ours.push(recordOf(packet))
    judge(packet)
  })
  const rig = await KernelRig.open(CONFIG6, { patience: 500 })
  const listener = await KernelListener.open<Record>(rig, 'nfqueue', 1, plan)
  try {
    subject.load(rules, 6)
    await rig.load(rules, 6)
    for (const count of [1, 0, 1, 1]) {
      const engine = subject.exchange('tun0', [bytes]).get('tun1') ?? []
      expect(engine).toHaveLength(count)
      expect(rig.exchange('tun0', [bytes], count).get('tun1') ?? []).toEqual(engine)
    }
    expect(ours).toEqual(await listener.records(4))
  } finally {
    await listener.close()
    await rig.close()
    subject.close()
  }
})
