// The lines of flows, against what conntrack 1.4.7 printed of the same flows on Linux.

import { expect, test } from 'vitest'
import { formatFlows } from '../../src/conntrack/command/line.ts'
import { FlowTable } from '../../src/conntrack/flows.ts'
import * as f from '../../src/conntrack/record.ts'
import { TIME_WAIT } from '../../src/conntrack/tcp-states.ts'
import { Time } from '../../src/time.ts'
import { parseAddress } from '../../src/wire/address.ts'

const flows = new FlowTable(100, 1)
const NOW = 5000
const time = new Time()
time.set(NOW)
const a = parseAddress('10.1.0.2')!
const b = parseAddress('10.1.0.1')!

function add(
  protocol: number,
  ports: [number, number],
  seconds: number,
  more: { status?: number; reply?: number; mark?: number; zone?: number } = {},
): void {
  const ct = flows.allocate()
  const [from, to] = ports
  flows.words.set([a, b, (from << 16) | to, b, a, more.reply ?? (to << 16) | from], ct * f.WORDS)
  flows.words[ct * f.WORDS + f.KEY] = f.key(protocol, more.zone ?? 0)
  flows.words[ct * f.WORDS + f.REPLY_KEY] = f.key(protocol, more.zone ?? 0)
  flows.words[ct * f.WORDS + f.STATUS] |= more.status ?? f.CONFIRMED
  if (protocol === 6) flows.words[ct * f.WORDS + f.TRACKER] = TIME_WAIT
  flows.words[ct * f.WORDS + f.EXPIRES] = NOW + seconds * 1000
  flows.words[ct * f.WORDS + f.MARK] = more.mark ?? 0
}

const lines = () => [...formatFlows(flows, time)].sort()

test('flows are printed as conntrack prints them', () => {
  add(47, [0, 0], 28)
  add(6, [41266, 81], 119.9, { status: f.CONFIRMED | f.SEEN_REPLY | f.ASSURED, reply: (80 << 16) | 41266 })
  add(1, [11152, 0x0800], 28, { status: f.CONFIRMED | f.SEEN_REPLY, reply: 11152 << 16 })
  add(17, [37712, 99], 28, { zone: 5 })
  add(17, [37712, 97], 28, { mark: 16 })
  add(253, [0, 0], 598)
  add(17, [60000, 97], 28, { mark: -1 })
  expect(lines()).toEqual([
    'ipv4     2 gre      47 28 src=10.1.0.2 dst=10.1.0.1 srckey=0x0 dstkey=0x0 [UNREPLIED] src=10.1.0.1 dst=10.1.0.2 srckey=0x0 dstkey=0x0 mark=0 use=1',
    'ipv4     2 icmp     1 28 src=10.1.0.2 dst=10.1.0.1 type=8 code=0 id=11152 src=10.1.0.1 dst=10.1.0.2 type=0 code=0 id=11152 mark=0 use=1',
    'ipv4     2 tcp      6 119 TIME_WAIT src=10.1.0.2 dst=10.1.0.1 sport=41266 dport=81 src=10.1.0.1 dst=10.1.0.2 sport=80 dport=41266 [ASSURED] mark=0 use=1',
    'ipv4     2 udp      17 28 src=10.1.0.2 dst=10.1.0.1 sport=37712 dport=97 [UNREPLIED] src=10.1.0.1 dst=10.1.0.2 sport=97 dport=37712 mark=16 use=1',
    'ipv4     2 udp      17 28 src=10.1.0.2 dst=10.1.0.1 sport=37712 dport=99 [UNREPLIED] src=10.1.0.1 dst=10.1.0.2 sport=99 dport=37712 mark=0 zone=5 use=1',
    'ipv4     2 udp      17 28 src=10.1.0.2 dst=10.1.0.1 sport=60000 dport=97 [UNREPLIED] src=10.1.0.1 dst=10.1.0.2 sport=97 dport=60000 mark=4294967295 use=1',
    'ipv4     2 unknown  253 598 src=10.1.0.2 dst=10.1.0.1 [UNREPLIED] src=10.1.0.1 dst=10.1.0.2 mark=0 use=1',
  ])
})

test('flows that are over, or not confirmed yet, are not listed', () => {
  const before = lines()
  add(17, [1, 2], 0)
  add(17, [1, 3], -3)
  add(17, [1, 4], 30, { status: 0 })
  expect(lines()).toEqual(before)
})
