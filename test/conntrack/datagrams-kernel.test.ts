// UDP, UDP-Lite, ICMP, GRE and unknown protocols, and ICMP errors about flows, through our conntrack and the kernel's at
// once. After every packet both must have called it the same, and have the same flows with the same timeouts.

import { afterEach, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { needsKernel } from '../kernel/with-kernel.ts'
import { BesideKernel } from './beside-kernel.ts'
import { icmpPacket, ipPacket, tcpPacket, udpPacket } from './bytes.ts'

let beside: BesideKernel | undefined
afterEach(() => {
  beside?.close()
  beside = undefined
})

const ADDRESSES = ['10.0.1.2', '10.0.2.2'] as const

/** Sends to both, and throws where they disagree; returns what both called the packet. */
function send(side: number, bytes: Uint8Array): string {
  const kernel = beside!.kernel(side, bytes)
  const ours = beside!.ours(bytes)
  expect(`ours ${ours}\n${beside!.differences()}`).toBe(`ours ${kernel}\n`)
  return kernel
}

const from = (side: number) => ({ source: ADDRESSES[side]!, destination: ADDRESSES[side ^ 1]! })
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('flows fare as in the kernel', () => {
  test(...needsKernel('packets and bytes are counted for each direction, errors and INVALID ones are not'), () => {
    beside = new BesideKernel({ 'net.netfilter.nf_conntrack_acct': 1 })
    for (const data of [5, 100]) send(0, udpPacket({ ...from(0), sport: 1000, dport: 53, data }))
    send(1, udpPacket({ ...from(1), sport: 53, dport: 1000, data: 7 }))
    send(1, udpPacket({ ...from(1), sport: 53, dport: 1000, data: 7, checksum: 1 }))
    expect(beside.ourFlows()[0]!.text).toBe('17 10.0.1.2 10.0.2.2 1000 53 2 161 10.0.2.2 10.0.1.2 53 1000 1 35')
    send(0, icmpPacket({ ...from(0), type: 8, id: 7 }))
    send(1, icmpPacket({ ...from(1), type: 0, id: 7 }))
    send(0, ipPacket({ ...from(0), protocol: 47 }, new Uint8Array(8)))
    send(0, ipPacket({ ...from(0), protocol: 50 }, new Uint8Array(12)))
  })

  test(...needsKernel('UDP: answered at once is no stream, after two seconds it is'), async () => {
    beside = new BesideKernel()
    const ask = udpPacket({ ...from(0), sport: 1000, dport: 53, data: 5 })
    const answer = udpPacket({ ...from(1), sport: 53, dport: 1000, data: 7 })
    expect([send(0, ask), send(0, ask), send(1, answer), send(0, ask), send(1, answer)]).toEqual([
      'NEW',
      'NEW',
      'ESTABLISHED',
      'ESTABLISHED',
      'ESTABLISHED',
    ])
    expect(beside.ourFlows()[0]!.text).not.toContain('ASSURED')
    await wait(2100)
    send(0, ask)
    expect(beside.ourFlows()[0]!.text).toContain('ASSURED')
  })

  test(...needsKernel('UDP and UDP-Lite: lengths and checksums, right and wrong'), () => {
    beside = new BesideKernel()
    const lengths = [undefined, 0, 1, 7, 8, 9, 18, 19, 20, 65_535]
    const verdicts = new Set<string>()
    for (const protocol of [17, 136])
      for (const length of lengths)
        for (const checksum of [undefined, 0, 0xffff, 1]) {
          const fields = {
            data: 11,
            protocol,
            ...(length !== undefined && { length }),
            ...(checksum !== undefined && { checksum }),
          }
          verdicts.add(send(0, udpPacket({ ...from(0), sport: 1000, dport: 53, ...fields })))
          verdicts.add(send(1, udpPacket({ ...from(1), sport: 53, dport: 1000, ...fields })))
        }
    expect(verdicts).toEqual(new Set(['NEW', 'ESTABLISHED', 'INVALID']))
    for (let length = 0; length < 9; length++)
      send(0, ipPacket({ ...from(0), protocol: 17 }, new Uint8Array(length).fill(1)))
  })

  test(...needsKernel('without nf_conntrack_checksum wrong checksums do not matter'), () => {
    beside = new BesideKernel({ 'net.netfilter.nf_conntrack_checksum': 0 })
    expect(send(0, udpPacket({ ...from(0), sport: 1000, dport: 53, checksum: 1 }))).toBe('NEW')
    expect(send(0, icmpPacket({ ...from(0), type: 8, damaged: true }))).toBe('NEW')
    expect(send(0, tcpPacket({ ...from(0), sport: 1, dport: 2, flags: 'S', damaged: true }))).toBe('NEW')
  })

  test(...needsKernel('ICMP: every type, as first packet and as answer'), () => {
    beside = new BesideKernel()
    for (let type = 0; type < 256; type += type < 40 ? 1 : 27) {
      send(0, icmpPacket({ ...from(0), type, id: 5 }))
      for (const answer of [0, 14, 16, 18, 8]) send(1, icmpPacket({ ...from(1), type: answer, id: 5 }))
      send(0, icmpPacket({ ...from(0), type, id: 5, damaged: true }))
    }
    for (let length = 0; length < 9; length++)
      send(0, ipPacket({ ...from(0), protocol: 1 }, [8, ...new Uint8Array(length)]))
  })

  test(...needsKernel('GRE, ESP, DCCP, SCTP and others: by address, or by port where there are ports'), () => {
    beside = new BesideKernel()
    for (const protocol of [47, 50, 51, 4, 33, 2, 254]) {
      const payload = Uint8Array.from({ length: 24 }, (_, i) => i)
      // GRE version 0.
      payload[0] = 0
      payload[1] = 0
      expect(send(0, ipPacket({ ...from(0), protocol }, payload))).toBe('NEW')
      expect(send(1, ipPacket({ ...from(1), protocol }, payload.reverse()))).toBe('ESTABLISHED')
      expect(send(0, ipPacket({ ...from(0), protocol }, payload.subarray(0, 1)))).toBe('ESTABLISHED')
      send(0, ipPacket({ ...from(0), protocol }, []))
    }
  })
})

describe('ICMP errors fare as in the kernel', () => {
  test(...needsKernel('about every kind of flow, cut off anywhere, changed anywhere'), () => {
    beside = new BesideKernel()
    const flows: [number, Uint8Array][] = [
      [0, udpPacket({ ...from(0), sport: 1000, dport: 53, data: 20 })],
      [0, tcpPacket({ ...from(0), sport: 1001, dport: 80, flags: 'S', seq: 7 })],
      [1, icmpPacket({ ...from(1), type: 8, id: 9 })],
      [0, ipPacket({ ...from(0), protocol: 47 }, new Uint8Array(8))],
      [0, ipPacket({ ...from(0), protocol: 50 }, new Uint8Array(8))],
    ]
    const answers: [number, Uint8Array][] = [
      [1, udpPacket({ ...from(1), sport: 53, dport: 1000, data: 20 })],
      [1, tcpPacket({ ...from(1), sport: 80, dport: 1001, flags: 'SA', seq: 7, ack: 8 })],
      [0, icmpPacket({ ...from(0), type: 0, id: 9 })],
    ]
    for (const [side, bytes] of [...flows, ...answers]) send(side, bytes)
    const verdicts = new Map<string, number>()
    const error = (side: number, quoted: Uint8Array, type: number, damaged = false) => {
      const bytes = icmpPacket({ ...from(side), type, code: 1, payload: quoted, damaged })
      const verdict = send(side, bytes)
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    }
    const random = seededRandom(3)
    const below = (n: number) => (random() >>> 0) % n
    for (const [side, bytes] of [...flows, ...answers]) {
      for (const type of [3, 4, 5, 11, 12]) error(side ^ 1, bytes, type)
      // To somebody else than the quoted packet's sender.
      error(side, bytes, 3)
      error(side ^ 1, bytes, 3, true)
      for (let length = 0; length <= Math.min(bytes.length, 32); length++) error(side ^ 1, bytes.subarray(0, length), 3)
      for (let i = 0; i < 60; i++) {
        const changed = bytes.slice()
        changed[below(28)] = below(256)
        error(side ^ 1, changed, 3)
      }
    }
    expect(verdicts.get('RELATED')).toBeGreaterThan(100)
    expect(verdicts.get('INVALID')).toBeGreaterThan(100)
  })
})
