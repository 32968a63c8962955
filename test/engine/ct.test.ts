import { describe, expect, test } from 'vitest'
import { formatFlows } from '../../src/conntrack/command/line.ts'
import { CONFIG, Router } from './router.ts'

const config = {
  ...CONFIG,
  timeouts: { quick: { protocol: 'udp', unreplied: 5, replied: 7 }, slow: { protocol: 'tcp', syn_sent: 900 } },
}
const rule = (options: string) => `*raw\n-A PREROUTING ${options}\nCOMMIT\n`

function flows({ engine }: Router): string[] {
  return [...formatFlows(engine.conntrack.flows, engine.time)].sort().reverse()
}

describe('CT --timeout', () => {
  test('gives flows the timeouts of a policy', () => {
    const router = new Router(rule('-p udp -j CT --timeout quick'), { config })
    router.send('lan', 'udp 10.0.1.2:1 > 203.0.113.9:53', 'tcp 10.0.1.2:1 > 203.0.113.9:80 S')
    expect(flows(router)).toEqual([
      expect.stringContaining('udp      17 5 '),
      expect.stringContaining('tcp      6 120 '),
    ])
    router.pause(4900)
    expect(flows(router)).toHaveLength(2)
    router.pause(200)
    expect(flows(router)).toHaveLength(1)
  })

  test.each([
    ['-p udp -j CT --timeout nosuch', 'CT --timeout nosuch: there is no such policy for udp'],
    ['-p tcp -j CT --timeout quick', 'CT --timeout quick: there is no such policy for tcp'],
    ['-j CT --timeout quick', "a timeout policy is one protocol's: expected -p"],
  ])('%s is refused, and changes nothing', (options, message) => {
    const router = new Router(rule('-j CT --zone 3'), { config })
    expect(() => router.engine.load(rule(options))).toThrow(message)
    expect(router.engine.saveRules()).toContain('-A PREROUTING -j CT --zone 3\n')
  })

  test('is of no matter for what is not tracked', () => {
    const router = new Router(rule('-p udp -j CT --notrack --timeout nosuch'), { config })
    expect(router.send('lan', 'udp 10.0.1.2:1 > 203.0.113.9:53')).toHaveLength(1)
    expect(flows(router)).toEqual([])
  })
})

test('CT --ctevents tells listeners of some events of its flows only', () => {
  const router = new Router(
    rule(
      '-p udp --dport 53 -j CT --ctevents destroy\n-A PREROUTING -p udp --dport 54 -j CT --ctevents new,reply\n-A PREROUTING -p udp --dport 55 -j CT',
    ),
  )
  const told: string[] = []
  router.engine.flows.listen(({ kind, flow }) => told.push(`${kind} ${flow.original.dport}`))
  for (const port of [53, 54, 55]) {
    router.send('lan', `udp 10.0.1.2:1 > 203.0.113.9:${port}`)
    router.send('wan', `udp 203.0.113.9:${port} > 10.0.1.2:1`)
  }
  router.pause(60_000)
  router.engine.tick()
  router.pause(1000)
  expect(told).toEqual(['new 54', 'update 54', 'new 55', 'update 55', 'destroy 53', 'destroy 55'])
})
