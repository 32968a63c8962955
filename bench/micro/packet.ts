// Parsing, checksums and rewriting, over packets that lie in the slots of a slab as they do in a batch.

import { MANIP_SRC } from '../../src/nat/range.ts'
import { rewrite } from '../../src/nat/rewrite4.ts'
import { BATCH } from '../../src/packet/batch.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { Slab } from '../../src/packet/slab.ts'
import { checksum, update16, update32 } from '../../src/wire/checksum.ts'
import { flow, LENGTH, MASQUERADE_ADDRESS, writePacket } from '../packets.ts'
import type { Case } from './case.ts'

const slab = new Slab(BATCH)
const starts = Int32Array.from({ length: BATCH }, () => slab.take())
for (const [i, start] of starts.entries()) writePacket(slab.view, start, flow(i))
const p = new Packet(slab)

function parse(): number {
  let sum = 0
  for (let i = 0; i < BATCH; i++) {
    p.begin(starts[i], LENGTH, 2)
    if (parse4(p) === PARSED) sum += p.sport
  }
  return sum
}

function rewriteSource(): number {
  for (let i = 0; i < BATCH; i++) {
    p.begin(starts[i], LENGTH, 2)
    parse4(p)
    rewrite(p, MANIP_SRC, MASQUERADE_ADDRESS, 10_000 + i)
  }
  return p.source
}

function updates(): number {
  let field = 0x1234
  for (let i = 0; i < 1000; i++) field = update16(update32(field, i, MASQUERADE_ADDRESS), i & 0xffff, 10_000)
  return field
}

const sums = (length: number) => () => checksum(slab.view, starts[0], length)

export const packetCases: readonly Case[] = [
  { what: 'parse', where: '64 slots', operations: BATCH, run: parse },
  { what: 'parse and rewrite address and port', where: '64 slots', operations: BATCH, run: rewriteSource },
  { what: 'checksum, incremental', where: 'address and port', operations: 1000, run: updates },
  { what: 'checksum, full', where: '44 bytes', operations: 1, run: sums(44) },
  { what: 'checksum, full', where: '1480 bytes', operations: 1, run: sums(1480) },
  { what: 'checksum, full', where: '65,515 bytes', operations: 1, run: sums(65_515) },
]
