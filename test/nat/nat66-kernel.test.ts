// NAT for IPv6 through the engine and the kernel at once: random flows of few hosts and ports, so that their mappings clash, are
// reused and run out; their answers, and ICMPv6 errors about them. Ports that both pick on their own correspond from then on, one
// to one, so they are picked from many or from one.
// NAT66_CASES and NAT66_SEED raise the number of rule sets and change what is tried.

import { describe, expect, test, vi } from 'vitest'
import { type Random, seededRandom } from '../../src/random.ts'
import { Correspondence, compareConntrack, compareSent, differenceText } from '../kernel/compare.ts'
import { KernelRig } from '../kernel/rig.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { decode, describePacket, packetsOf } from '../support/packet/index.ts'
import { EngineSubject } from '../support/scenario/engine.ts'

const CASES = Number(process.env.NAT66_CASES ?? 25)
const SEED = Number(process.env.NAT66_SEED ?? 1)
const PACKETS = 40
vi.setConfig({ testTimeout: 60_000 + 2000 * CASES })

const CONFIG = {
  devices: {
    lan: { addresses: ['fd00:1::1/64'] },
    wan: { addresses: ['2001:db8:1::1/64', '2001:db8:1::2/64', 'fd00:9::1/64'] },
  },
  routes: [{ to: '::/0', via: '2001:db8:1::fe', dev: 'wan' }],
  // The kernel's clock goes on while the engine's stands still.
  sysctl: { 'net.ipv6.icmp.ratelimit': 0 },
}

const POSTROUTING = [
  'MASQUERADE',
  'MASQUERADE --random',
  'MASQUERADE --random-fully',
  '-p udp -j MASQUERADE --to-ports 6000',
  'SNAT --to-source 2001:db8:1::9',
  'SNAT --to-source 2001:db8:1::10-2001:db8:1::13',
  'SNAT --to-source 2001:db8:1::10-2001:db8:1::13 --persistent',
  'SNAT --to-source 2001:db8:1:1::10-2001:db8:1:7::3',
  '-p tcp -j SNAT --to-source [2001:db8:1::9]:700',
  '-p udp -j SNAT --to-source :1',
  'NETMAP --to 2001:db8:1:0:77::/80',
]
const PREROUTING = [
  '-i wan -d 2001:db8:1::1 -p tcp -j DNAT --to-destination [fd00:1::2]:80',
  '-i wan -d 2001:db8:1::1 -j DNAT --to-destination fd00:1::2-fd00:1::4',
  '-i wan -p udp -j DNAT --to-destination [fd00:1::3]:7000',
  '-i wan -p udp -j DNAT --to-destination [fd00:1::3]:7000-7100/53',
  '-i wan -p tcp -j REDIRECT --to-ports 7',
  '-i lan -p udp -j REDIRECT',
  '-i wan -d 2001:db8:1::/64 -j NETMAP --to fd00:1::/64',
  '-i lan -d 2001:db8:2::9 -j DNAT --to-destination 2001:db8:2::a',
]

const picker = (random: Random) => {
  const below = (n: number) => (random() >>> 0) % n
  return { below, of: <T>(list: readonly T[]): T => list[below(list.length)]! }
}

function ruleSet(random: Random): string {
  const { below, of } = picker(random)
  const lines: string[] = []
  const rule = (text: string) => (text.startsWith('-') ? text : `-j ${text}`)
  if (below(3) > 0) lines.push(`-A PREROUTING ${of(PREROUTING)}`)
  if (below(3) === 0) lines.push(`-A PREROUTING ${of(PREROUTING)}`)
  if (below(3) === 0) lines.push(`-A POSTROUTING -o wan -s fd00:1::2 ${rule(of(POSTROUTING))}`)
  lines.push(`-A POSTROUTING -o wan ${rule(of(POSTROUTING))}`)
  return `*nat\n${lines.join('\n')}\nCOMMIT\n`
}

function fresh(random: Random): { device: string; line: string } {
  const { below, of } = picker(random)
  const outward = below(3) > 0
  const source = outward ? `fd00:1::${2 + below(3)}` : of(['2001:db8:2::9', '2001:db8:2::a'])
  const destination = outward ? of(['2001:db8:2::9', '2001:db8:2::a']) : of(['2001:db8:1::1', '2001:db8:1::2'])
  const ports = () => `[${source}]:${of([5000, 5001, 5002])} > [${destination}]:${of([53, 80])}`
  const line = [
    () => `udp ${ports()} len ${below(9)}`,
    () => `udp ${ports()} len ${below(9)} dst:010400000000`,
    () => `tcp ${ports()} S seq ${below(1000)} len 0`,
    () => `icmp6 ${source} > ${destination} echo-request id ${of([5, 6])} seq 1 len ${below(9)}`,
    () => `ip ${source} > ${destination} proto 50 hex 0102030405`,
  ]
  return { device: outward ? 'lan' : 'wan', line: of(line)() }
}

