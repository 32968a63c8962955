// What two hosts say over one TCP connection: they mostly understand each other, lose, repeat and reorder a segment now and then, reset, open
// from both ends, or begin in the middle. Sequence numbers are the talk's own and go on whatever the router does.

import type { Chance } from './chance.ts'

const OPTIONS = [
  '',
  '',
  ' <mss 1460,sackOK,ts 1 0,nop,wscale 7>',
  ' <mss 1460>',
  ' <nop,nop,ts 5 6>',
  ' <mss 536,wscale 14>',
]

export interface Said {
  readonly side: 0 | 1
  readonly words: string
}

export class TcpTalk {
  readonly #chance: Chance
  readonly #common: () => string
  readonly #next: [number, number]
  #phase = 0
  /** Segments that come later than others, or again. */
  readonly #late: Said[] = []

  /** @param common words that any packet may have */
  constructor(chance: Chance, common: () => string) {
    this.#chance = chance
    this.#common = common
    const start = () => (chance.once(6) ? 0xffff_ffff - chance.below(2000) : chance.between(0, 0xffff_ffff))
    this.#next = [start(), start()]
    if (chance.once(8)) this.#phase = 3
  }

  next(): Said {
    const chance = this.#chance
    const late = chance.once(3) ? this.#late.shift() : undefined
    if (late !== undefined) return late
    const said = this.#talk()
    if (chance.once(10)) this.#late.push(said)
    // Held back: the next one overtakes it.
    if (chance.once(15)) {
      this.#late.push(said)
      return this.#talk()
    }
    return said
  }

  #talk(): Said {
    const chance = this.#chance
    if (chance.once(20))
      return this.#words(
        chance.pick([0, 1]),
        chance.pick(['R', 'R.', 'S', 'S.', 'F.', 'none', 'U.', 'SU', 'FPU', 'SR']),
      )
    if (chance.once(40)) this.#phase = 0
    switch (this.#phase) {
      case 0:
        // Both ends open at once, now and then.
        this.#phase = chance.once(15) ? 7 : 1
        return this.#words(0, chance.once(10) ? 'SEW' : 'S', 0, chance.pick(OPTIONS))
      case 1:
        this.#phase = chance.once(8) ? 0 : 2
        return this.#words(1, chance.once(10) ? 'R.' : 'S.', 0, chance.pick(OPTIONS))
      case 2:
        this.#phase = 3
        return this.#words(0, '.')
      case 3:
        if (chance.once(15)) this.#phase = 4
        return this.#words(
          chance.pick([0, 1]),
          chance.pick(['.', '.', 'P.', '.E']),
          chance.pick([0, 0, 1, 100, 540, 1400]),
          this.#sack(),
        )
      case 4:
        this.#phase = 5
        return this.#words(chance.pick([0, 1]), 'F.')
      case 5:
        this.#phase = 6
        return this.#words(chance.pick([0, 1]), 'F.')
      case 7:
        this.#phase = 2
        return this.#words(1, 'S', 0, chance.pick(OPTIONS))
      default:
        if (chance.once(3)) this.#phase = 0
        return this.#words(chance.pick([0, 1]), '.')
    }
  }

  #sack(): string {
    const chance = this.#chance
    if (!chance.once(12)) return chance.pick(['', '', ' <nop,nop,ts 7 8>'])
    const from = (this.#next[chance.below(2)]! + chance.pick([0, 100, 50_000])) >>> 0
    return ` <nop,nop,sack ${from}:${(from + 100) >>> 0}>`
  }

  #words(side: 0 | 1, flags: string, length = 0, options = ''): Said {
    const chance = this.#chance
    const seq = this.#next[side] >>> 0
    const ack = flags.includes('.') ? ` ack ${this.#next[side === 0 ? 1 : 0] >>> 0}` : ''
    // What was lost is never sent again here: the other side acknowledges it all the same.
    this.#next[side] += length + (/[SF]/.test(flags) ? 1 : 0)
    const window = chance.pick([65_535, 29_200, 500, 0])
    const odd = chance.once(25) ? chance.pick([1, -1, 100_000, -70_000]) : 0
    const text = length > 0 && chance.once(8) ? `"${'GET abc'.padEnd(length, 'x').slice(0, length)}"` : `len ${length}`
    return {
      side,
      words: ` ${flags} seq ${(seq + odd) >>> 0}${ack} win ${window}${options} ${text}${this.#common()}`,
    }
  }
}
