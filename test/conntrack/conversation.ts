// A random TCP conversation between 10.0.1.2 and 10.0.2.2, or fd00:1::2 and fd00:2::2: mostly what two hosts would say, and often enough what they
// would not: other sequence numbers, acknowledgements and flags, old segments again, new beginnings, damage.

import type { Random } from '../../src/random.ts'
import { tcpPacket } from './bytes.ts'
import { tcp6Packet } from './bytes6.ts'

interface Segment {
  readonly side: number
  readonly flags: string
  readonly seq: number
  readonly ack: number
  readonly window: number
  readonly data: number
  readonly options: readonly number[]
  readonly damaged: boolean
}

const ADDRESSES = { 4: ['10.0.1.2', '10.0.2.2'], 6: ['fd00:1::2', 'fd00:2::2'] } as const
const ODD_FLAGS = [
  '',
  'F',
  'SF',
  'SR',
  'SFA',
  'SU',
  'SAU',
  'RU',
  'RAU',
  'FAU',
  'AU',
  'RA',
  'R',
  'S',
  'SA',
  'FA',
  'A',
  'PA',
  'FPA',
]

export class Conversation {
  readonly port: number
  readonly log: string[] = []
  readonly #family: 4 | 6
  readonly #random: Random
  /** Next sequence number of each side, and what it says of itself. */
  readonly #next = [0, 0]
  #phase = 0
  #last: Segment | undefined
  readonly #sent: Segment[] = []
  #passive = false

  constructor(random: Random, port: number, family: 4 | 6 = 4) {
    this.#family = family
    this.#random = random
    this.port = port
    this.#restart()
    // Some are met in mid-stream.
    if (this.#chance(6)) this.#phase = 3
  }

  #below(n: number): number {
    return (this.#random() >>> 0) % n
  }

  #chance(n: number): boolean {
    return this.#below(n) === 0
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!
  }

