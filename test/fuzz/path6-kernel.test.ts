// Generated packets of IPv6 through the kernel and through the engine: what leaves has to be the same, byte for byte. Only the
// identification of the router's own fragments is left to chance. CASES=100000 SEED=7 npx vitest run test/fuzz/path6-kernel.test.ts

import { expect, test } from 'vitest'
import type { RouterConfig } from '../../src/config.ts'
import { seededRandom } from '../../src/random.ts'
import { KernelRig } from '../kernel/rig.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { describePacket, hexOf } from '../support/packet/index.ts'
import { EngineSubject } from '../support/scenario/engine.ts'
import type { Sent } from '../support/scenario/subject.ts'
import { PacketMaker6 } from './packets6.ts'

const CONFIG: RouterConfig = {
  devices: {
    tun0: { addresses: ['2001:db8:1::1/64', 'fe80::1/64'] },
    tun1: { addresses: ['2001:db8:2::1/64', 'fe80::2/64'], mtu: 1400 },
  },
  routes: [
    { to: 'default', via: '2001:db8:2::fe' },
    { to: '2001:db8:51::/48', via: 'fe80::fe', dev: 'tun0' },
    { to: '2001:db8:99::/48', type: 'unreachable' },
    { to: '2001:db8:98::/48', type: 'prohibit' },
    { to: '2001:db8:97::/48', type: 'blackhole' },
  ],
  // All destinations together are told as often as they ask.
  sysctl: {
    'net.ipv6.icmp.ratelimit': 0,
    'net.ipv4.icmp_msgs_per_sec': 10_000_000,
    'net.ipv4.icmp_msgs_burst': 1_000_000,
  },
}
const CASES = Number(process.env.CASES ?? 4000)
const SEED = Number(process.env.SEED ?? 1)

function lines(sent: Sent): string {
  return [...sent]
    .flatMap(([device, packets]) => packets.map((packet) => `${device} ${hexOf(withoutOwnId(packet))}`))
    .sort()
    .join('\n')
}

/** Of what the router says itself, which it may have to say in fragments. */
function withoutOwnId(packet: Uint8Array): Uint8Array {
  const own = packet[6] === 44 && packet[23] === 1 && packet.length >= 48
  return own ? packet.slice().fill(0, 44, 48) : packet
}

test(...needsKernel(`${CASES} packets of IPv6 are treated as the kernel treats them`), async () => {
  const rig = await KernelRig.open(CONFIG, { silence: 0.2 })
  const engine = new EngineSubject(CONFIG)
  const make = new PacketMaker6(seededRandom(SEED))
  const wrong: string[] = []
  let answered = 0
  try {
    for (let i = 0; i < CASES && wrong.length < 10; i++) {
      const packet = make.next()
      const kernel = rig.exchange('tun0', [packet], 0)
      const ours = engine.exchange('tun0', [packet])
      if (kernel.size > 0) answered++
      if (lines(kernel) === lines(ours)) continue
      const text = (sent: Sent) =>
        [...sent].flatMap(([device, packets]) => packets.map((p) => `${device}: ${describePacket(p)}`)).join('; ')
      wrong.push(`${i}: ${describePacket(packet)}\n  kernel ${text(kernel)}\n  engine ${text(ours)}`)
    }
  } finally {
    await rig.close()
    engine.close()
  }
  expect(wrong.join('\n')).toBe('')
  expect(answered).toBeGreaterThan(CASES / 10)
})
