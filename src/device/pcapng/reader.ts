// Reads captures: pcapng in both byte orders, with several sections and interfaces, and the classic pcap format. Packets
// come in the file's order. Blocks that hold no packets are passed over, as the format wants it. What is wrong with a file
// is told with its offset and what was expected there; nothing is guessed.

import * as b from './blocks.ts'
import { Input } from './input.ts'

export interface CaptureInterface {
  /** if_name; undefined where the file gives none (classic pcap never does). */
  readonly name: string | undefined
  readonly linkType: number
  readonly snapLength: number
  /** Time stamps count in 10^-resolution seconds, or in 2^-resolution where `binary`. */
  readonly resolution: number
  readonly binary: boolean
  /** Seconds to be added to every time stamp. */
  readonly offset: bigint
}

export interface CapturedPacket {
  readonly interface: CaptureInterface
  /** Nanoseconds since the epoch; finer resolutions are cut. undefined where the block has no time (simple packets). */
  readonly time: bigint | undefined
  /** Length on the wire; larger than data.length where the capture cut it off. */
  readonly originalLength: number
  /** Valid until the next packet is read. */
  readonly data: Uint8Array
}

export class PcapngReader {
  /** All interfaces described so far, of all sections. */
  readonly interfaces: CaptureInterface[] = []
  readonly #input: Input
  /** Those of the current section, which packets name by number. */
  #section: CaptureInterface[] = []
  #little = true
  /** 0 for pcapng; otherwise the digits after the second of the classic format. */
  #classic = 0
  #begun = false

  /** @param file a path, or `-` for standard input */
  constructor(file: string) {
    this.#input = new Input(file)
  }

  close(): void {
    this.#input.close()
  }

  /** The next packet, or undefined at the end of the file. Throws ERR_CAPTURE. */
  next(): CapturedPacket | undefined {
    if (!this.#begun) this.#begin()
    if (this.#classic !== 0) return this.#nextClassic()
    for (;;) {
      const packet = this.#block()
      if (packet !== null) return packet
    }
  }

  #u16(bytes: Buffer, at: number): number {
    return this.#little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
  }

  #u32(bytes: Buffer, at: number): number {
    return this.#little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
  }

