import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Router } from '../engine/router.ts'
import { bytesOf, lineOf } from '../support/packets.ts'

const MASQUERADE = '*nat\n-A POSTROUTING -o wan -j MASQUERADE\nCOMMIT\n'
const FORWARDED = `*nat
-A PREROUTING -d 203.0.113.1 -p tcp --dport 8080 -j DNAT --to-destination 10.0.1.5:80
-A POSTROUTING -o wan -j MASQUERADE
COMMIT
`

/** An ICMP error that quotes these bytes. */
function errorAbout(quoted: Uint8Array, from: string, to: string, kind = 'port-unreachable'): string {
  return `icmp ${from} > ${to} ${kind} [ raw ${Buffer.from(quoted).toString('hex')} ]`
}

/** What an ICMP error quotes, out of its line's bytes. */
const quotedIn = (bytes: Uint8Array) => bytes.slice(28)

describe('an ICMP error about a translated flow', () => {
  const flow = fc.record({
    kind: fc.constantFrom('tcp', 'udp', 'udp0', 'icmp'),
    client: fc.integer({ min: 2, max: 250 }),
    sport: fc.integer({ min: 1, max: 65535 }),
    payload: fc.nat(60),
    cut: fc.integer({ min: 8, max: 120 }),
    clash: fc.boolean(),
  })

  it('reaches the sender quoting what it sent, with every checksum right, however much is quoted', () => {
    fc.assert(
      fc.property(flow, ({ kind, client, sport, payload, cut, clash }) => {
        const router = new Router(MASQUERADE)
        const line = (ttl: number, host: number) => {
          const s = `10.0.1.${host}`
          const more = ttl === 64 ? '' : ` ttl ${ttl}`
          if (kind === 'icmp') return `icmp ${s} > 198.51.100.9 echo-request id ${sport} seq 1 len ${payload}${more}`
          if (kind === 'tcp') return `tcp ${s}:${sport} > 198.51.100.9:80 S seq 5 len ${payload}${more}`
          return `udp ${s}:${sport} > 198.51.100.9:53 len ${payload}${kind === 'udp0' ? ' sum 0x0' : ''}${more}`
        }
        // Another flow that takes the natural tuple first, so that the port, or identifier, changes too.
        if (clash) router.inject('lan', line(64, client === 250 ? 2 : client + 1))
        router.device('wan').take()
        router.inject('lan', line(64, client))
        const [seen] = router.device('wan').take()
        const quoted = seen!.slice(0, Math.min(seen!.length, 20 + cut))
        router.inject('wan', errorAbout(quoted, '198.51.100.9', '203.0.113.1'))
        const [error] = router.device('lan').take()
        expect(lineOf(error!)).toMatch(new RegExp(`^icmp 198.51.100.9 > 10.0.1.${client} port-unreachable \\[`))
        // A sum is only printed where it is wrong.
        expect(lineOf(error!)).not.toMatch(/ip?sum (?!0x0 )/)
        const original = bytesOf(line(63, client)).slice(0, quoted.length)
        const got = quotedIn(error!)
        // A TCP checksum that is not whole, or has no room to be, stays what the server saw.
        if (kind === 'tcp' && quoted.length > 36 && quoted.length < 40) original.set(quoted.subarray(36), 36)
        expect(Buffer.from(got).toString('hex')).toBe(Buffer.from(original).toString('hex'))
      }),
      { numRuns: 300 },
    )
  })

  it('is dropped when it quotes less than eight bytes of a header that is to be rewritten', () => {
    const router = new Router(MASQUERADE)
    for (const kind of ['tcp 10.0.1.2:1000 > 198.51.100.9:80 S', 'udp 10.0.1.2:1000 > 198.51.100.9:53 len 5']) {
      router.inject('lan', kind)
      const [seen] = router.device('wan').take()
      for (const bytes of [4, 5, 7])
        expect(router.send('wan', errorAbout(seen!.slice(0, 20 + bytes), '198.51.100.9', '203.0.113.1'))).toEqual([])
      expect(router.send('wan', errorAbout(seen!.slice(0, 28), '198.51.100.9', '203.0.113.1'))).toHaveLength(1)
    }
    expect(router.dropped()).toEqual({ nat: 6 })
  })

  it('from a router on the way is translated as well, in both directions', () => {
    const router = new Router(FORWARDED)
    router.send('wan', 'tcp 198.51.100.9:4000 > 203.0.113.1:8080 S seq 5')
    const inside = bytesOf('tcp 198.51.100.9:4000 > 10.0.1.5:80 S seq 5 ttl 62').slice(0, 28)
    expect(router.send('lan', errorAbout(inside, '10.0.1.5', '198.51.100.9', 'host-unreachable'))).toEqual([
      'wan: icmp 203.0.113.1 > 198.51.100.9 host-unreachable [ tcp 198.51.100.9:4000 > 203.0.113.1:8080 none seq 5 ttl 62 cut 28 ] ttl 63',
    ])
  })

  it('about a ping that was forwarded inwards keeps its identifier', () => {
    const router = new Router('*nat\n-A PREROUTING -i wan -p icmp -j DNAT --to-destination 10.0.1.5\nCOMMIT\n')
    router.send('wan', 'icmp 198.51.100.9 > 203.0.113.1 echo-request id 77 seq 1')
    const inside = bytesOf('icmp 198.51.100.9 > 10.0.1.5 echo-request id 77 seq 1 ttl 62')
    expect(router.send('lan', errorAbout(inside, '10.0.1.5', '198.51.100.9', 'host-unreachable'))).toEqual([
      'wan: icmp 203.0.113.1 > 198.51.100.9 host-unreachable [ icmp 198.51.100.9 > 203.0.113.1 echo-request id 77 seq 1 ttl 62 ] ttl 63',
    ])
  })

  it('that is a redirect about a translated flow is dropped', () => {
    const router = new Router(MASQUERADE)
    router.inject('lan', 'udp 10.0.1.2:1000 > 198.51.100.9:53 len 5')
    const [seen] = router.device('wan').take()
    const redirect = errorAbout(seen!, '203.0.113.254', '203.0.113.1', 'redirect-host gw 203.0.113.253')
    expect(router.send('wan', redirect)).toEqual([])
    expect(router.dropped()).toEqual({ nat: 1 })
  })
})

