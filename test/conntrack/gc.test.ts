import { expect, test } from 'vitest'
import { Router } from '../engine/router.ts'

/** This many flows, made by command, that last as many seconds. */
function make({ engine }: Router, count: number, timeout: number): void {
  for (let i = 0; i < count; i++) {
    const there = { source: [i + 1], destination: [2], ports: (1000 << 16) | 53, zone: 0 }
    const back = { source: [2], destination: [i + 1], ports: (53 << 16) | 1000, zone: 0 }
    const made = { kind: 'create', protocol: 17, original: there, reply: back, set: { timeout } } as const
    void engine.flows.source.change(4, made, 1)
  }
  engine.step()
  expect(engine.flows.count).toBe(count)
}

const RULES = '*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n'
const FLOWS = 20_000

test('flows that are over all at once end a few a round while packets come, and none is left', () => {
  const router = new Router(RULES, { sysctl: { 'net.netfilter.nf_conntrack_max': 2 * FLOWS } })
  const { engine, clock } = router
  make(router, FLOWS, 10)
  clock.advance(11_000)
  let most = 0
  let rounds = 0
  for (let before = engine.flows.count; before > 1; rounds++) {
    router.send('lan', 'udp 10.0.1.2:1000 > 203.0.113.9:53')
    clock.advance(1)
    most = Math.max(most, before - engine.flows.count)
    before = engine.flows.count
    expect(rounds).toBeLessThan(FLOWS)
  }
  expect(most).toBeGreaterThan(0)
  // Router.send takes two rounds: one with the packet, one that shows that there is nothing more.
  expect(most).toBeLessThan(1300)
})

test('where nothing else is to be done they end soon, and those that last stay', () => {
  const router = new Router(RULES, { sysctl: { 'net.netfilter.nf_conntrack_max': 2 * FLOWS } })
  make(router, FLOWS, 10)
  router.send('lan', 'udp 10.0.1.2:1000 > 203.0.113.9:53')
  router.clock.advance(11_000)
  for (let i = 0; i < 60; i++) {
    router.clock.advance(20)
    router.engine.step()
  }
  expect(router.engine.flows.count).toBe(1)
})
