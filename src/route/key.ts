// What a look-up may depend on besides the destination: who sends, by which device, with which mark, TOS, protocol and ports (Linux's
// flowi4 and flowi6). IPv4 addresses stand in the first word. Routing has one, which is filled where more than the destination
// counts: with policy rules, several next hops, or a device that is asked for.

import { LOOPBACK } from '../device/link.ts'
import type { Packet } from '../packet/packet.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'

export class FlowKey {
  isIPv6 = false
  destination = 0
  destination1 = 0
  destination2 = 0
  destination3 = 0
  source = 0
  source1 = 0
  source2 = 0
  source3 = 0
  /** The source is known: a rule with `from` may fit. */
  hasSource = false
  /** The device that the packet came in by; the loopback device for the router's own packets. */
  inLink = 0
  /** The device that it has to leave by, 0 for any. */
  outLink = 0
  /** IPv6: the device whose routes alone count, 0 for all. For IPv4 that is `outLink`. */
  strict = 0
  mark = 0
  /** TOS or traffic class, without the bits for congestion. */
  tos = 0
  protocol = 0
  sport = 0
  dport = 0
  /** Whose headers the choice between several next hops looks at; undefined for the fields above. */
  packet: Packet | undefined = undefined

  /** A packet of the router's own to an IPv4 address; nothing else is known of it. */
  to(destination: number): this {
    this.to6(destination, 0, 0, 0)
    this.isIPv6 = false
    return this
  }

  /** The same for an address of four words. */
  to6(word0: number, word1: number, word2: number, word3: number): this {
    this.isIPv6 = true
    this.destination = word0
    this.destination1 = word1
    this.destination2 = word2
    this.destination3 = word3
    this.source = 0
    this.source1 = 0
    this.source2 = 0
    this.source3 = 0
    this.hasSource = false
    this.inLink = LOOPBACK
    this.outLink = 0
    this.strict = 0
    this.mark = 0
    this.tos = 0
    this.protocol = 0
    this.sport = 0
    this.dport = 0
    this.packet = undefined
    return this
  }

  from(source: number): this {
    this.source = source
    this.hasSource = source !== 0
    return this
  }

  from6(word0: number, word1: number, word2: number, word3: number): this {
    this.source = word0
    this.source1 = word1
    this.source2 = word2
    this.source3 = word3
    this.hasSource = (word0 | word1 | word2 | word3) !== 0
    return this
  }

  /** @param tos TOS or traffic class as a header has it */
  as(protocol: number, tos: number, sport: number, dport: number): this {
    this.protocol = protocol
    this.tos = tos & ip.DSCP
    this.sport = sport
    this.dport = dport
    return this
  }

  /** A packet that was received, or a whole one of the router's own. */
  of(p: Packet, inLink: number): this {
    if (p.family === 4) this.to(p.destination).from(p.source)
    else
      this.to6(p.destination, p.destination1, p.destination2, p.destination3).from6(
        p.source,
        p.source1,
        p.source2,
        p.source3,
      )
    this.inLink = inLink
    this.mark = p.mark
    this.#header(p)
    this.packet = p
    return this
  }

  /** The way back of a packet that was received, as a reverse path filter asks for it. */
  back(p: Packet, inLink: number): this {
    this.of(p, inLink)
    const { destination, destination1, destination2, destination3, sport, dport } = this
    this.destination = this.source
    this.destination1 = this.source1
    this.destination2 = this.source2
    this.destination3 = this.source3
    this.from6(destination, destination1, destination2, destination3)
    this.sport = dport
    this.dport = sport
    this.packet = undefined
    return this
  }

  /** A segment of the router's own between the ends of p, the same way or back; neither mark nor TOS is p's. */
  segment(p: Packet, back: boolean): this {
    if (back) this.back(p, LOOPBACK)
    else this.of(p, LOOPBACK)
    this.mark = 0
    this.tos = 0
    this.packet = undefined
    return this
  }

  #header(p: Packet): void {
    const { view, start } = p
    this.tos = (p.family === 4 ? view.getUint8(start + ip.TOS) : ipv6.trafficClass(view, start)) & ip.DSCP
    this.protocol = p.protocol
    // Of fragments no ports count, not even those of the first.
    const whole = (p.fragment & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) === 0
    if (!whole || p.transport === 0) return
    if (!ip.hasPorts(p.protocol)) return
    this.sport = p.sport
    this.dport = p.dport
  }
}
