// A device: where packets come from and go to, a batch at a time. Packets are raw IP. The engine gives every device
// free slots to read into and full slots to write from. A device never keeps one of those beyond the call, but may give another one
// back in its place: what it took at attach().

import type { Batch } from '../packet/batch.ts'
import type { Slab } from '../packet/slab.ts'

export interface Device {
  readonly name: string
  /** A descriptor that polls readable when there is something to receive; absent for devices in memory. */
  readonly fd?: number
  /** How many packets can be received, where that is known without asking the system. */
  readonly ready?: number
  /** Whether packets carry a virtio-net header in the 12 bytes before the IP header. */
  readonly vnet: boolean

  /** Called once, by the thread that will receive, before the first packet: all of them will lie in this slab. */
  attach?(slab: Slab): void

  /**
   * Reads up to `most` packets into the slots that rx's descriptors name (or exchanges them), and sets their lengths. A length above
   * wire/ipv4's MAX_PACKET says that the packet was cut off.
   * @returns how many were read, or the negative errno of a device that failed
   */
  receive(slab: Slab, rx: Batch, most: number): number

  /**
   * Writes tx.count packets in order. What could not be written gets a negative errno as its length.
   * @returns how many were written
   */
  transmit(slab: Slab, tx: Batch): number

  /**
   * Only of a device that writes later: transmit takes packets out of the batch, slots and all, and this gives them back once they are
   * written, in descriptors as transmit leaves them with other devices.
   * @param done is empty, and filled
   * @returns how many there are
   */
  written?(done: Batch): number

  close(): void
}

// errno values (Linux) that the engine tells apart; natives return them negated.
export const EIO = 5
export const EAGAIN = 11
export const EINVAL = 22
export const EBADFD = 77
export const ENOBUFS = 105
