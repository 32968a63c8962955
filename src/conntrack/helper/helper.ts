// What a connection helper is: it reads the packets of flows that a rule attached it to (CT --helper), and announces flows that
// will come because of them. Where NAT translates its flow, addresses in the payload become those that the other side knows.

import type { Packet } from '../../packet/packet.ts'
import { replacePayload } from '../../packet/payload.ts'
import { formatAddress } from '../../wire/address.ts'
import { PROTO_TCP } from '../../wire/ipv4.ts'
import * as tcp from '../../wire/tcp.ts'
import * as udp from '../../wire/udp.ts'
import { ADDED, CLASHES, type Expectation, type Expectations, type ExpectPolicy } from '../expect.ts'
import type { FlowTable } from '../flows.ts'
import type { GreKeys } from '../gre.ts'
import * as f from '../record.ts'
import { streamGrew } from '../seqadj.ts'

type Words = readonly number[]

/** What helpers work with. */
export interface Helping {
  readonly flows: FlowTable
  readonly expectations: Expectations
  /** What they keep of a flow, by its record, until the flow is over. */
  readonly kept: Map<number, unknown>
  /** An int32. */
  readonly random: () => number
  readonly greKeys: GreKeys
  /** The flow lasts for so many milliseconds from now on. */
  refresh(ct: number, milliseconds: number): void
  /** Ends the flow that has this tuple in one of its directions, in the zone of another flow; false where there is none. */
  readonly endFlow: (protocol: number, source: Words, destination: Words, ports: number, like: number) => boolean
}

export interface Helper {
  /** As rules and listings name it. */
  readonly name: string
  /** Of the flows that it can be attached to, as `protocol`. */
  readonly families: readonly (4 | 6)[]
  readonly protocol: number
  /** One a class of expectations. */
  readonly policies: readonly ExpectPolicy[]
  /**
   * Sees a packet of a flow that it is attached to, after NAT; the fixed part of its transport header is there.
   * @param number the helper's own
   * @returns ACCEPT or DROP
   */
  help(p: Packet, helping: Helping, number: number): number
  /** A flow that it expected has come. */
  came?(expectation: Expectation, helping: Helping): void
  /** A flow that it is attached to is over, and was not when the last packet was read. */
  over?(ct: number, helping: Helping): void
}

/** Whether two addresses of one family are the same. */
export function isEqual(a: Words, b: Words): boolean {
  return a.every((word, i) => word === b[i])
}

/** Whether NAT changes an address or port of the flow. */
export function isTranslated(flows: FlowTable, ct: number): boolean {
  return (flows.status(ct) & f.NAT) !== 0
}

/** Offset in the slab of the first byte behind the transport header; the packet's end or beyond where there is none. */
export function payloadOf({ view, transport, protocol }: Packet): number {
  return transport + (protocol === PROTO_TCP ? tcp.headerLength(view, transport) : udp.HEADER)
}

/** The payload from `at` on, a character a byte. */
export function textOf({ slab, start, length }: Packet, at: number): string {
  const { buffer, byteOffset } = slab.bytes
  return Buffer.from(buffer, byteOffset + at, Math.max(0, start + length - at)).toString('latin1')
}

/** Times that another port is tried where one is taken. */
const ATTEMPTS = 128

/**
 * Expects a flow to this port, or where another master expects one there, to a higher port by chance (nf_nat_exp_find_port).
 * @param at the same expectation with another destination port
 * @returns the port, 0 where there is none
 */
export function expectNear(
  { expectations, random }: Helping,
  port: number,
  policy: ExpectPolicy,
  at: (port: number) => Expectation,
): number {
  const range = 0xffff - port
  let attempts = Math.min(range, ATTEMPTS)
  for (let tried = port; ; tried = port + ((random() >>> 0) % range)) {
    const said = expectations.add(at(tried), policy)
    if (said === ADDED) return tried
    if (said !== CLASHES || --attempts < 0) return 0
  }
}

/**
 * Puts text in the place of `length` bytes of the payload; later sequence numbers of the stream move with it.
 * @returns false, with nothing changed, where the packet would become too long
 */
export function rewriteText(p: Packet, { flows }: Helping, at: number, length: number, text: string): boolean {
  if (!replacePayload(p, at, length, Buffer.from(text, 'latin1'))) return false
  if (p.protocol === PROTO_TCP)
    streamGrew(flows, p.ct, p.direction, p.view.getInt32(p.transport + tcp.SEQUENCE), text.length - length)
  return true
}

/** An address as the kernel writes it into a payload: IPv6's in full. */
export function addressText(words: readonly number[]): string {
  if (words.length === 1) return formatAddress(words[0])
  return words.map((word) => (word >>> 0).toString(16).padStart(8, '0').replace(/^..../, '$&:')).join(':')
}
