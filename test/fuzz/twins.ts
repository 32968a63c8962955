// Two routers that differ in nothing but the bytes around each packet in its slot. They are given the same packets, and have to send the same,
// log the same and drop for the same reasons: where they do not, something beside a packet was read. Neither may throw, lose a packet's slot,
// or write behind the packet. Conntrack with every tracker, helpers, defragmentation, NAT, NFLOG and NFQUEUE of both families are on the way.

import type { Device } from '../../src/device/device.ts'
import type { Batch } from '../../src/packet/batch.ts'
import { HEADROOM, type Slab, STRIDE } from '../../src/packet/slab.ts'
import { Router } from '../engine/router.ts'

export interface Input {
  readonly packets: readonly (readonly [device: 'lan' | 'wan', bytes: Uint8Array])[]
  /** Milliseconds that pass afterwards. */
  readonly pause: number
}

const CONFIG = {
  devices: {
    lan: { addresses: ['10.0.1.1/24', '2001:db8:1::1/64', 'fe80::1/64'] },
    wan: { addresses: ['203.0.113.1/24', '2001:db8:2::1/64', 'fe80::2/64'], mtu: 1400 },
  },
  routes: [
    { to: 'default', via: '203.0.113.254' },
    { to: '::/0', via: '2001:db8:2::fe' },
  ],
  sysctl: {
    'net.ipv6.conf.all.forwarding': 1,
    'net.netfilter.nf_conntrack_acct': 1,
    'net.ipv4.icmp_ratelimit': 0,
    'net.ipv6.icmp.ratelimit': 0,
  },
}

/** What both families' rules have. */
const rules = (icmp: string, to: string, reject: string) => `*raw
-A PREROUTING -p tcp -m tcp --dport 21 -j CT --helper ftp
-A PREROUTING -p tcp -m tcp --dport 6667 -j CT --helper ${icmp === 'icmp' ? 'irc' : 'ftp'}
-A PREROUTING -p udp -m udp --dport 69 -j CT --helper tftp
-A PREROUTING -p udp -m udp --dport 5060 -j CT --helper sip
-A PREROUTING -p tcp -m tcp --dport 5060 -j CT --helper sip
-A PREROUTING -p tcp -m tcp --dport 7 -j NOTRACK
COMMIT
*mangle
-A PREROUTING -m conntrack --ctstate INVALID -j LOG --log-tcp-sequence --log-tcp-options --log-ip-options
-A PREROUTING -p sctp -m sctp --chunk-types any INIT,ABORT,HEARTBEAT -j MARK --set-mark 1
-A PREROUTING -p dccp -m dccp --dccp-types REQUEST,DATA --dccp-option 2 -j MARK --set-mark 2
-A PREROUTING -p tcp -m tcpmss --mss 500:1400 -j MARK --set-mark 3
-A PREROUTING -m u32 --u32 "0>>22&0x3C@0&0xFFFF=0:100" -j MARK --set-mark 4
-A PREROUTING -m string --string "SIP/2.0" --algo bm --from 20 --to 200 -j MARK --set-mark 5
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A FORWARD -p tcp -m tcp --dport 80 -j TCPOPTSTRIP --strip-options timestamp,sack-permitted
-A FORWARD -p udp -m udp --dport 53 -j NFQUEUE --queue-num 1 --queue-bypass
-A FORWARD -p sctp -j NFQUEUE --queue-num 1 --queue-bypass
-A POSTROUTING -m mark ! --mark 0 -j NFLOG --nflog-group 1 --nflog-size 64
COMMIT
*nat
-A PREROUTING -i wan -p tcp -m multiport --dports 80,443,8000:9000 -j DNAT --to-destination ${to}
-A PREROUTING -i wan -p udp -j DNAT --to-destination ${to}
-A PREROUTING -i wan -p sctp -j DNAT --to-destination ${to}
-A PREROUTING -i lan -p tcp -m tcp --dport 3128 -j REDIRECT
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
*filter
-A INPUT -p ${icmp} -j ACCEPT
-A INPUT -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m addrtype --dst-type MULTICAST -j DROP
-A FORWARD -p tcp -m tcp ! --syn -j REJECT --reject-with tcp-reset
-A FORWARD -p 99 -j REJECT --reject-with ${reject}
COMMIT
`
const RULES = rules('icmp', '10.0.1.5', 'icmp-host-prohibited').replace(
  '-A PREROUTING -p tcp -m tcp --dport 7 ',
  '-A PREROUTING -p tcp -m tcp --dport 1723 -j CT --helper pptp\n-A PREROUTING -p tcp -m tcp --dport 7 ',
)
const RULES6 = rules('ipv6-icmp', '2001:db8:1::5', 'icmp6-adm-prohibited').replace(
  '*mangle\n',
  '*mangle\n-A PREROUTING -m ipv6header --header hop-by-hop,frag --soft -j MARK --set-mark 6\n-A PREROUTING -m rt --rt-type 0 -j MARK --set-mark 7\n',
)

