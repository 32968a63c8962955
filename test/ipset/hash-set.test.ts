// Look-ups in hash sets against the plainest model: a list of networks that is searched from the longest prefix down.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAddress, maskOf } from '../../src/wire/address.ts'
import { asks, bare, matches, packetOf } from './packet.ts'
import { newStore, refusal, run } from './sets.ts'

interface Network {
  readonly address: number
  readonly length: number
}

const address = fc.nat(15).chain((high) => fc.nat(15).map((low) => 0x0a000000 | (high << 12) | low | 0))
const network = fc.record({ address, length: fc.constantFrom(8, 20, 24, 28, 30, 31, 32) })
const textOf = ({ address, length }: Network) => `${formatAddress(address & maskOf(length))}/${length}`

describe('hash:net', () => {
  test('finds what a search through all networks finds, longest prefix first', () => {
    const step = fc.record({
      verb: fc.constantFrom('add', 'add', 'del', 'nomatch'),
      network,
      probes: fc.array(address, { maxLength: 4 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const store = newStore()
        run(store, 'create s hash:net')
        const model = new Map<string, Network & { readonly nomatch: boolean }>()
        const p = bare(4)
        for (const { verb, network, probes } of steps) {
          const text = textOf(network)
          if (verb === 'del') {
            run(store, `del s ${text} -exist`)
            model.delete(text)
          } else {
            run(store, `add s ${text} ${verb === 'nomatch' ? 'nomatch ' : ''}-exist`)
            model.set(text, { ...network, nomatch: verb === 'nomatch' })
          }
          for (const probe of probes) {
            p.source = probe
            const fits = [...model.values()].filter((n) => ((n.address ^ probe) & maskOf(n.length)) === 0)
            const best = fits.sort((a, b) => b.length - a.length)[0]
            expect(matches(store, 's', 'src', p)).toBe(best !== undefined && !best.nomatch)
          }
        }
        expect(store.get('s').set.count).toBe(model.size)
      }),
      { numRuns: 150 },
    )
  })

  test('probes only prefix lengths that are there', () => {
    const store = newStore()
    run(store, 'create s hash:net', 'add s 10.0.0.0/8', 'add s 10.1.0.0/16', 'del s 10.0.0.0/8')
    const p = bare(4)
    p.source = 0x0a000001
    expect(matches(store, 's', 'src', p)).toBe(false)
    p.source = 0x0a010001
    expect(matches(store, 's', 'src', p)).toBe(true)
  })
})

describe('a table of members', () => {
  test('keeps them through growth, splits and removals', () => {
    const store = newStore()
    run(store, 'create s hash:ip maxelem 100000 counters comment timeout 1000')
    const { set } = store.get('s')
    const there = new Map<number, number>()
    const p = bare(4)
    const ask = asks('src')
    let x = 12345
    for (let i = 0; i < 60_000; i++) {
      x = (Math.imul(x, 1103515245) + 12345) | 0
      const ip = (0x0a000000 | ((x >>> 8) & 0x7fff)) + 1
      p.source = ip
      if ((x & 0x30000000) !== 0 && !there.has(ip)) {
        ask.extras.comment = String(ip)
        ask.extras.packetsLow = i
        ask.extras.hasPackets = true
        expect(set.add(p, ask)).toBe(0)
        there.set(ip, i)
      } else if (there.has(ip) && (x & 0x08000000) !== 0) {
        expect(set.delete(p, ask)).toBe(0)
        there.delete(ip)
      }
    }
    expect(there.size).toBeGreaterThan(5_000)
    expect(set.count).toBe(there.size)
    let listed = 0
    for (const member of set.members()) {
      if (member === undefined) continue
      const packets = Number(member.extensions!.packets(member.place))
      const comment = Number(member.extensions!.comments!.get(member.place))
      expect(formatAddress(comment)).toBe(member.text)
      expect(there.get(comment)).toBe(packets)
      listed++
    }
    expect(listed).toBe(there.size)
    for (let low = 0; low < 0x8000; low++) {
      p.source = 0x0a000001 + low
      expect(set.test(p, ask) === 1).toBe(there.has(p.source))
    }
  })
})

describe('types that this kernel may lack', () => {
  const udp = (source: string, destination: string) => packetOf(`udp ${source}:9 > ${destination}:53 len 5`)

  test('hash:net,net asks the first network before the second', () => {
    const store = newStore()
    run(
      store,
      'create s hash:net,net',
      'add s 10.0.0.0/8,192.0.2.0/24',
      'add s 10.1.0.0/16,192.0.2.0/28 nomatch',
      'add s 10.1.0.0/16,192.0.2.5',
    )
    expect(matches(store, 's', 'src,dst', udp('10.9.0.1', '192.0.2.1'))).toBe(true)
    expect(matches(store, 's', 'src,dst', udp('10.1.0.1', '192.0.2.1'))).toBe(false)
    expect(matches(store, 's', 'src,dst', udp('10.1.0.1', '192.0.2.5'))).toBe(true)
    expect(matches(store, 's', 'src,dst', udp('10.1.0.1', '192.0.2.99'))).toBe(true)
    expect(matches(store, 's', 'dst,src', udp('10.9.0.1', '192.0.2.1'))).toBe(false)
    expect(refusal(store, 'add s 0.0.0.0/0,192.0.2.0/24')).toContain('CIDR parameter')
  })

  test('hash:net,port,net has networks on both sides, of length 0 too', () => {
    const store = newStore()
    run(store, 'create s hash:net,port,net', 'add s 10.0.0.0/8,udp:53,0.0.0.0/0')
    expect(matches(store, 's', 'src,dst,dst', udp('10.9.0.1', '192.0.2.1'))).toBe(true)
    expect(matches(store, 's', 'src,src,dst', udp('10.9.0.1', '192.0.2.1'))).toBe(false)
  })

  test('hash:ip,mark looks at the bits of the mark that its mask has', () => {
    const store = newStore()
    run(store, 'create s hash:ip,mark markmask 0xff', 'add s 10.0.0.1,0x105')
    const p = udp('10.0.0.1', '192.0.2.1')
    expect(matches(store, 's', 'src,src', p)).toBe(false)
    p.mark = 0xf05
    expect(matches(store, 's', 'src,src', p)).toBe(true)
    expect(run(store, 'save s')).toContain('add s 10.0.0.1,0x00000005\n')
  })

  test('sets of link addresses find no packet of a TUN device', () => {
    const store = newStore()
    run(store, 'create s hash:mac', 'add s aa:bb:cc:dd:ee:01', 'create t hash:ip,mac', 'add t 10.0.0.1,1:2:3:4:5:6')
    expect(run(store, 'save').match(/^add .*$/gm)).toEqual([
      'add s AA:BB:CC:DD:EE:01',
      'add t 10.0.0.1,01:02:03:04:05:06',
    ])
    expect(matches(store, 's', 'src', udp('10.0.0.1', '192.0.2.1'))).toBe(false)
    expect(matches(store, 't', 'src,src', udp('10.0.0.1', '192.0.2.1'))).toBe(false)
    expect(refusal(store, 'add s 0:0:0:0:0:0')).toContain('Null-valued')
  })
})

describe('IPv6', () => {
  test('sets find the addresses of IPv6 packets, and no IPv4 packets', () => {
    const store = newStore()
    run(store, 'create s hash:net family inet6', 'add s 2001:db8::/32', 'add s 2001:db8:1::/48 nomatch')
    const p = bare(6)
    ;[p.source, p.source1, p.source2, p.source3] = [0x20010db8, 0x00020000, 0, 1]
    ;[p.destination, p.destination1, p.destination2, p.destination3] = [0x20010db8, 0x00010000, 0, 1]
    expect(matches(store, 's', 'src', p)).toBe(true)
    expect(matches(store, 's', 'dst', p)).toBe(false)
    p.family = 4
    expect(matches(store, 's', 'src', p)).toBe(false)
  })
})
