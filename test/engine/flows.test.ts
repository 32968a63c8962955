// The flows of an engine as a program goes through them, changes them and is told of them.

import { expect, test } from 'vitest'
import { type FlowEvent, formatFlow } from '../../src/index.ts'
import { Router } from './router.ts'

const RULES = '*filter\n-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT\nCOMMIT\n'
const ASK = 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5'
const ANSWER = 'udp 203.0.113.9:53 > 10.0.1.2:1000 len 5'

test('flows are gone through, changed and deleted', () => {
  const router = new Router(RULES)
  const { flows } = router.engine
  expect([...flows]).toEqual([])
  router.send('lan', ASK, 'udp 10.0.1.2:1001 > 203.0.113.9:53 len 5')
  expect([...flows].map((flow) => formatFlow(flow))).toEqual([
    'udp      17 30 src=10.0.1.2 dst=203.0.113.9 sport=1000 dport=53 [UNREPLIED] src=203.0.113.9 dst=10.0.1.2 sport=53 dport=1000 mark=0 use=1',
    'udp      17 30 src=10.0.1.2 dst=203.0.113.9 sport=1001 dport=53 [UNREPLIED] src=203.0.113.9 dst=10.0.1.2 sport=53 dport=1001 mark=0 use=1',
  ])
  const [first, second] = [...flows]
  expect(flows.update(first!, { mark: { value: 6, mask: -1 }, timeout: 100 })).toMatchObject({ done: [1] })
  expect(flows.delete(second!)).toBe(true)
  expect(flows.delete(second!)).toBe(false)
  expect(flows.update(second!, { timeout: 5 })).toMatchObject({ refused: 'ENOENT' })
  expect([...flows]).toMatchObject([{ mark: 6, seconds: 100, original: { sport: 1000 } }])
  expect(flows.clear()).toBe(1)
  expect(flows.count).toBe(0)
})

test('a flow that took the place of one that has ended is left alone', () => {
  const router = new Router(RULES)
  const { flows } = router.engine
  router.send('lan', ASK)
  const [old] = [...flows]
  flows.clear()
  router.send('lan', 'udp 10.0.1.2:7 > 203.0.113.9:53 len 5')
  expect([...flows][0]!.ct).toBe(old!.ct)
  expect(flows.delete(old!)).toBe(false)
  expect(flows.count).toBe(1)
})

test('who listens is told of flows that begin from then on, and nothing is kept for who does not', () => {
  const router = new Router(RULES)
  const { flows } = router.engine
  router.send('lan', ASK)
  expect(router.engine.conntrack.flows.extensions.any).toBe(false)
  const told: string[] = []
  const stop = flows.listen(({ kind, flow }: FlowEvent) => told.push(`${kind} ${flow.original.sport}`))
  router.send('wan', ANSWER)
  router.send('lan', 'udp 10.0.1.2:7 > 203.0.113.9:53 len 5')
  router.send('wan', 'udp 203.0.113.9:53 > 10.0.1.2:7 len 5')
  router.pause(31_000)
  expect(told).toEqual(['new 7', 'update 7', 'destroy 7'])
  stop()
  router.send('lan', 'udp 10.0.1.2:8 > 203.0.113.9:53 len 5')
  expect(told).toHaveLength(3)
})

test('events come as an iterator too, until its signal says stop', async () => {
  const router = new Router(RULES)
  const abort = new AbortController()
  const told: string[] = []
  const reading = (async () => {
    for await (const { kind, at } of router.engine.flows.events(abort.signal)) {
      told.push(`${kind} ${at === router.clock.now()}`)
      abort.abort()
    }
  })()
  router.send('lan', ASK)
  await reading
  expect(told).toEqual(['new true'])
})

test('more events than the ring holds are lost, and counted; packets go on', () => {
  const router = new Router(RULES, { sysctl: { 'net.netfilter.nf_conntrack_max': 20_000 } })
  const { flows } = router.engine
  let told = 0
  let missed = 0
  flows.listen(
    () => told++,
    (count) => {
      missed += count
    },
  )
  for (let port = 1; port <= 9000; port++) {
    const there = { source: [1], destination: [2], ports: (port << 16) | 53, zone: 0 }
    const back = { source: [2], destination: [1], ports: (53 << 16) | port, zone: 0 }
    void flows.source.change(4, { kind: 'create', protocol: 17, original: there, reply: back, set: { timeout: 30 } }, 1)
  }
  router.engine.step()
  expect(flows.count).toBe(9000)
  expect(missed).toBeGreaterThan(0)
  expect(told + missed).toBe(9000)
})
