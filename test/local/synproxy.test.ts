// Target SYNPROXY on its own: cookies and their age, what they are made with, and large packets. What it does on the wire is held beside
// the kernel by scenarios (synproxy-*.yaml).

import { describe, expect, test } from 'vitest'
import { MemoryDevice } from '../../src/device/memory.ts'
import { siphash } from '../../src/local/siphash.ts'
import * as vnet from '../../src/wire/vnet.ts'
import { Router } from '../engine/router.ts'
import { OffloadDevice, offloaded } from '../support/offload.ts'
import { bytesOf, lineOf } from '../support/packets.ts'

describe('SipHash-2-4', () => {
  // The vectors of its authors' reference: key 00 01 ... 0f, messages 00 01 02 ...; the lower half.
  test.each([
    [0, 0xdd0e_0e31],
    [8, 0x9a93_2462],
    [16, 0x57c2_9bdb],
    [24, 0xf649_af94],
    [40, 0x5304_a7d0],
    [48, 0x9ecb_a951],
  ])('of %i bytes', (length, expected) => {
    const words = (bytes: number) =>
      Int32Array.from(
        { length: bytes / 4 },
        (_, i) => (4 * i) | ((4 * i + 1) << 8) | ((4 * i + 2) << 16) | ((4 * i + 3) << 24),
      )
    expect(siphash(words(16), words(length), length / 4) >>> 0).toBe(expected)
  })
})

const RULES = `*raw
-A PREROUTING -i lan -p tcp -m tcp --syn -j CT --notrack
COMMIT
*filter
-A FORWARD -i lan -p tcp -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460
-A FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
`
const STRICT = { 'net.netfilter.nf_conntrack_tcp_loose': 0 }
const SYN = 'tcp 10.0.1.2:1000 > 203.0.113.9:80 S seq 100 win 5000 <mss 1460>'

const cookieOf = (line: string) => Number(/ seq (\d+)/.exec(line)![1])

describe('a cookie', () => {
  const ack = (cookie: number) => `tcp 10.0.1.2:1000 > 203.0.113.9:80 . seq 101 ack ${(cookie + 1) >>> 0} win 600`
  const START = 1_700_000_000_000 % 60_000

  test.each([
    [0, true],
    [60_000 - START - 1, true],
    [60_000 - START, true],
    [120_000 - START - 1, true],
    [120_000 - START, false],
    // The eight bits of the minute come again, but not the hash that has all of it.
    [256 * 60_000, false],
  ])('that is %i ms old is believed: %s', (age, believed) => {
    const router = new Router(RULES, { sysctl: STRICT })
    const cookie = cookieOf(router.send('lan', SYN)[0]!)
    router.pause(age)
    expect(router.send('lan', ack(cookie)).length === 1).toBe(believed)
    expect(router.slotsOut).toBe(0)
  })

  test('is another one with another secret, for other ends, and a minute later; nothing is kept of a SYN', () => {
    const made = new Set<number>()
    for (const seed of [1, 2]) {
      const router = new Router(RULES, { sysctl: STRICT, seed })
      for (const line of [SYN, SYN.replace(':1000', ':1001'), SYN.replace('.9:', '.10:'), SYN.replace('.2:', '.3:')])
        made.add(cookieOf(router.send('lan', line)[0]!))
      router.pause(60_000)
      made.add(cookieOf(router.send('lan', SYN)[0]!))
      expect([router.flows, router.slotsOut, router.dropped()]).toEqual([0, 0, { synproxy: 5 }])
    }
    expect(made.size).toBe(10)
  })

  test('that was guessed is believed once in four millions, not more often', () => {
    const router = new Router(RULES, { sysctl: STRICT })
    router.send('lan', SYN)
    let passed = 0
    for (let n = 0; n < 2000; n++) passed += router.send('lan', ack(Math.imul(n, 0x9e3779b1))).length
    expect(passed).toBe(0)
  })
})

