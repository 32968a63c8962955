// What was decided for an established flow is used for its next packets, counts for them, and is forgotten where it has to be.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { VerdictMemory } from '../../src/rule/verdict-memory.ts'
import { Router } from '../engine/router.ts'

const OUT = 'udp 10.0.1.2:1000 > 198.51.100.7:53 len 5'
const BACK = 'udp 198.51.100.7:53 > 203.0.113.1:1000 len 5'
const NAT = '*nat\n-A POSTROUTING -o wan -j MASQUERADE\nCOMMIT\n'
const filter = (...rules: string[]) => `${NAT}*filter\n${rules.map((rule) => `-A FORWARD ${rule}\n`).join('')}COMMIT\n`

let remembered = 0
const { find, way } = VerdictMemory.prototype

beforeEach(() => {
  remembered = 0
  VerdictMemory.prototype.find = function (...args) {
    const found = find.apply(this, args)
    if (found !== undefined) remembered++
    return found
  }
  VerdictMemory.prototype.way = function (...args) {
    const known = way.apply(this, args)
    if (known !== undefined) remembered++
    return known
  }
})

afterEach(() => {
  Object.assign(VerdictMemory.prototype, { find, way })
})

function established(rules: string): Router {
  const router = new Router(rules)
  router.send('lan', OUT)
  router.send('wan', BACK)
  router.send('lan', OUT)
  router.send('wan', BACK)
  remembered = 0
  return router
}

/** Packets of each rule of FORWARD. */
function counts({ engine }: Router): number[] {
  const { rules } = engine.ruleSet.tables.get('filter')!.chains.get('FORWARD')!
  return rules.map((rule) => engine.countersOf(rule).packets)
}

test('packets count for every rule that they would have met', () => {
  const router = established(
    filter(
      '-p tcp',
      '',
      '-p udp -m multiport --dports 1,53',
      '-m conntrack --ctstate ESTABLISHED -j ACCEPT',
      '-m conntrack ! --ctstate NEW -j DROP',
    ),
  )
  const before = counts(router)
  expect(router.send('lan', OUT, OUT)).toHaveLength(2)
  expect(router.send('wan', BACK)).toHaveLength(1)
  expect(remembered).toBe(3)
  expect(counts(router).map((n, i) => n - before[i]!)).toEqual([0, 3, 2, 3, 0])
})

test.each([
  ['its length', '-m length --length 20:40'],
  ['its time to live', '-m ttl --ttl-gt 3'],
  ['a limit', '-m limit --limit 1/s'],
  ["the flow's mark", '-m connmark --mark 0'],
  ['chance', '-m statistic --mode random --probability 0.5'],
  ['the time', '-m time --timestart 00:00 --timestop 23:59'],
  ['a list of those who came before', '-m recent --set'],
  ['what it says', '-m string --algo bm --string x'],
  ['the state of the flow in both directions', '-m conntrack --ctstatus ASSURED'],
])('where %s is looked at, every packet is judged anew', (_, match) => {
  const router = established(filter(match, '-j ACCEPT'))
  router.send('lan', OUT)
  expect(remembered).toBe(0)
})

test('where a rule does something besides its verdict, it does it for every packet', () => {
  const router = established(filter('-j LOG --log-prefix x', '-j ACCEPT'))
  const lines = router.log.length
  router.send('lan', OUT, OUT)
  expect([remembered, router.log.length - lines]).toEqual([0, 2])
})

test('a rule that is asked and does not match in its plain part hinders nothing', () => {
  const router = established(filter('-p tcp -m limit --limit 1/s', '-s 10.9.0.0/16 -m length --length 1', '-j ACCEPT'))
  router.send('lan', OUT)
  expect(remembered).toBe(1)
})

test('what a flow is told that nobody has answered holds until there is an answer', () => {
  const router = new Router(
    filter('-m conntrack --ctstate NEW -j ACCEPT', '-m conntrack --ctstate ESTABLISHED -d 198.51.100.7 -j DROP'),
  )
  expect(router.send('lan', OUT, OUT, OUT, OUT)).toHaveLength(4)
  expect(remembered).toBe(2)
  router.send('wan', BACK)
  expect(router.send('lan', OUT, OUT)).toEqual([])
  expect(counts(router)).toEqual([4, 2])
})

test('another rule set is another judgement', () => {
  const router = established(filter('-j ACCEPT'))
  router.engine.load(filter('-p udp -j DROP'))
  expect(router.send('lan', OUT)).toEqual([])
  router.engine.load(filter('-p tcp -j DROP'))
  expect(router.send('lan', OUT)).toHaveLength(1)
})

test('another mark is another judgement', () => {
  const marks = '*mangle\n-A PREROUTING -m length --length 34 -j MARK --set-mark 1\nCOMMIT\n'
  const router = established(filter('-m mark --mark 1 -j DROP', '-j ACCEPT') + marks)
  expect(router.send('lan', OUT)).toHaveLength(1)
  expect(router.send('lan', OUT.replace('len 5', 'len 6'))).toEqual([])
  expect(router.send('lan', OUT)).toHaveLength(1)
})

test('another device is another judgement', () => {
  const router = established(filter('-i wan -o wan -j DROP', '-j ACCEPT'))
  expect(router.send('lan', OUT)).toHaveLength(1)
  expect(router.send('wan', OUT)).toEqual([])
  expect(router.send('lan', OUT)).toHaveLength(1)
})

test("what was decided for a flow is not another's, when that has its record", () => {
  const router = established(filter('-s 198.51.100.7', '-s 198.51.100.8', '-j ACCEPT'))
  router.pause(200_000)
  const [out, back] = [OUT, BACK].map((packet) => packet.replace('100.7', '100.8'))
  const before = counts(router)
  router.send('lan', out!)
  expect(router.flows).toBe(1)
  router.send('wan', back!)
  router.send('wan', back!)
  expect(counts(router).map((n, i) => n - before[i]!)).toEqual([0, 2, 3])
})
