import { expect, test } from 'vitest'
import { Router } from './router.ts'

const RULES = `*filter
-A FORWARD -p udp -j IDLETIMER --timeout 30 --label udp
-A FORWARD -j IDLETIMER --timeout 60 --label any
COMMIT
`

test('an idle timer runs from when it is named, is set anew by packets, and tells once that it has run out', () => {
  const router = new Router(RULES)
  const idle: string[] = []
  const end = router.engine.onIdle((label) => idle.push(label))
  expect([...router.engine.idleTimers()]).toEqual([
    ['udp', 30],
    ['any', 60],
  ])
  router.pause(29_000)
  router.inject('lan', 'tcp 10.0.1.2:1 > 203.0.113.9:80 S')
  router.pause(1_001)
  expect(idle).toEqual(['udp'])
  expect([...router.engine.idleTimers().values()]).toEqual([0, 59])
  router.pause(1000)
  router.inject('lan', 'udp 10.0.1.2:1 > 203.0.113.9:80')
  router.pause(30_000)
  router.pause(30_000)
  expect(idle).toEqual(['udp', 'udp', 'any'])
  end()
  router.inject('lan', 'udp 10.0.1.2:1 > 203.0.113.9:80')
  router.pause(90_000)
  expect(idle).toHaveLength(3)
})

test('an idle timer keeps running over a change of rules that names it, and is gone with one that does not', () => {
  const router = new Router(RULES)
  router.pause(10_000)
  router.engine.load(RULES.replace(/.*any\n/, ''))
  expect([...router.engine.idleTimers()]).toEqual([['udp', 20]])
})
