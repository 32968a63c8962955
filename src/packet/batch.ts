// A batch: up to `capacity` packets as pairs of integers, [start, length], in one Int32Array that native code reads and
// writes as it stands. `start` is the offset of the IP header in the slab, `length` the bytes of the packet.

export const BATCH = 64

export class Batch {
  readonly descriptors: Int32Array
  readonly capacity: number
  count = 0

  constructor(capacity: number = BATCH) {
    this.capacity = capacity
    this.descriptors = new Int32Array(capacity * 2)
  }

  start(i: number): number {
    return this.descriptors[i * 2]
  }

  length(i: number): number {
    return this.descriptors[i * 2 + 1]
  }

  set(i: number, start: number, length: number): void {
    this.descriptors[i * 2] = start
    this.descriptors[i * 2 + 1] = length
  }

  /** Adds a packet; whoever calls looks at `full` before. */
  push(start: number, length: number): void {
    this.set(this.count++, start, length)
  }

  get full(): boolean {
    return this.count === this.capacity
  }
}
