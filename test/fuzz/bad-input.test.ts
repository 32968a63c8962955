// Whatever comes in: no exception, no write outside of the packet's slot, every packet accounted for, every slot given back.

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { CONFIG } from '../engine/router.ts'
import { packetsOf } from '../support/packet/index.ts'
import { bytesOf } from '../support/packets.ts'
import { Watched } from './watched.ts'

const RULES = `*raw
-A PREROUTING -f -j LOG --log-prefix "fragment "
-A PREROUTING -s 10.0.1.77 -j NOTRACK
COMMIT
*mangle
-A PREROUTING -m conntrack --ctstate INVALID -j LOG --log-tcp-sequence --log-tcp-options --log-ip-options
-A FORWARD -p tcp -m tcp --tcp-option 8 -j MARK --set-mark 1
-A POSTROUTING -m mark --mark 1 -j LOG --log-tcp-options
COMMIT
*nat
-A PREROUTING -i wan -p tcp -m multiport --dports 80,443,8000:9000 -j DNAT --to-destination 10.0.1.5-10.0.1.9:1000-2000
-A PREROUTING -i wan -p udp -j DNAT --to-destination 10.0.1.5
-A PREROUTING -i lan -p tcp --dport 3128 -j REDIRECT
-A POSTROUTING -o wan -j MASQUERADE --random
COMMIT
*filter
:services -
-A INPUT -p icmp -m limit --limit 100/s -j ACCEPT
-A INPUT -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate NEW -j services
-A FORWARD -m addrtype --dst-type MULTICAST -j DROP
-A FORWARD -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -p icmp -m icmp --icmp-type destination-unreachable -j LOG
-A FORWARD -j REJECT --reject-with icmp-host-prohibited
-A services -p tcp -m tcp --syn -j ACCEPT
-A services -p tcp -m tcp --dport 22 -j RETURN
-A services -p udp -m udp --dport 1:1024 -j ACCEPT
-A services -p icmp -j ACCEPT
-A services ! -p tcp -m mark ! --mark 7 -j ACCEPT
COMMIT
`

/** Two addresses each that lead through, and to, the router. */
const LAN = ['10.0.1.2 > 198.51.100.9', '10.0.1.2 > 10.0.1.1', '10.0.1.77 > 203.0.113.9']
const WAN = ['198.51.100.9 > 203.0.113.1', '203.0.113.9 > 10.0.1.5']

function well(pair: string, n = 0): string[] {
  const [source, destination] = pair.split(' > ')
  const [from, to] = [`${source}:${1000 + (n % 5000)}`, `${destination}:${[80, 53, 443, 3128, 22][n % 5]}`]
  const quoted = `udp ${destination}:53 > ${source}:1000 len 20`
  return [
    `tcp ${from} > ${to} S seq 5 len 3 <mss 1460,sackOK,ts 5 0,nop,wscale 7>`,
    `tcp ${from} > ${to} P. seq 6 ack 9 len 40`,
    `tcp ${from} > ${to} F. seq 6 ack 9`,
    `udp ${from} > ${to} len 30`,
    `udp ${from} > ${to} len 30 sum 0x0 opts 070b0400000000000000000000`.slice(0, -2),
    `udp ${from} > ${to} len 2000`,
    `icmp ${pair} echo-request id ${n} seq 1 len 50`,
    `icmp ${pair} port-unreachable [ ${quoted} ]`,
    `icmp ${pair} time-exceeded [ tcp ${destination}:80 > ${source}:1000 S seq 5 ]`,
    `icmp ${pair} frag-needed mtu 1400 [ ${quoted} cut 28 ]`,
    `ip ${pair} proto 132 hex 04d2005000000000000000000100001400000001000100000001000100000001`,
    `ip ${pair} proto 47 hex 3081880b00050001000000010000000200112233`,
    `ip ${pair} proto 50 hex 0011223344556677`,
    `ip ${pair} proto 136 hex 00010002000812340011`,
    `ip ${pair} proto 33 hex 000100020400000000000000000000000011`,
    `ip ${pair} proto 2 hex 1100eeff00000000`,
  ]
}

