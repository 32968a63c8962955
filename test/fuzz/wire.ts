// Every parser of the wire over one packet's bytes. The view that they read by knows where the packet lies, and what is read or written
// beside it is an error.

import { keysAt } from '../../src/conntrack/gre.ts'
import { Quoted6 } from '../../src/conntrack/quoted6.ts'
import { Links } from '../../src/device/link.ts'
import { PREROUTING } from '../../src/hook/hook.ts'
import { readOffload } from '../../src/packet/offload.ts'
import { checkOptions6 } from '../../src/packet/options6.ts'
import { Packet } from '../../src/packet/packet.ts'
import { PARSED, parse4 } from '../../src/packet/parse.ts'
import { parse6 } from '../../src/packet/parse6.ts'
import { Slab } from '../../src/packet/slab.ts'
import { logText } from '../../src/rule/log-text.ts'
import { checkOptions } from '../../src/wire/ipv4-options.ts'
import * as extension from '../../src/wire/ipv6-extension.ts'
import * as vnet from '../../src/wire/vnet.ts'

const Base = DataView as new (buffer: ArrayBufferLike) => DataView

/** Reads and writes outside of [low, high) are errors. */
class WatchedView extends Base {
  low = 0
  high = Number.MAX_SAFE_INTEGER

  #at(offset: number, size: number): number {
    if (offset < this.low || offset + size > this.high)
      throw new RangeError(`${size} bytes at ${offset - this.low} of ${this.high - this.low}`)
    return offset
  }
  override getUint8(at: number): number {
    return super.getUint8(this.#at(at, 1))
  }
  override getInt8(at: number): number {
    return super.getInt8(this.#at(at, 1))
  }
  override getUint16(at: number, little?: boolean): number {
    return super.getUint16(this.#at(at, 2), little)
  }
  override getUint32(at: number, little?: boolean): number {
    return super.getUint32(this.#at(at, 4), little)
  }
  override getInt32(at: number, little?: boolean): number {
    return super.getInt32(this.#at(at, 4), little)
  }
  override setUint8(at: number, value: number): void {
    super.setUint8(this.#at(at, 1), value)
  }
  override setUint16(at: number, value: number, little?: boolean): void {
    super.setUint16(this.#at(at, 2), value, little)
  }
  override setInt32(at: number, value: number, little?: boolean): void {
    super.setInt32(this.#at(at, 4), value, little)
  }
}

/** Bytes behind a packet that have to stay as they were. */
const BEHIND = 64

export class Wire {
  readonly #slab = new Slab(2)
  readonly #view = new WatchedView(this.#slab.buffer)
  readonly #p: Packet
  readonly #start: number
  readonly #links = new Links()
  readonly #quoted = new Quoted6()
  readonly #bounds = { length: 0x7fffffff, number: 8 }

  constructor() {
    Object.defineProperty(this.#slab, 'view', { value: this.#view })
    this.#p = new Packet(this.#slab)
    this.#start = this.#slab.take()
  }

  /**
   * Has the packet read by every parser.
   * @param header what stands in the virtio-net header before it
   * @returns whether it is a packet at all
   * @throws what a parser throws, and where something beside the packet was read or written
   */
  read(bytes: Uint8Array, header: Uint8Array): boolean {
    const slab = this.#slab
    const view = this.#view
    const p = this.#p
    const start = this.#start
    slab.bytes.fill(0xff, start - vnet.SIZE, start + bytes.length + BEHIND)
    slab.bytes.set(bytes, start)
    slab.bytes.set(header, start - vnet.SIZE)
    p.begin(start, bytes.length, 1)
    view.low = start - vnet.SIZE
    view.high = start + bytes.length
    const six = bytes.length > 0 && bytes[0]! >> 4 === 6
    if ((six ? parse6(p) : parse4(p)) !== PARSED) return false
    const end = p.start + p.length
    view.high = end
    if (six) {
      for (const kind of [0, 43, 44, 51, 60, 17]) {
        const at = extension.find(view, start, end, kind)
        if (at >= 0 && kind !== 17 && kind !== 44 && at + 8 <= end) checkOptions6(p, at, kind, this.#bounds)
      }
    } else checkOptions(view, start, p.headerLength)
    this.#quoted.read(view, start, end)
    keysAt(view, p.transport, end)
    logText(p, PREROUTING, 15, this.#links)
    readOffload(p)
    for (let i = 0; i < BEHIND; i++)
      if (slab.bytes[start + bytes.length + i] !== 0xff)
        throw new RangeError(`byte ${i} behind the packet was written to`)
    return true
  }
}
