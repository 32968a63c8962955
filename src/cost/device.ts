// A device for measuring in memory. It hands in packets that were prepared, round and round, as fast as it is asked, or one
// that was offered; what is transmitted is kept only while somebody wants to see it. Handing in means copying the packet
// into its slot, as a read would.

import type { Device } from '../device/device.ts'
import type { Batch } from '../packet/batch.ts'
import { type Slab, STRIDE } from '../packet/slab.ts'

export class CostDevice implements Device {
  readonly name: string
  readonly vnet = false
  /** Whether what is transmitted is kept for take(). */
  keeps = false
  #words = new Int32Array(0)
  /** Where each packet begins in `#words`, and its length in bytes. */
  #starts = new Int32Array(0)
  #lengths = new Int32Array(0)
  #next = 0
  #left = 0
  #slab: Slab | undefined
  #slots = new Int32Array(0)
  #out: Uint8Array[] = []

  constructor(name: string) {
    this.name = name
  }

  /** Puts these packets, of at most a slot's length each, in the place of those before. */
  prepare(packets: readonly Uint8Array[]): void {
    const words = packets.reduce((sum, { length }) => sum + ((length + 3) >> 2), 0)
    this.#words = new Int32Array(words)
    this.#starts = new Int32Array(packets.length)
    this.#lengths = new Int32Array(packets.length)
    const bytes = new Uint8Array(this.#words.buffer)
    let at = 0
    packets.forEach((packet, i) => {
      bytes.set(packet, at << 2)
      this.#starts[i] = at
      this.#lengths[i] = packet.length
      at += (packet.length + 3) >> 2
    })
    this.#next = 0
    this.#left = 0
  }

  /** Lets the prepared packets in, from the first, this many times each. */
  allow(times: number): void {
    this.#next = 0
    this.#left = this.#lengths.length * times
  }

  /** How many packets are yet to be handed in. */
  get left(): number {
    return this.#left
  }

  /** Hands in this one packet. */
  offer(packet: Uint8Array): void {
    this.prepare([packet])
    this.allow(1)
  }

  /** What left by this device since the last call. */
  take(): Uint8Array[] {
    const out = this.#out
    if (out.length > 0) this.#out = []
    return out
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    if (this.#slab !== slab) {
      this.#slab = slab
      this.#slots = new Int32Array(slab.buffer)
    }
    const n = Math.min(most, this.#left)
    const words = this.#words
    const slots = this.#slots
    for (let i = 0; i < n; i++) {
      const start = rx.start(i)
      const length = this.#lengths[this.#next]
      const room = STRIDE - (start % STRIDE)
      const count = (Math.min(length, room) + 3) >> 2
      const from = this.#starts[this.#next]
      const to = start >> 2
      for (let word = 0; word < count; word++) slots[to + word] = words[from + word]
      rx.set(i, start, length)
      if (++this.#next === this.#lengths.length) this.#next = 0
    }
    this.#left -= n
    return n
  }

  transmit(slab: Slab, tx: Batch): number {
    if (this.keeps)
      for (let i = 0; i < tx.count; i++) {
        const start = tx.start(i)
        this.#out.push(slab.bytes.slice(start, start + tx.length(i)))
      }
    return tx.count
  }

  close(): void {
    this.#left = 0
  }
}
