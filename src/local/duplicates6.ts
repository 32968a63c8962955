// Copies of IPv6 packets that target TEE sends to another host (nf_dup_ipv6): as in duplicates.ts. That a copy must stay whole
// is said in its descriptor alone, since IPv6 has no bit for it; and a device that is asked for is the only one whose routes count.

import { type Link, NO_LINK } from '../device/link.ts'
import { INPUT, PREROUTING } from '../hook/hook.ts'
import type { Packet } from '../packet/packet.ts'
import { readHeader6 } from '../packet/parse6.ts'
import type { Routing6 } from '../route/routing6.ts'
import * as ip from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as vnet from '../wire/vnet.ts'
import { inherit } from './duplicates.ts'
import type { Mouth } from './local.ts'

export class Duplicates6 {
  readonly #routing: () => Routing6
  readonly #mouth: Mouth
  #sending = false
  /** While a copy is on its way: the device by which its original came in. */
  from = NO_LINK

  constructor(routing: () => Routing6, mouth: Mouth) {
    this.#routing = routing
    this.#mouth = mouth
  }

  /** @param link the device by which the copy has to leave; any when it is left out */
  send(p: Packet, hook: number, gateway: readonly number[], link?: Link): void {
    if (this.#sending) return
    const copy = this.#mouth.take(p)
    if (copy === undefined) return
    copy.destination = gateway[0]
    copy.destination1 = gateway[1]
    copy.destination2 = gateway[2]
    copy.destination3 = gateway[3]
    const routing = this.#routing()
    const key = routing.key.to6(gateway[0], gateway[1], gateway[2], gateway[3])
    key.tos = ipv6.trafficClass(p.view, p.start) & ip.DSCP
    if (link !== undefined) key.outLink = key.strict = link.index
    if (!routing.output(copy, key)) return this.#mouth.discard(copy)
    this.#fill(copy, p, hook)
    this.#sending = true
    this.from = p.inLink
    this.#mouth.output(copy)
    this.from = NO_LINK
    this.#sending = false
  }

  #fill(copy: Packet, p: Packet, hook: number): void {
    const { view, start } = copy
    copy.slab.bytes.copyWithin(start - vnet.SIZE, p.start - vnet.SIZE, p.start + p.length)
    copy.length = p.length
    if (hook === PREROUTING || hook === INPUT)
      view.setUint8(start + ipv6.HOP_LIMIT, view.getUint8(start + ipv6.HOP_LIMIT) - 1)
    readHeader6(copy)
    copy.fragment |= ip.DF
    inherit(copy, p)
  }
}
