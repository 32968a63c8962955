import { describe, expect, test } from 'vitest'
import type { QueuedPacket } from '../../src/nfnetlink/nfqueue.ts'
import { bytesOf } from '../support/packets.ts'
import { Router } from './router.ts'

const RULES = `*filter
-A FORWARD -j NFQUEUE --queue-num 1
COMMIT
`
const packet = 'udp 10.0.1.2:1 > 203.0.113.9:53 len 3'
const forwarded = 'wan: udp 10.0.1.2:1 > 203.0.113.9:53 len 3 ttl 63'

/** A router whose listener keeps packets without a verdict. */
function holding(rules = RULES) {
  const router = new Router(rules)
  const held: QueuedPacket[] = []
  const end = router.engine.queue(1, (queued) => held.push(queued))
  return { router, held, end }
}

describe('engine.queue', () => {
  test('shows a packet as it is at the hook', () => {
    const { router, held } = holding(`*mangle\n-A FORWARD -j MARK --set-mark 0xf0000000\nCOMMIT\n${RULES}`)
    router.send('lan', packet, packet)
    expect(held.map(({ id }) => id)).toEqual([1, 2])
    expect(held[0]).toMatchObject({
      queue: 1,
      family: 4,
      hook: 'forward',
      inDevice: 'lan',
      outDevice: 'wan',
      mark: 0xf0000000,
      time: 1_700_000_000_000,
      length: 31,
      segmentSize: 0,
    })
    expect(router.engine.queued(1)).toBe(2)
  })

  test('takes a verdict later, which is carried out at once', () => {
    const { router, held } = holding()
    expect(router.send('lan', packet)).toEqual([])
    expect(router.slotsOut).toBe(0)
    held[0].accept()
    expect(router.taken()).toEqual([forwarded])
    expect(router.engine.queued(1)).toBe(0)
  })

  test('takes one verdict a packet', () => {
    const { router, held } = holding()
    router.send('lan', packet)
    held[0].drop()
    for (const again of [() => held[0].accept(), () => held[0].drop(), () => held[0].repeat()])
      expect(again).toThrow('has its verdict')
    expect(router.taken()).toEqual([])
    expect(router.dropped()).toEqual({ netfilter: 1 })
  })

  test('what a listener writes into the payload is its own affair', () => {
    const router = new Router(RULES)
    router.engine.queue(1, (queued) => {
      queued.payload.fill(0)
      queued.accept()
    })
    expect(router.send('lan', packet)).toEqual([forwarded])
  })

  test.each([
    ['too short', new Uint8Array(19), { truncated: 1 }],
    ['of no version', new Uint8Array(40), { version: 1 }],
  ])('a payload %s is dropped under its reason', (_, payload, dropped) => {
    const router = new Router(RULES)
    router.engine.queue(1, (queued) => queued.accept({ payload }))
    expect(router.send('lan', packet)).toEqual([])
    expect(router.dropped()).toEqual(dropped)
    expect(router.slotsOut).toBe(0)
  })

  test('a payload longer than a packet can be is refused, and the packet can still be judged', () => {
    const { router, held } = holding()
    router.send('lan', packet)
    expect(() => held[0].accept({ payload: new Uint8Array(65536) })).toThrow('expected at most 65535')
    held[0].accept()
    expect(router.taken()).toEqual([forwarded])
  })

  test('a listener that throws costs its packet only', () => {
    const router = new Router(RULES)
    let count = 0
    router.engine.queue(1, (queued) => {
      if (count++ === 0) throw new Error('broken')
      queued.accept()
    })
    expect(router.send('lan', packet, packet)).toEqual([forwarded])
    expect(router.notices).toEqual(['the listener of queue 1 threw, and its packet is dropped: Error: broken'])
    expect([router.slotsOut, router.flows, router.engine.queued(1)]).toEqual([0, 0, 0])
  })

  test('what is held when a listener ends is dropped, and a late verdict is refused', () => {
    const { router, held, end } = holding()
    router.send('lan', packet)
    end()
    expect(router.dropped()).toEqual({ netfilter: 1 })
    expect(() => held[0].accept()).toThrow('has its verdict')
    router.send('lan', packet)
    expect(router.dropped()).toEqual({ netfilter: 1, 'queue-unbound': 1 })
    expect(router.engine.queue(1, (queued) => queued.accept())).toBeTypeOf('function')
    expect(router.send('lan', packet)).toEqual([forwarded])
  })

  test('rules that are loaded while a packet is held are those that it goes on with', () => {
    const { router, held } = holding()
    router.send('lan', packet, packet, packet)
    router.engine.load(`*filter\n-A FORWARD -j DROP\nCOMMIT\n*security\n-A FORWARD -p tcp -j DROP\nCOMMIT\n`)
    held[0].accept()
    expect(router.taken()).toEqual([forwarded])
    held[1].repeat()
    expect(router.taken()).toEqual([])
    router.engine.load(`*security\n-A FORWARD -j DROP\nCOMMIT\n`)
    held[2].repeat()
    expect(router.dropped()).toEqual({ netfilter: 2 })
  })

  test('a listener may load rules, send packets and turn the engine within its call', () => {
    const router = new Router(RULES)
    router.engine.queue(1, (queued) => {
      router.engine.load('')
      router.device('lan').inject(queued.payload)
      router.engine.step()
      queued.accept()
    })
    expect(router.send('lan', packet)).toEqual([forwarded, forwarded.replace('ttl 63', 'ttl 62')].reverse())
    expect(router.slotsOut).toBe(0)
  })

  test('a listener that says repeat for ever leaves the engine its rounds', () => {
    const router = new Router(RULES)
    let count = 0
    router.engine.queue(1, (queued) => {
      count++
      queued.repeat()
    })
    router.device('lan').inject(bytesOf(packet))
    for (let i = 0; i < 5; i++) router.engine.step()
    expect(count).toBeLessThanOrEqual(5)
    expect(router.engine.queued(1)).toBe(1)
  })

  test('more packets may be held than the router has slots', () => {
    const router = new Router(RULES, { slots: 128 })
    const held: QueuedPacket[] = []
    router.engine.queue(1, (queued) => held.push(queued), { maxLength: 500 })
    for (let i = 0; i < 600; i++) router.inject('lan', packet)
    expect([held.length, router.slotsOut]).toEqual([500, 0])
    expect(router.dropped()).toEqual({ 'queue-full': 100 })
    for (const queued of held) queued.accept()
    expect(router.taken()).toHaveLength(500)
  })

  test('refuses a queue that is taken, and a number that is none', () => {
    const { router, held } = holding()
    expect(() => router.engine.queue(1, () => {})).toThrow('queue 1 has a listener')
    for (const number of [-1, 65536, 1.5])
      expect(() => router.engine.queue(number, () => {})).toThrow('expected a number')
    router.send('lan', packet)
    expect(() => held[0].requeue(65536)).toThrow('expected a number')
    held[0].accept()
    expect(router.taken()).toEqual([forwarded])
  })
})

