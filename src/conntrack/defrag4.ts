// IPv4's fragments (RFC 791) as Linux's ip_fragment reassembles them.

import type { Packet } from '../packet/packet.ts'
import { readHeader4 } from '../packet/parse.ts'
import { HEADROOM, type Slab } from '../packet/slab.ts'
import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import * as ip from '../wire/ipv4.ts'
import * as vnet from '../wire/vnet.ts'
import { Defrag, PASS } from './defrag.ts'
import type { DefragEvents } from './defrag-settings.ts'

export class Defrag4 extends Defrag {
  /** @param seed an int32 from a random source */
  constructor(slab: Slab, time: Time, sysctl: Sysctl, seed: number, events: DefragEvents) {
    const settings = {
      keyWords: 3,
      // Behind a header without options; options grow into the headroom.
      data: HEADROOM + ip.MIN_HEADER,
      maxData: ip.MAX_PACKET - ip.MIN_HEADER,
      contradictionEnds: true,
      seconds: sysctl['net.ipv4.ipfrag_time'],
      threshold: sysctl['net.ipv4.ipfrag_high_thresh'],
    }
    super(slab, time, settings, seed, events)
  }

  override input(p: Packet, user: number): number {
    if ((p.fragment & (ip.MF | ip.FRAGMENT_OFFSET_MASK)) === 0) return PASS
    const { view, start } = p
    this.key[0] = p.source
    this.key[1] = p.destination
    this.key[2] = view.getUint16(start + ip.ID) | (p.protocol << 16)
    this.isLast = (p.fragment & ip.MF) === 0
    this.offset = (p.fragment & ip.FRAGMENT_OFFSET_MASK) << 3
    this.header = p.headerLength
    const end = this.offset + p.length - p.headerLength
    // What is no multiple of eight cannot have a successor: the odd bytes are cut.
    this.end = this.isLast ? end : end & ~7
    this.dontFragment = (p.fragment & ip.DF) !== 0
    this.trafficClass = view.getUint8(start + ip.TOS)
    return this.enter(p, user)
  }

  protected override readHeader(p: Packet): void {
    readHeader4(p)
  }

  protected override fits(header: number, data: number): boolean {
    return header + data <= ip.MAX_PACKET
  }

  protected override complete(
    p: Packet,
    header: number,
    data: number,
    congested: boolean,
    dontFragment: boolean,
  ): void {
    const { view, start } = p
    p.length = header + data
    view.setUint16(start + ip.TOTAL_LENGTH, p.length)
    view.setUint16(start + ip.FLAGS_FRAGMENT, dontFragment ? ip.DF : 0)
    if (congested) view.setUint8(start + ip.TOS, view.getUint8(start + ip.TOS) | 3)
    ip.writeChecksum(view, start, header)
    vnet.clear(view, start)
    readHeader4(p)
  }
}
