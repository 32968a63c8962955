// The addresses of a binding for IPv4.

import * as f from '../conntrack/record.ts'
import { Binding } from './binding.ts'
import { hashAddress, scale, seedOf } from './hash.ts'
import { MANIP_SRC, type NatRange, NETMAP, PERSISTENT } from './range.ts'

export class Binding4 extends Binding {
  #source = 0
  #destination = 0

  protected override loadAddresses(): void {
    const { flows } = this.conntrack
    this.#source = flows.destination(this.ct, 1)
    this.#destination = flows.source(this.ct, 1)
  }

  protected override addressesChanged(): boolean {
    const { flows } = this.conntrack
    return this.#source !== flows.destination(this.ct, 1) || this.#destination !== flows.source(this.ct, 1)
  }

  protected override writeAddresses(): void {
    const { words } = this.conntrack.flows
    const reply = this.ct * f.WORDS + f.TUPLE_WORDS
    words[reply + f.SOURCE] = this.#destination
    words[reply + f.DESTINATION] = this.#source
  }

  protected override sourceInRange({ min, max }: NatRange): boolean {
    const source = this.#source >>> 0
    return source >= min[0] >>> 0 && source <= max[0] >>> 0
  }

  protected override hasSameSource(other: number): boolean {
    const { flows } = this.conntrack
    return flows.source(other, 0) === flows.source(this.ct, 0)
  }

  protected override takeSourceOf(other: number): void {
    this.#source = this.conntrack.flows.destination(other, 1)
  }

  protected override chooseAddress(manip: number, { flags, min: [min], max: [max] }: NatRange): void {
    let address = min
    if ((flags & NETMAP) !== 0) {
      const mask = ~(min ^ max)
      address = (min & mask) | ((manip === MANIP_SRC ? this.#source : this.#destination) & ~mask)
    } else if (min !== max) {
      const spread = ((max >>> 0) - (min >>> 0) + 1) >>> 0
      const seed = (flags & PERSISTENT) !== 0 ? 0 : seedOf(this.#destination, this.key >>> 8)
      address = (min + scale(hashAddress(this.#source, 0, 0, 0, seed), spread)) | 0
    }
    if (manip === MANIP_SRC) this.#source = address
    else this.#destination = address
  }

  protected override lookUpReply(ports: number): number {
    return this.conntrack.flows.find(this.#destination, this.#source, ports, this.replyKey)
  }
}
