// Ten minutes' worth of traffic on the virtual clock: flows that come, live and go, fragments, errors, rejected and refused
// packets, reloads in between. Nothing may grow with the number of packets, and in the end nothing may be left.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { MANIP_DST, MANIP_SRC } from '../../src/nat/range.ts'
import { rewriteAt } from '../../src/nat/rewrite4.ts'
import { seededRandom } from '../../src/random.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { Router } from '../engine/router.ts'
import { packetsOf } from '../support/packet/index.ts'
import { bytesOf } from '../support/packets.ts'

const RULES = (extra: string) => `*mangle
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j MARK --set-mark 1
COMMIT
*nat
-A PREROUTING -i wan -p tcp --dport 8080 -j DNAT --to-destination 10.0.1.5:80
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT
:FORWARD DROP
-A INPUT -p icmp -m limit --limit 10/s -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i lan -p tcp --dport 25 -j REJECT --reject-with tcp-reset
-A FORWARD -i lan -p udp --dport 137 -j REJECT
${extra}-A FORWARD -i lan -j ACCEPT
-A FORWARD -i wan -p tcp --dport 80 -j ACCEPT
COMMIT
`

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void
const heap = () => {
  gc()
  return process.memoryUsage().heapUsed
}

/** A packet made from a template, its client's end exchanged: by what rewrites them in the engine, which has its own tests. */
class Template {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #manip: number

  constructor(line: string, manip: number) {
    this.#bytes = bytesOf(line).slice()
    this.#view = new DataView(this.#bytes.buffer)
    this.#manip = manip
  }

