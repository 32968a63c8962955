// A device in memory: what is injected is received, what is transmitted is taken. For tests, for replay, and for who
// embeds the engine. It copies on both sides, so that nobody holds a slot.

import type { Batch } from '../packet/batch.ts'
import { type Slab, STRIDE } from '../packet/slab.ts'
import type { Device } from './device.ts'

export class MemoryDevice implements Device {
  readonly name: string
  readonly vnet = false
  #in: Uint8Array[] = []
  #out: Uint8Array[] = []

  constructor(name: string) {
    this.name = name
  }

  /** Puts a packet where the engine will find it; the bytes are not copied before it reads them. */
  inject(packet: Uint8Array): void {
    this.#in.push(packet)
  }

  /** What left by this device since the last call, in order. */
  take(): Uint8Array[] {
    const out = this.#out
    this.#out = []
    return out
  }

  /** How many injected packets wait. */
  get waiting(): number {
    return this.#in.length
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    const n = Math.min(most, this.#in.length)
    for (let i = 0; i < n; i++) {
      const packet = this.#in[i]
      const start = rx.start(i)
      const room = STRIDE - (start % STRIDE)
      slab.bytes.set(packet.length <= room ? packet : packet.subarray(0, room), start)
      rx.set(i, start, packet.length)
    }
    if (n > 0) this.#in.splice(0, n)
    return n
  }

  transmit(slab: Slab, tx: Batch): number {
    for (let i = 0; i < tx.count; i++) {
      const start = tx.start(i)
      this.#out.push(slab.bytes.slice(start, start + tx.length(i)))
    }
    return tx.count
  }

  close(): void {
    this.#in = []
  }
}
