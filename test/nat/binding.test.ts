// Which address and port a new flow gets. What is said of Linux was measured on 6.18 (semantics of get_unique_tuple).

import { describe, expect, it } from 'vitest'
import { Router, type RouterOptions } from '../engine/router.ts'

const masquerade = (more = '') => `*nat\n-A POSTROUTING -o wan -j MASQUERADE${more}\nCOMMIT\n`
const snat = (more: string) => `*nat\n-A POSTROUTING -o wan -j SNAT ${more}\nCOMMIT\n`
const dnat = (more: string) => `*nat\n-A PREROUTING -i lan -j DNAT ${more}\nCOMMIT\n`

const udp = (client: number, sport: number, server = '198.51.100.9', dport = 53) =>
  `udp 10.0.1.${client}:${sport} > ${server}:${dport} len 1`

class Nat {
  readonly router: Router
  constructor(rules: string, options: RouterOptions = {}) {
    this.router = new Router(rules, options)
  }
  /** The source, or with `destination` the destination, that a packet leaves with; undefined when it does not leave. */
  of(packet: string, which: 'source' | 'destination' = 'source'): string | undefined {
    const [line] = this.router.send('lan', packet)
    return /^wan: \w+ (\S+) > (\S+)/.exec(line ?? '')?.[which === 'source' ? 1 : 2]
  }
  port(packet: string): number {
    return Number(this.of(packet)?.split(':')[1])
  }
  /** The identifier of an echo request that leaves. */
  id(packet: string): number {
    return Number(/ id (\d+)/.exec(this.router.send('lan', packet)[0] ?? '')?.[1] ?? 0)
  }
}

describe('the port', () => {
  it('is kept as long as no other flow needs it for the same destination', () => {
    const nat = new Nat(masquerade())
    expect(nat.of(udp(2, 5000))).toBe('203.0.113.1:5000')
    expect(nat.of(udp(3, 5000, '198.51.100.10'))).toBe('203.0.113.1:5000')
    expect(nat.of(udp(4, 5000, '198.51.100.9', 54))).toBe('203.0.113.1:5000')
    expect(nat.of('tcp 10.0.1.3:5000 > 198.51.100.9:53 S')).toBe('203.0.113.1:5000')
    expect(nat.of(udp(3, 5000))).not.toBe('203.0.113.1:5000')
  })

  it.each([
    [1, 1, 511],
    [511, 1, 511],
    [512, 600, 1023],
    [1023, 600, 1023],
    [1024, 1024, 65535],
    [65535, 1024, 65535],
  ])('%i that is taken becomes one from %i to %i', (sport, low, high) => {
    const nat = new Nat(masquerade())
    const ports = Array.from({ length: 20 }, (_, i) => nat.port(udp(2 + i, sport)))
    expect(ports[0]).toBe(sport)
    expect(new Set(ports).size).toBe(20)
    for (const port of ports.slice(1)) expect(port >= low && port <= high, `${port}`).toBe(true)
  })

  it('that a source is mapped to is its port for other destinations too', () => {
    const nat = new Nat(masquerade())
    nat.of(udp(2, 5000))
    const port = nat.port(udp(3, 5000))
    expect(port).not.toBe(5000)
    expect(nat.port(udp(3, 5000, '198.51.100.77'))).toBe(port)
    expect(nat.port(udp(3, 5001, '198.51.100.77'))).toBe(5001)
  })

  it('of a flow that is over is free at once', () => {
    const nat = new Nat(masquerade())
    nat.of(udp(2, 5000))
    // The reaper looked just before the flow's end, so it is the clash itself that shows it.
    nat.router.pause(29_990)
    nat.router.clock.advance(11)
    expect(nat.port(udp(3, 5000))).toBe(5000)
    expect(nat.router.engine.counters().conntrack).toMatchObject({ count: 1, expired: 1 })
  })

  it('is changed by a null binding where its natural tuple is taken', () => {
    const nat = new Nat(`*nat\n-A POSTROUTING -o wan -s 10.0.1.2 -j SNAT --to-source 10.0.1.3\nCOMMIT\n`)
    expect(nat.of(udp(2, 5000))).toBe('10.0.1.3:5000')
    const other = nat.of(udp(3, 5000))
    expect(other).toMatch(/^10\.0\.1\.3:/)
    expect(other).not.toBe('10.0.1.3:5000')
  })

  it.each([' --random', ' --random-fully'])('is picked anew with%s, even for a source that has a mapping', (flag) => {
    const nat = new Nat(masquerade(flag))
    const ports = Array.from({ length: 8 }, (_, i) => nat.port(udp(2, 5000, `198.51.100.${10 + i}`)))
    expect(new Set(ports).size).toBe(8)
    expect(ports).not.toContain(5000)
    for (const port of ports) expect(port).toBeGreaterThanOrEqual(1024)
  })

  it('is the same for the same seed, and another for another', () => {
    const ports = (seed: number) => {
      const nat = new Nat(masquerade(' --random'), { seed })
      return [udp(2, 5000), udp(3, 5000), udp(4, 5000)].map((packet) => nat.port(packet))
    }
    expect(ports(7)).toEqual(ports(7))
    expect(ports(7)).not.toEqual(ports(8))
  })
})