describe("the router's own error about a forwarded flow", () => {
  it('quotes the packet as its sender wrote it, from the address that it was sent to', () => {
    const rules = `${FORWARDED}*filter\n-A FORWARD -p tcp --dport 80 -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n`
    expect(new Router(rules).send('wan', 'tcp 198.51.100.9:4000 > 203.0.113.1:8080 S seq 5')).toEqual([
      'wan: icmp 203.0.113.1 > 198.51.100.9 host-prohibited [ tcp 198.51.100.9:4000 > 203.0.113.1:8080 S seq 5 ttl 63 ] tos 0xc0',
    ])
  })

  it('by RST comes from where the client believes to be connected', () => {
    const rules = `${FORWARDED}*filter\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n`
    const router = new Router(rules)
    expect(router.send('wan', 'tcp 198.51.100.9:4000 > 203.0.113.1:8080 S seq 5')).toEqual([
      'wan: tcp 203.0.113.1:8080 > 198.51.100.9:4000 R. ack 6 win 0 DF',
    ])
    // Neither the flow nor its place in the chains by source is left.
    expect([router.flows, router.slotsOut]).toEqual([0, 0])
  })
})

describe('a flow', () => {
  it('goes through both ways, in every protocol, and leaves nothing of its inside', () => {
    const router = new Router(FORWARDED)
    expect(router.send('wan', 'tcp 198.51.100.9:4000 > 203.0.113.1:8080 S seq 5')).toEqual([
      'lan: tcp 198.51.100.9:4000 > 10.0.1.5:80 S seq 5 ttl 63',
    ])
    expect(router.send('lan', 'tcp 10.0.1.5:80 > 198.51.100.9:4000 S. seq 9 ack 6')).toEqual([
      'wan: tcp 203.0.113.1:8080 > 198.51.100.9:4000 S. seq 9 ack 6 ttl 63',
    ])
    expect(router.send('wan', 'tcp 198.51.100.9:4000 > 203.0.113.1:8080 . seq 6 ack 10')).toEqual([
      'lan: tcp 198.51.100.9:4000 > 10.0.1.5:80 . seq 6 ack 10 ttl 63',
    ])
  })

  it('asks the nat table once: later rules change nothing for it', () => {
    const router = new Router(MASQUERADE)
    router.send('lan', 'udp 10.0.1.2:1000 > 198.51.100.9:53 len 1')
    router.engine.load('*nat\n-A POSTROUTING -o wan -j SNAT --to-source 203.0.113.99\nCOMMIT\n')
    expect(router.send('lan', 'udp 10.0.1.2:1000 > 198.51.100.9:53 len 1')[0]).toContain('203.0.113.1:1000 >')
    expect(router.send('lan', 'udp 10.0.1.2:1001 > 198.51.100.9:53 len 1')[0]).toContain('203.0.113.99:1001 >')
  })

  it('that ACCEPT in nat bound to nothing stays so', () => {
    const router = new Router('*nat\n-A POSTROUTING -p udp -j ACCEPT\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n')
    router.send('lan', 'udp 10.0.1.2:1000 > 198.51.100.9:53 len 1')
    router.engine.load(MASQUERADE)
    expect(router.send('lan', 'udp 10.0.1.2:1000 > 198.51.100.9:53 len 1')[0]).toContain('10.0.1.2:1000 >')
  })

  it('masqueraded out of one device is given up when it leaves by another', () => {
    const config = {
      devices: {
        lan: { addresses: ['10.0.1.1/24'] },
        wan: { addresses: ['203.0.113.1/24'] },
        other: { addresses: ['192.0.2.1/24'] },
      },
    }
    const router = new Router('*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n', { config })
    router.engine.ip(['route', 'add', '198.51.100.0/24', 'via', '203.0.113.9'])
    const packet = 'udp 10.0.1.2:1000 > 198.51.100.9:53 len 1'
    expect(router.send('lan', packet)[0]).toContain('203.0.113.1:1000 >')
    router.engine.ip(['route', 'replace', '198.51.100.0/24', 'via', '192.0.2.9'])
    expect(router.send('lan', packet)).toEqual([])
    expect([router.dropped(), router.flows]).toEqual([{ nat: 1 }, 0])
    expect(router.send('lan', packet)[0]).toContain('192.0.2.1:1000 >')
  })

  it('that is INVALID is not translated', () => {
    const router = new Router(MASQUERADE)
    expect(router.send('lan', 'tcp 10.0.1.2:1000 > 198.51.100.9:80 R seq 1')).toEqual([
      'wan: tcp 10.0.1.2:1000 > 198.51.100.9:80 R seq 1 ttl 63',
    ])
    expect(router.flows).toBe(0)
  })

  it('of SCTP gets another port, and a checksum for it', () => {
    const rules = '*nat\n-A POSTROUTING -o wan -p sctp -j SNAT --to-source 203.0.113.1:5000\nCOMMIT\n'
    // Port 1234 to 80, an INIT chunk; the CRC32c of both was checked on Linux 6.18.
    const init = (ports: string, sum: string) => `${ports}00000000${sum}0100001400000001000100000001000100000001`
    const body = init('04d20050', sctpSum(init('04d20050', '00000000')))
    expect(new Router(rules).send('lan', `ip 10.0.1.2 > 203.0.113.9 proto 132 hex ${body}`)).toEqual([
      `wan: ip 203.0.113.1 > 203.0.113.9 hex ${init('13880050', '27642e9c')} proto 132 ttl 63`,
    ])
  })
})

