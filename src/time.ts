// Time as the engine sees it: set once a batch from whatever clock was handed in, then read as plain fields. Replay and
// tests set it from time stamps; nothing in the packet path asks the system.

/** A source of time: milliseconds since the epoch, with fractions. */
export interface Clock {
  now(): number
}

export class Time {
  /** Milliseconds as int32 that wraps; compare by difference: `(a - b) | 0`. Good for spans below 24 days. */
  now = 0
  /** Milliseconds since the epoch. */
  wall = 0

  set(wall: number): void {
    this.wall = wall
    this.now = Math.floor(wall) | 0
  }
}

/** The system's wall clock, monotonic within the process: stepping the system's time does not age flows. */
export class SystemClock implements Clock {
  readonly #offset = Date.now() - performance.now()

  now(): number {
    return this.#offset + performance.now()
  }
}

/** A clock that stands still until it is told. */
export class VirtualClock implements Clock {
  #now: number

  constructor(start = 0) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  set(milliseconds: number): void {
    this.#now = milliseconds
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds
  }
}