  of(address: number, port: number): Uint8Array {
    rewriteAt(this.#view, 0, 20, this.#bytes.length, this.#bytes[9]!, this.#manip, address, port, false)
    return this.#bytes.slice()
  }
}

const out = (line: string) => new Template(line, MANIP_SRC)
const back = (line: string) => new Template(line, MANIP_DST)
const SERVER = '198.51.100.9'
const CONNECTION: readonly (readonly ['lan' | 'wan', Template])[] = [
  ['lan', out(`tcp 10.0.1.2:1 > ${SERVER}:80 S seq 99 <mss 1460>`)],
  ['wan', back(`tcp ${SERVER}:80 > 203.0.113.1:1 S. seq 499 ack 100`)],
  ['lan', out(`tcp 10.0.1.2:1 > ${SERVER}:80 . seq 100 ack 500`)],
  ['lan', out(`tcp 10.0.1.2:1 > ${SERVER}:80 P. seq 100 ack 500 len 100`)],
  ['wan', back(`tcp ${SERVER}:80 > 203.0.113.1:1 P. seq 500 ack 200 len 1000`)],
  ['lan', out(`tcp 10.0.1.2:1 > ${SERVER}:80 . seq 200 ack 1500`)],
  ['wan', back(`tcp ${SERVER}:80 > 203.0.113.1:1 F. seq 1500 ack 200`)],
  ['lan', out(`tcp 10.0.1.2:1 > ${SERVER}:80 F. seq 200 ack 1501`)],
  ['wan', back(`tcp ${SERVER}:80 > 203.0.113.1:1 . seq 1501 ack 201`)],
]
const QUESTION = out(`udp 10.0.1.2:1 > ${SERVER}:53 len 40`)
const ANSWER = back(`udp ${SERVER}:53 > 203.0.113.1:1 len 200`)
const PING = out(`icmp 10.0.1.2 > ${SERVER} echo-request id 1 seq 1 len 56`)
const OWN_PING = out('icmp 10.0.1.2 > 10.0.1.1 echo-request id 1 seq 1 len 56')
const SPAM = out('tcp 10.0.1.2:1 > 198.51.100.25:25 S seq 5')
const NETBIOS = out('udp 10.0.1.2:1 > 198.51.100.25:137 len 50')
const SCAN = out('tcp 192.0.2.99:1 > 203.0.113.1:8080 S seq 5')
const ROUTER = parseAddress('203.0.113.1')!

it('ten minutes of mixed traffic leave nothing behind', () => {
  const random = seededRandom(11)
  const below = (n: number) => (random() >>> 0) % n
  const router = new Router(RULES(''), { slots: 128, sysctl: { 'net.netfilter.nf_conntrack_max': 4096 } })
  const { engine, clock } = router
  // What happens later, by tick.
  const due = new Map<number, (() => void)[]>()
  let now = 0
  const later = (ticks: number, act: () => void) => {
    const at = now + ticks
    const acts = due.get(at)
    if (acts === undefined) due.set(at, [act])
    else acts.push(act)
  }
  let injected = 0
  const put = (device: 'lan' | 'wan', bytes: Uint8Array) => {
    router.device(device).inject(bytes)
    injected++
  }

  function connection(): void {
    const client = parseAddress(`10.0.1.${2 + below(200)}`)!
    const sport = 1024 + below(60_000)
    // Some stay half open, some break off, most end.
    const length = below(10) === 0 ? below(CONNECTION.length) : CONNECTION.length
    for (let i = 0; i < length; i++) {
      const [device, template] = CONNECTION[i]!
      later(1 + i * (1 + below(3)), () =>
        put(device, device === 'lan' ? template.of(client, sport) : template.of(ROUTER, sport)),
      )
    }
  }

  function question(): void {
    const sport = 1024 + below(60_000)
    put('lan', QUESTION.of(parseAddress(`10.0.1.${2 + below(200)}`)!, sport))
    const refused = `icmp ${SERVER} > 203.0.113.1 port-unreachable [ udp 203.0.113.1:${sport} > ${SERVER}:53 len 40 cut 28 ]`
    if (below(4) > 0) later(1, () => put('wan', ANSWER.of(ROUTER, sport)))
    else later(1, () => put('wan', bytesOf(refused)))
  }

  function tick(): void {
    connection()
    connection()
    question()
    const host = parseAddress(`10.0.1.${2 + below(200)}`)!
    switch (now % 16) {
      case 0:
        return put('lan', PING.of(host, below(65536)))
      case 3:
        return put('lan', OWN_PING.of(host, 1))
      case 5:
        return put('lan', SPAM.of(host, 1024 + below(60_000)))
      case 7:
        return put('lan', NETBIOS.of(host, 137))
      case 9:
        return put('wan', SCAN.of(parseAddress('192.0.2.0')! + below(256), 1024 + below(60_000)))
      case 11: {
        const pieces = packetsOf(`udp 10.0.1.3:5000 > ${SERVER}:5000 ipid ${below(65536)} len 4000 split 1500`)
        if (below(3) === 0) pieces.pop()
        for (const piece of pieces) put('lan', piece)
        return
      }
      case 13:
        return put(
          'lan',
          Uint8Array.from({ length: below(60) }, () => random()),
        )
    }
  }

  const TICK = 50
  const MINUTES = 10
  let most = 0
  let heldMost = 0
  let heapBefore = 0
  let packetsBefore = 0
  for (; now < (MINUTES * 60_000) / TICK; now++) {
    clock.advance(TICK)
    for (const act of due.get(now) ?? []) act()
    due.delete(now)
    tick()
    while (engine.step() > 0);
    router.device('lan').take()
    router.device('wan').take()
    most = Math.max(most, router.flows)
    heldMost = Math.max(heldMost, engine.pipeline.defrag.held)
    expect(router.slotsOut).toBe(engine.pipeline.defrag.held)
    if (now % 200 === 199) engine.load(RULES(now % 400 === 199 ? '-A FORWARD -p sctp -j DROP\n' : ''))
    if (now === 4000) {
      heapBefore = heap()
      packetsBefore = injected
    }
  }
  router.log.length = 0
  const grown = heap() - heapBefore
  // Some kilobytes for what a process does; a few bytes for each packet would be a megabyte.
  expect(injected - packetsBefore).toBeGreaterThan(100_000)
  expect(grown).toBeLessThan(800_000)

  // It was real traffic: thousands of flows at once, both ways, with answers of the router's own and dropped packets.
  const { dropped, links, conntrack } = engine.counters()
  expect(most).toBeGreaterThan(2000)
  expect(most).toBeLessThanOrEqual(4096)
  expect(heldMost).toBeGreaterThan(2)
  expect(conntrack.insert).toBeGreaterThan(30_000)
  expect(links.wan!.txPackets).toBeGreaterThan(100_000)
  for (const reason of ['netfilter', 'fragment-timeout', 'delivered', 'version'] as const)
    expect(dropped[reason], reason).toBeGreaterThan(50)
  for (const reason of ['no-slot', 'device-error', 'conntrack', 'too-many-nested'] as const)
    expect([reason, dropped[reason]]).toEqual([reason, 0])
  // Reloads kept the counters of what stood unchanged.
  expect(
    Number(/\[(\d+):\d+\] -A FORWARD -m conntrack/.exec(engine.saveRules({ counters: true }))![1]),
  ).toBeGreaterThan(100_000)
  expect(router.notices).toEqual([])

  // Then nothing comes any more: fragments go first, flows one after the other, the longest at five days.
  router.pause(30_100)
  expect([engine.pipeline.defrag.held, router.slotsOut]).toEqual([0, 0])
  router.pause(600_000)
  const longLived = router.flows
  router.pause(432_000_000)
  router.pause(1000)
  expect(longLived).toBeLessThan(2000)
  expect([router.flows, router.slotsOut]).toEqual([0, 0])
})
