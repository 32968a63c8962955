// UDP, UDP-Lite, ICMPv6 and other protocols over IPv6, extension headers, and ICMPv6 errors about flows, through our conntrack and
// the kernel's at once. After every packet both must have called it the same, and have the same flows with the same timeouts.

import { afterEach, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { BesideKernel } from './beside-kernel.ts'
import { addressBytes6, icmp6Packet, ip6Packet, tcp6Packet, udp6Packet } from './bytes6.ts'

let beside: BesideKernel | undefined
afterEach(() => {
  beside?.close()
  beside = undefined
})

const ADDRESSES = ['fd00:1::2', 'fd00:2::2'] as const

/** Sends to both, and throws where they disagree; returns what both called the packet. */
function send(side: number, bytes: Uint8Array): string {
  const kernel = beside!.kernel(side, bytes)
  const ours = beside!.ours(bytes)
  const hex = Buffer.from(bytes).toString('hex')
  expect(`ours ${ours}\n${beside!.differences()}`, hex).toBe(`ours ${kernel}\n`)
  return kernel
}

const from = (side: number) => ({ source: ADDRESSES[side]!, destination: ADDRESSES[side ^ 1]! })

describe('flows fare as in the kernel', () => {
  test(...needsKernel('UDP and UDP-Lite: lengths and checksums, right and wrong'), () => {
    beside = new BesideKernel({}, 6)
    const verdicts = new Set<string>()
    for (const protocol of [17, 136])
      for (const length of [undefined, 0, 1, 7, 8, 9, 18, 19, 20, 65_535])
        for (const checksum of [undefined, 0, 0xffff, 1]) {
          const fields = {
            data: 11,
            protocol,
            ...(length !== undefined && { length }),
            ...(checksum !== undefined && { checksum }),
          }
          verdicts.add(send(0, udp6Packet({ ...from(0), sport: 1000, dport: 53, ...fields })))
          verdicts.add(send(1, udp6Packet({ ...from(1), sport: 53, dport: 1000, ...fields })))
        }
    expect(verdicts).toEqual(new Set(['NEW', 'ESTABLISHED', 'INVALID']))
    for (let length = 0; length < 9; length++)
      send(0, ip6Packet({ ...from(0), protocol: 17 }, new Uint8Array(length).fill(1)))
  })

  test(...needsKernel('without nf_conntrack_checksum wrong checksums do not matter'), () => {
    beside = new BesideKernel({ 'net.netfilter.nf_conntrack_checksum': 0 }, 6)
    expect(send(0, udp6Packet({ ...from(0), sport: 1000, dport: 53, checksum: 1 }))).toBe('NEW')
    expect(send(0, icmp6Packet({ ...from(0), type: 128, damaged: true }))).toBe('NEW')
    expect(send(0, tcp6Packet({ ...from(0), sport: 1, dport: 2, flags: 'S', damaged: true }))).toBe('NEW')
  })

  test(...needsKernel('ICMPv6: every type, as first packet and as answer'), () => {
    beside = new BesideKernel({}, 6)
    const verdicts = new Map<number, string>()
    for (let type = 0; type < 256; type++) {
      verdicts.set(type, send(0, icmp6Packet({ ...from(0), type, id: 5, payload: new Uint8Array(40) })))
      for (const answer of [129, 140, 128]) send(1, icmp6Packet({ ...from(1), type: answer, id: 5 }))
      send(0, icmp6Packet({ ...from(0), type, id: 5, damaged: true }))
    }
    for (const type of [130, 131, 132, 133, 134, 135, 136, 143, 151, 152]) expect(verdicts.get(type)).toBe('UNTRACKED')
    for (const type of [128, 139]) expect(verdicts.get(type)).toBe('NEW')
    for (const type of [137, 153]) expect(verdicts.get(type)).toBe('INVALID')
    for (let length = 0; length < 9; length++)
      send(0, ip6Packet({ ...from(0), protocol: 58 }, [128, ...new Uint8Array(length)]))
  })

  test(...needsKernel('ESP and others: by address; no next header is INVALID'), () => {
    beside = new BesideKernel({}, 6)
    for (const protocol of [50, 4, 41, 2, 254, 59]) {
      const payload = Uint8Array.from({ length: 24 }, (_, i) => i)
      const first = send(0, ip6Packet({ ...from(0), protocol }, payload))
      if (protocol === 59) expect(first).toBe('INVALID')
      send(1, ip6Packet({ ...from(1), protocol }, payload.reverse()))
      send(0, ip6Packet({ ...from(0), protocol }, payload.subarray(0, 1)))
      send(0, ip6Packet({ ...from(0), protocol }, []))
    }
  })

  test(...needsKernel('extension headers, whole and cut off, in any order'), () => {
    beside = new BesideKernel({}, 6)
    const options = [0, 1, 4, 0, 0, 0, 0]
    const hop = [0, ...options] as const
    const destination = [60, ...options] as const
    const routing = [43, 0, 4, 0, 0, 0, 0, 0] as const
    const authentication = [51, 1, ...new Uint8Array(10)] as const
    const chains: (readonly (readonly [number, ...number[]])[])[] = [
      [hop],
      [destination],
      [routing],
      [authentication],
      [hop, routing, destination],
      [destination, routing, authentication, destination],
      [[60, 5, 1, 4, 0, 0, 0, 0]],
      [authentication, [59, ...options]],
    ]
    const random = seededRandom(4)
    const verdicts = new Set<string>()
    for (const [i, extensions] of chains.entries()) {
      const fields = { ...from(0), sport: 2000 + i, dport: 53, data: 9, extensions: extensions as never }
      const bytes = udp6Packet(fields)
      verdicts.add(send(0, bytes))
      verdicts.add(send(0, tcp6Packet({ ...fields, flags: 'S', data: 0 })))
      for (let n = 0; n < 12; n++) {
        // The packet ends somewhere within.
        // A hop-by-hop header that is not whole would not get this far.
        const least = extensions[0]![0] === 0 ? 48 : 40
        const length = least + ((random() >>> 0) % (bytes.length - least))
        const cut = bytes.slice(0, length)
        new DataView(cut.buffer).setUint16(4, length - 40)
        verdicts.add(send(0, cut))
      }
    }
    expect(verdicts).toContain('NEW')
    expect(verdicts).toContain('INVALID')
  })

  test(...needsKernel('hosts that differ in any bit of their addresses have flows of their own'), () => {
    beside = new BesideKernel({}, 6)
    for (const [source, destination] of [
      ['fd00:1::2', 'fd00:2::2'],
      ['fd00:1:0:0:8000::2', 'fd00:2::2'],
      ['fd00:1::1:0:2', 'fd00:2::2'],
      ['fd00:1::2', 'fd00:2::8000:0:2'],
      ['fd00:2::2', 'fd00:2::3'],
    ] as const)
      expect(send(0, udp6Packet({ source, destination, sport: 1000, dport: 53 }))).toBe('NEW')
    expect(beside.ourFlows()).toHaveLength(5)
  })
})

describe('ICMPv6 errors fare as in the kernel', () => {
  test(...needsKernel('about every kind of flow, cut off anywhere, changed anywhere'), () => {
    beside = new BesideKernel({}, 6)
    const extensions = [[60, 0, 1, 4, 0, 0, 0, 0]] as const
    const flows: [number, Uint8Array][] = [
      [0, udp6Packet({ ...from(0), sport: 1000, dport: 53, data: 20 })],
      [0, tcp6Packet({ ...from(0), sport: 1001, dport: 80, flags: 'S', seq: 7 })],
      [1, icmp6Packet({ ...from(1), type: 128, id: 9 })],
      [0, udp6Packet({ ...from(0), sport: 1002, dport: 53, data: 20, extensions })],
      [0, ip6Packet({ ...from(0), protocol: 50 }, new Uint8Array(8))],
    ]
    const answers: [number, Uint8Array][] = [
      [1, udp6Packet({ ...from(1), sport: 53, dport: 1000, data: 20 })],
      [1, tcp6Packet({ ...from(1), sport: 80, dport: 1001, flags: 'SA', seq: 7, ack: 8 })],
      [0, icmp6Packet({ ...from(0), type: 129, id: 9 })],
    ]
    for (const [side, bytes] of [...flows, ...answers]) send(side, bytes)
    const verdicts = new Map<string, number>()
    const error = (side: number, quoted: Uint8Array, type: number, damaged = false) => {
      const verdict = send(side, icmp6Packet({ ...from(side), type, code: 1, payload: quoted, damaged }))
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    }
    const random = seededRandom(3)
    const below = (n: number) => (random() >>> 0) % n
    for (const [side, bytes] of [...flows, ...answers]) {
      for (const type of [0, 1, 2, 3, 4, 5, 100, 127]) error(side ^ 1, bytes, type)
      // To somebody else than the quoted packet's sender.
      error(side, bytes, 1)
      error(side ^ 1, bytes, 1, true)
      for (let length = 0; length <= Math.min(bytes.length, 60); length++) error(side ^ 1, bytes.subarray(0, length), 1)
      for (let i = 0; i < 60; i++) {
        const changed = bytes.slice()
        changed[below(Math.min(60, bytes.length))] = below(256)
        error(side ^ 1, changed, 1)
      }
    }
    expect(verdicts.get('RELATED')).toBeGreaterThan(100)
    expect(verdicts.get('INVALID')).toBeGreaterThan(100)
  })

  test(...needsKernel('redirects are INVALID, whatever they quote'), () => {
    beside = new BesideKernel({}, 6)
    const packet = udp6Packet({ ...from(0), sport: 1000, dport: 53, data: 20 })
    send(0, packet)
    const padded = new Uint8Array(8 * Math.ceil((packet.length + 8) / 8))
    padded.set([4, padded.length / 8], 0)
    padded.set(packet, 8)
    const addresses = [...addressBytes6('fd00:2::9'), ...addressBytes6('fd00:2::2')]
    for (const options of [[...padded], [], [2, 1, 0, 0, 0, 0, 0, 0, ...padded]])
      for (const hopLimit of [255, 64]) {
        const payload = Uint8Array.from([...addresses, ...options])
        expect(send(1, icmp6Packet({ ...from(1), type: 137, payload, hopLimit }))).toBe('INVALID')
      }
  })
})
