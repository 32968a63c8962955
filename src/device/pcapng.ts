// Devices that live in a capture file: what their interfaces received is read from one file, in that file's order, and
// what they transmit is written to another. One Playback ties them together and says what time it is; each device is the
// interface of its name.

import { TunfilterError } from '../errors.ts'
import type { Batch } from '../packet/batch.ts'
import { type Slab, STRIDE } from '../packet/slab.ts'
import type { Device } from './device.ts'
import { LINKTYPE_IPV4, LINKTYPE_RAW } from './pcapng/blocks.ts'
import { type CapturedPacket, type CaptureInterface, PcapngReader } from './pcapng/reader.ts'
import { PcapngWriter } from './pcapng/writer.ts'

export interface PlaybackOptions {
  /** The capture to read; `-` is standard input. */
  readonly input: string
  /** Where transmitted packets go; `-` is standard output. They go nowhere when it is left out. */
  readonly output?: string
  /** Names of the devices: which interfaces are read, and in this order the interfaces of the output. */
  readonly devices: readonly string[]
  /** The device that packets of an interface without a name enter by (a classic pcap file names none). */
  readonly unnamed?: string
  /** true: packets of interfaces that no device is named after are passed over; otherwise they are an error. */
  readonly skipUnknown?: boolean
}

export class Playback implements Disposable {
  readonly devices: ReadonlyMap<string, PcapngDevice>
  /** What transmitted packets get as time stamp, in nanoseconds since the epoch: that of the packet which came last. */
  time = 0n
  /** Packets of the file so far, and those of them that were passed over. */
  read = 0
  skipped = 0
  readonly #options: PlaybackOptions
  readonly #reader: PcapngReader
  #writer: PcapngWriter | undefined
  /** The packet that comes next, where peek() has looked. */
  #ahead: { readonly packet: CapturedPacket; readonly device: PcapngDevice; readonly time: bigint } | undefined
  /** Interfaces that were looked at. */
  readonly #targets = new Map<CaptureInterface, PcapngDevice | undefined>()

  constructor(options: PlaybackOptions) {
    this.#options = options
    const record = (device: PcapngDevice, data: Uint8Array) => this.#writer?.write(device.number, this.time, data)
    this.devices = new Map(options.devices.map((name, i) => [name, new PcapngDevice(name, i, record)]))
    this.#reader = new PcapngReader(options.input)
  }

  /**
   * The time stamp of the packet that comes next, undefined at the end of the file; nothing is written. Throws ERR_CAPTURE
   * for a file that is broken, and ERR_CAPTURE_INTERFACE for interfaces that fit no device.
   */
  peek(): bigint | undefined {
    while (this.#ahead === undefined) {
      const packet = this.#reader.next()
      this.#meetInterfaces()
      if (packet === undefined) return undefined
      this.read++
      const device = this.#targets.get(packet.interface)
      if (device !== undefined) this.#ahead = { packet, device, time: packet.time ?? this.time }
      else this.skipped++
    }
    return this.#ahead.time
  }

  /** Puts the next packet of the file where its device receives it; false at the end of the file. Throws as peek() does. */
  next(): boolean {
    const time = this.peek()
    this.#openWriter()
    if (time === undefined || this.#ahead === undefined) return false
    this.time = time
    this.#ahead.device.offer(this.#ahead.packet)
    this.#ahead = undefined
    return true
  }

  close(): void {
    this.#reader.close()
    this.#writer?.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Finds the device of every interface that is new. */
  #meetInterfaces(): void {
    const { interfaces } = this.#reader
    if (interfaces.length === this.#targets.size) return
    const unknown: string[] = []
    for (const found of interfaces) {
      if (this.#targets.has(found)) continue
      const name = found.name ?? this.#options.unnamed
      const device = name === undefined ? undefined : this.devices.get(name)
      this.#targets.set(found, device)
      if (device === undefined) unknown.push(name === undefined ? 'one without a name' : `'${name}'`)
      else if (found.linkType !== LINKTYPE_RAW && found.linkType !== LINKTYPE_IPV4)
        throw new TunfilterError(
          'ERR_CAPTURE_INTERFACE',
          `${this.#options.input}: interface '${name}' has link type ${found.linkType}: expected 101 (RAW) or 228 (IPV4)`,
        )
    }
    if (unknown.length === 0 || this.#options.skipUnknown === true) return
    throw new TunfilterError(
      'ERR_CAPTURE_INTERFACE',
      `${this.#options.input}: interfaces that no device is named after: ${unknown.join(', ')}; ` +
        `expected ${this.#options.devices.map((name) => `'${name}'`).join(', ')}`,
    )
  }

  /** Only once the input's interfaces are known: its time stamps decide about the output's resolution. */
  #openWriter(): void {
    const { output, devices } = this.#options
    if (output === undefined || this.#writer !== undefined) return
    const fine = this.#reader.interfaces.some(({ resolution, binary }) => binary || resolution > 6)
    const interfaces = devices.map((name) => ({ name }))
    this.#writer = new PcapngWriter(output, interfaces, { resolution: fine ? 9 : 6 })
  }
}

export class PcapngDevice implements Device {
  readonly name: string
  readonly vnet = false
  /** Of its interface in the output. */
  readonly number: number
  readonly #record: (device: PcapngDevice, data: Uint8Array) => void
  #offered: CapturedPacket | undefined

  constructor(name: string, number: number, record: (device: PcapngDevice, data: Uint8Array) => void) {
    this.name = name
    this.number = number
    this.#record = record
  }

  /** What is received next; the packet's bytes stay valid until the next one is read. */
  offer(packet: CapturedPacket): void {
    this.#offered = packet
  }

  receive(slab: Slab, rx: Batch, most: number): number {
    if (this.#offered === undefined || most < 1) return 0
    const { data } = this.#offered
    this.#offered = undefined
    const start = rx.start(0)
    const room = STRIDE - (start % STRIDE)
    slab.bytes.set(data.length <= room ? data : data.subarray(0, room), start)
    rx.set(0, start, data.length)
    return 1
  }

  transmit(slab: Slab, tx: Batch): number {
    for (let i = 0; i < tx.count; i++) this.#record(this, slab.bytes.subarray(tx.start(i), tx.start(i) + tx.length(i)))
    return tx.count
  }

  close(): void {
    this.#offered = undefined
  }
}
