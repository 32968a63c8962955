// What the router says itself. Contents were compared with Linux 6.18 where a comment says so; test/scenario has more.

import { describe, expect, it } from 'vitest'
import { Router } from '../engine/router.ts'
import { bytesOf } from '../support/packets.ts'

const REJECT = '*filter\n-A FORWARD -j REJECT\nCOMMIT\n'
const RESET = '*filter\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n'

/** Header fields of an IP packet that its line leaves out. */
const ipid = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint16(4)

describe('echo', () => {
  it('is answered with its code, identifier, data and TOS', () => {
    expect(new Router().send('lan', 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 7 seq 9 len 5 tos 0x28')).toEqual([
      'lan: icmp 10.0.1.1 > 10.0.1.2 echo-reply id 7 seq 9 len 5 tos 0x28',
    ])
    expect(new Router().send('lan', 'ip 10.0.1.2 > 10.0.1.1 proto 1 hex 0805f7fa00000000')).toEqual([
      'lan: icmp 10.0.1.1 > 10.0.1.2 type 0 code 5',
    ])
  })

  it('from the address that was asked, also that of another device', () => {
    expect(new Router().send('lan', 'icmp 10.0.1.2 > 203.0.113.1 echo-request id 7 seq 9')).toEqual([
      'lan: icmp 203.0.113.1 > 10.0.1.2 echo-reply id 7 seq 9',
    ])
  })

  it('of 65,515 bytes is answered in fragments that fit', () => {
    const router = new Router('', { slots: 256 })
    const echo = 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 7 seq 9 len 65507'
    router.inject('lan', echo)
    const pieces = router.device('lan').take()
    expect(pieces.length).toBe(45)
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(1500)
    // Sent back as they are, and put together, they are an echo reply, which is not answered.
    expect(router.send('lan', ...pieces.map((piece) => piece.slice()))).toEqual([])
    expect(router.slotsOut).toBe(0)
  })

  it.each([
    ['with a wrong checksum', 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 7 seq 9 sum bad', {}],
    ['to a broadcast address', 'icmp 10.0.1.2 > 10.0.1.255 echo-request id 7 seq 9', {}],
    ['when it is ignored', 'icmp 10.0.1.2 > 10.0.1.1 echo-request id 7 seq 9', { 'net.ipv4.icmp_echo_ignore_all': 1 }],
    ['replies', 'icmp 10.0.1.2 > 10.0.1.1 echo-reply id 7 seq 9', {}],
  ])('%s is not answered', (_, line, sysctl) => {
    expect(new Router('', { sysctl }).send('lan', line)).toEqual([])
  })

  it('to a broadcast address is answered by the own address, if it may', () => {
    const sysctl = { 'net.ipv4.icmp_echo_ignore_broadcasts': 0 }
    expect(new Router('', { sysctl }).send('lan', 'icmp 10.0.1.2 > 10.0.1.255 echo-request id 7 seq 9')).toEqual([
      'lan: icmp 10.0.1.1 > 10.0.1.2 echo-reply id 7 seq 9',
    ])
  })

  it('replies are limited where the mask says so', () => {
    const router = new Router('', { sysctl: { 'net.ipv4.icmp_ratemask': 1 } })
    expect(router.send('lan', ...Array(10).fill('icmp 10.0.1.2 > 10.0.1.1 echo-request id 7 seq 9'))).toHaveLength(6)
  })
})

it('a timestamp request is answered, with code 0, however short it is (measured)', () => {
  const router = new Router()
  for (const request of ['0d05f2fa0000000000000000', '0d00f2ff00000000000000000000000000000000']) {
    const [answer] = router.send('lan', `ip 10.0.1.2 > 10.0.1.1 proto 1 hex ${request}`)
    // 1,700,000,000 s after the epoch it is 22:13:20.
    const since = ((22 * 60 + 13) * 60 + 20) * 1000
    const hex = since.toString(16).padStart(8, '0')
    expect(answer).toBe(`lan: icmp 10.0.1.1 > 10.0.1.2 timestamp-reply hex 00000000${hex}${hex}`)
  }
})

describe('a closed port', () => {
  it.each([
    ['S seq 100', 'R. ack 101 win 0'],
    ['S seq 100 len 5', 'R. ack 106 win 0'],
    ['F seq 100 len 5', 'R. ack 106 win 0'],
    ['SF seq 4294967295', 'R. ack 1 win 0'],
    ['none seq 100 len 3', 'R. ack 103 win 0'],
    ['. seq 100 ack 4000000000', 'R seq 4000000000 win 0'],
    ['S. seq 100 ack 7', 'R seq 7 win 0'],
  ])('answers %s with %s', (flags, expected) => {
    const router = new Router()
    router.inject('lan', `tcp 10.0.1.2:1000 > 10.0.1.1:80 ${flags}`)
    const [rst] = router.device('lan').take()
    expect(router.send('lan', rst!.slice())).toEqual([])
    router.inject('lan', `tcp 10.0.1.2:1000 > 10.0.1.1:80 ${flags}`)
    expect([router.taken(), ipid(rst!)]).toEqual([[`lan: tcp 10.0.1.1:80 > 10.0.1.2:1000 ${expected} DF`], 0])
  })

  it.each([
    'tcp 10.0.1.2:1000 > 10.0.1.1:80 R seq 1',
    'tcp 10.0.1.2:1000 > 10.0.1.1:80 R. seq 1',
    'tcp 10.0.1.2:1000 > 10.0.1.1:80 S seq 1 sum bad',
    'tcp 10.0.1.2:1000 > 10.0.1.1:80 S seq 1 doff 4',
    'tcp 10.0.1.2:1000 > 10.0.1.1:80 S seq 1 doff 6',
    'tcp 10.0.1.2:1000 > 10.0.1.255:80 S seq 1',
    'udp 10.0.1.2:1000 > 10.0.1.1:53 sum bad',
    'udp 10.0.1.2:1000 > 10.0.1.1:53 ulen 7',
    'udp 10.0.1.2:1000 > 10.0.1.1:53 ulen 9',
    'udp 10.0.1.2:1000 > 10.0.1.255:53',
    'ip 10.0.1.2 > 10.0.1.255 proto 99',
    'ip 10.0.1.2 > 10.0.1.1 proto 2 hex 11110000',
    // UDP-Lite must have a checksum.
    'ip 10.0.1.2 > 10.0.1.1 proto 136 hex 0001000200000000',
  ])('says nothing to %s', (line) => {
    expect(new Router().send('lan', line)).toEqual([])
  })

  it('of UDP is unreachable, and what lies behind the UDP length does not count (measured)', () => {
    const whole = bytesOf('udp 10.0.1.2:5 > 10.0.1.1:7 hex 61616161 iplen 36')
    const longer = new Uint8Array(36)
    longer.set(whole)
    longer.set([1, 2, 3, 4], 32)
    expect(new Router().send('lan', longer)).toEqual([
      'lan: icmp 10.0.1.1 > 10.0.1.2 port-unreachable [ udp 10.0.1.2:5 > 10.0.1.1:7 "aaaa" iplen 36 ] tos 0xc0',
    ])
  })

  it('of a protocol that is not spoken is a protocol that is unreachable', () => {
    expect(new Router().send('lan', 'ip 10.0.1.2 > 203.0.113.1 proto 99 hex 01')).toEqual([
      'lan: icmp 203.0.113.1 > 10.0.1.2 proto-unreachable [ ip 10.0.1.2 > 203.0.113.1 hex 01 proto 99 ] tos 0xc0',
    ])
  })
})

describe('an ICMP error', () => {
  it('quotes as much as makes 576 bytes, and less on a smaller MTU', () => {
    const length = (mtu: number) => {
      const config = { devices: { lan: { addresses: ['10.0.1.1/24'], mtu }, wan: { addresses: ['203.0.113.1/24'] } } }
      const router = new Router('', { config })
      router.inject('lan', 'udp 10.0.1.2:1000 > 203.0.113.9:53 len 1400 ttl 1')
      return router.device('lan').take()[0]!.length
    }
    expect([length(1500), length(577), length(576), length(575), length(100)]).toEqual([576, 576, 576, 575, 100])
  })

  it('has the precedence of network control, and what TOS there was', () => {
    const tos = (given: string) =>
      / tos (0x\w+)$/.exec(new Router().send('lan', `udp 10.0.1.2:1 > 203.0.113.9:5 ttl 1 tos ${given}`)[0]!)![1]
    expect([tos('0x0'), tos('0x10'), tos('0xff'), tos('0xe1')]).toEqual(['0xc0', '0xd0', '0xde', '0xc0'])
  })

  // Measured, type by type, with a TTL of 1.
  it('is never about an error, nor about what nobody answers', () => {
    const answered: number[] = []
    for (let kind = 0; kind < 256; kind++) {
      const sum = (0xffff - (kind << 8)).toString(16).padStart(4, '0')
      const hex = `${kind.toString(16).padStart(2, '0')}00${sum}00000000`
      if (new Router().send('lan', `ip 10.0.1.2 > 203.0.113.9 proto 1 hex ${hex} ttl 1`).length > 0) answered.push(kind)
    }
    expect(answered).toEqual([0, 8, 13, 14, 15, 16, 17, 18])
  })

  it.each(['udp 10.0.1.2 > 203.0.113.9 len 40 frag 80 ttl 1', 'ip 10.0.1.2 > 203.0.113.9 proto 1 ttl 1'])(
    'is not about %s',
    (line) => {
      expect(new Router().send('lan', line)).toEqual([])
    },
  )

  it('may come from the address of the device where the packet came in', () => {
    const sysctl = { 'net.ipv4.icmp_errors_use_inbound_ifaddr': 1 }
    const config = {
      devices: { lan: { addresses: ['10.0.1.1/24'] }, wan: { addresses: ['203.0.113.1/24'] } },
      routes: [{ to: '10.0.7.0/24', dev: 'wan' }],
    }
    const from = (sysctl: Record<string, number>) =>
      new Router('', { config, sysctl }).send('lan', 'udp 10.0.7.2:1 > 203.0.113.9:5 ttl 1')
    expect(from({})[0]).toMatch(/^wan: icmp 203\.0\.113\.1 > 10\.0\.7\.2 time-exceeded/)
    expect(from(sysctl)[0]).toMatch(/^wan: icmp 10\.0\.1\.1 > 10\.0\.7\.2 time-exceeded/)
  })

  it('about what cannot be routed comes twice at most in a burst (measured)', () => {
    const config = {
      devices: { lan: { addresses: ['10.0.1.1/24'] } },
      routes: [
        { to: '198.51.100.0/24', type: 'unreachable' as const },
        { to: '198.51.101.0/24', type: 'prohibit' as const },
        { to: '198.51.102.0/24', type: 'blackhole' as const },
      ],
    }
    const kinds = (host: number, to: string) =>
      new Router('', { config })
        .send('lan', ...Array(10).fill(`udp 10.0.1.${host}:1 > ${to}:5`))
        .map((line) => line.split(' ')[5])
    expect(kinds(2, '198.51.100.1')).toEqual(['host-unreachable', 'host-unreachable'])
    expect(kinds(3, '198.51.101.1')).toEqual(['admin-prohibited', 'admin-prohibited'])
    expect(kinds(4, '198.51.102.1')).toEqual([])
    expect(kinds(5, '8.8.8.8')).toEqual(['net-unreachable', 'net-unreachable'])
  })

  it('about bad options points at them, from the address that was asked, and not at all after a broadcast (measured)', () => {
    const bad = (to: string) =>
      new Router().send('lan', `udp 10.0.1.2:4 > ${to}:4 opts 07ff0400`).map((line) => line.split(' [')[0])
    expect(bad('203.0.113.1')).toEqual(['lan: icmp 203.0.113.1 > 10.0.1.2 parameter-problem ptr 20'])
    expect(bad('203.0.113.9')).toEqual(['lan: icmp 10.0.1.1 > 10.0.1.2 parameter-problem ptr 20'])
    expect(bad('10.0.1.255')).toEqual([])
    expect(new Router().send('lan', 'udp 10.0.1.2:4 > 203.0.113.9:4 opts 8307040a00010900')).toEqual([])
  })
})

describe('REJECT by ICMP', () => {
  // Measured: the sum over all behind the IP header has to be right, or nothing at all.
  it.each([
    ['udp 10.0.1.2:1 > 203.0.113.9:5', true],
    ['udp 10.0.1.2:1 > 203.0.113.9:5 sum bad', false],
    ['udp 10.0.1.2:1 > 203.0.113.9:5 sum 0x0', true],
    ['tcp 10.0.1.2:1 > 203.0.113.9:5 S', true],
    ['tcp 10.0.1.2:1 > 203.0.113.9:5 S sum bad', false],
    ['tcp 10.0.1.2:1 > 203.0.113.9:5 R', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 17 hex 0001', false],
    ['ip 10.0.1.2 > 203.0.113.9 proto 6 hex 0800f7f0', false],
    ['ip 10.0.1.2 > 203.0.113.9 proto 1 hex 0800f7ff', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 1 hex 0800f7f0', false],
    ['ip 10.0.1.2 > 203.0.113.9 proto 99', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 99 hex 00000000', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 99 hex edcb1234', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 99 hex 00001234', false],
    ['ip 10.0.1.2 > 203.0.113.9 proto 33 hex 000100020008123400000000', false],
    ['ip 10.0.1.2 > 203.0.113.9 proto 47 hex 000100020008123400000000', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 50 hex 0800f7f0', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 51 hex 0800f7f0', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 132 hex 000100020008123400000000', true],
    ['ip 10.0.1.2 > 203.0.113.9 proto 136 hex 000100020008123400', true],
  ])('of %s answers: %s', (line, answered) => {
    const router = new Router(REJECT)
    expect(router.send('lan', line)).toHaveLength(answered ? 1 : 0)
    expect([router.dropped(), router.slotsOut]).toEqual([{ netfilter: 1 }, 0])
  })
})

describe('REJECT by RST', () => {
  it('never answers a RST, nor a wrong checksum', () => {
    for (const more of ['R', 'R.', 'S sum bad'])
      expect(new Router(RESET).send('lan', `tcp 10.0.1.2:1 > 203.0.113.9:5 ${more}`)).toEqual([])
  })

  it('has no TOS, IP identifier 0, DF, and goes through OUTPUT', () => {
    const counting = RESET.replace('COMMIT', '-A OUTPUT -p tcp --tcp-flags RST RST -j LOG\nCOMMIT')
    const router = new Router(counting)
    expect(router.send('lan', 'tcp 10.0.1.2:1 > 203.0.113.9:5 S seq 3 tos 0x10')).toEqual([
      'lan: tcp 203.0.113.9:5 > 10.0.1.2:1 R. ack 4 win 0 DF',
    ])
    expect(router.log).toHaveLength(1)
    expect(router.log[0]).toContain('IN= OUT=lan')
  })
})

describe("the router's own packets among themselves", () => {
  it('end: REJECT in OUTPUT of the answer to a rejected packet answers nobody for ever', () => {
    const router = new Router('*filter\n-A FORWARD -j REJECT\n-A OUTPUT -j REJECT\nCOMMIT\n')
    expect(router.send('lan', 'udp 10.0.1.2:1 > 203.0.113.9:5')).toEqual([])
    expect([router.dropped(), router.slotsOut]).toEqual([{ netfilter: 2 }, 0])
  })

  it('REJECT of an own packet in OUTPUT comes back to its own address, by the address that was asked', () => {
    const rules =
      '*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n*filter\n-A INPUT -j LOG\n-A OUTPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset\n-A OUTPUT -p udp -j REJECT\nCOMMIT\n'
    const router = new Router(rules)
    // To another own address: what is rejected has a flow that is in no table yet, and the answer is looped back.
    router.engine.output(bytesOf('tcp 10.0.1.1:1000 > 203.0.113.1:80 S seq 1'))
    router.checkFlows([['10.0.1.1', 1000, 6]])
    router.engine.output(bytesOf('udp 10.0.1.1:1000 > 203.0.113.1:53'))
    router.engine.output(bytesOf('udp 10.0.1.1:1000 > 198.51.100.9:53'))
    expect(router.log.map((line) => /SRC=(\S+) DST=(\S+)/.exec(line)!.slice(1))).toEqual([
      ['203.0.113.1', '10.0.1.1'],
      ['203.0.113.1', '10.0.1.1'],
      ['10.0.1.1', '10.0.1.1'],
    ])
    expect([router.flows, router.slotsOut, router.dropped()]).toEqual([0, 0, { netfilter: 3 }])
    // The table is whole: as many flows fit as ever did.
    for (let i = 0; i < 1024; i++) router.engine.output(bytesOf(`icmp 10.0.1.1 > 10.0.1.1 echo-request id ${i} seq 1`))
    expect(router.flows).toBe(1024)
  })
})
