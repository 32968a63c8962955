import { describe, expect, it, vi } from 'vitest'
import { ACCEPT, DROP, REPEAT, STOLEN } from '../../src/hook/hook.ts'
import { CONTINUE } from '../../src/rule/define.ts'
import { bytesOf, lineOf } from '../support/packets.ts'
import { Router } from './router.ts'

const FORWARD = 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 5'
const FORWARDED = 'wan: udp 10.0.1.2:1000 > 203.0.113.9:53 len 5 ttl 63'
const STATEFUL = '*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n'

describe("a user's hook", () => {
  it('sees each packet at its priority between the built-in steps', () => {
    const router = new Router(
      '*raw\n-A PREROUTING -j LOG --log-prefix "raw "\nCOMMIT\n*mangle\n-A PREROUTING -j LOG --log-prefix "mangle "\nCOMMIT\n',
    )
    const seen: string[] = []
    router.engine.hook('prerouting', { priority: -200 }, (p) => {
      seen.push(lineOf(p.copy()), ...router.log.map((line) => line.split(' ')[0]!))
      return ACCEPT
    })
    expect(router.send('lan', FORWARD)).toEqual([FORWARDED])
    expect(seen).toEqual(['udp 10.0.1.2:1000 > 203.0.113.9:53 len 5', 'raw'])
    expect(router.log).toHaveLength(2)
  })

  it('of equal priority come in the order in which they were registered, behind the built-in step', () => {
    const router = new Router('*filter\n-A FORWARD -j LOG\nCOMMIT\n')
    const order: string[] = []
    for (const name of ['a', 'b', 'c'])
      router.engine.hook('forward', { priority: 0, name }, () => {
        order.push(name, String(router.log.length))
        return ACCEPT
      })
    router.send('lan', FORWARD)
    expect(order).toEqual(['a', '1', 'b', '1', 'c', '1'])
    const names = router.engine.pipeline.steps(2).map((step) => step.name)
    expect(names).toEqual(['filter', 'a', 'b', 'c'])
  })

  it.each([
    ['ACCEPT', ACCEPT, [FORWARDED], {}],
    ['CONTINUE', CONTINUE, [FORWARDED], {}],
    ['DROP', DROP, [], { netfilter: 1 }],
    ['STOLEN', STOLEN, [], { stolen: 1 }],
  ])('may say %s', (_, verdict, expected, dropped) => {
    for (const rules of ['', STATEFUL]) {
      const router = new Router(rules)
      for (const name of ['prerouting', 'forward', 'postrouting'] as const) {
        const away = router.engine.hook(name, { priority: 0 }, () => verdict)
        const before = router.dropped()
        expect(router.send('lan', FORWARD)).toEqual(expected)
        const reason = Object.keys(dropped)[0]
        expect((router.dropped()[reason ?? ''] ?? 0) - (before[reason ?? ''] ?? 0)).toBe(expected.length === 0 ? 1 : 0)
        expect(router.slotsOut).toBe(0)
        away()
      }
      // What was dropped or stolen on the way left no flow behind.
      expect(router.flows).toBe(rules !== '' && expected.length > 0 ? 1 : 0)
    }
  })

  it('may ask to be run again', () => {
    const router = new Router()
    let again = 3
    router.engine.hook('forward', { priority: 0 }, () => (again-- > 0 ? REPEAT : ACCEPT))
    expect([router.send('lan', FORWARD), again]).toEqual([[FORWARDED], -1])
  })

  it('is gone when it is taken away, and survives a reload otherwise', () => {
    const router = new Router()
    const run = vi.fn(() => ACCEPT)
    const away = router.engine.hook('forward', { priority: 0 }, run)
    router.send('lan', FORWARD)
    router.engine.load(STATEFUL)
    router.send('lan', FORWARD)
    away()
    away()
    router.send('lan', FORWARD)
    expect(run).toHaveBeenCalledTimes(2)
  })

  it('that throws costs its packet and no other, and is told of', () => {
    const router = new Router(STATEFUL)
    let calls = 0
    router.engine.hook('forward', { priority: 0, name: 'faulty' }, () => {
      if (calls++ === 1) throw new Error('oops')
      return ACCEPT
    })
    expect(router.send('lan', FORWARD, FORWARD, FORWARD)).toEqual([FORWARDED, FORWARDED])
    expect(router.dropped()).toEqual({ netfilter: 1 })
    expect(router.slotsOut).toBe(0)
    expect(router.notices).toEqual([expect.stringMatching(/hook faulty at FORWARD threw.*oops/)])
  })

  it('at a hook that is none is refused', () => {
    expect(() => new Router().engine.hook('middle' as 'forward', { priority: 0 }, () => ACCEPT)).toThrow(
      expect.objectContaining({ code: 'ERR_HOOK', message: expect.stringContaining('middle') }),
    )
  })
})

