// A stop-watch for the ways of packets: time runs for one place at a time, and what it is stopped for, reading the clock and
// finding the place, is on no place's account. Reading a clock takes some time of its own, which is measured and taken off.

/** Where no packet is in a hook: receiving, parsing, routing, sending. */
export const ELSEWHERE = 0

export class Laps {
  /** Milliseconds and intervals, by place. */
  #sums = new Float64Array(16)
  #intervals = new Float64Array(16)
  #places = 1
  #place = ELSEWHERE
  #since = 0

  /** A new place. */
  add(): number {
    const place = this.#places++
    if (place === this.#sums.length) {
      this.#sums = grown(this.#sums)
      this.#intervals = grown(this.#intervals)
    }
    return place
  }

  /** Time stands still until `go`; gives the place for which it ran. */
  halt(): number {
    const now = performance.now()
    const place = this.#place
    this.#sums[place] += now - this.#since
    this.#intervals[place]++
    return place
  }

  /** Time runs for this place. */
  go(place: number): void {
    this.#place = place
    this.#since = performance.now()
  }

  /** Nanoseconds by place since they were taken the last time, without those of the clock. */
  take(): Float64Array {
    const clock = clockCost()
    const spent = Float64Array.from({ length: this.#places }, (_, i) =>
      Math.max((this.#sums[i] - this.#intervals[i] * clock) * 1e6, 0),
    )
    this.#sums.fill(0)
    this.#intervals.fill(0)
    return spent
  }
}

function grown(sums: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(sums.length * 2)
  larger.set(sums)
  return larger
}

const CLOCK_READINGS = 2000
let least = Number.POSITIVE_INFINITY

/** Milliseconds that an interval has in which nothing happens; the least that was seen, for everything else only adds. */
function clockCost(): number {
  let sum = 0
  for (let i = 0; i < CLOCK_READINGS; i++) {
    const begin = performance.now()
    sum += performance.now() - begin
  }
  least = Math.min(least, sum / CLOCK_READINGS)
  return least
}
