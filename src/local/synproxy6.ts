// Target SYNPROXY for IPv6: its segments' headers and ways.

import type { Conntrack } from '../conntrack/conntrack.ts'
import type { Packet } from '../packet/packet.ts'
import { readHeader6 } from '../packet/parse6.ts'
import type { Routing6 } from '../route/routing6.ts'
import type { Time } from '../time.ts'
import { checksum } from '../wire/checksum.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as tcp from '../wire/tcp.ts'
import type { Mouth } from './local.ts'
import { Synproxy } from './synproxy.ts'

/** Segment sizes that a cookie can say: what nearly all hosts announce. */
const SIZES = [1220, 1420, 1440, 8940]
const ADDRESS = 16

export class Synproxy6 extends Synproxy {
  protected readonly headerLength = ipv6.HEADER
  readonly #routing: () => Routing6
  readonly #hopLimit: number

  constructor(
    conntrack: Conntrack,
    routing: () => Routing6,
    mouth: Mouth,
    time: Time,
    random: () => number,
    hopLimit: number,
  ) {
    super(conntrack, mouth, time, random, SIZES)
    this.#routing = routing
    this.#hopLimit = hopLimit
  }

  protected override prepare(p: Packet, back: boolean): Packet | undefined {
    const segment = this.mouth.take(p)
    if (segment === undefined) return undefined
    segment.destination = back ? p.source : p.destination
    segment.destination1 = back ? p.source1 : p.destination1
    segment.destination2 = back ? p.source2 : p.destination2
    segment.destination3 = back ? p.source3 : p.destination3
    const routing = this.#routing()
    if (routing.output(segment, routing.key.segment(p, back))) return segment
    this.mouth.discard(segment)
    return undefined
  }

  protected override finish(segment: Packet, p: Packet, back: boolean, length: number): void {
    const { view, start } = segment
    segment.length = ipv6.HEADER + length
    ipv6.writeHeader(view, start, length, ip.PROTO_TCP, this.#hopLimit, 0)
    const { bytes } = segment.slab
    // Both addresses are p's, as they stand or turned round.
    const [first, second] = back ? [ipv6.DESTINATION, ipv6.SOURCE] : [ipv6.SOURCE, ipv6.DESTINATION]
    bytes.copyWithin(start + ipv6.SOURCE, p.start + first, p.start + first + ADDRESS)
    bytes.copyWithin(start + ipv6.DESTINATION, p.start + second, p.start + second + ADDRESS)
    const at = start + ipv6.HEADER
    const sum = ipv6.pseudoSum(view, start, ip.PROTO_TCP, length)
    view.setUint16(at + tcp.CHECKSUM, checksum(view, at, length, sum))
    readHeader6(segment)
  }
}
