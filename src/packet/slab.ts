// The slab: one buffer cut into equal slots, one packet a slot, and a stack of the free ones. A packet stays in its
// slot from the read to the write; headers are rewritten in place. A slot is taken and given back exactly once.
//
// The headroom holds the virtio-net header (12 bytes directly before the IP header) and lets a header grow. The stride
// is an odd number of cache lines, so that the slots' headers do not all compete for the same sets of the cache. Only
// the pages that packets touch become resident.
//
// The memory may be shared by threads (device/queues.ts): then each has a Slab of its own over it, and a slot is free in one of them.

import { TunfilterError } from '../errors.ts'

/** Bytes between a slot's begin and the IP header of a packet that was read into it. */
export const HEADROOM = 64
/** Bytes from one slot to the next: headroom, the largest IP packet (65,535) and one byte that shows an overflow. */
export const STRIDE = 65_600

/** Offsets into the slab stay below 2^31. */
export const SLOTS_MAX = 30_000

export class Slab {
  readonly buffer: ArrayBuffer | SharedArrayBuffer
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly slots: number
  /** So many free slots are for packets of the router's own: none of these is received into. */
  reserve = 0
  readonly #free: Int32Array
  #count: number

  /**
   * @param slots how many packets can be under way at once, 1 to SLOTS_MAX
   * @param memory as shared() makes it for so many; the slab's own when left out
   */
  constructor(slots: number, memory?: SharedArrayBuffer) {
    if (!Number.isInteger(slots) || slots < 1 || slots > SLOTS_MAX)
      throw new TunfilterError('ERR_SLAB_SIZE', `slab of ${slots} slots: expected 1 to ${SLOTS_MAX}`)
    this.slots = slots
    this.buffer = memory ?? new ArrayBuffer(slots * STRIDE)
    this.bytes = new Uint8Array(this.buffer)
    this.view = new DataView(this.buffer)
    this.#free = new Int32Array(slots)
    this.#count = slots
    // The lowest slots are on top: under light load the same few stay warm in the cache.
    for (let i = 0; i < slots; i++) this.#free[i] = (slots - 1 - i) * STRIDE + HEADROOM
  }

  /** Memory for a slab that threads share. */
  static shared(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(slots * STRIDE)
  }

  /** Over memory whose slots are all with others: those that are given to this one are free here. */
  static without(memory: SharedArrayBuffer): Slab {
    const slab = new Slab(memory.byteLength / STRIDE, memory)
    slab.#count = 0
    return slab
  }

  get free(): number {
    return this.#count
  }

  /** Where a packet may be put (offset of its IP header in `bytes`), or -1 when every slot is in use. */
  take(): number {
    return this.#count === 0 ? -1 : this.#free[--this.#count]
  }

  /** Gives the slot back that holds offset `start`; `start` may have moved within the slot. */
  give(start: number): void {
    this.#free[this.#count++] = start - (start % STRIDE) + HEADROOM
  }
}
