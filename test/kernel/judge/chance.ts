// Choices from a seed: the same seed makes the same case, on every machine.

import { type Random, seededRandom } from '../../../src/random.ts'

export class Chance {
  readonly #random: Random

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    // Neighbouring seeds begin alike.
    for (let i = 0; i < 8; i++) this.#random()
  }

  below(n: number): number {
    return (this.#random() >>> 0) % n
  }

  /** True once in n times. */
  once(n: number): boolean {
    return this.below(n) === 0
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  /** From low to high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** Some of them, in their order, at least one. */
  some<T>(items: readonly T[]): T[] {
    const chosen = items.filter(() => this.once(2))
    return chosen.length > 0 ? chosen : [this.pick(items)]
  }

  /** One of them, as often as its weight says. */
  weighted<T>(items: readonly T[], weight: (item: T) => number): T {
    let at = this.below(items.reduce((sum, item) => sum + weight(item), 0))
    for (const item of items) {
      at -= weight(item)
      if (at < 0) return item
    }
    return items.at(-1)!
  }
}