/** An answer to a packet, or an ICMPv6 error about it. */
function answer(random: Random, bytes: Uint8Array): string {
  const { below, of } = picker(random)
  const line = describePacket(bytes)
  const [, kind, from, to] = /^(\w+) (\S+) > (\S+)/.exec(line)!
  const [source, destination] = [from!, to!].map((end) => end.replace(/^\[(.*)\]:\d+$/, '$1'))
  if (below(3) === 0) {
    const error = of(['port-unreachable', 'packet-too-big mtu 1300', 'type 3 code 0', 'no-route'])
    // Whole, or without a checksum, which could not be made anew for a port that the other side picked.
    const quoted = bytes.subarray(0, of(kind === 'tcp' ? [44, 48, 52, 56, 2000] : [40, 44, 2000]))
    const teller = of([destination, '2001:db8:3::1'])
    return `icmp6 ${teller} > ${source} ${error} [ raw ${Buffer.from(quoted).toString('hex')} ]`
  }
  const number = (word: string) => Number(new RegExp(` ${word} (\\d+)`).exec(line)?.[1] ?? 0)
  switch (kind) {
    case 'tcp':
      return `tcp ${to} > ${from} ${of(['S.', 'S.', 'R.'])} seq 77 ack ${number('seq') + 1}`
    case 'icmp6':
      return `icmp6 ${to} > ${from} echo-reply id ${number('id')} seq ${number('seq')}`
    case 'udp':
      return `udp ${to} > ${from} len ${below(5)}`
    default:
      return `ip ${to} > ${from} proto 50 hex 05040302`
  }
}

/** Ports that rules and hosts name; others were picked, and some show in no packet. */
const NAMED = { port: ['1', '7', '53', '80', '700', '5000', '5001', '5002', '6000'], id: ['5', '6'] }
const named = (text: string) =>
  text.replace(/(port|id)=(\d+)/g, (all, name: 'port' | 'id', value: string) =>
    NAMED[name].includes(value) ? all : `${name}=?`,
  )

describe('NAT for IPv6 fares as in the kernel', () => {
  test(...needsKernel('random flows, their answers and errors about them'), async () => {
    const random = seededRandom(SEED)
    const { below, of } = picker(random)
    const rig = await KernelRig.open(CONFIG, { silence: 0.3 })
    let translated = 0
    try {
      for (let number = 0; number < CASES; number++) {
        const engine = new EngineSubject(CONFIG, number)
        const rules = ruleSet(random)
        await rig.reset()
        await rig.load(rules, 6)
        engine.load(rules, 6)
        const pairs = new Correspondence()
        const log: string[] = []
        const out: { device: string; bytes: Uint8Array }[] = []
        for (let n = 0; n < PACKETS; n++) {
          const before = below(2) === 0 && out.length > 0 ? of(out) : undefined
          const { device, line } =
            before === undefined ? fresh(random) : { device: before.device, line: answer(random, before.bytes) }
          const bytes = packetsOf(line)[0]!
          log.push(`in ${device}: ${describePacket(bytes)}`)
          const kernel = rig.exchange(device, [bytes], 0)
          const ours = engine.exchange(device, [pairs.translate(bytes)])
          const differences = compareSent(`case ${number}, packet ${n}`, kernel, ours, pairs)
          for (const [from, packets] of kernel)
            for (const sent of packets) {
              log.push(`  out ${from}: ${describePacket(sent)}`)
              const packet = decode(sent)
              if (packet.proto !== 'raw' && !packet.inner) out.push({ device: from, bytes: sent })
              translated++
            }
          if (differences.length > 0) expect.fail(`${differenceText(differences)}\n${rules}${log.join('\n')}`)
        }
        const flows = compareConntrack(
          `case ${number}`,
          named(await rig.conntrack()),
          named(engine.conntrack()),
          new Correspondence(),
        )
        if (flows.length > 0) expect.fail(`${differenceText(flows)}\n${rules}${log.join('\n')}`)
        engine.close()
      }
    } finally {
      await rig.close()
    }
    expect(translated).toBeGreaterThan((CASES * PACKETS) / 3)
  })
})
