import { afterAll, describe, expect, test } from 'vitest'
import { describePacket, packetsOf } from '../support/packet/index.ts'
import { KernelRig } from './rig.ts'
import { needsKernel } from './with-kernel.ts'

const config = { devices: { tun0: { addresses: ['10.0.1.1/24'] }, tun1: { addresses: ['203.0.113.1/24'] } } }
const rules = (address: string) => `*nat\n-A POSTROUTING -o tun1 -j SNAT --to-source ${address}\nCOMMIT\n`
const request = packetsOf('udp 10.0.1.2:1000 > 203.0.113.9:53')

describe('one rig for many cases', () => {
  let rig: KernelRig | undefined
  afterAll(() => rig?.close())

  test(...needsKernel('forgets rules, counters and flows between them'), async () => {
    rig = await KernelRig.open(config)
    for (let i = 1; i <= 20; i++) {
      await rig.load(rules(`203.0.113.${100 + i}`))
      const sent = rig.exchange('tun0', request, 1)
      expect(sent.get('tun1')?.map(describePacket)).toEqual([`udp 203.0.113.${100 + i}:1000 > 203.0.113.9:53 ttl 63`])
      expect(await rig.conntrack()).toContain(`dst=203.0.113.${100 + i} `)
      await rig.reset()
      expect(await rig.conntrack()).toBe('')
      expect(await rig.counters()).not.toMatch(/-A|\[[1-9]/)
    }
  })

  test(...needsKernel('says what iptables says about rules that it refuses'), async () => {
    rig ??= await KernelRig.open(config)
    await expect(rig.load('*filter\n-A FORWARD -j NOWHERE\nCOMMIT\n')).rejects.toThrow(
      /iptables-legacy-restore.*NOWHERE/s,
    )
    expect(rig.exchange('tun0', request, 1).size).toBe(1)
  })
})