describe('rules that are loaded', () => {
  const BEFORE = '*filter\n:FORWARD DROP [5:500]\n[7:700] -A FORWARD -p udp -j ACCEPT\nCOMMIT\n'

  it('replace those before, and what they do not name is gone', () => {
    const router = new Router(BEFORE)
    expect(router.send('lan', 'tcp 10.0.1.2:1 > 203.0.113.9:5 S')).toEqual([])
    router.engine.load('*mangle\n-A FORWARD -j ACCEPT\nCOMMIT\n')
    expect(router.send('lan', 'tcp 10.0.1.2:1 > 203.0.113.9:5 S')).toHaveLength(1)
    expect(router.engine.saveRules()).not.toContain('*filter')
  })

  it('change nothing at all where anything in them is wrong', () => {
    const router = new Router(BEFORE)
    const before = router.engine.saveRules({ counters: true })
    for (const wrong of [
      '*filter\n-A FORWARD -j DROP\n-A FORWARD -j NOWHERE\nCOMMIT\n',
      '*mangle\n-A FORWARD -j DROP\nCOMMIT\n*filter\n-A FORWARD -m nosuchmatch -j DROP\nCOMMIT\n',
      '*filter\n-A FORWARD -j DROP\n',
      '*filter\n:A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A A -j B\n-A B -j A\nCOMMIT\n',
    ])
      expect(() => router.engine.load(wrong), wrong).toThrow(expect.objectContaining({ name: 'RefusedError' }))
    expect(router.engine.saveRules({ counters: true })).toBe(before)
    expect([router.send('lan', FORWARD), router.send('lan', 'tcp 10.0.1.2:1 > 203.0.113.9:5 S')]).toEqual([
      [FORWARDED],
      [],
    ])
  })

  it('keep the counters of what stands unchanged', () => {
    const router = new Router(BEFORE)
    router.send('lan', FORWARD, FORWARD, 'tcp 10.0.1.2:1 > 203.0.113.9:5 S')
    router.engine.load('*filter\n:FORWARD DROP\n-A FORWARD -p icmp -j ACCEPT\n-A FORWARD -p udp -j ACCEPT\nCOMMIT\n')
    const saved = router.engine.saveRules({ counters: true })
    expect(saved).toContain('[2:66] -A FORWARD -p udp -j ACCEPT')
    expect(saved).toContain('[0:0] -A FORWARD -p icmp -j ACCEPT')
    expect(saved).toContain(':FORWARD DROP [1:40]')
  })

  it('keep flows, and track no new ones where no rule asks for it', () => {
    const router = new Router(STATEFUL)
    router.send('lan', FORWARD)
    expect(router.flows).toBe(1)
    router.engine.load('')
    router.send('lan', 'udp 10.0.1.3:1000 > 203.0.113.9:53 len 5')
    expect([router.flows, router.engine.pipeline.steps(0)]).toEqual([1, []])
  })
})

