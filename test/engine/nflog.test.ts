import { describe, expect, test } from 'vitest'
import { Router } from './router.ts'

const RULES = `*filter
-A FORWARD -j NFLOG --nflog-group 1 --nflog-prefix "to the world"
-A FORWARD -j NFLOG --nflog-group 2 --nflog-size 20
COMMIT
`
const udp = (ttl = 64) => `udp 10.0.1.2:1 > 203.0.113.9:53 len 3 ttl ${ttl}`

describe('engine.nflog', () => {
  test('hands over copies, when the round is over', () => {
    const router = new Router(RULES)
    const got: unknown[] = []
    router.engine.nflog(1, (packets) => got.push(...packets))
    expect(router.send('lan', udp())).toEqual([`wan: ${udp(63)}`.replace(/(.*) len 3 (.*)/, '$1 len 3 $2')])
    expect(got).toEqual([
      expect.objectContaining({
        group: 1,
        prefix: 'to the world',
        family: 4,
        hook: 'forward',
        inDevice: 'lan',
        outDevice: 'wan',
        mark: 0,
        time: 1_700_000_000_000,
        length: 31,
      }),
    ])
    expect((got[0] as { payload: Uint8Array }).payload).toHaveLength(31)
  })

  test('cuts what a rule or the listener wants to be cut', () => {
    const router = new Router(RULES)
    const sizes: number[] = []
    router.engine.nflog(1, (packets) => sizes.push(...packets.map((p) => p.payload.length)), { size: 28 })
    router.engine.nflog(2, (packets) => sizes.push(...packets.map((p) => p.payload.length)), { size: 28 })
    router.send('lan', udp())
    expect(sizes).toEqual([28, 20])
  })

  test('ends, and hands over before what was collected', () => {
    const router = new Router(RULES)
    const batches: number[] = []
    const end = router.engine.nflog(1, (packets) => batches.push(packets.length), { threshold: 10 })
    router.send('lan', udp(), udp(), udp())
    expect(batches).toEqual([])
    end()
    router.send('lan', udp())
    expect(batches).toEqual([3])
  })

  test('refuses a group that is taken, and a number that is none', () => {
    const { engine } = new Router(RULES)
    engine.nflog(1, () => {})
    expect(() => engine.nflog(1, () => {})).toThrow('group 1 has a listener')
    for (const group of [-1, 65536, 1.5]) expect(() => engine.nflog(group, () => {})).toThrow('expected a number')
  })

  test('goes on when a listener throws', () => {
    const router = new Router(RULES)
    router.engine.nflog(1, () => {
      throw new Error('broken')
    })
    expect(router.send('lan', udp())).toHaveLength(1)
    expect(router.notices).toEqual(['a listener of NFLOG threw: Error: broken'])
    expect(router.slotsOut).toBe(0)
  })

  test('a listener may change rules and send packets', () => {
    const router = new Router(RULES)
    const got: string[] = []
    router.engine.nflog(1, (packets) => {
      for (const { prefix } of packets) got.push(prefix)
      router.engine.load(RULES.replace('the world', 'nobody'))
    })
    router.send('lan', udp(), udp())
    router.send('lan', udp())
    expect(got).toEqual(['to the world', 'to the world', 'to nobody'])
  })
})
