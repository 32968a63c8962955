// Writes pcapng: one section, its interfaces first, then packets in the order given. Little-endian, link type RAW.

import { closeSync, openSync, writeSync } from 'node:fs'
import { TunfilterError } from '../../errors.ts'
import * as b from './blocks.ts'

/** What is written is collected up to this size first. */
const COLLECT = 1 << 18

export interface WrittenInterface {
  readonly name: string
}

export interface PcapngWriterOptions {
  /** Digits after the second in time stamps: 6 or 9. */
  readonly resolution: 6 | 9
  readonly linkType?: number
}

export class PcapngWriter {
  readonly #file: string
  readonly #fd: number
  readonly #options: PcapngWriterOptions
  readonly #divisor: bigint
  readonly #buffer: Buffer
  #length = 0

  /** @param file a path, which is made anew, or `-` for standard output. Throws ERR_CAPTURE_FILE. */
  constructor(file: string, interfaces: readonly WrittenInterface[], options: PcapngWriterOptions) {
    this.#file = file
    this.#options = options
    this.#divisor = options.resolution === 9 ? 1n : 1000n
    this.#buffer = Buffer.alloc(COLLECT + (1 << 17))
    try {
      this.#fd = file === '-' ? 1 : openSync(file, 'w')
    } catch (cause) {
      throw new TunfilterError('ERR_CAPTURE_FILE', `${file}: ${(cause as Error).message}`, { cause })
    }
    this.#section()
    for (const { name } of interfaces) this.#interface(name, options)
  }

  /**
   * @param time nanoseconds since the epoch
   * @param data one packet from its IP header on, at most 65,536 bytes
   * @param comment for people, at most 65,535 bytes
   */
  write(interfaceNumber: number, time: bigint, data: Uint8Array, comment?: string): void {
    const at = this.#begin(b.ENHANCED_PACKET)
    const ticks = time / this.#divisor
    this.#u32(interfaceNumber)
    this.#u32(Number((ticks >> 32n) & 0xffffffffn))
    this.#u32(Number(ticks & 0xffffffffn))
    this.#u32(data.length)
    this.#u32(data.length)
    this.#bytes(data)
    if (comment !== undefined) {
      this.#option(b.OPTION_COMMENT, Buffer.from(comment))
      this.#option(b.OPTION_END, Buffer.alloc(0))
    }
    this.#end(at)
    if (this.#length >= COLLECT) this.flush()
  }

  /** One more interface, which gets the next number. */
  addInterface(name: string): void {
    this.#interface(name, this.#options)
  }

  flush(): void {
    for (let written = 0; written < this.#length; ) {
      try {
        written += writeSync(this.#fd, this.#buffer, written, this.#length - written)
      } catch (cause) {
        // A pipe that is full, where standard output is non-blocking.
        if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') Atomics.wait(nap, 0, 0, 1)
        else throw new TunfilterError('ERR_CAPTURE_FILE', `${this.#file}: ${(cause as Error).message}`, { cause })
      }
    }
    this.#length = 0
  }

  close(): void {
    this.flush()
    if (this.#fd !== 1) closeSync(this.#fd)
  }

  #section(): void {
    const at = this.#begin(b.SECTION)
    this.#u32(b.BYTE_ORDER_MAGIC)
    this.#u16(1)
    this.#u16(0)
    // The section's length is not told: it ends with the file.
    this.#u32(0xffffffff)
    this.#u32(0xffffffff)
    this.#option(b.OPTION_USER_APPLICATION, Buffer.from('tunfilter'))
    this.#option(b.OPTION_END, Buffer.alloc(0))
    this.#end(at)
  }

  #interface(name: string, { resolution, linkType }: PcapngWriterOptions): void {
    const at = this.#begin(b.INTERFACE)
    this.#u16(linkType ?? b.LINKTYPE_RAW)
    this.#u16(0)
    this.#u32(0)
    this.#option(b.OPTION_INTERFACE_NAME, Buffer.from(name))
    this.#option(b.OPTION_TIMESTAMP_RESOLUTION, Uint8Array.of(resolution))
    this.#option(b.OPTION_END, Buffer.alloc(0))
    this.#end(at)
  }

  #begin(type: number): number {
    const at = this.#length
    this.#u32(type)
    this.#u32(0)
    return at
  }

  #end(at: number): void {
    const length = this.#length - at + b.BLOCK_TRAILER
    this.#buffer.writeUInt32LE(length, at + 4)
    this.#u32(length)
  }

  #option(code: number, value: Uint8Array): void {
    this.#u16(code)
    this.#u16(value.length)
    this.#bytes(value)
  }

  #bytes(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#length)
    const padded = this.#length + b.pad4(bytes.length)
    this.#buffer.fill(0, this.#length + bytes.length, padded)
    this.#length = padded
  }

  #u16(value: number): void {
    this.#length = this.#buffer.writeUInt16LE(value, this.#length)
  }

  #u32(value: number): void {
    this.#length = this.#buffer.writeUInt32LE(value, this.#length)
  }
}

const nap = new Int32Array(new SharedArrayBuffer(4))