describe('large packets of an opened connection', () => {
  /** Opens one between devices with or without offload; what leaves for a packet of either side, and the cookie and the stamp. */
  function opened(lan: OffloadDevice | MemoryDevice, wan: OffloadDevice | MemoryDevice) {
    const router = new Router(RULES, { sysctl: STRICT, devices: { lan, wan } })
    const send = (device: OffloadDevice | MemoryDevice, line: string, gsoSize = 0) => {
      const bytes = offloaded(line, gsoSize)
      device.inject(device instanceof OffloadDevice ? bytes : bytesOf(line))
      while (router.engine.step() > 0);
      expect(router.slotsOut).toBe(0)
      const left = [lan, wan].flatMap((each) =>
        each.take().map((packet) => (each instanceof OffloadDevice ? packet.subarray(vnet.SIZE) : packet)),
      )
      return left.map(lineOf)
    }
    const client = 'tcp 10.0.1.2:1000 > 203.0.113.9:80'
    const server = 'tcp 203.0.113.9:80 > 10.0.1.2:1000'
    const [answer] = send(lan, `${client} S seq 100 win 5000 <mss 1460,sackOK,ts 1000 0,nop,wscale 3>`)
    const cookie = cookieOf(answer!)
    const stamp = Number(/ts (\d+)/.exec(answer!)![1])
    const ack = (cookie + 1) >>> 0
    expect(send(lan, `${client} . seq 101 ack ${ack} win 600 <nop,nop,ts 1001 ${stamp}>`)).toHaveLength(1)
    const hello = 'S. seq 7000 ack 101 win 60000 <mss 1460,sackOK,ts 9999 1001,nop,wscale 5>'
    expect(send(wan, `${server} ${hello}`)).toHaveLength(2)
    return { send, client, server, ack, stamp }
  }

  test("leave as segments with right numbers, stamps and checksums: the client's", () => {
    const [lan, wan] = [new OffloadDevice('lan'), new MemoryDevice('wan')]
    const { send, client, ack, stamp } = opened(lan, wan)
    const data = `. seq 101 ack ${ack} win 600 <nop,nop,ts 1002 ${stamp}> len 3000 DF`
    expect(send(lan, `${client} ${data}`, 1448)).toEqual([
      `${client} . seq 101 ack 7001 win 600 <nop,nop,ts 1002 9999> len 1448 DF ttl 63`,
      `${client} . seq 1549 ack 7001 win 600 <nop,nop,ts 1002 9999> len 1448 from 168 DF ipid 1 ttl 63`,
      `${client} . seq 2997 ack 7001 win 600 <nop,nop,ts 1002 9999> len 104 from 80 DF ipid 2 ttl 63`,
    ])
  })

  test("and the server's, where SYN and SYN/ACK came with partial checksums", () => {
    const [lan, wan] = [new MemoryDevice('lan'), new OffloadDevice('wan')]
    const { send, server, ack, stamp } = opened(lan, wan)
    expect(send(wan, `${server} . seq 7001 ack 101 win 9000 <nop,nop,ts 10000 1002> len 1500 DF`, 1448)).toEqual([
      `${server} . seq ${ack} ack 101 win 9000 <nop,nop,ts ${stamp + 1} 1002> len 1448 DF ttl 63`,
      `${server} . seq ${ack + 1448} ack 101 win 9000 <nop,nop,ts ${stamp + 1} 1002> len 52 from 168 DF ipid 1 ttl 63`,
    ])
  })

  test('leave whole by a device with offload, with the partial checksum that they came with', () => {
    const [lan, wan] = [new OffloadDevice('lan'), new OffloadDevice('wan')]
    const { send, client, ack, stamp } = opened(lan, wan)
    const line = `${client} . seq 101 ack ${ack} win 600 <nop,nop,ts 1002 ${stamp}> len 3000 DF`
    const before = lineOf(offloaded(line, 1448).subarray(vnet.SIZE))
    const sum = / sum (\S+)/.exec(before)![1]
    expect(send(lan, line, 1448)).toEqual([
      `${client} . seq 101 ack 7001 win 600 sum ${sum} <nop,nop,ts 1002 9999> len 3000 DF ttl 63`,
    ])
  })
})
