// Targets QUEUE and NFQUEUE (xt_NFQUEUE): the packet is handed to who listens to a queue (nfnetlink/nfqueue.ts). Which one of several is
// a hash of addresses and protocol, seeded by chance and the same for both directions.

import { QUEUE, QUEUE_BYPASS, QUEUE_SHIFT } from '../hook/hook.ts'
import { hashWords, scale } from '../nat/hash.ts'
import type { Packet } from '../packet/packet.ts'
import { defineTarget } from '../rule/define.ts'
import { parseNumber } from '../rule/number.ts'
import { flag, Problem, type Range, shown, u16, unexpected, word } from '../rule/option.ts'

export const queue = defineTarget({
  name: 'QUEUE',
  summary: 'hands the packet to who listens to queue 0',
  terminal: true,
  options: {},
  target: () => () => QUEUE,
})

const EXPECTS = 'a range FIRST:LAST of queues, from 0 to 65535'

const balance = word<Range>(
  EXPECTS,
  (text) => {
    const ends = text.split(':')
    const [min, max] = ends.map((part, i) => (part === '' ? [0, 0xffff][i] : parseNumber(part, 0xffff)))
    if (min === undefined || max === undefined || ends.length > 2) return unexpected(text, EXPECTS)
    if (min >= max) return new Problem(`${shown(text)} is no range: expected the first queue to be less than the last`)
    if (max - min === 0xffff)
      return new Problem(`${shown(text)} has too many queues: expected at most 65535`, 0, 'tables')
    return { min, max }
  },
  ({ min, max }) => `${min}:${max}`,
)

export const nfqueue = defineTarget({
  name: 'NFQUEUE',
  summary: 'hands the packet to who listens to a queue',
  terminal: true,
  options: {
    'queue-num': u16().help('the queue; 0 if nothing is said'),
    'queue-balance': balance.help('one of these queues for each pair of addresses'),
    'queue-bypass': flag().help('the packet passes where nobody listens'),
    'queue-cpu-fanout': flag().help('the queue is chosen by the processor instead; there is one here'),
  },
  exclusive: [['queue-num', 'queue-balance']],
  normalize: (o) => (o['queue-balance'] === undefined ? { ...o, 'queue-num': o['queue-num'] ?? 0 } : o),
  check: (o) =>
    o['queue-cpu-fanout'] && o['queue-balance'] === undefined ? '--queue-cpu-fanout needs --queue-balance' : undefined,
  list: (o) => {
    const several = o['queue-balance']
    const which = several === undefined ? `num ${o['queue-num']}` : `balance ${several.min}:${several.max}`
    return `NFQUEUE ${which}${o['queue-bypass'] ? ' bypass' : ''}${o['queue-cpu-fanout'] ? ' cpu-fanout' : ''}`
  },
  target: (o, { random, shared }) => {
    const plain = QUEUE | (o['queue-bypass'] ? QUEUE_BYPASS : 0)
    const several = o['queue-balance']
    const first = several?.min ?? o['queue-num'] ?? 0
    if (several === undefined || o['queue-cpu-fanout']) {
      const verdict = plain | (first << QUEUE_SHIFT)
      return () => verdict
    }
    const size = several.max - several.min + 1
    const seed = shared.of('NFQUEUE', 'seed', random)
    return (p) => plain | ((first + scale(hash(p, seed), size)) << QUEUE_SHIFT)
  },
})

/** The same for both directions. */
function hash(p: Packet, seed: number): number {
  const source = p.family === 6 ? p.source ^ p.source1 ^ p.source2 ^ p.source3 : p.source
  const destination = p.family === 6 ? p.destination ^ p.destination1 ^ p.destination2 ^ p.destination3 : p.destination
  return source < destination
    ? hashWords(source, destination, p.protocol, seed)
    : hashWords(destination, source, p.protocol, seed)
}
