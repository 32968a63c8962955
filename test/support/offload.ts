// Packets as a device with offload hands them over: behind a virtio-net header of 12 bytes, large, and with a checksum that holds
// the pseudo-header's sum only.

import type { Device } from '../../src/device/device.ts'
import type { Batch } from '../../src/packet/batch.ts'
import type { Slab } from '../../src/packet/slab.ts'
import { fold, pseudoSum4, sumOf } from '../../src/wire/checksum.ts'
import * as vnet from '../../src/wire/vnet.ts'
import { bytesOf } from './packets.ts'

/** Without IP options or extension headers, TCP or UDP: header and packet. @param gsoSize 0 for a partial checksum alone */
export function offloaded(line: string, gsoSize: number): Uint8Array {
  const packet = bytesOf(line)
  const bytes = new Uint8Array(vnet.SIZE + packet.length)
  bytes.set(packet, vnet.SIZE)
  const view = new DataView(bytes.buffer)
  const ip = vnet.SIZE
  const six = packet[0]! >> 4 === 6
  const ipHeader = six ? 40 : 20
  const protocol = packet[six ? 6 : 9]!
  const tcp = protocol === 6
  const length = packet.length - ipHeader
  const sum = six
    ? sumOf(view, ip + 8, 32) + protocol + length
    : pseudoSum4(view.getInt32(ip + 12), view.getInt32(ip + 16), protocol, length)
  view.setUint16(ip + ipHeader + (tcp ? 16 : 6), fold(sum))
  bytes[ip + vnet.FLAGS] = vnet.NEEDS_CHECKSUM
  const segments = tcp ? (six ? vnet.GSO_TCP6 : vnet.GSO_TCP4) : vnet.GSO_UDP_L4
  bytes[ip + vnet.GSO_TYPE] = gsoSize === 0 ? vnet.GSO_NONE : segments
  const headers = ipHeader + (tcp ? (packet[ipHeader + 12]! >> 4) * 4 : 8)
  view.setUint16(ip + vnet.HEADER_LENGTH, headers, true)
  view.setUint16(ip + vnet.GSO_SIZE, gsoSize, true)
  view.setUint16(ip + vnet.CHECKSUM_START, ipHeader, true)
  view.setUint16(ip + vnet.CHECKSUM_OFFSET, tcp ? 16 : 6, true)
  return bytes
}

/** A device in memory with offload: headers go with their packets both ways. */
export class OffloadDevice implements Device {
  readonly name: string
  readonly vnet = true
  readonly #in: Uint8Array[] = []
  #out: Uint8Array[] = []

  constructor(name: string) {
    this.name = name
  }

  /** @param bytes header and packet */
  inject(bytes: Uint8Array): void {
    this.#in.push(bytes)
  }

  take(): Uint8Array[] {
    const out = this.#out
    this.#out = []
    return out
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    const n = Math.min(most, this.#in.length)
    for (const [i, bytes] of this.#in.splice(0, n).entries()) {
      slab.bytes.set(bytes, rx.start(i) - vnet.SIZE)
      rx.set(i, rx.start(i), bytes.length - vnet.SIZE)
    }
    return n
  }

  transmit(slab: Slab, tx: Batch): number {
    for (let i = 0; i < tx.count; i++)
      this.#out.push(slab.bytes.slice(tx.start(i) - vnet.SIZE, tx.start(i) + tx.length(i)))
    return tx.count
  }

  close(): void {}
}
