// Streams that the router made longer, or counts from another number: what both hosts see of each other, in both families. The
// numbers are Linux's nf_conntrack_seqadj; scenarios with target SYNPROXY hold them beside the kernel.

import { beforeEach, describe, expect, test } from 'vitest'
import { type AdjustedFlows, streamGrew, streamMoves } from '../../src/conntrack/seqadj.ts'
import { Router } from '../engine/router.ts'

const CONFIG = {
  devices: {
    lan: { addresses: ['10.0.1.1/24', 'fd00:1::1/64'] },
    wan: { addresses: ['203.0.113.1/24', '2001:db8:1::1/64'] },
  },
}
const RULES = '*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n'

describe.each([
  [4, '10.0.1.2:1000', '203.0.113.9:21', 'ttl'],
  [6, '[fd00:1::2]:1000', '[2001:db8:1::9]:21', 'hl'],
] as const)('a stream of IPv%i', (family, client, server, hops) => {
  let router: Router
  let flows: AdjustedFlows

  /** Sends a segment of the client (`>`) or the server (`<`); what becomes of it in the same words, or nothing. */
  function send(line: string): string {
    const forth = line.startsWith('>')
    const way = forth ? `tcp ${client} > ${server}` : `tcp ${server} > ${client}`
    const [left] = router.send(forth ? 'lan' : 'wan', `${way}${line.slice(1)}`)
    return left === undefined
      ? 'nothing'
      : left
          .replace(/^\w+: /, '')
          .replace(way, line[0]!)
          .replace(` ${hops} 63`, '')
  }

  beforeEach(() => {
    router = new Router('', { config: CONFIG })
    const { conntrack, conntrack6 } = router.engine
    const tracking = family === 4 ? conntrack : conntrack6
    tracking.adjusting = true
    flows = tracking.flows
    router.engine.load(RULES, { family })
    for (const line of [
      '> S seq 99 win 1000 <mss 1460,sackOK,nop,nop>',
      '< S. seq 499 ack 100 win 1000 <mss 1460,sackOK,nop,nop>',
      '> . seq 100 ack 500 win 1000',
    ])
      expect(send(line)).toBe(line)
  })

  test('that grew: what comes later moves, what is acknowledged moves back, and what came before stays', () => {
    streamGrew(flows, 0, 0, 100, 5)
    // The segment itself, sent again, has its number; it was 10 bytes long, which its receiver has as 15.
    expect(send('> P. seq 100 ack 500 win 1000 len 10')).toBe('> P. seq 100 ack 500 win 1000 len 10')
    expect(send('< . seq 500 ack 115 win 1000')).toBe('< . seq 500 ack 110 win 1000')
    expect(send('> . seq 110 ack 500 win 1000 len 20')).toBe('> . seq 115 ack 500 win 1000 len 20')
    expect(send('< . seq 500 ack 135 win 1000')).toBe('< . seq 500 ack 130 win 1000')
    expect(send('< . seq 500 ack 100 win 1000')).toBe('< . seq 500 ack 100 win 1000')
    // Acknowledging more than was sent, by its sender's count: INVALID.
    expect(send('< . seq 500 ack 136 win 1000')).toBe('nothing')
  })

  test('that grew twice and shrank: the offset before the last correction is that of all earlier ones', () => {
    streamGrew(flows, 0, 0, 100, 5)
    expect(send('> P. seq 100 ack 500 win 1000 len 10')).toContain(' seq 100 ')
    // Replaced once more when it is sent again: nothing new.
    streamGrew(flows, 0, 0, 100, 5)
    expect(send('> P. seq 100 ack 500 win 1000 len 10')).toContain(' seq 100 ')
    streamGrew(flows, 0, 0, 110, -12)
    expect(send('> P. seq 110 ack 500 win 1000 len 20')).toContain(' seq 115 ')
    expect(send('> . seq 130 ack 500 win 1000 len 1')).toContain(' seq 123 ')
    expect(send('< . seq 500 ack 115 win 1000')).toContain(' ack 110 ')
    expect(send('< . seq 500 ack 124 win 1000')).toContain(' ack 131 ')
  })

  test('that is counted from another number, over the wrap: SACK blocks move back with the acknowledgement', () => {
    streamMoves(flows, 0, 1, -600)
    expect(send('< P. seq 500 ack 100 win 1000 len 10')).toBe('< P. seq 4294967196 ack 100 win 1000 len 10')
    expect(send('< P. seq 520 ack 100 win 1000 len 10')).toBe('< P. seq 4294967216 ack 100 win 1000 len 10')
    expect(send('> . seq 100 ack 4294967206 win 1000 <nop,nop,sack 4294967216:4294967226>')).toBe(
      '> . seq 100 ack 510 win 1000 <nop,nop,sack 520:530>',
    )
    // A RST without an acknowledgement.
    expect(send('> R seq 100 win 0')).toBe('> R seq 100 win 0')
  })

  test('keeps its numbers in a segment without ACK, and is dropped where its options end in the midst of one', () => {
    streamMoves(flows, 0, 1, 7)
    expect(send('> . seq 100 ack 507 win 1000 <hex fe08>')).toBe('nothing')
    expect(send('> . seq 100 ack 507 win 1000 <hex fe0400000000>')).toContain(' ack 500 ')
    expect(router.dropped()).toEqual({ conntrack: 1 })
  })

  test('forgets it all with its flow: the next one in the record has nothing of it', () => {
    streamMoves(flows, 0, 0, 7)
    expect(send('> R seq 100 win 0')).toBe('> R seq 107 win 0')
    router.pause(60_000)
    expect(send('> S seq 5000 win 1000')).toBe('> S seq 5000 win 1000')
    expect(send('< S. seq 7000 ack 5001 win 1000')).toBe('< S. seq 7000 ack 5001 win 1000')
  })
})
