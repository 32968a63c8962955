// Look-ups in the flow table by tuples in random order, with and without huge pages behind it. What is looked up comes
// out of an array that is read in order, as packets come out of a slab.

import { FlowTable } from '../../src/conntrack/flows.ts'
import * as f from '../../src/conntrack/record.ts'
import { loadNative } from '../../src/device/native.ts'
import { PROTO_UDP } from '../../src/wire/ipv4.ts'
import { flow, replyOf, shuffled } from '../packets.ts'
import type { Case } from './case.ts'

const KEY = f.key(PROTO_UDP, 0)
const SEED = 0x2545f491
const AT_ONCE = 1000

/** A table with this many confirmed flows. */
export function filled(flows: number, hugePages: boolean): FlowTable {
  const table = new FlowTable(flows, SEED)
  if (hugePages) for (const { buffer } of table.arrays) loadNative().madviseHuge(new Uint8Array(buffer))
  for (let i = 0; i < flows; i++) {
    const ct = table.allocate()
    const base = ct * f.WORDS
    const original = flow(i)
    const reply = replyOf(original)
    for (const [at, tuple] of [
      [base, original],
      [base + f.TUPLE_WORDS, reply],
    ] as const) {
      table.words[at + f.SOURCE] = tuple.source
      table.words[at + f.DESTINATION] = tuple.destination
      table.words[at + f.PORTS] = (tuple.sport << 16) | tuple.dport
    }
    table.words[base + f.KEY] = KEY
    table.words[base + f.REPLY_KEY] = KEY
    table.words[base + f.STATUS] |= f.CONFIRMED
    table.insert(ct)
  }
  return table
}

export function lookUpCase(flows: number, hugePages: boolean): Case {
  const table = filled(flows, hugePages)
  const order = shuffled(flows)
  const tuples = new Int32Array(Math.max(flows, AT_ONCE) * 3)
  for (let i = 0; i * 3 < tuples.length; i++) {
    const { source, destination, sport, dport } = flow(order[i % flows])
    tuples.set([source, destination, (sport << 16) | dport], i * 3)
  }
  let at = 0
  const run = () => {
    let sum = 0
    for (let i = 0; i < AT_ONCE; i++) {
      if (at === tuples.length) at = 0
      sum += table.find(tuples[at], tuples[at + 1], tuples[at + 2], KEY)
      at += 3
    }
    return sum
  }
  return { what: 'flow look-up', where: nameOf(flows, hugePages), operations: AT_ONCE, run }
}

export function nameOf(flows: number, hugePages: boolean): string {
  return `${flows.toLocaleString('en')} flow${flows === 1 ? '' : 's'}${hugePages ? ', huge pages' : ''}`
}
