import { describe, expect, test } from 'vitest'
import { formatFlows } from '../../src/conntrack/command/line.ts'
import { runCommand } from '../../src/index.ts'
import { Router } from './router.ts'

const RULES = '*raw\n-A PREROUTING -p udp --dport 69 -j CT --helper tftp\nCOMMIT\n'
const FILTER = '*filter\n-A FORWARD -i wan -m conntrack --ctstate NEW -j DROP\nCOMMIT\n'
const READ = 'hex 0001666f6f006f6374657400'

function flows({ engine }: Router): string[] {
  return [...formatFlows(engine.conntrack.flows, engine.time)]
}

const expected = ({ engine }: Router) => engine.conntrack.announced.expectations.count

describe('an expectation', () => {
  test('ends with its timeout', () => {
    const router = new Router(RULES + FILTER, { sysctl: { 'net.netfilter.nf_conntrack_udp_timeout': 1000 } })
    router.send('lan', `udp 10.0.1.2:1000 > 203.0.113.9:69 ${READ}`)
    router.pause(299_900)
    expect(expected(router)).toBe(1)
    router.pause(200)
    expect(router.send('wan', 'udp 203.0.113.9:3000 > 10.0.1.2:1000 hex 00030001')).toEqual([])
    expect(expected(router)).toBe(0)
  })

  test('ends with the flow that announced it', () => {
    const router = new Router(RULES + FILTER)
    router.send('lan', `udp 10.0.1.2:1000 > 203.0.113.9:69 ${READ}`)
    router.pause(31_000)
    expect(flows(router)).toEqual([])
    expect(router.send('wan', 'udp 203.0.113.9:3000 > 10.0.1.2:1000 hex 00030001')).toEqual([])
    expect(expected(router)).toBe(0)
  })

  test('is not made of a packet that does not leave', () => {
    const router = new Router(RULES)
    router.engine.hook('postrouting', { priority: 301 }, () => 0)
    router.send('lan', `udp 10.0.1.2:1000 > 203.0.113.9:69 ${READ}`)
    expect(expected(router)).toBe(0)
    expect(router.flows).toBe(0)
  })

  test('is refused when there are as many as there may be, and its packet dropped', () => {
    const router = new Router(RULES, {
      sysctl: { 'net.netfilter.nf_conntrack_max': 5000, 'net.netfilter.nf_conntrack_expect_max': 4096 },
    })
    for (let i = 0; i < 4100; i++)
      router.send('lan', `udp 10.0.1.${2 + (i >> 10)}:${1000 + (i & 1023)} > 203.0.113.9:69 ${READ}`)
    expect(expected(router)).toBe(4096)
    expect(router.flows).toBe(4096)
    expect(router.dropped()).toEqual({ conntrack: 4 })
  })

  test('is refused beyond net.netfilter.nf_conntrack_expect_max, and by default beyond a 64th of the flows', () => {
    for (const [sysctl, max] of [
      [{ 'net.netfilter.nf_conntrack_expect_max': 3 }, 3],
      [{ 'net.netfilter.nf_conntrack_max': 1024 }, 16],
      [{ 'net.netfilter.nf_conntrack_max': 100 }, 4],
    ] as const) {
      const router = new Router(RULES, { sysctl })
      for (let i = 0; i < 20; i++) router.send('lan', `udp 10.0.1.2:${1000 + i} > 203.0.113.9:69 ${READ}`)
      expect(expected(router)).toBe(max)
      // One goes with its time, and there is room again.
      router.pause(301_000)
      router.send('lan', `udp 10.0.1.2:2000 > 203.0.113.9:69 ${READ}`)
      expect(expected(router)).toBe(1)
    }
  })
})

/** A message of PPTP's control connection as hex. */
const control = (message: number, body: string, length: number) =>
  `hex 00${(12 + length).toString(16)}00011a2b3c4d00${message.toString(16).padStart(2, '0')}0000${body.padEnd(2 * length, '0')}`

describe('a flow that announced another', () => {
  test('takes the calls with it that it announced (PPTP)', () => {
    const router = new Router('*raw\n-A PREROUTING -p tcp --dport 1723 -j CT --helper pptp\nCOMMIT\n')
    const client = '10.0.1.2:1000 > 203.0.113.9:1723'
    const server = '203.0.113.9:1723 > 10.0.1.2:1000'
    router.send('lan', `tcp ${client} S seq 100`)
    router.send('wan', `tcp ${server} S. seq 500 ack 101`)
    router.send('lan', `tcp ${client} P. seq 101 ack 501 ${control(1, '', 144)}`)
    router.send('wan', `tcp ${server} P. seq 501 ack 257 ${control(2, '010001', 144)}`)
    router.send('lan', `tcp ${client} P. seq 257 ack 657 ${control(7, '0007', 156)}`)
    router.send('wan', `tcp ${server} P. seq 657 ack 425 ${control(8, '0009000701', 20)}`)
    expect(expected(router)).toBe(2)
    router.send('lan', 'ip 10.0.1.2 > 203.0.113.9 proto 47 hex 3001880b000400090000000161626364')
    expect(expected(router)).toBe(0)
    expect(flows(router)).toHaveLength(2)
    const [connection] = [...router.engine.flows].filter(({ protocol }) => protocol === 6)
    router.engine.flows.delete(connection!)
    expect(router.flows).toBe(0)
    expect(router.engine.conntrack.announced.greKeys.size).toBe(0)
    router.checkFlows([])
  })

  test('keeps its record until that one has ended', () => {
    const router = new Router(RULES)
    router.send('lan', `udp 10.0.1.2:1000 > 203.0.113.9:69 ${READ}`)
    router.send('wan', 'udp 203.0.113.9:3000 > 10.0.1.2:1000 hex 00030001')
    expect(flows(router)[0]).toContain('helper=tftp use=2')
    router.pause(20_000)
    router.send('lan', 'udp 10.0.1.2:1000 > 203.0.113.9:3000 hex 00040001')
    router.pause(12_000)
    // It is over and listed no more, but counted.
    expect(flows(router)).toHaveLength(1)
    expect(router.flows).toBe(2)
    router.pause(200_000)
    expect(router.flows).toBe(0)
    router.checkFlows([])
  })
})

describe('CT --helper', () => {
  test('costs nothing where no rule names a helper', () => {
    const router = new Router(FILTER)
    expect(router.engine.pipeline.steps(4).map(({ name }) => name)).not.toContain('helper')
    router.engine.load(RULES)
    expect(router.engine.pipeline.steps(4).map(({ name }) => name)).toContain('helper')
  })

  test.each(['-p udp -j CT --helper nonsense', '-p tcp -j CT --helper tftp', '-j CT --helper tftp'])(
    '%s is refused as Linux does it, and changes nothing',
    async (options) => {
      const router = new Router(RULES)
      const said = router.engine.saveRules()
      expect(() => router.engine.load(`*raw\n-A PREROUTING ${options}\nCOMMIT\n`)).toThrow('No such helper')
      const rule = `iptables -t raw -A PREROUTING ${options}`.split(' ')
      const { status, stderr } = await runCommand(router.engine, rule)
      expect(status).toBe(1)
      expect(stderr).toContain('iptables: No chain/target/match by that name.')
      expect(router.engine.saveRules()).toBe(said)
    },
  )
})
