// The hash that spreads flows over a range of addresses, beside the kernel's own choice.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RouterConfig } from '../../src/config.ts'
import { hashAddress, scale, seedOf } from '../../src/nat/hash.ts'
import { seededRandom } from '../../src/random.ts'
import { formatAddress, parseAddress } from '../../src/wire/address.ts'
import { Router } from '../engine/router.ts'
import { KernelRig } from '../kernel/rig.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { bytesOf, lineOf } from '../support/packets.ts'

it('a hash is scaled exactly, for ranges of any size', () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff })
  fc.assert(
    fc.property(u32, u32, (hash, size) => {
      expect(scale(hash, size)).toBe(Number((BigInt(hash) * BigInt(size)) >> 32n))
    }),
    { numRuns: 2000 },
  )
  expect(scale(0xffffffff, 0xffffffff)).toBe(0xfffffffe)
  expect(scale(0xffffffff, 1)).toBe(0)
})

// Measured on Linux 6.18: SNAT to 203.0.113.10-203.0.113.209; without a destination, --persistent.
const MEASURED: readonly (readonly [source: string, destination: string, last: number])[] = [
  ['10.0.0.2', '8.8.8.8', 98],
  ['10.0.0.2', '8.8.4.4', 20],
  ['10.0.0.3', '8.8.8.8', 164],
  ['10.255.255.254', '1.1.1.1', 10],
  ['10.128.0.1', '223.255.255.254', 209],
  ['10.1.2.3', '192.168.77.88', 186],
  ['10.0.0.2', '', 205],
  ['10.0.0.2', '', 205],
  ['10.0.0.3', '', 175],
  ['10.255.255.254', '', 142],
  ['10.128.0.1', '', 166],
  ['10.1.2.3', '', 178],
]

it('chooses the addresses that Linux chose', () => {
  const choose = (source: string, destination: string) =>
    10 +
    scale(
      hashAddress(parseAddress(source)!, 0, 0, 0, destination === '' ? 0 : seedOf(parseAddress(destination)!, 0)),
      200,
    )
  for (const [source, destination, last] of MEASURED) expect(choose(source, destination), source).toBe(last)
})

describe('beside the kernel', () => {
  const config: RouterConfig = {
    devices: { lan: { addresses: ['10.0.0.1/8'] }, wan: { addresses: ['192.0.2.1/24'] } },
    routes: [{ to: 'default', via: '192.0.2.254' }],
  }
  const random = seededRandom(42)
  const packets = Array.from({ length: 300 }, (_, i) => {
    const source = 0x0a000000 | (random() & 0xffffff) | 2
    const destination = (random() & 0x3fffffff) | 0x10000000
    return `udp ${formatAddress(source)}:${2000 + i} > ${formatAddress(destination)}:53 len 1`
  })
  const rules = (more: string) =>
    `*nat\n-A POSTROUTING -o wan -j SNAT --to-source 203.0.113.10-203.0.113.209${more}\nCOMMIT\n`

  for (const more of ['', ' --persistent']) {
    it(...needsKernel(`SNAT to a range${more} chooses the same address for 300 flows`), async () => {
      const rig = await KernelRig.open(config, { silence: 0.2 })
      try {
        await rig.load(rules(more))
        const router = new Router(rules(more), { config })
        for (const packet of packets) {
          const kernel = [...rig.exchange('lan', [bytesOf(packet)], 1).values()].flat()
          expect(router.send('lan', packet)).toEqual(kernel.map((bytes) => `wan: ${lineOf(bytes)}`))
        }
      } finally {
        await rig.close()
      }
    })
  }
})