function repairHeader(bytes: Uint8Array): void {
  if (bytes.length < 20) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const header = (bytes[0]! & 15) * 4
  if (header < 20 || header > bytes.length) return
  view.setUint16(10, 0)
  let sum = 0
  for (let i = 0; i < header; i += 2) sum += view.getUint16(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(10, ~sum & 0xffff)
}

const OPTIONS = { slots: 96, config: CONFIG }
/** Wrong checksums make most garbage INVALID, which goes through fewer hands: so once with and once without looking. */
const settings = [
  ['checksums looked at', {}],
  ['checksums not looked at', { 'net.netfilter.nf_conntrack_checksum': 0 }],
] as const

it('well-formed packets are not dropped as bad', () => {
  const watched = new Watched(RULES, OPTIONS)
  for (const [device, pairs] of [
    ['lan', LAN],
    ['wan', WAN],
  ] as const)
    for (const pair of pairs) for (const line of well(pair)) watched.send(device, bytesOf(line))
  const dropped = watched.finish()
  for (const reason of [
    'truncated',
    'version',
    'header-length',
    'header-checksum',
    'total-length',
    'oversize',
    'fragment-bad',
  ])
    expect([reason, dropped[reason] ?? 0]).toEqual([reason, 0])
})

it('garbage of every length from 0 to 70,000 bytes', () => {
  const random = seededRandom(1)
  const noise = new Uint8Array(new Int32Array(40_000).map(random).buffer)
  const watched = new Watched(RULES, OPTIONS)
  for (let length = 0; length <= 70_000; length++) {
    const at = (random() >>> 0) % 60_000
    watched.send(length % 2 ? 'lan' : 'wan', noise.subarray(at, at + length))
    // The same with a header that says the truth about its length, so that it gets further.
    if (length >= 20 && (length < 1600 || length % 97 === 0 || (length > 65_500 && length < 65_600))) {
      const bytes = noise.slice(at, at + length)
      bytes[0] = 0x40 | (length % 7 === 0 ? random() & 15 : 5)
      bytes[9] = [1, 6, 17, 132, 136, 47, 4][length % 7]!
      bytes.set(bytesOf(`ip ${LAN[length % 3]} proto 1`).subarray(12, 20), 12)
      new DataView(bytes.buffer).setUint16(2, length)
      if (length % 3) bytes.set([0, 0], 6)
      repairHeader(bytes)
      watched.send('lan', bytes)
    }
    if (length % 10_000 === 0) watched.checkAll()
  }
  watched.checkAll()
  const dropped = watched.finish()
  expect(dropped.oversize).toBeGreaterThan(4000)
  expect(dropped.truncated).toBeGreaterThanOrEqual(20)
  for (const reason of ['version', 'header-length', 'header-checksum'])
    expect(dropped[reason], reason).toBeGreaterThan(100)
})

describe.each(settings)('with %s', (_, sysctl) => {
  const options = { ...OPTIONS, sysctl }

  it('packets cut off at each byte, with and without a length that says so', () => {
    const watched = new Watched(RULES, options)
    for (const [device, pairs] of [
      ['lan', LAN],
      ['wan', WAN],
    ] as const) {
      for (const pair of pairs) {
        for (const line of well(pair).filter((l) => !l.includes('len 2000'))) {
          const whole = bytesOf(line)
          for (let length = 0; length < whole.length; length++) {
            const bytes = whole.slice(0, length)
            watched.send(device, bytes)
            if (length < 20) continue
            const honest = bytes.slice()
            new DataView(honest.buffer).setUint16(2, length)
            repairHeader(honest)
            watched.send(device, honest)
          }
        }
      }
    }
    watched.checkAll()
    expect(watched.finish().truncated).toBeGreaterThan(1000)
  })

  it('every value of each length field', () => {
    const watched = new Watched(RULES, options)
    const set = (line: string, device: string, change: (view: DataView, bytes: Uint8Array) => void) => {
      const bytes = bytesOf(line).slice()
      change(new DataView(bytes.buffer), bytes)
      repairHeader(bytes)
      watched.send(device, bytes)
    }
    for (const [device, pairs] of [
      ['lan', LAN],
      ['wan', WAN],
    ] as const) {
      for (const line of pairs.flatMap((pair) => well(pair))) {
        for (let ihl = 0; ihl < 16; ihl++) set(line, device, (_view, b) => (b[0] = 0x40 | ihl))
        for (const total of [0, 1, 19, 20, 21, 23, 24, 27, 28, 39, 40, 41, 60, 100, 1500, 32768, 65535])
          set(line, device, (view) => view.setUint16(2, total))
        for (let doff = 0; doff < 16; doff++) set(line, device, (_view, b) => (b[32] = doff << 4))
        for (const length of [0, 1, 7, 8, 9, 20, 38, 39, 65535]) set(line, device, (view) => view.setUint16(24, length))
        // The header length, and the fragment word, of what an ICMP error quotes.
        for (let ihl = 0; ihl < 16; ihl++)
          if (line.startsWith('icmp')) set(line, device, (_view, b) => (b[28] = 0x40 | ihl))
        for (const word of [0x2000, 0x1fff, 0x4000, 1])
          if (line.startsWith('icmp')) set(line, device, (view) => view.setUint16(34, word))
      }
    }
    watched.checkAll()
    watched.finish()
  })

  it('well-formed packets with some bytes changed', () => {
    const random = seededRandom(2)
    const watched = new Watched(RULES, options)
    const below = (n: number) => (random() >>> 0) % n
    const lines = { lan: LAN.flatMap((pair) => well(pair)), wan: WAN.flatMap((pair) => well(pair)) }
    const made = { lan: lines.lan.map(bytesOf), wan: lines.wan.map(bytesOf) }
    for (let i = 0; i < 15_000; i++) {
      const device = i % 2 ? 'lan' : 'wan'
      const bytes = made[device][below(made[device].length)]!.slice()
      for (let n = below(5); n >= 0; n--) bytes[below(Math.min(bytes.length, 90))] = random()
      if (below(8) > 0) bytes[0] = 0x45
      if (below(8) > 0) new DataView(bytes.buffer).setUint16(2, bytes.length)
      repairHeader(bytes)
      watched.send(device, bytes)
      if (i % 500 === 0) watched.router.clock.advance(1000)
    }
    watched.checkAll()
    watched.finish()
  })

  it('options of IP and TCP that are garbage', () => {
    const random = seededRandom(3)
    const watched = new Watched(RULES, options)
    const kinds = [0, 1, 7, 68, 131, 137, 148, 2, 3, 4, 5, 8, 255]
    for (let i = 0; i < 4000; i++) {
      const n = 4 + ((random() >>> 0) % 10) * 4
      const garbage = Uint8Array.from({ length: n }, () =>
        (random() & 3) === 0 ? random() : kinds[(random() >>> 0) % kinds.length]!,
      )
      const hex = Buffer.from(garbage).toString('hex')
      const plain = bytesOf(`tcp 10.0.1.2:${1000 + i} > 198.51.100.9:80 S seq 5`)
      const bytes = new Uint8Array(plain.length + n)
      // Between the headers, or behind both.
      const at = i % 2 ? 20 : 40
      bytes.set(plain.subarray(0, at))
      bytes.set(garbage, at)
      bytes.set(plain.subarray(at), at + n)
      if (at === 20) bytes[0] = 0x45 + n / 4
      else bytes[32] = ((20 + n) / 4) << 4
      new DataView(bytes.buffer).setUint16(2, bytes.length)
      repairHeader(bytes)
      try {
        watched.send('lan', bytes)
      } catch (error) {
        throw new Error(`options ${hex} at ${at}`, { cause: error })
      }
    }
    watched.checkAll()
    expect(watched.finish()['bad-options']).toBeGreaterThan(250)
  })

  it('fragments of all kinds', () => {
    const random = seededRandom(4)
    const watched = new Watched(RULES, options)
    const below = (n: number) => (random() >>> 0) % n
    for (let i = 0; i < 6000; i++) {
      const pair = LAN[below(3)]
      const length = below(8) === 0 ? below(60_000) : below(200)
      const offset = below(4) === 0 ? below(8191) * 8 : below(30) * 8
      const opts = below(4) === 0 ? ` opts ${below(2) ? '01010101' : '94040000'}` : ''
      const proto = ['udp', 'tcp', 'icmp'][below(3)]
      watched.send(
        'lan',
        bytesOf(
          `${proto} ${pair} ipid ${below(12)} len ${length} frag ${offset}${below(3) ? ' MF' : ''}${below(5) ? '' : ' DF'}${opts}`,
        ),
      )
      if (below(50) === 0) watched.router.clock.advance(below(40_000))
    }
    // And some that fit, in any order, with one twice, or one missing.
    for (let i = 0; i < 400; i++) {
      const pieces = packetsOf(
        `udp 10.0.1.2:1000 > 198.51.100.9:53 ipid ${1000 + i} len ${600 + below(5000)} split ${[68, 200, 576][below(3)]}`,
      )
      pieces.sort(() => (random() & 1) - 0.5)
      if (below(4) === 0) pieces.splice(below(pieces.length), 1)
      if (below(4) === 0 && pieces.length > 0) pieces.push(pieces[below(pieces.length)]!)
      for (const piece of pieces) watched.send('lan', piece)
    }
    expect(watched.router.engine.pipeline.defrag.absorbed).toBeGreaterThan(400)
    const dropped = watched.finish()
    expect(dropped['fragment-bad']).toBeGreaterThan(500)
    expect(dropped['fragment-timeout']).toBeGreaterThan(50)
  })
})