describe('a range of ports', () => {
  it('is kept to, used up, and then drops', () => {
    const nat = new Nat('*nat\n-A POSTROUTING -o wan -p udp -j SNAT --to-source 203.0.113.7:5000-5003\nCOMMIT\n')
    const got = Array.from({ length: 4 }, (_, i) => nat.of(udp(2 + i, 9000)))
    expect(got.sort()).toEqual([5000, 5001, 5002, 5003].map((port) => `203.0.113.7:${port}`))
    expect(nat.of(udp(9, 9000))).toBeUndefined()
    expect([nat.router.dropped(), nat.router.flows, nat.router.slotsOut]).toEqual([{ 'confirm-clash': 1 }, 4, 0])
    // What was dropped stands in no chain by source any more, whatever its record is used for next.
    for (let i = 0; i < 30; i++) nat.of(udp(20 + i, 9000))
    nat.router.checkFlows(Array.from({ length: 50 }, (_, i) => [`10.0.1.${2 + i}`, 9000, 17]))
    // Another destination is another matter.
    expect(nat.of(udp(9, 9000, '198.51.100.10'))).toMatch(/^203\.0\.113\.7:500[0-3]$/)
  })

  it('leaves a port alone that lies in it', () => {
    const nat = new Nat('*nat\n-A POSTROUTING -o wan -p udp -j SNAT --to-source 203.0.113.7:5000-5999\nCOMMIT\n')
    expect(nat.of(udp(2, 5432))).toBe('203.0.113.7:5432')
  })

  it('of one port drops the second flow', () => {
    const nat = new Nat('*nat\n-A POSTROUTING -o wan -p udp -j MASQUERADE --to-ports 6000\nCOMMIT\n')
    expect([nat.port(udp(2, 1)), nat.of(udp(3, 1))]).toEqual([6000, undefined])
  })

  it('without a base is no offset map', () => {
    const nat = new Nat(
      '*nat\n-A PREROUTING -p udp --dport 100:200 -j DNAT --to-destination 198.51.100.5:5000-5100\nCOMMIT\n',
    )
    const got = [100, 150, 200].map((dport) => nat.of(udp(2, 1000 + dport, '203.0.113.1', dport), 'destination'))
    expect(got).toEqual(Array(3).fill('198.51.100.5:5000'))
  })

  // Measured, those below the base too: the offset is 16 bits wide.
  it.each([
    [120, 5058],
    [100, 5038],
    [150, 5000],
    [200, 5050],
    [250, 5100],
    [251, 5000],
    [252, 5001],
    [900, 5043],
  ])('with base 150 maps port %i to %i', (dport, expected) => {
    const nat = new Nat(
      '*nat\n-A PREROUTING -p udp --dport 100:900 -j DNAT --to-destination 198.51.100.5:5000-5100/150\nCOMMIT\n',
    )
    expect(nat.of(udp(2, 1000, '203.0.113.1', dport), 'destination')).toBe(`198.51.100.5:${expected}`)
  })
})

