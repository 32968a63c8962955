// Several ways of one route, in the kernel and in the engine. Which way a flow takes is a matter of a seed, so what has to agree is what
// a hash policy promises: which packets go the same way, and which share of the flows each way gets.

import { describe, expect, test } from 'vitest'
import type { RouterConfig } from '../../src/config.ts'
import { encodeAll, parsePacket } from '../support/packet/index.ts'
import { EngineSubject } from '../support/scenario/engine.ts'
import type { Subject } from '../support/scenario/subject.ts'
import { KernelRig } from './rig.ts'
import { needsKernel } from './with-kernel.ts'

const WAYS = ['tun1', 'tun2', 'tun3']
const FLOWS = 240

function configOf(policy: number, fields = 7): RouterConfig {
  return {
    devices: {
      tun0: { addresses: ['10.0.1.1/24', '2001:db8:1::1/64'] },
      tun1: { addresses: ['203.0.113.1/24', '2001:db8:2::1/64'] },
      tun2: { addresses: ['198.51.100.1/24', '2001:db8:3::1/64'] },
      tun3: { addresses: ['192.0.2.1/24', '2001:db8:4::1/64'] },
    },
    routes: [
      {
        to: 'default',
        nexthops: [{ via: '203.0.113.9', weight: 2 }, { via: '198.51.100.9' }, { via: '192.0.2.9', dev: 'tun3' }],
      },
      {
        to: 'default',
        nexthops: [{ via: '2001:db8:2::9', weight: 2 }, { via: '2001:db8:3::9' }, { via: '2001:db8:4::9' }],
      },
    ],
    sysctl: {
      'net.ipv4.fib_multipath_hash_policy': policy,
      'net.ipv6.fib_multipath_hash_policy': policy,
      ...(policy === 3 && {
        'net.ipv4.fib_multipath_hash_fields': fields,
        'net.ipv6.fib_multipath_hash_fields': fields,
      }),
    },
  }
}

/** The device that each packet leaves by. */
async function waysOf(subject: Subject, from: string, packets: readonly string[]): Promise<string[]> {
  const ways: string[] = []
  for (const text of packets) {
    const sent = await subject.exchange(from, encodeAll(parsePacket(text)), 1)
    ways.push([...sent.keys()].join(' '))
  }
  return ways
}

const flow = (i: number, port = 1000, reply = false) => {
  const [a, b] = [`10.0.1.${(i % 200) + 2}:${port + (i >> 3)}`, `8.8.${i >> 4}.${(i & 15) + 1}:53`]
  return reply ? `udp ${b} > ${a}` : `udp ${a} > ${b}`
}
const flow6 = (i: number, port = 1000, label = 0) =>
  `udp [2001:db8:1::${(i % 200) + 2}]:${port + (i >> 3)} > [2001:db8:8:${i >> 4}::${(i & 15) + 1}]:53 flow ${label}`
const flows = (of: (i: number) => string, count = FLOWS) => Array.from({ length: count }, (_, i) => of(i))

/** How many of the pairs go the same way. */
function same(a: readonly string[], b: readonly string[]): number {
  return a.filter((way, i) => way === b[i]).length
}

async function inBoth(config: RouterConfig, judge: (subject: Subject) => Promise<void>): Promise<void> {
  const rig = await KernelRig.open(config, { silence: 0.2, patience: 60 })
  const engine = new EngineSubject(config)
  try {
    await judge(rig)
    await judge(engine)
  } finally {
    engine.close()
    await rig.close()
  }
}

