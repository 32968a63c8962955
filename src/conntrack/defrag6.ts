// IPv6's fragments (RFC 8200, 4.5) as Linux's nf_conntrack_reasm reassembles them for conntrack: the whole packet has no fragment
// header, also when it was the only one (an atomic fragment, RFC 6946). One that begins the packet and has not the whole header of
// the upper layer goes on as it is, an atomic one too: its receiver has to answer it (RFC 8200, 4.5). A fragment that contradicts where the packet ends is
// dropped alone; overlaps end the queue (RFC 5722). One whose length is no multiple of eight ends its queue too, and goes on
// as it is, since its receiver has to answer it.

import { NO_PROTOCOL, type Packet } from '../packet/packet.ts'
import { FRAGMENT_HEADER_SEEN, readHeader6 } from '../packet/parse6.ts'
import { REASON } from '../packet/reason.ts'
import { HEADROOM, type Slab } from '../packet/slab.ts'
import type { Time } from '../time.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as extension from '../wire/ipv6-extension.ts'
import * as vnet from '../wire/vnet.ts'
import { Defrag, PASS } from './defrag.ts'
import type { DefragEvents } from './defrag-settings.ts'
import { Quoted6, upperHeader } from './quoted6.ts'

/** Of both addresses, the identification, and the link where addresses are the link's own. */
const KEY_WORDS = 10
const MAX_PAYLOAD = 65_535

export interface Defrag6Limits {
  /** How long fragments wait for the others. */
  readonly seconds: number
  /** Bytes held at most. */
  readonly threshold: number
}

export class Defrag6 extends Defrag {
  /** @param seed an int32 from a random source */
  constructor(slab: Slab, time: Time, limits: Defrag6Limits, seed: number, events: DefragEvents) {
    const settings = { keyWords: KEY_WORDS, data: HEADROOM, maxData: MAX_PAYLOAD, contradictionEnds: false, ...limits }
    super(slab, time, settings, seed, events)
  }

  override input(p: Packet, user: number): number {
    if ((p.fragment & FRAGMENT_HEADER_SEEN) === 0 && p.protocol !== NO_PROTOCOL) return PASS
    const { view, start } = p
    const behind = start + p.length
    // A jumbogram cannot have been fragmented (RFC 2675, 4).
    if (view.getUint16(start + ipv6.PAYLOAD_LENGTH) === 0) return PASS
    const at = fragmentHeaderOf(view, start, behind)
    if (at < 0 || at === behind) return PASS
    if (lacksUpperHeader(view, start, behind)) return PASS
    if (at + extension.FRAGMENT_HEADER > behind) return BAD
    const word = view.getUint16(at + extension.FRAGMENT_OFFSET)
    this.isLast = (word & extension.MORE) === 0
    this.offset = word & extension.OFFSET_BYTES
    this.header = at + extension.FRAGMENT_HEADER - start
    this.end = this.offset + p.length - this.header
    this.trafficClass = ipv6.trafficClass(view, start)
    this.#readKey(p, view.getInt32(at + extension.FRAGMENT_ID))
    if (this.end > MAX_PAYLOAD) return BAD
    if (!this.isLast && (this.end & 7) !== 0) {
      this.giveUp(user)
      return PASS
    }
    return this.enter(p, user)
  }

  #readKey(p: Packet, id: number): void {
    const { key } = this
    key[0] = p.source
    key[1] = p.source1
    key[2] = p.source2
    key[3] = p.source3
    key[4] = p.destination
    key[5] = p.destination1
    key[6] = p.destination2
    key[7] = p.destination3
    key[8] = id
    key[9] = ipv6.isMulticast(p.destination) || ipv6.isLinkLocal(p.destination) ? p.inLink : 0
  }

  protected override readHeader(p: Packet): void {
    readHeader6(p)
  }

  protected override fits(header: number, data: number): boolean {
    return header - extension.FRAGMENT_HEADER - ipv6.HEADER + data <= MAX_PAYLOAD
  }

  /** The fragment header goes: what stands before it moves up, and says instead what follows. */
  protected override complete(p: Packet, header: number, data: number, congested: boolean): void {
    const { view } = p
    const { bytes } = p.slab
    const fragment = p.start + header - extension.FRAGMENT_HEADER
    view.setUint8(nextHeaderBefore(view, p.start, fragment), view.getUint8(fragment + extension.NEXT))
    const start = p.start + extension.FRAGMENT_HEADER
    bytes.copyWithin(start, p.start, fragment)
    p.start = start
    p.length = header - extension.FRAGMENT_HEADER + data
    view.setUint16(start + ipv6.PAYLOAD_LENGTH, p.length - ipv6.HEADER)
    if (congested) ipv6.writeTrafficClass(view, start, ipv6.trafficClass(view, start) | ECN_MASK)
    vnet.clear(view, start)
    readHeader6(p)
  }
}

/** Where the fragment header is, also where little of it is there; -1 for none. */
function fragmentHeaderOf(view: DataView, start: number, behind: number): number {
  let kind = view.getUint8(start + ipv6.NEXT_HEADER)
  let at = start + ipv6.HEADER
  while (kind !== extension.FRAGMENT) {
    if (!extension.isExtension(kind) || at + 2 > behind) return -1
    const next = view.getUint8(at + extension.NEXT)
    at += extension.lengthOf(view, kind, at)
    kind = next
  }
  return at <= behind ? at : -1
}

/** The byte of the header before the one at `at` that says what kind it is. */
function nextHeaderBefore(view: DataView, start: number, at: number): number {
  let field = start + ipv6.NEXT_HEADER
  for (let next = start + ipv6.HEADER; next < at; ) {
    const length = extension.lengthOf(view, view.getUint8(field), next)
    field = next + extension.NEXT
    next += length
  }
  return field
}

const chain = new Quoted6()

/** The upper layer begins in this fragment, and is cut off in its header or before it. */
function lacksUpperHeader(view: DataView, start: number, behind: number): boolean {
  return chain.read(view, start, behind) && !chain.later && chain.transport + upperHeader(chain.protocol) > behind
}

const BAD = REASON['fragment-bad']
/** "Congestion experienced" (RFC 3168). */
const ECN_MASK = 3
