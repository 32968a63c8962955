import { describe, expect, test } from 'vitest'
import { icmpPacket, ipPacket, udpPacket } from './bytes.ts'
import { Tracked } from './tracked.ts'

const there = { source: '10.0.0.1', destination: '10.0.0.2' }
const back = { source: '10.0.0.2', destination: '10.0.0.1' }

describe('UDP', () => {
  const ask = udpPacket({ ...there, sport: 1000, dport: 53, data: 4 })
  const answer = udpPacket({ ...back, sport: 53, dport: 1000, data: 4 })

  test('is a stream only when it is answered and lasts more than two seconds', () => {
    const tracked = new Tracked()
    expect([tracked.send(ask), tracked.flow()]).toEqual(['NEW', '30'])
    expect([tracked.send(answer), tracked.flow()]).toEqual(['ESTABLISHED', '30'])
    tracked.wait(2)
    expect([tracked.send(ask), tracked.flow()]).toEqual(['ESTABLISHED', '30'])
    tracked.wait(0.001)
    expect([tracked.send(ask), tracked.flow()]).toEqual(['ESTABLISHED', '120 ASSURED'])
  })

  test('is INVALID with a wrong checksum or length; without a checksum it is not', () => {
    const wrong = (fields: { length?: number; checksum?: number }) =>
      new Tracked().send(udpPacket({ ...there, sport: 1000, dport: 53, data: 4, ...fields }))
    expect(wrong({ checksum: 1 })).toBe('INVALID')
    expect(wrong({ checksum: 0 })).toBe('NEW')
    expect(wrong({ checksum: 0, length: 8 })).toBe('NEW')
    expect(wrong({ checksum: 0, length: 7 })).toBe('INVALID')
    expect(wrong({ checksum: 0, length: 13 })).toBe('INVALID')
  })
})

describe('ICMP', () => {
  test('begins a flow with a request only, and each packet renews it', () => {
    for (let type = 0; type < 256; type++) {
      const state = new Tracked().send(icmpPacket({ ...there, type }))
      expect(`${type} ${state}`).toBe(`${type} ${[8, 13, 15, 17].includes(type) ? 'NEW' : 'INVALID'}`)
    }
    const tracked = new Tracked()
    tracked.send(icmpPacket({ ...there, type: 8, id: 3 }))
    tracked.wait(20)
    expect(tracked.send(icmpPacket({ ...back, type: 0, id: 3 }))).toBe('ESTABLISHED')
    expect(tracked.flow()).toBe('30')
    expect(tracked.send(icmpPacket({ ...back, type: 0, id: 4 }))).toBe('INVALID')
  })

  test('an error is RELATED to the flow that it quotes, if it goes to the sender of what it quotes', () => {
    const ask = udpPacket({ ...there, sport: 1000, dport: 53, data: 4 })
    const error = (payload: Uint8Array, destination = there.source, damaged = false) =>
      icmpPacket({ source: '10.9.9.9', destination, type: 3, code: 3, payload, damaged })
    const tracked = new Tracked()
    expect(tracked.send(error(ask))).toBe('INVALID')
    tracked.send(ask)
    expect(tracked.send(error(ask))).toBe('RELATED')
    expect(tracked.send(error(ask.subarray(0, 24)))).toBe('RELATED')
    expect(tracked.send(error(ask.subarray(0, 23)))).toBe('INVALID')
    expect(tracked.send(error(ask, '10.0.0.7'))).toBe('INVALID')
    expect(tracked.send(error(ask, there.source, true))).toBe('INVALID')
    const fragment = ipPacket({ ...there, protocol: 17, fragment: 5 }, ask.subarray(20))
    expect(tracked.send(error(fragment))).toBe('INVALID')
    // Errors begin nothing and renew nothing.
    tracked.wait(10)
    tracked.send(error(ask))
    expect(tracked.flow()).toBe('20')
  })

  test('an error about an echo request is RELATED to the ping', () => {
    const tracked = new Tracked()
    const ping = icmpPacket({ ...there, type: 8, id: 77 })
    tracked.send(ping)
    const exceeded = icmpPacket({ source: '10.9.9.9', destination: there.source, type: 11, payload: ping })
    expect(tracked.send(exceeded)).toBe('RELATED')
  })
})

test('GRE and unknown protocols are tracked by address', () => {
  const gre = (ends: typeof there) => ipPacket({ ...ends, protocol: 47 }, new Uint8Array(8))
  const tracked = new Tracked()
  expect([tracked.send(gre(there)), tracked.flow()]).toEqual(['NEW', '30'])
  expect([tracked.send(gre(back)), tracked.flow()]).toEqual(['ESTABLISHED', '30'])
  expect([tracked.send(gre(there)), tracked.flow()]).toEqual(['ESTABLISHED', '180 ASSURED'])
  const other = new Tracked()
  expect([other.send(ipPacket({ ...there, protocol: 254 }, [])), other.flow()]).toEqual(['NEW', '600'])
})
