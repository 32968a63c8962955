// The fields that tell one flow from another, out of a packet, out of what an ICMP error quotes, or out of the headers within a
// tunnel: what the choice between several ways looks at (multipath.ts). Reading stays within the packet; what is not there is 0.

import type { Packet } from '../packet/packet.ts'
import * as icmp from '../wire/icmp.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import { FlowKey } from './key.ts'

const PROTO_IPV6 = 41
const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
const GRE_CHECKSUM = 0x8000
const GRE_KEY = 0x2000
const GRE_SEQUENCE = 0x1000
const GRE_VERSION = 7

export class FlowFields {
  family: 4 | 6 = 4
  readonly source = new Int32Array(4)
  readonly destination = new Int32Array(4)
  protocol = 0
  sport = 0
  dport = 0
  /** IPv6's flow label. */
  label = 0
  readonly #key = new FlowKey()

  ofKey(key: FlowKey): void {
    const { source, destination } = this
    this.family = key.isIPv6 ? 6 : 4
    source[0] = key.source
    source[1] = key.source1
    source[2] = key.source2
    source[3] = key.source3
    destination[0] = key.destination
    destination[1] = key.destination1
    destination[2] = key.destination2
    destination[3] = key.destination3
    this.protocol = key.protocol
    this.sport = key.sport
    this.dport = key.dport
    this.label = 0
  }

  ofPacket(p: Packet): void {
    this.ofKey(this.#key.of(p, p.inLink))
    if (p.family === 6) this.label = labelOf(p.view, p.start)
  }

  /** Of an ICMP error the addresses of the packet that it quotes; others are left as they are. */
  ofQuoted(p: Packet): void {
    const { view, transport } = p
    if (transport === 0) return
    const kind = view.getUint8(transport)
    const isError =
      p.family === 4
        ? p.protocol === ip.PROTO_ICMP && (p.fragment & ip.FRAGMENT_OFFSET_MASK) === 0 && icmp.isError(kind)
        : p.protocol === ip.PROTO_ICMPV6 && icmpv6.isError(kind)
    if (isError) this.#header(p, transport + icmp.HEADER)
  }

  /** The headers within a tunnel; false where p is none. */
  within(p: Packet): boolean {
    if ((p.fragment & ip.FRAGMENT_OFFSET_MASK) !== 0) return false
    const at = p.start + p.headerLength
    switch (p.protocol) {
      case ip.PROTO_IPIP:
      case PROTO_IPV6:
        return this.#header(p, at)
      case ip.PROTO_GRE:
        return this.#withinGre(p, at)
      default:
        return false
    }
  }

  #withinGre(p: Packet, at: number): boolean {
    if (at + 4 > p.start + p.length) return false
    const flags = p.view.getUint16(at)
    const carried = p.view.getUint16(at + 2)
    if ((flags & GRE_VERSION) !== 0 || (carried !== ETHERTYPE_IPV4 && carried !== ETHERTYPE_IPV6)) return false
    const extra = [GRE_CHECKSUM, GRE_KEY, GRE_SEQUENCE].filter((bit) => (flags & bit) !== 0).length
    return this.#header(p, at + 4 + 4 * extra)
  }

  /** Reads an IP header with the ports behind it; false where there is none whole. */
  #header(p: Packet, at: number): boolean {
    const { view } = p
    const end = p.start + p.length
    if (at + ip.MIN_HEADER > end) return false
    const version = view.getUint8(at) >>> 4
    if (version === 6) {
      if (at + ipv6.HEADER > end) return false
      this.family = 6
      for (let i = 0; i < 4; i++) {
        this.source[i] = view.getInt32(at + ipv6.SOURCE + 4 * i)
        this.destination[i] = view.getInt32(at + ipv6.DESTINATION + 4 * i)
      }
      this.label = labelOf(view, at)
      this.#ports(view, view.getUint8(at + ipv6.NEXT_HEADER), at + ipv6.HEADER, end)
      return true
    }
    if (version !== 4) return false
    this.family = 4
    this.source.fill(0)
    this.destination.fill(0)
    this.source[0] = view.getInt32(at + ip.SOURCE)
    this.destination[0] = view.getInt32(at + ip.DESTINATION)
    this.label = 0
    const whole = (view.getUint16(at + ip.FLAGS_FRAGMENT) & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) === 0
    const header = (view.getUint8(at) & 15) << 2
    this.#ports(view, view.getUint8(at + ip.PROTOCOL), whole ? at + header : end, end)
    return true
  }

  #ports(view: DataView, protocol: number, at: number, end: number): void {
    this.protocol = protocol
    this.sport = 0
    this.dport = 0
    if (at + 4 > end || !ip.hasPorts(protocol)) return
    this.sport = view.getUint16(at)
    this.dport = view.getUint16(at + 2)
  }
}

function labelOf(view: DataView, at: number): number {
  return view.getInt32(at) & 0xfffff
}
