// Rate estimators (net/core/gen_estimator as netfilter uses it): packets and bytes that rules of RATEEST count, as a moving average
// a second. Once an interval what came in it is averaged in, with a weight of one in 2^ewma. As in Linux an average is kept
// in 256ths and whole numbers, so it comes to rest at the same value. Nobody wakes for it: the intervals that have passed are
// made up for when somebody asks, or the next packet is counted.

import type { Time } from '../time.ts'

/** Kind under which estimators are shared, by both families. */
export const RATE_ESTIMATORS = 'rate estimator'

/** The shortest interval; others are this times 2^1 to 2^5. */
export const SHORTEST_MS = 250
const FRACTION = 256
/** Of packets or bytes in the shortest interval: in a second, in 256ths. */
const SCALE = (1000 / SHORTEST_MS) * FRACTION

export class RateEstimator {
  readonly #time: Time
  /** Both 0 until a rule has set them. */
  #period = 0
  #weight = 0
  #next = 0
  #packets = 0
  #bytes = 0
  #averagePackets = 0
  #averageBytes = 0

  constructor(time: Time) {
    this.#time = time
  }

  /**
   * Begins to count, or goes on.
   * @param interval the power of two of its interval in units of the shortest one, 0 to 5
   * @param ewma the power of two of its weight, 1 to 30
   * @returns false where it counts with others already
   */
  begin(interval: number, ewma: number): boolean {
    const period = SHORTEST_MS * 2 ** interval
    const weight = 2 ** ewma
    if (this.#period === 0) {
      this.#period = period
      this.#weight = weight
      this.#next = this.#time.wall + period
    }
    return this.#period === period && this.#weight === weight
  }

  count(bytes: number): void {
    this.#catchUp()
    this.#packets++
    this.#bytes += bytes
  }

  /** Whole packets a second. */
  get packetRate(): number {
    this.#catchUp()
    return Math.floor(this.#averagePackets / FRACTION)
  }

  /** Whole bytes a second. */
  get byteRate(): number {
    this.#catchUp()
    return Math.floor(this.#averageBytes / FRACTION)
  }

  #catchUp(): void {
    const now = this.#time.wall
    if (now < this.#next || this.#period === 0) return
    const scale = (SCALE * SHORTEST_MS) / this.#period
    while (now >= this.#next) {
      this.#averagePackets = this.#averaged(this.#averagePackets, this.#packets * scale)
      this.#averageBytes = this.#averaged(this.#averageBytes, this.#bytes * scale)
      this.#packets = 0
      this.#bytes = 0
      this.#next += this.#period
      // At rest: further intervals without packets change nothing.
      if (this.#averagePackets < this.#weight && this.#averageBytes < this.#weight) break
    }
    if (now >= this.#next) this.#next += Math.ceil((now - this.#next + 1) / this.#period) * this.#period
  }

  #averaged(average: number, rate: number): number {
    return average + Math.floor(rate / this.#weight) - Math.floor(average / this.#weight)
  }
}