class Far implements Device {
  readonly name: string
  readonly vnet = false
  readonly sent: Uint8Array[] = []
  readonly #around: number
  next: Uint8Array | undefined

  constructor(name: string, around: number) {
    this.name = name
    this.#around = around
  }

  receive(slab: Slab, rx: Batch): number {
    if (this.next === undefined) return 0
    const start = rx.start(0)
    slab.bytes.fill(this.#around, start - HEADROOM, start - HEADROOM + STRIDE)
    slab.bytes.set(this.next, start)
    rx.set(0, start, this.next.length)
    this.next = undefined
    return 1
  }

  transmit(slab: Slab, tx: Batch): number {
    for (let i = 0; i < tx.count; i++) this.sent.push(slab.bytes.slice(tx.start(i), tx.start(i) + tx.length(i)))
    return tx.count
  }

  close(): void {}
}

class Twin {
  readonly router: Router
  readonly #devices: Readonly<Record<'lan' | 'wan', Far>>
  /** What happened since it was last asked. */
  readonly #said: string[] = []

  constructor(around: number, sysctl: Readonly<Record<string, number>>) {
    this.#devices = { lan: new Far('lan', around), wan: new Far('wan', around) }
    this.router = new Router(RULES, { config: CONFIG, sysctl, slots: 96, devices: this.#devices })
    const { engine } = this.router
    engine.load(RULES6, { family: 6 })
    engine.nflog(1, (packets) => {
      for (const { payload, hook } of packets) this.#said.push(`nflog ${hook} ${hexOf(payload)}`)
    })
    // A listener that drops, repeats nothing, and hands back what it likes, depending on what it was shown.
    engine.queue(1, (packet) => {
      const { payload } = packet
      const last = payload.length === 0 ? 0 : payload[payload.length - 1]!
      if (last % 8 === 7) packet.drop()
      else if (last % 8 === 6) packet.accept({ payload: payload.subarray(0, last) })
      else if (last % 8 === 5) packet.accept({ payload: Uint8Array.from([...payload, 1, 2, 3]), mark: last })
      else packet.accept()
    })
  }

  /** What comes of it, as text. */
  run({ packets, pause }: Input): string {
    const { router } = this
    for (const [name, bytes] of packets) {
      const device = this.#devices[name]
      device.next = bytes
      router.engine.step()
      device.next = undefined
      while (router.engine.step() > 0);
    }
    if (pause > 0) router.pause(pause)
    for (const [name, { sent }] of Object.entries(this.#devices))
      for (const bytes of sent.splice(0)) this.#said.push(`${name} ${hexOf(bytes)}`)
    return [...this.#said.splice(0), ...router.log.splice(0)].join('\n')
  }

  /** What is known of flows, both families': all words of every record, tracker words among them. */
  get records(): Uint8Array[] {
    const { conntrack, conntrack6 } = this.router.engine
    return [conntrack, conntrack6].map(
      ({ flows: { words, used, max } }) =>
        new Uint8Array(words.buffer, words.byteOffset, (used * words.byteLength) / max),
    )
  }

  get books(): string {
    const { engine } = this.router
    return JSON.stringify([engine.counters().dropped, engine.conntrack.flows.count, this.router.slotsOut])
  }
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

export class Twins {
  readonly #twins: readonly [Twin, Twin]

  constructor(sysctl: Readonly<Record<string, number>>) {
    this.#twins = [new Twin(0xa5, sysctl), new Twin(0x5a, sysctl)]
  }

  /** @throws what either throws, and where they differ in what they say, or in what they know of flows */
  run(input: Input): void {
    const [one, other] = this.#twins.map((twin) => twin.run(input))
    if (one !== other) throw new Error(`bytes beside a packet count:\n${one}\nand with others around it:\n${other}`)
    const [ours, others] = this.#twins.map((twin) => twin.records)
    for (const [i, records] of ours!.entries())
      if (Buffer.compare(records, others![i]!) !== 0)
        throw new Error(`bytes beside packets are kept in the records of flows`)
  }

  /** Whether the books agree: reasons of drops, flows and slots. */
  compare(): void {
    const [one, other] = this.#twins.map((twin) => twin.books)
    if (one !== other) throw new Error(`bytes beside packets count:\n${one}\nand with others around them:\n${other}`)
  }

  /** Lets all that waits run out: every slot has to be free again. */
  finish(): void {
    for (const { router } of this.#twins) {
      router.pause(61_000)
      for (let i = 0; i < 4; i++) router.pause(500_000_000)
      if (router.slotsOut !== 0) throw new Error(`${router.slotsOut} slots were not given back`)
    }
    this.compare()
  }
}
