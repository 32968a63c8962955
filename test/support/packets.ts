// Packets for tests of the engine's parts: a line of the scenario language (test/scenario/README.md) or bytes, put into a slot
// and parsed.

import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { parse6 } from '../../src/packet/parse6.ts'
import type { Slab } from '../../src/packet/slab.ts'
import { describePacket, packetsOf } from './packet/index.ts'

export type Written = string | Uint8Array

/** One packet's bytes. */
export function bytesOf(packet: Written): Uint8Array {
  return typeof packet === 'string' ? packetsOf(packet)[0]! : packet
}

/** A packet in a slot of its own, its headers read. */
export function packetIn(slab: Slab, written: Written): Packet {
  const bytes = bytesOf(written)
  const start = slab.take()
  slab.bytes.set(bytes, start)
  const p = new Packet(slab)
  p.begin(start, bytes.length, 2)
  const said = bytes[0]! >>> 4 === 6 ? parse6(p) : parse4(p)
  if (said !== PARSED) throw new Error(`the packet cannot be parsed: reason ${said}`)
  return p
}

/** As a line; a checksum is only printed where it is wrong. */
export const lineOf = (bytes: Uint8Array) => describePacket(bytes)

/** The Internet checksum's sum in the plainest way, to hold others against: 0xffff where a checksum is right. */
export function plainSum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i++) {
    sum += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!
    if (sum > 0xffff) sum -= 0xffff
  }
  return sum
}