  #restart(): void {
    this.#next[0] = this.#chance(4) ? this.#next[0]! + this.#below(1000) : this.#random()
    this.#next[1] = this.#random()
    this.#phase = 0
    this.#passive = this.#chance(8)
  }

  next(): { device: number; bytes: Uint8Array; line: string } {
    let s = this.#chance(12) && this.#sent.length > 0 ? this.#pick(this.#sent) : this.#natural()
    if (this.#chance(4)) s = this.#mutate(s)
    if (this.#last !== undefined && this.#chance(15)) s = this.#last
    this.#last = s
    this.#sent.push(s)
    const addresses = ADDRESSES[this.#family]
    const bytes = (this.#family === 4 ? tcpPacket : tcp6Packet)({
      source: addresses[s.side]!,
      destination: addresses[s.side ^ 1]!,
      sport: s.side === 0 ? this.port : 80,
      dport: s.side === 0 ? 80 : this.port,
      ...s,
    })
    const line = `${s.side === 0 ? '>' : '<'} ${s.flags || 'none'} seq ${s.seq >>> 0} ack ${s.ack >>> 0} win ${s.window} len ${s.data}${s.options.length ? ` options ${s.options}` : ''}${s.damaged ? ' damaged' : ''}`
    return { device: s.side, bytes, line }
  }

  #segment(side: number, flags: string, data = 0, options: readonly number[] = []): Segment {
    const seq = this.#next[side]!
    const counted = data + (/[SF]/.test(flags) ? 1 : 0)
    this.#next[side] = (seq + counted) | 0
    const ack = flags.includes('A') ? this.#next[side ^ 1]! : 0
    const window = this.#pick([65535, 65535, 29200, 512, 512, 64, 0])
    return { side, flags, seq, ack, window, data, options, damaged: false }
  }

  /** What comes next between two hosts that understand each other. */
  #natural(): Segment {
    const [client, server] = this.#passive ? [1, 0] : [0, 1]
    const phase = this.#phase
    if (this.#chance(25)) {
      this.#restart()
      return this.#segment(client!, 'S', 0, this.#synOptions())
    }
    switch (phase) {
      case 0:
        this.#phase = this.#chance(6) ? 10 : 1
        return this.#segment(client!, 'S', 0, this.#synOptions())
      case 10: // simultaneous open
        this.#phase = this.#chance(3) ? 11 : 2
        return this.#segment(server!, 'S', 0, this.#synOptions())
      case 11: {
        this.#phase = 12
        this.#next[client!] = (this.#next[client!]! - 1) | 0
        return this.#segment(client!, 'SA', 0, this.#synOptions())
      }
      case 12: {
        this.#phase = 2
        if (this.#chance(2)) return this.#segment(server!, 'A')
        this.#next[server!] = (this.#next[server!]! - 1) | 0
        return this.#segment(server!, 'SA', 0, this.#synOptions())
      }
      case 1:
        if (this.#chance(12)) return this.#segment(server!, 'A')
        if (this.#chance(12)) return { ...this.#segment(server!, 'RA'), seq: 0 }
        this.#phase = 2
        return this.#segment(server!, 'SA', 0, this.#synOptions())
      case 2:
        this.#phase = 3
        return this.#segment(client!, 'A')
      case 3: {
        const side = this.#below(2)
        if (this.#chance(12)) this.#phase = 4
        if (this.#chance(30)) return this.#segment(side, this.#pick(['R', 'RA']))
        return this.#segment(side, this.#pick(['A', 'PA']), this.#pick([0, 0, 1, 100, 1400]), this.#ackOptions(side))
      }
      case 4:
        this.#phase = 5
        return this.#segment(this.#below(2), 'FA', this.#pick([0, 0, 10]))
      case 5:
        if (this.#chance(2)) this.#phase = 6
        return this.#segment(this.#below(2), 'A')
      case 6:
        this.#phase = 7
        return this.#segment(this.#below(2), 'FA')
      case 7:
        if (this.#chance(3)) this.#phase = 8
        return this.#segment(this.#below(2), this.#pick(['A', 'A', 'A', 'R', 'FA']))
      default:
        this.#restart()
        return this.#natural()
    }
  }

  #synOptions(): number[] {
    const options: number[] = []
    if (this.#chance(6)) return options
    if (!this.#chance(4)) options.push(2, 4, 5, 0xb4)
    if (!this.#chance(3)) options.push(4, 2)
    if (!this.#chance(3)) options.push(1, 3, 3, this.#pick([0, 2, 7, 14, 15]))
    if (this.#chance(3)) options.push(8, 10, 0, 0, 0, 1, 0, 0, 0, 0)
    if (this.#chance(20)) options.push(this.#below(256), this.#below(256), this.#below(256))
    return options
  }

  #ackOptions(side: number): number[] {
    if (this.#chance(3)) return [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0]
    if (!this.#chance(4)) return []
    const other = this.#next[side ^ 1]!
    const blocks = 1 + this.#below(2)
    const options = [1, 1, 5, 2 + 8 * blocks]
    for (let i = 0; i < blocks; i++)
      for (const edge of [other + 10, other + this.#pick([-100, 0, 1, 20, 1400])])
        options.push((edge >>> 24) & 255, (edge >>> 16) & 255, (edge >>> 8) & 255, edge & 255)
    return options
  }

  #offset(): number {
    return this.#pick([
      -70_000,
      -66_002,
      -66_001,
      -66_000,
      -65_536,
      -1400,
      -100,
      -2,
      -1,
      1,
      2,
      100,
      1400,
      65_535,
      70_000,
      1 << 20,
      this.#random(),
    ])
  }

  #mutate(s: Segment): Segment {
    const change = this.#below(8)
    if (change === 0) return { ...s, seq: (s.seq + this.#offset()) | 0 }
    if (change === 1) return { ...s, ack: (s.ack + this.#offset()) | 0 }
    if (change === 2) return { ...s, seq: (s.seq + this.#offset()) | 0, ack: (s.ack + this.#offset()) | 0 }
    if (change === 3) return { ...s, flags: this.#pick(ODD_FLAGS) }
    if (change === 4) return { ...s, side: s.side ^ 1 }
    if (change === 5) return { ...s, window: this.#pick([0, 1, 65535]) }
    if (change === 6)
      return { ...s, flags: this.#pick(['R', 'RA']), seq: (s.seq + this.#pick([0, 0, 1, -1, 100, -s.seq])) | 0 }
    if (this.#chance(4)) return { ...s, damaged: true }
    return { ...s, seq: this.#pick([0, s.seq]), ack: this.#pick([0, s.ack]) }
  }
}
