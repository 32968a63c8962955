// The addresses of a binding for IPv6. The tuple under construction stands in the flow table's place for a candidate, the
// right way round to be looked up: as the reply tuple, whose source is where the flow goes and whose destination is where
// it comes from.

import type { Conntrack6 } from '../conntrack/conntrack6.ts'
import { ADDRESS_WORDS, type FlowTable6 } from '../conntrack/flows6.ts'
import { Binding } from './binding.ts'
import { hashAddress, mixedWith, scale, seedOf } from './hash.ts'
import { MANIP_SRC, type NatRange, NETMAP, PERSISTENT } from './range.ts'

export class Binding6 extends Binding {
  readonly #flows: FlowTable6
  /** Places in the table's addresses. */
  readonly #source: number
  readonly #destination: number
  /** Digests of both, once they were asked for. */
  #digested = false
  #sourceDigest = 0
  #destinationDigest = 0

  constructor(conntrack: Conntrack6, random: () => number) {
    super(conntrack, random)
    this.#flows = conntrack.flows
    this.#destination = conntrack.flows.candidate
    this.#source = conntrack.flows.candidate + ADDRESS_WORDS
  }

  #copy(from: number, to: number): void {
    this.#flows.copy(from, to)
    this.#digested = false
  }

  protected override loadAddresses(): void {
    this.#copy(this.#flows.destinationAt(this.ct, 1), this.#source)
    this.#copy(this.#flows.sourceAt(this.ct, 1), this.#destination)
  }

  protected override addressesChanged(): boolean {
    const flows = this.#flows
    return (
      !flows.same(this.#source, flows.destinationAt(this.ct, 1)) ||
      !flows.same(this.#destination, flows.sourceAt(this.ct, 1))
    )
  }

  protected override writeAddresses(): void {
    const flows = this.#flows
    flows.copy(this.#source, flows.destinationAt(this.ct, 1))
    flows.copy(this.#destination, flows.sourceAt(this.ct, 1))
    flows.digestTuple(this.ct, 1)
  }

  protected override sourceInRange({ min, max }: NatRange): boolean {
    const { addresses } = this.#flows
    return compare(addresses, this.#source, min) >= 0 && compare(addresses, this.#source, max) <= 0
  }

  protected override hasSameSource(other: number): boolean {
    return this.#flows.same(this.#flows.sourceAt(other, 0), this.#flows.sourceAt(this.ct, 0))
  }

  protected override takeSourceOf(other: number): void {
    this.#copy(this.#flows.destinationAt(other, 1), this.#source)
  }

  protected override chooseAddress(manip: number, range: NatRange): void {
    const { addresses } = this.#flows
    const at = manip === MANIP_SRC ? this.#source : this.#destination
    this.#digested = false
    const { flags, min, max } = range
    if ((flags & NETMAP) !== 0) {
      for (let i = 0; i < ADDRESS_WORDS; i++) {
        const mask = ~(min[i] ^ max[i])
        addresses[at + i] = (min[i] & mask) | (addresses[at + i] & ~mask)
      }
    } else if (min.every((word, i) => word === max[i])) {
      for (let i = 0; i < ADDRESS_WORDS; i++) addresses[at + i] = min[i]
    } else {
      this.#spread(at, range)
    }
  }

  /**
   * Word by word, the hash scaled to what the range leaves open: once a word lies below the last address's, those behind it
   * may be anything. (So a range whose first word is open may give addresses below its first one; Linux's does.)
   */
  #spread(at: number, { flags, min, max }: NatRange): void {
    const { addresses } = this.#flows
    const persistent = (flags & PERSISTENT) !== 0
    const source = this.#source
    const destination = this.#destination
    let hash = hashAddress(
      addresses[source],
      addresses[source + 1],
      addresses[source + 2],
      addresses[source + 3],
      persistent ? 0 : seedOf(addresses[destination + 3], this.key >>> 8),
    )
    let open = false
    for (let i = 0; i < ADDRESS_WORDS; i++) {
      const first = open ? 0 : min[i] >>> 0
      const size = open ? 0xffff_ffff : ((max[i] >>> 0) - first + 1) >>> 0
      addresses[at + i] = first + scale(hash, size)
      if (addresses[at + i] !== max[i]) open = true
      if (!persistent) hash = mixedWith(hash, addresses[destination + i])
    }
  }

  protected override lookUpReply(ports: number): number {
    const flows = this.#flows
    if (!this.#digested) {
      this.#sourceDigest = flows.digestAt(this.#source)
      this.#destinationDigest = flows.digestAt(this.#destination)
      this.#digested = true
    }
    return flows.findAt(this.#destination, this.#destinationDigest, this.#sourceDigest, ports, this.replyKey)
  }
}

/** An address at a place beside one in words: below 0 when it is lower. */
function compare(addresses: Int32Array, at: number, words: readonly number[]): number {
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    const difference = (addresses[at + i] >>> 0) - (words[i] >>> 0)
    if (difference !== 0) return difference
  }
  return 0
}
