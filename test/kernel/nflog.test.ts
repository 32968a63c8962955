// What listeners of NFLOG get, beside the kernel: the same packets with the same prefix, devices, mark and bytes, in batches as large.

import { expect, test } from 'vitest'
import type { NflogPacket } from '../../src/nfnetlink/nflog.ts'
import { bytesOf } from '../support/packets.ts'
import { EngineSubject } from '../support/scenario/engine.ts'
import { HOOKS, KernelListener, needsListener } from './nfnetlink.ts'
import { KernelRig } from './rig.ts'

const CONFIG = {
  devices: { tun0: { addresses: ['10.0.1.1/24'] }, tun1: { addresses: ['203.0.113.1/24'] } },
} as const

const RULES = `*raw
-A PREROUTING -p icmp -j NFLOG --nflog-group 5 --nflog-prefix "raw in"
-A PREROUTING -p icmp -j NFLOG --nflog-group 5 --nflog-size 0
-A PREROUTING -p icmp -j NFLOG --nflog-group 5 --nflog-size 30
-A PREROUTING -p icmp -j NFLOG --nflog-group 5 --nflog-range 30
-A PREROUTING -j NFLOG --nflog-group 6
-A OUTPUT -j NFLOG --nflog-group 5 --nflog-prefix out
COMMIT
*mangle
-A FORWARD -j MARK --set-xmark 0xf0000001/0xffffffff
-A FORWARD -j NFLOG --nflog-group 5 --nflog-prefix fwd
-A INPUT -j NFLOG --nflog-group 5 --nflog-prefix input
-A POSTROUTING -j NFLOG --nflog-group 5 --nflog-prefix post
COMMIT
`

const PACKETS = [
  'icmp 10.0.1.2 > 203.0.113.9 echo-request id 1 seq 1 len 20',
  'udp 10.0.1.2:5 > 203.0.113.9:6 len 4 ttl 3',
  'tcp 10.0.1.2:5 > 203.0.113.9:6 S',
]

interface Record {
  readonly family: number
  readonly hook: number
  readonly prefix: string
  readonly mark: number
  readonly in: string
  readonly out: string
  readonly payload: string
}

/** The IP id of the router's own packets is left to chance. */
const plain = (record: Record) =>
  record.in === '' ? { ...record, payload: record.payload.slice(0, 8) + record.payload.slice(24) } : record

function recordOf({ family, hook, prefix, mark, inDevice, outDevice, payload }: NflogPacket): Record {
  return {
    family: family === 4 ? 2 : 10,
    hook: HOOKS.indexOf(hook),
    prefix,
    mark,
    in: inDevice,
    out: outDevice,
    payload: Buffer.from(payload).toString('hex'),
  }
}

test(...needsListener('a listener of NFLOG gets what the kernel hands over'), async () => {
  const packets = [...PACKETS, 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 1 seq 1'].map(bytesOf)
  const ours: Record[] = []
  const subject = new EngineSubject(CONFIG)
  subject.engine.nflog(5, (batch) => ours.push(...batch.map(recordOf)))
  subject.load(RULES)
  subject.exchange('tun0', packets)
  subject.close()

  const rig = await KernelRig.open(CONFIG)
  const listener = await KernelListener.open<Record[]>(rig, 'nflog', 5)
  try {
    await rig.load(RULES)
    rig.exchange('tun0', packets, 4)
    const theirs = (await listener.records(ours.length)).flat()
    expect(ours.map(plain)).toEqual(theirs.map(plain))
    expect(ours).toHaveLength(17)
  } finally {
    await listener.close()
    await rig.close()
  }
})

test(...needsListener('packets are collected as the kernel collects them'), async () => {
  const rules = `*raw
-A PREROUTING -p udp -j NFLOG --nflog-group 5
-A PREROUTING -p tcp -j NFLOG --nflog-group 5 --nflog-threshold 2
-A PREROUTING -p icmp -j NFLOG --nflog-group 5 --nflog-threshold 9
COMMIT
`
  const words = ['udp', 'udp', 'tcp', 'tcp', 'icmp', 'udp', 'udp', 'tcp', 'udp', 'udp', 'udp', 'udp', 'icmp']
  const ours: number[] = []
  const subject = new EngineSubject(CONFIG)
  subject.engine.nflog(5, (batch) => ours.push(batch.length), { threshold: 5 })
  subject.load(rules)
  const packet = (kind: string) => bytesOf(PACKETS.find((line) => line.startsWith(kind)) as string)
  for (const kind of words) subject.exchange('tun0', [packet(kind)])
  const rig = await KernelRig.open(CONFIG)
  const listener = await KernelListener.open<Record[]>(rig, 'nflog', 5, 5)
  try {
    await rig.load(rules)
    for (const kind of words) rig.exchange('tun0', [packet(kind)], 1)
    expect(ours).toEqual([3, 5, 5])
    // A batch that is not full is sent after a second.
    subject.pause(1000)
    const theirs = (await listener.records(ours.length)).map((batch) => batch.length)
    expect(ours).toEqual(theirs)
  } finally {
    subject.close()
    await listener.close()
    await rig.close()
  }
})
