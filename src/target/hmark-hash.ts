// The number that HMARK makes of a packet: lookup3 over the lower and the higher address, and the ports with the higher one first,
// so that both directions of a flow give the same; an IPv6 address counts as the XOR of its words. The ports are those that stand at
// the beginning of the transport header, AH's index behind its first word.

import type { FlowTable } from '../conntrack/flows.ts'
import { hashWords } from '../nat/hash.ts'
import type { Packet } from '../packet/packet.ts'
import * as icmp from '../wire/icmp.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'

export interface HashOf {
  /** Masks in words. */
  readonly source: readonly number[]
  readonly destination: readonly number[]
  /** Both ports in one word, or the security parameter index: bits that count, and bits that are set. */
  readonly portMask: number
  readonly portSet: number
  readonly protocol: number
  readonly seed: number
}

export class MarkHash {
  readonly #flows: FlowTable
  readonly #of: HashOf
  #source = 0
  #destination = 0

  constructor(flows: FlowTable, of: HashOf) {
    this.#flows = flows
    this.#of = of
  }

  /** By the tuples of the flow: where its first packet came from, and who answers. @returns uint32 */
  ofFlow(ct: number): number {
    const flows = this.#flows
    const protocol = flows.protocol(ct)
    this.#source = flows.source(ct, 0) & this.#of.source[0]
    this.#destination = flows.source(ct, 1) & this.#of.destination[0]
    const ports = protocol === ip.PROTO_ICMP ? 0 : this.#masked((flows.sport(ct, 0) << 16) | flows.sport(ct, 1))
    return this.#hash(ports, protocol)
  }

  /** @returns uint32 */
  ofPacket(p: Packet): number {
    return p.family === 6 ? this.#of6(p) : this.#of4(p)
  }

  #of4({ view, start, length }: Packet): number {
    const end = start + length
    let at = start
    let protocol = view.getUint8(at + ip.PROTOCOL)
    let transport = at + ((view.getUint8(at) & 15) << 2)
    if (protocol === ip.PROTO_ICMP && isWhole(view, at) && transport + icmp.HEADER + ip.MIN_HEADER <= end) {
      if (icmp.isError(view.getUint8(transport))) {
        at = transport + icmp.HEADER
        protocol = view.getUint8(at + ip.PROTOCOL)
        transport = at + ((view.getUint8(at) & 15) << 2)
      }
    }
    this.#source = view.getInt32(at + ip.SOURCE) & this.#of.source[0]
    this.#destination = view.getInt32(at + ip.DESTINATION) & this.#of.destination[0]
    return this.#hash(isWhole(view, at) ? this.#ports(view, transport, end, protocol) : 0, protocol)
  }

  #of6({ view, start, length, fragment, headerLength, protocol }: Packet): number {
    const end = start + length
    const at = start + headerLength
    if (protocol === ip.PROTO_ICMPV6 && fragment === 0 && at + icmpv6.HEADER + ipv6.HEADER <= end) {
      if (icmpv6.isError(view.getUint8(at))) return this.#quoted6(view, at + icmpv6.HEADER, end)
    }
    this.#addresses6(view, start)
    return this.#hash(fragment === 0 ? this.#ports(view, at, end, protocol) : 0, protocol)
  }

  /** Of a quoted packet only the transport header that follows it at once. */
  #quoted6(view: DataView, at: number, end: number): number {
    this.#addresses6(view, at)
    const protocol = view.getUint8(at + ipv6.NEXT_HEADER)
    return this.#hash(this.#ports(view, at + ipv6.HEADER, end, protocol), protocol)
  }

  #addresses6(view: DataView, at: number): void {
    this.#source = folded(view, at + ipv6.SOURCE, this.#of.source)
    this.#destination = folded(view, at + ipv6.DESTINATION, this.#of.destination)
  }

  #ports(view: DataView, transport: number, end: number, protocol: number): number {
    const offset = portsAt(protocol)
    if (offset < 0 || transport + offset + 4 > end) return 0
    return this.#masked(view.getInt32(transport + offset))
  }

  /** The higher port first. */
  #masked(word: number): number {
    const ports = (word & this.#of.portMask) | this.#of.portSet
    const source = ports >>> 16
    const destination = ports & 0xffff
    return destination > source ? (destination << 16) | source : ports
  }

  #hash(ports: number, protocol: number): number {
    const lower = this.#source >>> 0 < this.#destination >>> 0
    const first = lower ? this.#source : this.#destination
    const second = lower ? this.#destination : this.#source
    return (hashWords(first, second, ports, this.#of.seed) ^ (protocol & this.#of.protocol)) >>> 0
  }
}

function folded(view: DataView, at: number, mask: readonly number[]): number {
  let word = 0
  for (let i = 0; i < 4; i++) word ^= view.getInt32(at + 4 * i) & mask[i]
  return word
}

function isWhole(view: DataView, at: number): boolean {
  return (view.getUint16(at + ip.FLAGS_FRAGMENT) & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) === 0
}

/** Offset in the transport header of what counts as its ports, -1 where it has none. */
function portsAt(protocol: number): number {
  switch (protocol) {
    case ip.PROTO_TCP:
    case ip.PROTO_UDP:
    case ip.PROTO_UDPLITE:
    case ip.PROTO_SCTP:
    case ip.PROTO_DCCP:
    case ip.PROTO_ESP:
      return 0
    case ip.PROTO_AH:
      return 4
    default:
      return -1
  }
}