describe('several ways of one route', () => {
  test(...needsKernel('shares go by weight, and a flow stays on its way (policy 1)'), () =>
    inBoth(configOf(1), async (subject) => {
      for (const of of [flow, flow6]) {
        const ways = await waysOf(
          subject,
          'tun0',
          flows((i) => of(i)),
        )
        expect(
          await waysOf(
            subject,
            'tun0',
            flows((i) => of(i), 60),
          ),
        ).toEqual(ways.slice(0, 60))
        const [first, ...others] = WAYS.map((way) => ways.filter((each) => each === way).length)
        // Half, within five standard deviations.
        expect(first).toBeGreaterThan(FLOWS / 2 - 40)
        expect(first).toBeLessThan(FLOWS / 2 + 40)
        for (const other of others) expect(other).toBeGreaterThan(FLOWS / 4 - 36)
        expect(first! + others[0]! + others[1]!).toBe(FLOWS)
      }
    }),
  )

  test(...needsKernel('both directions of a flow have one hash (policies 0 and 1)'), async () => {
    for (const policy of [0, 1])
      await inBoth(configOf(policy), async (subject) => {
        // The addresses are not the router's, so both directions are routed by the default route.
        const there = flows((i) => `udp 172.16.0.${i + 2}:1000 > 8.8.8.${i + 1}:${53 + i}`, 60)
        const back = flows((i) => `udp 8.8.8.${i + 1}:${53 + i} > 172.16.0.${i + 2}:1000`, 60)
        expect(await waysOf(subject, 'tun0', back)).toEqual(await waysOf(subject, 'tun0', there))
      })
  })

  test(
    ...needsKernel('policy 0 looks at addresses, of an ICMP error at those that it quotes; in IPv6 at flow labels too'),
    () =>
      inBoth(configOf(0), async (subject) => {
        const ways = await waysOf(subject, 'tun0', flows(flow, 60))
        expect(new Set(ways).size).toBe(3)
        expect(
          await waysOf(
            subject,
            'tun0',
            flows((i) => flow(i, 5000), 60),
          ),
        ).toEqual(ways)
        const error = (i: number) =>
          `icmp 10.0.1.77 > 8.8.${i >> 4}.${(i & 15) + 1} port-unreachable [ ${flow(i, 1000, true)} ]`
        expect(await waysOf(subject, 'tun0', flows(error, 60))).toEqual(ways)
        const ways6 = await waysOf(
          subject,
          'tun0',
          flows((i) => flow6(i), 60),
        )
        expect(
          await waysOf(
            subject,
            'tun0',
            flows((i) => flow6(i, 5000), 60),
          ),
        ).toEqual(ways6)
        expect(
          same(
            await waysOf(
              subject,
              'tun0',
              flows((i) => flow6(i, 1000, 77 + i), 60),
            ),
            ways6,
          ),
        ).toBeLessThan(50)
      }),
  )

  test(...needsKernel('policy 1 looks at ports, but not of fragments, nor at flow labels'), () =>
    inBoth(configOf(1), async (subject) => {
      const ways = await waysOf(subject, 'tun0', flows(flow, 60))
      expect(
        same(
          await waysOf(
            subject,
            'tun0',
            flows((i) => flow(i, 5000), 60),
          ),
          ways,
        ),
      ).toBeLessThan(50)
      const fragment = (port: number) => (i: number) => `${flow(i, port)} len 40 MF`
      expect(await waysOf(subject, 'tun0', flows(fragment(1000), 60))).toEqual(
        await waysOf(subject, 'tun0', flows(fragment(5000), 60)),
      )
      const ways6 = await waysOf(
        subject,
        'tun0',
        flows((i) => flow6(i), 60),
      )
      expect(
        await waysOf(
          subject,
          'tun0',
          flows((i) => flow6(i, 1000, 77 + i), 60),
        ),
      ).toEqual(ways6)
    }),
  )

  test(...needsKernel('policy 2 looks into tunnels'), () =>
    inBoth(configOf(2), async (subject) => {
      // 20 bytes of an IPv4 header: source 10.9.0.i, destination 10.8.0.i.
      const inner = (i: number) => `4500001400000000403b0000 0a0900${hex(i)} 0a0800${hex(i)}`.replaceAll(' ', '')
      const ipip = (i: number, to = 8) => `ip 10.0.1.2 > ${to}.8.8.8 proto 4 hex ${inner(i)}`
      const gre = (i: number) => `ip 10.0.1.3 > 8.8.8.9 proto 47 hex 00000800${inner(i)}`
      const ways = await waysOf(subject, 'tun0', flows(ipip, 60))
      expect(new Set(ways).size).toBe(3)
      expect(
        await waysOf(
          subject,
          'tun0',
          flows((i) => ipip(i, 9), 60),
        ),
      ).toEqual(ways)
      expect(await waysOf(subject, 'tun0', flows(gre, 60))).toEqual(ways)
      expect(
        await waysOf(
          subject,
          'tun0',
          flows((i) => flow(i, 5000), 60),
        ),
      ).toEqual(await waysOf(subject, 'tun0', flows(flow, 60)))
    }),
  )

  test(...needsKernel('policy 3 looks at the fields that are named'), () =>
    // Destination port and source address.
    inBoth(configOf(3, 0x21), async (subject) => {
      const ways = await waysOf(
        subject,
        'tun0',
        flows((i) => `udp 10.0.1.2:1000 > 8.8.8.8:${i + 1}`, 60),
      )
      expect(new Set(ways).size).toBe(3)
      expect(
        await waysOf(
          subject,
          'tun0',
          flows((i) => `udp 10.0.1.2:2000 > 9.8.8.8:${i + 1}`, 60),
        ),
      ).toEqual(ways)
      expect(
        await waysOf(
          subject,
          'tun0',
          flows((i) => `tcp 10.0.1.2:3000 > 8.8.8.8:${i + 1} S`, 60),
        ),
      ).toEqual(ways)
      const other = await waysOf(
        subject,
        'tun0',
        flows((i) => `udp 10.0.1.9:1000 > 8.8.8.8:${i + 1}`, 60),
      )
      expect(same(other, ways)).toBeLessThan(50)
    }),
  )

  test(...needsKernel('what the router says by an address of one way goes that way'), () =>
    inBoth(configOf(1), async (subject) => {
      for (const [i, address] of ['203.0.113.1', '198.51.100.1', '192.0.2.1'].entries()) {
        const ways = await waysOf(
          subject,
          'tun0',
          flows((n) => `icmp 8.8.8.${n + 1} > ${address} echo-request id ${n}`, 20),
        )
        expect(new Set(ways)).toEqual(new Set([WAYS[i]]))
      }
    }),
  )
})

function hex(i: number): string {
  return (i + 1).toString(16).padStart(2, '0')
}
