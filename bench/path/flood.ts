// Devices for measuring the path in memory. A flood hands in prepared packets, one after the other, round and round, as
// fast as it is asked; what is transmitted is counted and forgotten. Handing in means copying 64 bytes into the slot, as
// a read would: measured alone, it is shown beside the path's figures.

import type { Device } from '../../src/device/device.ts'
import type { Batch } from '../../src/packet/batch.ts'
import type { Slab } from '../../src/packet/slab.ts'
import { LENGTH } from '../packets.ts'

const WORDS = LENGTH / 4

export class FloodDevice implements Device {
  readonly name: string
  readonly vnet = false
  /** Packets that this device took for transmission. */
  taken = 0
  /** Looks at what is transmitted, while it is being checked. */
  inspect: ((view: DataView, start: number, length: number) => void) | undefined
  #packets = new Int32Array(0)
  #at = 0
  #left = 0
  #slab: Slab | undefined
  #slots = new Int32Array(0)

  constructor(name: string) {
    this.name = name
  }

  /** Prepares `count` packets of LENGTH bytes: `write` writes number i. */
  prepare(count: number, write: (view: DataView, at: number, i: number) => void): void {
    if (this.#packets.length !== count * WORDS) this.#packets = new Int32Array(count * WORDS)
    const view = new DataView(this.#packets.buffer)
    for (let i = 0; i < count; i++) write(view, i * LENGTH, i)
    this.#at = 0
  }

  /** Lets this many packets in; the prepared ones begin anew when they are through. */
  allow(packets: number): void {
    this.#left = packets
  }

  get left(): number {
    return this.#left
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    if (this.#slab !== slab) {
      this.#slab = slab
      this.#slots = new Int32Array(slab.buffer)
    }
    const n = Math.min(most, this.#left)
    const packets = this.#packets
    const slots = this.#slots
    let at = this.#at
    for (let i = 0; i < n; i++) {
      const start = rx.start(i)
      const to = start >> 2
      for (let word = 0; word < WORDS; word++) slots[to + word] = packets[at + word]
      at += WORDS
      if (at === packets.length) at = 0
      rx.set(i, start, LENGTH)
    }
    this.#at = at
    this.#left -= n
    return n
  }

  transmit(slab: Slab, tx: Batch): number {
    this.taken += tx.count
    if (this.inspect !== undefined)
      for (let i = 0; i < tx.count; i++) this.inspect(slab.view, tx.start(i), tx.length(i))
    return tx.count
  }

  close(): void {
    this.#left = 0
  }
}
