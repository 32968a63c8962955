// Target SYNPROXY for IPv4: its segments' headers and ways. They have DF and no identification, whatever the packets have that
// they answer.

import type { Conntrack } from '../conntrack/conntrack.ts'
import type { Packet } from '../packet/packet.ts'
import { readHeader4 } from '../packet/parse.ts'
import type { Routing } from '../route/routing.ts'
import type { Time } from '../time.ts'
import { checksum, pseudoSum4 } from '../wire/checksum.ts'
import * as ip from '../wire/ipv4.ts'
import * as tcp from '../wire/tcp.ts'
import type { Mouth } from './local.ts'
import { Synproxy } from './synproxy.ts'

/** Segment sizes that a cookie can say: what nearly all hosts announce. */
const SIZES = [536, 1300, 1440, 1460]

export class Synproxy4 extends Synproxy {
  protected readonly headerLength = ip.MIN_HEADER
  readonly #routing: () => Routing
  readonly #ttl: number

  constructor(
    conntrack: Conntrack,
    routing: () => Routing,
    mouth: Mouth,
    time: Time,
    random: () => number,
    ttl: number,
  ) {
    super(conntrack, mouth, time, random, SIZES)
    this.#routing = routing
    this.#ttl = ttl
  }

  protected override prepare(p: Packet, back: boolean): Packet | undefined {
    const routing = this.#routing()
    if (!routing.output(routing.key.segment(p, back))) return undefined
    const segment = this.mouth.take(p)
    if (segment === undefined) return undefined
    segment.outLink = routing.link
    segment.nexthop = routing.nexthop
    segment.mtu = routing.mtu
    segment.routeType = routing.type
    return segment
  }

  protected override finish(segment: Packet, p: Packet, back: boolean, length: number): void {
    const { view, start } = segment
    const source = back ? p.destination : p.source
    const destination = back ? p.source : p.destination
    segment.length = ip.MIN_HEADER + length
    ip.writeHeader(view, start, segment.length, 0, ip.DF, this.#ttl, ip.PROTO_TCP, 0, source, destination)
    const at = start + ip.MIN_HEADER
    const sum = pseudoSum4(source, destination, ip.PROTO_TCP, length)
    view.setUint16(at + tcp.CHECKSUM, checksum(view, at, length, sum))
    readHeader4(segment)
  }
}