/** CRC32c bit by bit, as SCTP stores it. */
function sctpSum(hex: string): string {
  let c = 0xffffffff
  for (const byte of Buffer.from(hex, 'hex')) {
    c ^= byte
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
  }
  const out = Buffer.alloc(4)
  out.writeUInt32LE(~c >>> 0)
  return out.toString('hex')
}

describe('REDIRECT', () => {
  it('leads to the router itself and back', () => {
    const router = new Router('*nat\n-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128\nCOMMIT\n')
    expect(router.send('lan', 'tcp 10.0.1.2:1000 > 198.51.100.9:80 S seq 5')).toEqual([
      'lan: tcp 198.51.100.9:80 > 10.0.1.2:1000 R. ack 6 win 0 DF',
    ])
  })

  it("of the router's own packets leads to the loopback address, and the answer is restored", () => {
    const router = new Router(
      '*nat\n-A OUTPUT -p udp --dport 53 -j REDIRECT --to-ports 5353\nCOMMIT\n*filter\n-A INPUT -j LOG\nCOMMIT\n',
    )
    router.engine.output(bytesOf('udp 203.0.113.1:1000 > 198.51.100.9:53 len 5'))
    expect(router.taken()).toEqual([])
    expect(router.log[0]).toMatch(/IN=lo .*SRC=203\.0\.113\.1 DST=127\.0\.0\.1 .*DPT=5353/)
    expect(router.log[1]).toMatch(
      /IN=lo .*SRC=198\.51\.100\.9 DST=203\.0\.113\.1 .*TYPE=3 CODE=3 .*DST=198\.51\.100\.9 .*DPT=53/,
    )
    expect(router.slotsOut).toBe(0)
  })
})
