// A router whose slab is watched: what is not used by a packet holds a pattern, and a write outside of a packet's own slot
// shows. And whose books are kept: every packet that came in, or that the router made, has to be somewhere.

import { expect } from 'vitest'
import type { Device } from '../../src/device/device.ts'
import { ACCEPT } from '../../src/hook/hook.ts'
import type { Batch } from '../../src/packet/batch.ts'
import { HEADROOM, type Slab, STRIDE } from '../../src/packet/slab.ts'
import { Router, type RouterOptions } from '../engine/router.ts'

const CANARY = 0xa5
/** Nothing is ever written here: headers grow to 40 bytes before the usual place, the virtio-net header is before that. */
const UNTOUCHED = HEADROOM - 40 - 12
const slotOf = (start: number) => Math.floor(start / STRIDE)

/** One packet at a time, into a slot that is then known. */
class OneAtATime implements Device {
  readonly name: string
  readonly vnet = false
  next: Uint8Array | undefined
  used = -1
  sent = 0
  fragments = 0
  firsts = 0

  constructor(name: string) {
    this.name = name
  }

  receive(slab: Slab, rx: Batch): number {
    if (this.next === undefined) return 0
    const start = rx.start(0)
    slab.bytes.set(this.next.subarray(0, 65536), start)
    rx.set(0, start, this.next.length)
    this.used = start
    this.next = undefined
    return 1
  }

  transmit(slab: Slab, tx: Batch): number {
    for (let i = 0; i < tx.count; i++) {
      const view = new DataView(slab.buffer, tx.start(i), tx.length(i))
      expect(view.byteLength).toBe(view.getUint16(2))
      const word = view.getUint16(6) & 0x3fff
      this.sent++
      if (word !== 0) this.fragments++
      if (word === 0x2000) this.firsts++
    }
    return tx.count
  }

  close(): void {}
}

export class Watched {
  readonly router: Router
  readonly #devices: Record<string, OneAtATime>
  readonly #slab: Slab
  readonly #pattern: Uint8Array
  readonly #dirty = new Set<number>()
  received = 0
  made = 0

  constructor(rules: string, options: RouterOptions) {
    this.#devices = { lan: new OneAtATime('lan'), wan: new OneAtATime('wan') }
    this.router = new Router(rules, { ...options, devices: this.#devices })
    const { engine } = this.router
    this.#slab = engine.slab
    this.#slab.bytes.fill(CANARY)
    this.#pattern = new Uint8Array(STRIDE).fill(CANARY)
    engine.hook('output', { priority: -0x80000000 }, () => {
      this.made++
      return ACCEPT
    })
    const { take } = this.#slab
    this.#slab.take = () => {
      const start = take.call(this.#slab)
      if (start >= 0) this.#dirty.add(slotOf(start))
      return start
    }
  }

  /** Hands one packet in. A slot that was merely offered to the device and came back is as good as unused. */
  send(name: string, packet: Uint8Array): void {
    const device = this.#devices[name]!
    device.next = packet
    const { receive } = device
    device.receive = (slab, rx) => {
      const n = receive.call(device, slab, rx)
      this.#dirty.clear()
      this.#dirty.add(slotOf(device.used))
      return n
    }
    this.router.engine.step()
    device.receive = receive
    this.received++
    this.#clean()
  }

  #slot(n: number): Uint8Array {
    return this.#slab.bytes.subarray(n * STRIDE, (n + 1) * STRIDE)
  }

  /** The neighbours of what was used, and the places in it that nobody may use; then the pattern again. */
  #clean(): void {
    for (const n of this.#dirty) {
      for (const near of [n - 1, n + 1])
        if (near >= 0 && near < this.#slab.slots && !this.#dirty.has(near)) this.#isClean(near)
      const slot = this.#slot(n)
      if (Buffer.compare(slot.subarray(0, UNTOUCHED), this.#pattern.subarray(0, UNTOUCHED)) !== 0)
        throw new Error(`slot ${n}: its first bytes were written to`)
    }
    // What defragmentation holds stays dirty; it is the only one that keeps slots from one packet to the next.
    if (this.router.slotsOut > 0) {
      for (const n of this.#dirty) this.#held.add(n)
      return
    }
    for (const n of [...this.#dirty, ...this.#held]) this.#slot(n).fill(CANARY)
    this.#held.clear()
  }

  readonly #held = new Set<number>()

  #isClean(n: number): void {
    if (!this.#held.has(n) && Buffer.compare(this.#slot(n), this.#pattern) !== 0)
      throw new Error(`slot ${n} was written to, and no packet was in it`)
  }

  /** Looks at every slot that is not in use. */
  checkAll(): void {
    for (let n = 0; n < this.#slab.slots; n++) if (!this.#dirty.has(n)) this.#isClean(n)
  }

  /** Packets that are neither out, nor dropped, nor part of another: the fragments that are held. */
  get pending(): number {
    const { engine } = this.router
    const dropped = Object.values(engine.counters().dropped).reduce((sum, n) => sum + n, 0)
    const left = Object.values(this.#devices).reduce((sum, d) => sum + d.sent - d.fragments + d.firsts, 0)
    return this.received + this.made - left - dropped - engine.pipeline.defrag.absorbed
  }

  /** Lets all that waits run out, and then everything has to be accounted for and given back. */
  finish(): Record<string, number> {
    this.router.pause(31_000)
    for (let i = 0; i < 4; i++) this.router.pause(500_000_000)
    const { engine } = this.router
    expect(this.pending).toBe(0)
    expect([this.router.slotsOut, engine.pipeline.defrag.held, this.router.flows]).toEqual([0, 0, 0])
    return this.router.dropped()
  }
}
