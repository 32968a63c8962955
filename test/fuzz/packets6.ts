// Packets of IPv6 as nobody would send them, and as many do: chains of extension headers, options right and wrong, upper layers
// with right and wrong checksums, lengths that lie, every kind of address. Made from a seed.

import type { Random } from '../../src/random.ts'

/** Addresses as eight groups; `x` groups are random, so that no two packets share a destination's limits. */
const SOURCES = [
  '2001 db8 1 0 0 x x x',
  '2001 db8 1 0 0 x x x',
  '2001 db8 1 0 0 x x x',
  '2001 db8 7 0 0 x x x',
  'fe80 0 0 0 0 x x x',
  '0 0 0 0 0 0 0 0',
  '0 0 0 0 0 0 0 1',
  'ff02 0 0 0 0 0 0 1',
  '0 0 0 0 0 ffff x x',
  '2001 db8 2 0 0 0 0 1',
  '2001 db8 1 0 0 0 0 0',
] as const
const DESTINATIONS = [
  '2001 db8 2 0 0 x x x',
  '2001 db8 2 0 0 x x x',
  '2001 db8 1 0 0 0 0 1',
  '2001 db8 1 0 0 0 0 1',
  '2001 db8 1 0 0 0 0 1',
  '2001 db8 2 0 0 0 0 1',
  '2001 db8 1 0 0 0 0 0',
  '2001 db8 1 0 0 x x x',
  '2001 db8 51 0 0 x x x',
  '2001 db8 7 0 0 x x x',
  '2001 db8 99 0 0 x x x',
  '2001 db8 98 0 0 x x x',
  '2001 db8 97 0 0 x x x',
  'fe80 0 0 0 0 0 0 1',
  'fe80 0 0 0 0 0 0 0',
  'fe80 0 0 0 0 x x x',
  'ff02 0 0 0 0 0 0 1',
  'ff02 0 0 0 0 0 0 2',
  'ff02 0 0 0 0 1 ff00 1',
  'ff01 0 0 0 0 0 0 1',
  'ff05 0 0 0 0 0 0 2',
  'ff0e 0 0 0 0 x x x',
  '0 0 0 0 0 0 0 1',
  '0 0 0 0 0 0 0 0',
] as const
const EXTENSIONS = [0, 43, 44, 51, 60] as const
const UPPER = [6, 17, 58, 58, 59, 47, 50, 132, 136, 103, 99, 255] as const

export class PacketMaker6 {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** A number below n. */
  #below(n: number): number {
    return (this.#random() >>> 0) % n
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#below(of.length)]!
  }

  #bytes(length: number): number[] {
    return Array.from({ length }, () => this.#below(256))
  }