describe('an ICMP identifier', () => {
  const echo = (client: number, id: number) => `icmp 10.0.1.${client} > 198.51.100.9 echo-request id ${id} seq 1`

  it('is kept, or becomes any other', () => {
    const nat = new Nat(masquerade())
    const ids = Array.from({ length: 10 }, (_, i) => nat.id(echo(2 + i, 7)))
    expect(ids[0]).toBe(7)
    expect(new Set(ids).size).toBe(10)
    // A 16-bit choice has no classes: one of ten is above 512 with all but certainty.
    expect(Math.max(...ids)).toBeGreaterThan(512)
  })

  it('finds its way back', () => {
    const nat = new Nat(masquerade())
    nat.id(echo(2, 7))
    const id = nat.id(echo(3, 7))
    expect(nat.router.send('wan', `icmp 198.51.100.9 > 203.0.113.1 echo-reply id ${id} seq 1`)).toEqual([
      'lan: icmp 198.51.100.9 > 10.0.1.3 echo-reply id 7 seq 1 ttl 63',
    ])
  })
})

describe('a range of addresses', () => {
  const addresses = (rules: string, packets: string[]) => {
    const nat = new Nat(rules)
    return packets.map((packet) => nat.of(packet)?.split(':')[0])
  }
  const servers = Array.from({ length: 30 }, (_, i) => udp(2, 5000 + i, `198.51.100.${i + 1}`))

  it('is spread over by source and destination, and stays what it was for both', () => {
    const once = addresses(snat('--to-source 203.0.113.10-203.0.113.19'), servers)
    expect(new Set(once).size).toBeGreaterThan(5)
    expect(addresses(snat('--to-source 203.0.113.10-203.0.113.19'), servers)).toEqual(once)
  })

  it('gives a client one address with --persistent', () => {
    const all = addresses(snat('--to-source 203.0.113.10-203.0.113.19 --persistent'), servers)
    expect(new Set(all).size).toBe(1)
  })

  it('is not left, whatever comes', () => {
    const packets = Array.from({ length: 60 }, (_, i) => udp(2 + i, 4000, `198.51.100.${i + 1}`))
    for (const address of addresses(snat('--to-source 255.255.255.253-255.255.255.254'), packets))
      expect(address).toMatch(/^255\.255\.255\.25[34]$/)
  })

  it('of destinations is spread over too', () => {
    const nat = new Nat(dnat('--to-destination 198.51.100.10-198.51.100.13'))
    const got = Array.from({ length: 40 }, (_, i) => nat.of(udp(2 + i, 4000, '203.0.113.1'), 'destination'))
    expect(new Set(got)).toEqual(new Set([10, 11, 12, 13].map((last) => `198.51.100.${last}:53`)))
  })
})

describe('a protocol without ports', () => {
  it('is translated by address alone, and the second flow to the same host drops', () => {
    const nat = new Nat(masquerade())
    const esp = (client: number) => `ip 10.0.1.${client} > 198.51.100.9 proto 50 hex 0011`
    expect([nat.of(esp(2)), nat.of(esp(3))]).toEqual(['203.0.113.1', undefined])
    expect(nat.router.dropped()).toEqual({ 'confirm-clash': 1 })
    expect(nat.router.send('wan', 'ip 198.51.100.9 > 203.0.113.1 proto 50 hex 0011')).toEqual([
      'lan: ip 198.51.100.9 > 10.0.1.2 hex 0011 proto 50 ttl 63',
    ])
  })
})