  #begin(): void {
    this.#begun = true
    const first = this.#input.peek(4)
    if (first.length < 4) this.#input.fail(`expected a pcapng section header, found ${first.length} bytes`)
    if (first.readUInt32BE(0) === b.SECTION) return
    for (const little of [true, false]) {
      this.#little = little
      const magic = this.#u32(first, 0)
      if (magic !== b.CLASSIC_MICROSECONDS && magic !== b.CLASSIC_NANOSECONDS) continue
      this.#classic = magic === b.CLASSIC_NANOSECONDS ? 9 : 6
      const header = this.#input.take(b.CLASSIC_FILE_HEADER, 'the file header')
      // The upper bits say whether a frame check sequence follows, which raw IP never has.
      const linkType = this.#u32(header, 20) & 0x0fffffff
      const snapLength = this.#u32(header, 16)
      this.interfaces.push({
        name: undefined,
        linkType,
        snapLength,
        resolution: this.#classic,
        binary: false,
        offset: 0n,
      })
      return
    }
    const found = first.toString('hex')
    this.#input.fail(`expected a pcapng section header (0a0d0d0a) or a pcap file header, found ${found}`)
  }

  #nextClassic(): CapturedPacket | undefined {
    if (this.#input.peek(1).length === 0) return undefined
    const at = this.#input.offset
    const header = this.#input.take(b.CLASSIC_PACKET_HEADER, 'a packet header')
    const seconds = BigInt(this.#u32(header, 0))
    const fraction = BigInt(this.#u32(header, 4))
    const length = this.#u32(header, 8)
    const originalLength = this.#u32(header, 12)
    if (length > b.BLOCK_MAX) this.#input.fail(`packet of ${length} bytes: expected at most ${b.BLOCK_MAX}`, at)
    const time = seconds * 1_000_000_000n + (this.#classic === 9 ? fraction : fraction * 1000n)
    const data = this.#input.take(length, 'a packet')
    return { interface: this.interfaces[0], time, originalLength, data }
  }

  /** One block: its packet, null where it holds none, undefined at the end of the file. */
  #block(): CapturedPacket | undefined | null {
    const input = this.#input
    const at = input.offset
    const head = input.peek(12)
    if (head.length === 0) return undefined
    if (head.length < 12) input.fail(`the file ends within a block's header: expected 12 bytes, found ${head.length}`)
    const isSection = head.readUInt32BE(0) === b.SECTION
    if (isSection) this.#beginSection(head, at)
    const type = this.#u32(head, 0)
    const length = this.#u32(head, 4)
    if (length % 4 !== 0 || length < b.BLOCK_HEADER + b.BLOCK_TRAILER || length > b.BLOCK_MAX)
      input.fail(`block length ${length}: expected a multiple of 4 from 12 to ${b.BLOCK_MAX}`, at)
    const block = input.take(length, `a block of type ${type}`)
    const again = this.#u32(block, length - b.BLOCK_TRAILER)
    if (again !== length)
      input.fail(`block length ${length} is ${again} at the block's end: expected the same twice`, at)
    const body = block.subarray(b.BLOCK_HEADER, length - b.BLOCK_TRAILER)
    switch (isSection ? b.SECTION : type) {
      case b.SECTION:
        this.#need(body, 16, 'a section header', at)
        if (this.#u16(body, 4) !== 1) input.fail(`pcapng version ${this.#u16(body, 4)}: expected 1`, at)
        return null
      case b.INTERFACE:
        this.#interface(body, at)
        return null
      case b.ENHANCED_PACKET:
        return this.#enhanced(body, at)
      case b.SIMPLE_PACKET:
        return this.#simple(body, at)
      default:
        return null
    }
  }

  #beginSection(head: Buffer, at: number): void {
    const magic = head.readUInt32LE(8)
    if (magic !== b.BYTE_ORDER_MAGIC && magic !== b.BYTE_ORDER_SWAPPED)
      this.#input.fail(`byte-order magic ${head.toString('hex', 8, 12)}: expected 1a2b3c4d in either order`, at + 8)
    this.#little = magic === b.BYTE_ORDER_MAGIC
    this.#section = []
  }

  #interface(body: Buffer, at: number): void {
    this.#need(body, 8, 'an interface description', at)
    let name: string | undefined
    let resolution = 6
    let binary = false
    let offset = 0n
    this.#options(body, 8, at, (code, value) => {
      if (code === b.OPTION_INTERFACE_NAME) name = value.toString('utf8').replace(/\0+$/, '')
      else if (code === b.OPTION_TIMESTAMP_RESOLUTION && value.length > 0) {
        resolution = value[0] & 0x7f
        binary = (value[0] & 0x80) !== 0
        if (resolution > (binary ? 63 : 19))
          this.#input.fail(`if_tsresol ${value[0]}: expected at most 10^-19 or 2^-63 seconds`, at)
      } else if (code === b.OPTION_TIMESTAMP_OFFSET && value.length >= 8)
        offset = this.#little ? value.readBigInt64LE(0) : value.readBigInt64BE(0)
    })
    const linkType = this.#u16(body, 0)
    const described = { name, linkType, snapLength: this.#u32(body, 4), resolution, binary, offset }
    this.#section.push(described)
    this.interfaces.push(described)
  }

  #enhanced(body: Buffer, at: number): CapturedPacket {
    this.#need(body, 20, 'an enhanced packet', at)
    const number = this.#u32(body, 0)
    const from = this.#section[number]
    if (from === undefined) this.#noInterface(number, at)
    const ticks = (BigInt(this.#u32(body, 4)) << 32n) | BigInt(this.#u32(body, 8))
    const length = this.#u32(body, 12)
    this.#need(body, 20 + length, `an enhanced packet of ${length} bytes`, at)
    const data = body.subarray(20, 20 + length)
    return { interface: from, time: nanoseconds(ticks, from), originalLength: this.#u32(body, 16), data }
  }

  #simple(body: Buffer, at: number): CapturedPacket {
    this.#need(body, 4, 'a simple packet', at)
    const from = this.#section[0]
    if (from === undefined) this.#noInterface(0, at)
    const originalLength = this.#u32(body, 0)
    const length = Math.min(originalLength, from.snapLength === 0 ? originalLength : from.snapLength)
    this.#need(body, 4 + length, `a simple packet of ${length} bytes`, at)
    return { interface: from, time: undefined, originalLength, data: body.subarray(4, 4 + length) }
  }

  #options(body: Buffer, from: number, at: number, take: (code: number, value: Buffer) => void): void {
    for (let o = from; o + 4 <= body.length; ) {
      const code = this.#u16(body, o)
      const length = this.#u16(body, o + 2)
      if (code === b.OPTION_END) return
      this.#need(body, o + 4 + length, `option ${code} of ${length} bytes`, at)
      take(code, body.subarray(o + 4, o + 4 + length))
      o += 4 + b.pad4(length)
    }
  }

  #need(body: Buffer, length: number, what: string, at: number): void {
    if (body.length < length)
      this.#input.fail(`${what} does not fit: expected ${length} bytes in the block, found ${body.length}`, at)
  }

  #noInterface(number: number, at: number): never {
    const known = this.#section.length
    return this.#input.fail(`a packet of interface ${number}: expected one of the ${known} described before it`, at)
  }
}

function nanoseconds(ticks: bigint, from: CaptureInterface): bigint {
  const { resolution } = from
  const offset = from.offset * 1_000_000_000n
  if (from.binary) return offset + ((ticks * 1_000_000_000n) >> BigInt(resolution))
  return offset + (resolution <= 9 ? ticks * 10n ** BigInt(9 - resolution) : ticks / 10n ** BigInt(resolution - 9))
}