  next(): Uint8Array {
    const source = this.#address(this.#one(SOURCES))
    const destination = this.#address(this.#one(DESTINATIONS))
    const kinds = this.#kinds()
    const upper = this.#one(UPPER)
    const body = this.#upper(upper, source, destination)
    const chain = kinds.flatMap((kind, i) => this.#extension(kind, kinds[i + 1] ?? upper))
    const payload = [...chain, ...body]
    const bytes = new Uint8Array(40 + payload.length)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, 0x60000000 + (this.#below(8) === 0 ? this.#below(1 << 28) : 0))
    view.setUint16(4, this.#payloadLength(payload.length))
    bytes[6] = kinds[0] ?? upper
    bytes[7] = this.#one([64, 64, 64, 255, 2, 1, 0])
    bytes.set(source, 8)
    bytes.set(destination, 24)
    bytes.set(payload, 40)
    return this.#below(12) === 0 ? bytes.slice(0, 40 + this.#below(bytes.length - 39)) : bytes
  }

  #address(groups: string): number[] {
    return groups.split(' ').flatMap((group) => {
      const value = group === 'x' ? 0x100 + this.#below(0xfe00) : Number.parseInt(group, 16)
      return [value >> 8, value & 255]
    })
  }

  #payloadLength(right: number): number {
    const chance = this.#below(24)
    if (chance === 0) return 0
    if (chance === 1) return Math.max(0, right - 1 - this.#below(20))
    return chance === 2 ? right + 1 + this.#below(3) : right
  }

  #kinds(): number[] {
    if (this.#below(3) === 0) return []
    const kinds: number[] = Array.from({ length: this.#below(4) }, () => this.#one(EXTENSIONS))
    // A loop of the same header over and over, now and then.
    if (this.#below(30) === 0) kinds.push(...new Array<number>(20 + this.#below(60)).fill(this.#one([43, 60])))
    return this.#below(4) === 0 ? [0, ...kinds] : kinds
  }

  #extension(kind: number, next: number): number[] {
    if (kind === 44) {
      const offset = this.#one([0, 0, 0, 8, 1480, 65_528])
      const more = this.#below(2)
      return [next, 0, offset >> 8, (offset & 0xf8) | more, ...this.#bytes(4)]
    }
    if (kind === 51) return [next, 1, 0, 0, ...this.#bytes(8)]
    if (kind === 43) return [next, 0, this.#one([0, 2, 3, 4, 5, 253]), this.#one([0, 0, 1]), 0, 0, 0, 0]
    const length = this.#one([6, 6, 6, 14, 22])
    const options = this.#options(length)
    const said = (length - 6) / 8
    return [next, this.#below(20) === 0 ? said + 1 + this.#below(3) : said, ...options]
  }

  /** Options that fill so many bytes. */
  #options(length: number): number[] {
    const options: number[] = []
    while (options.length < length) {
      const left = length - options.length
      const kind = this.#below(10)
      if (left === 1 || kind === 0) options.push(0)
      else if (kind < 6) {
        const size = Math.min(this.#below(6), left - 2)
        options.push(1, size, ...new Array<number>(size).fill(0))
      } else if (kind === 6 && left >= 4) options.push(5, 2, 0, this.#below(3))
      else if (kind === 7 && left >= 6) options.push(0xc2, 4, 0, this.#below(2), ...this.#bytes(2))
      else {
        const size = this.#below(12) === 0 ? this.#below(9) : Math.min(this.#below(5), left - 2)
        // Of IOAM and CALIPSO only who uses them knows what they hold.
        options.push(this.#one([0x1e, 0x3e, 0x5e, 0x9e, 0xde, 0xc9, 0x04]), size, ...this.#bytes(size))
      }
    }
    return options.slice(0, length)
  }

  #upper(protocol: number, source: number[], destination: number[]): number[] {
    if (this.#below(12) === 0) return this.#bytes(this.#below(12))
    const data = this.#bytes(this.#one([0, 0, 4, 20, 40, 1200, 1360, 1420]))
    let header: number[]
    let sum = -1
    switch (protocol) {
      case 6:
        header = [
          ...this.#bytes(12),
          this.#one([0x50, 0x50, 0x50, 0x60, 0x40]),
          this.#below(64),
          ...this.#bytes(2),
          0,
          0,
          0,
          0,
        ]
        sum = 16
        break
      case 17:
      case 136: {
        const length = 8 + data.length
        const said = this.#one([length, length, length, 0, length - 1, length + 1, 7])
        header = [...this.#bytes(4), said >> 8, said & 255, 0, 0]
        sum = 6
        break
      }
      case 58: {
        const type = this.#one([128, 128, 129, 1, 2, 3, 4, 100, 130, 133, 134, 135, 136, 137, 139, 160, 200])
        header = [type, this.#one([0, 0, 0, 1, 5]), 0, 0, ...this.#bytes(4)]
        sum = 2
        break
      }
      default:
        return data
    }
    const body = [...header, ...data]
    const chance = this.#below(10)
    if (chance === 0) return body
    const right = checksum(body, protocol, source, destination)
    const set = chance === 1 ? right ^ 1 : right === 0 && protocol !== 6 ? 0xffff : right
    body[sum] = set >> 8
    body[sum + 1] = set & 255
    return body
  }
}

function checksum(
  body: readonly number[],
  protocol: number,
  source: readonly number[],
  destination: readonly number[],
) {
  const { length } = body
  const pseudo = [...source, ...destination, 0, 0, length >> 8, length & 255, 0, 0, 0, protocol]
  let total = 0
  for (const bytes of [pseudo, body])
    for (let i = 0; i < bytes.length; i += 2) total += bytes[i]! * 256 + (bytes[i + 1] ?? 0)
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return ~total & 0xffff
}