describe('flows of packets that are held', () => {
  const TRACKED = `*filter\n-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j NFQUEUE --queue-num 1\nCOMMIT\n`

  test('a flow enters the table when its packet has passed, and not when it is dropped', () => {
    const { router, held } = holding(TRACKED)
    router.send('lan', packet, packet.replace(':53', ':54'))
    expect(router.engine.conntrack.flows.count).toBe(2)
    held[0].drop()
    held[1].accept()
    expect(router.flows).toBe(1)
    expect(router.taken()).toEqual([forwarded.replace(':53', ':54')])
  })

  test('a packet whose flow ended meanwhile is dropped', () => {
    const { router, held } = holding(TRACKED)
    router.send('lan', packet)
    held[0].accept()
    expect(router.taken()).toEqual([forwarded])
    router.send('lan', packet)
    router.pause(40_000)
    router.engine.tick()
    router.send('lan', packet.replace('10.0.1.2', '10.0.1.3'))
    held[1].accept()
    expect(router.taken()).toEqual([])
    expect(router.dropped()).toEqual({ conntrack: 1 })
  })
})

test('--queue-balance gives both directions of a flow one queue, and spreads flows over all', () => {
  const router = new Router('*filter\n-A FORWARD -j NFQUEUE --queue-balance 3:6\nCOMMIT\n')
  const seen = new Map<string, number[]>()
  for (let number = 3; number <= 6; number++)
    router.engine.queue(number, (queued) => {
      const hosts = [queued.payload.slice(12, 16).join('.'), queued.payload.slice(16, 20).join('.')].sort().join()
      seen.set(hosts, [...(seen.get(hosts) ?? []), queued.queue])
      queued.accept()
    })
  for (let host = 2; host < 60; host++) {
    router.send('lan', `udp 10.0.1.${host}:1 > 203.0.113.9:53`, `udp 10.0.1.${host}:2 > 203.0.113.9:99`)
    router.send('wan', `udp 203.0.113.9:53 > 10.0.1.${host}:1`)
  }
  for (const queues of seen.values()) expect(queues).toEqual([queues[0], queues[0], queues[0]])
  expect([...new Set([...seen.values()].flat())].sort()).toEqual([3, 4, 5, 6])
})

test('--queue-cpu-fanout takes the first queue: there is one processor', () => {
  const router = new Router('*filter\n-A FORWARD -j NFQUEUE --queue-balance 3:6 --queue-cpu-fanout\nCOMMIT\n')
  router.engine.queue(3, (queued) => queued.accept())
  for (let host = 2; host < 20; host++)
    expect(router.send('lan', `udp 10.0.1.${host}:1 > 203.0.113.9:53`)).toHaveLength(1)
})
