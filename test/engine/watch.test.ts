// A watch sees the packet's way: every step that a packet comes to, in order, with what it said.

import { expect, test } from 'vitest'
import { ACCEPT, DROP, HOOK_NAMES } from '../../src/hook/hook.ts'
import type { Watch } from '../../src/hook/way.ts'
import { CONFIG, Router } from './router.ts'

const RULES = `*nat
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
*filter
-A FORWARD -p udp --dport 99 -j DROP
COMMIT
`

function watched(interpretRules: boolean) {
  const seen: string[] = []
  const watch: Watch = {
    enter: (p, hook, { name }) => seen.push(`${HOOK_NAMES[hook]} ${name} ${p.dport}`),
    leave: (_, hook, { name }, verdict) => {
      if (verdict !== ACCEPT) seen.push(`${HOOK_NAMES[hook]} ${name} said ${verdict === DROP ? 'DROP' : verdict}`)
    },
  }
  const router = new Router(RULES, { config: CONFIG, watch, interpretRules })
  const send = (packet: string) => {
    seen.length = 0
    router.send('lan', packet)
    return [...seen]
  }
  return { router, send, seen }
}

test('a new packet comes by every step of its way, in order', () => {
  expect(watched(false).send('udp 10.0.1.2:1 > 203.0.113.9:53')).toEqual([
    'PREROUTING defrag 53',
    'PREROUTING conntrack 53',
    'PREROUTING nat 53',
    'FORWARD filter 53',
    'POSTROUTING nat 53',
    'POSTROUTING confirm 53',
  ])
})

test('the step that ends it says so, and nothing comes behind', () => {
  expect(watched(false).send('udp 10.0.1.2:1 > 203.0.113.9:99').slice(-2)).toEqual([
    'FORWARD filter 99',
    'FORWARD filter said DROP',
  ])
})

test.each([
  ['comes by conntrack and no further where its way is known', false, 2],
  ['comes by every step where rules are interpreted', true, 6],
])('an established packet %s', (_, interpretRules, steps) => {
  const { router, send } = watched(interpretRules)
  send('udp 10.0.1.2:1 > 203.0.113.9:53')
  router.send('wan', 'udp 203.0.113.9:53 > 203.0.113.1:1')
  send('udp 10.0.1.2:1 > 203.0.113.9:53')
  expect(send('udp 10.0.1.2:1 > 203.0.113.9:53')).toHaveLength(steps)
})