describe("a packet of the program's own", () => {
  it('is routed and goes through OUTPUT and POSTROUTING', () => {
    const router = new Router(
      '*filter\n-A OUTPUT -p udp --dport 54 -j DROP\nCOMMIT\n*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n',
    )
    router.engine.output(bytesOf('udp 10.0.1.1:1000 > 198.51.100.9:53 len 5'))
    router.engine.output(bytesOf('udp 10.0.1.1:1000 > 198.51.100.9:54 len 5'))
    expect(router.taken()).toEqual(['wan: udp 203.0.113.1:1000 > 198.51.100.9:53 len 5'])
    expect([router.dropped(), router.flows, router.slotsOut]).toEqual([{ netfilter: 1 }, 1, 0])
  })

  it('whose destination DNAT changed goes by the new route, with its first source', () => {
    const router = new Router('*nat\n-A OUTPUT -d 198.51.100.9 -j DNAT --to-destination 10.0.1.9\nCOMMIT\n')
    router.engine.output(bytesOf('udp 203.0.113.1:1000 > 198.51.100.9:53 len 5'))
    expect(router.taken()).toEqual(['lan: udp 203.0.113.1:1000 > 10.0.1.9:53 len 5'])
  })

  it('to the router itself comes in by the loopback device, with its flow, and is answered there', () => {
    const router = new Router(
      `*filter\n-A INPUT -m conntrack --ctstate ESTABLISHED -j LOG --log-prefix "back "\n-A INPUT -j LOG --log-prefix "in "\nCOMMIT\n`,
    )
    router.engine.output(bytesOf('icmp 10.0.1.1 > 10.0.1.1 echo-request id 1 seq 1'))
    expect(router.log.map((line) => line.split(' ')[0])).toEqual(['in', 'back', 'in'])
    expect([router.flows, router.slotsOut]).toEqual([1, 0])
  })

  it('that is no packet, or has no way, is dropped with its reason', () => {
    const router = new Router('', { config: { devices: { lan: { addresses: ['10.0.1.1/24'] } } } })
    router.engine.output(new Uint8Array(0))
    router.engine.output(new Uint8Array(70_000).fill(0x45))
    router.engine.output(bytesOf('udp 10.0.1.1:1000 > 8.8.8.8:53 len 5'))
    expect([router.dropped(), router.slotsOut]).toEqual([{ truncated: 1, oversize: 1, 'no-route': 1 }, 0])
  })

  it('longer than the MTU leaves in fragments, but not if DF is set', () => {
    const router = new Router('', { slots: 128 })
    router.engine.output(bytesOf('udp 10.0.1.1:1000 > 203.0.113.9:53 len 3000'))
    expect(
      router
        .device('wan')
        .take()
        .map((bytes) => bytes.length),
    ).toEqual([1500, 1500, 68])
    router.engine.output(bytesOf('udp 10.0.1.1:1000 > 203.0.113.9:53 len 3000 DF'))
    expect([router.taken(), router.dropped(), router.slotsOut]).toEqual([[], { 'fragmentation-needed': 1 }, 0])
  })
})

describe('a full flow table', () => {
  const flow = (n: number, last = 2) => `udp 10.0.1.${last}:${1 + (n % 60000)} > 203.0.113.9:53 len 1`
  const options = { sysctl: { 'net.netfilter.nf_conntrack_max': 64 } }

  it('first drops flows early that are not assured', () => {
    const router = new Router(STATEFUL, options)
    for (let i = 0; i < 200; i++) expect(router.send('lan', flow(i))).toHaveLength(1)
    expect(router.flows).toBe(64)
    expect(router.engine.counters().conntrack).toMatchObject({ early_drop: 136, drop: 0 })
    expect([router.dropped(), router.notices, router.slotsOut]).toEqual([{}, [], 0])
  })

  it('refuses new flows when all are assured, counts them, and says so once', () => {
    const router = new Router(STATEFUL, options)
    const open = (i: number) => {
      router.send('lan', `tcp 10.0.1.2:${1000 + i} > 203.0.113.9:80 S seq 1`)
      router.send('wan', `tcp 203.0.113.9:80 > 10.0.1.2:${1000 + i} S. seq 8 ack 2`)
      return router.send('lan', `tcp 10.0.1.2:${1000 + i} > 203.0.113.9:80 . seq 2 ack 9`)
    }
    for (let i = 0; i < 64; i++) expect(open(i)).toHaveLength(1)
    for (let i = 0; i < 10; i++) expect(router.send('lan', flow(i, 3))).toEqual([])
    expect(router.dropped()).toEqual({ conntrack: 10 })
    expect(router.engine.counters().conntrack).toMatchObject({ count: 64, drop: 10, early_drop: 0 })
    expect(router.notices).toEqual([expect.stringContaining('flow table full (64 flows)')])
    // Known flows go on, and when their time is over there is room again.
    expect(router.send('lan', 'tcp 10.0.1.2:1005 > 203.0.113.9:80 . seq 2 ack 9')).toHaveLength(1)
    router.pause(432_001_000)
    expect(router.send('lan', flow(0, 3))).toHaveLength(1)
    expect([router.flows, router.slotsOut]).toEqual([1, 0])
  })
})

it('closing it closes its devices', () => {
  const router = new Router()
  const closed = vi.spyOn(router.device('lan'), 'close')
  {
    using _engine = router.engine
  }
  expect(closed).toHaveBeenCalledTimes(1)
})
