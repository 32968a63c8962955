// Copies of packets that target TEE sends to another host (nf_dup_ipv4). A copy goes through OUTPUT and POSTROUTING like a packet of
// the router's own, untracked, and must stay whole; where a packet just came in its copy also has a TTL less, so that two hosts
// that copy to each other come to an end. While a copy is on its way nothing is copied: not it, nor what is sent because of it.

import type { Link } from '../device/link.ts'
import { INPUT, PREROUTING } from '../hook/hook.ts'
import { CT_UNTRACKED, type Packet } from '../packet/packet.ts'
import { readHeader4 } from '../packet/parse.ts'
import type { Routing } from '../route/routing.ts'
import * as type from '../route/type.ts'
import * as ip from '../wire/ipv4.ts'
import * as vnet from '../wire/vnet.ts'
import type { Mouth } from './local.ts'

export class Duplicates {
  readonly #routing: () => Routing
  readonly #mouth: Mouth
  #sending = false

  constructor(routing: () => Routing, mouth: Mouth) {
    this.#routing = routing
    this.#mouth = mouth
  }

  /** @param link the device by which the copy has to leave; any when it is left out */
  send(p: Packet, hook: number, gateway: number, link?: Link): void {
    if (this.#sending) return
    const routing = this.#routing()
    const key = routing.key.to(gateway)
    key.tos = p.view.getUint8(p.start + ip.TOS) & ip.DSCP
    if (link !== undefined) key.outLink = link.index
    const isRouted = routing.output(key)
    // A gateway that no route leads to is taken to be on the link that is asked for.
    if (!isRouted && link === undefined) return
    const copy = this.#mouth.take(p)
    if (copy === undefined) return
    copy.outLink = isRouted ? routing.link : (link as Link).index
    copy.nexthop = isRouted ? routing.nexthop : gateway
    copy.mtu = isRouted ? routing.mtu : (link as Link).mtu
    copy.routeType = isRouted ? routing.type : type.UNICAST
    this.#fill(copy, p, hook)
    this.#sending = true
    this.#mouth.output(copy)
    this.#sending = false
  }

  #fill(copy: Packet, p: Packet, hook: number): void {
    const { view, start } = copy
    copy.slab.bytes.copyWithin(start - vnet.SIZE, p.start - vnet.SIZE, p.start + p.length)
    copy.length = p.length
    view.setUint16(start + ip.FLAGS_FRAGMENT, view.getUint16(start + ip.FLAGS_FRAGMENT) | ip.DF)
    if (hook === PREROUTING || hook === INPUT) view.setUint8(start + ip.TTL, view.getUint8(start + ip.TTL) - 1)
    ip.writeChecksum(view, start, p.headerLength)
    readHeader4(copy)
    inherit(copy, p)
  }
}

/** What a copy has of the packet that it is one of. */
export function inherit(copy: Packet, p: Packet): void {
  copy.partial = p.partial
  copy.gsoSize = p.gsoSize
  copy.segment = p.segment
  copy.mark = p.mark
  copy.priority = p.priority
  copy.trace = p.trace
  copy.fragmentMax = p.fragmentMax
  copy.ctinfo = CT_UNTRACKED
}
