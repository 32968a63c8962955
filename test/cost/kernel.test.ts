// The kernel that `tunfilter bench --kernel` measures is the same router: the same flows come to be in it.

import { expect, test } from 'vitest'
import { KERNEL_TOOLS, KernelLane } from '../../src/cost/kernel.ts'
import { Lane } from '../../src/cost/lane.ts'
import type { Flow } from '../../src/cost/traffic.ts'
import { TunfilterError } from '../../src/errors.ts'
import { parseRestore } from '../../src/iptables/restore.ts'
import { parseStrict } from '../../src/rule/address.ts'
import { needsKernel } from '../kernel/with-kernel.ts'

const NETWORKS = {
  4: {
    rules: `*nat
-A PREROUTING -i wan -p tcp --dport 8080 -j DNAT --to-destination 10.0.1.9:80
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
*filter
-A FORWARD -p tcp --dport 22 -j DROP
-A FORWARD -p tcp --dport 23 -j REJECT --reject-with tcp-reset
COMMIT
`,
    config: {
      devices: { lan: { addresses: ['10.0.1.1/24'] }, wan: { addresses: ['203.0.113.1/24'] } },
      routes: [{ to: 'default', via: '203.0.113.2', dev: 'wan' }],
    },
    client: '10.0.1.9',
    server: '198.51.100.7',
    router: '203.0.113.1',
    icmp: 1,
  },
  6: {
    rules: `*nat
-A PREROUTING -i wan -p tcp --dport 8080 -j DNAT --to-destination [fd00:1::9]:80
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
*filter
-A FORWARD -p tcp --dport 22 -j DROP
-A FORWARD -p tcp --dport 23 -j REJECT --reject-with tcp-reset
COMMIT
`,
    config: {
      devices: { lan: { addresses: ['fd00:1::1/64'] }, wan: { addresses: ['2001:db8:1::1/64'] } },
      routes: [{ to: '::/0', via: '2001:db8:1::2', dev: 'wan' }],
    },
    client: 'fd00:1::9',
    server: '2001:db8:7::7',
    router: '2001:db8:1::1',
    icmp: 58,
  },
} as const

function flowsOf(family: 4 | 6): Flow[] {
  const { client, server, router, icmp } = NETWORKS[family]
  const words = (text: string) => parseStrict(text, family)!
  const from = (protocol: number, dport: number): Flow => ({
    device: 'lan',
    source: words(client),
    destination: words(server),
    protocol,
    sport: 40_000 + dport,
    dport,
  })
  const inwards = { ...from(6, 8080), device: 'wan', source: words(server), destination: words(router) }
  const echo = { ...from(icmp, 0), device: 'wan', source: words(server), destination: words(router) }
  return [from(6, 80), from(17, 53), from(icmp, 0), from(6, 22), from(6, 23), inwards, echo]
}

const cases = KERNEL_TOOLS.flatMap((tool) => ([4, 6] as const).map((family) => ({ tool, family })))

for (const { tool, family } of cases)
  test(...needsKernel(`${tool}, IPv${family}: flows become established as in the engine`), () => {
    const { rules: text, config } = NETWORKS[family]
    const rules = parseRestore(text, { file: 'rules', family })
    const flows = flowsOf(family)
    const lane = new Lane({ config, rules, flows: flows.length })
    const kernel = new KernelLane({ config, tool, family, rules })
    try {
      const plain = (arrivals: ReturnType<Lane['establish']>) =>
        arrivals.map(({ device, bytes }) => `${device} ${Buffer.from(bytes).toString('hex')}`)
      const established = kernel.establish(flows)
      expect(plain(established)).toEqual(plain(lane.establish(flows)))
      expect(established).toHaveLength(2 + 2 + 2 + 2 + 1)
      kernel.prepare(established)
      const { packets, nanoseconds } = kernel.run(2)
      expect(packets).toBe(2 * established.length)
      expect(nanoseconds).toBeGreaterThan(0)
      expect(kernel.clear()).toBe(true)
    } finally {
      kernel.close()
      lane.close()
    }
  })

test(...needsKernel('rules that the kernel refuses are told with what its tool says'), () => {
  const rules = parseRestore('*filter\n-A FORWARD -m set --match-set nobodys src -j DROP\nCOMMIT\n', {
    file: 'rules',
    family: 4,
  })
  const open = () => new KernelLane({ config: NETWORKS[4].config, tool: 'iptables-legacy', family: 4, rules })
  expect(open).toThrow(TunfilterError)
  expect(open).toThrow(/^iptables-legacy-restore: .*nobodys/)
})
