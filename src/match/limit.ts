// Match limit (xt_limit): a token bucket. It begins full, with `burst` packets' worth of credit, and fills by time up to
// that again; a packet that finds a whole packet's credit takes it and matches. Credit is counted as the kernel counts it
// with a clock of 1000 ticks a second, 32 credits a tick, whole numbers; products that overflow 32 bits there do not here.

import { defineMatch } from '../rule/define.ts'
import { RATE_SCALE, rate } from '../rule/kinds.ts'
import { u32 } from '../rule/option.ts'

const CREDITS_PER_MS = 32

/** Credit for a time in 1/RATE_SCALE seconds. */
function credits(time: number): number {
  return Math.floor((time * 1000 * CREDITS_PER_MS) / RATE_SCALE)
}

const period = rate().kind

export const limit = defineMatch({
  name: 'limit',
  summary: 'matches at most so often',
  options: {
    limit: rate()
      .default((3600 * RATE_SCALE) / 3, true)
      .help('how many packets in the long run'),
    'limit-burst': u32({ min: 1, max: 10_000 }).default(5).help('how many at once to begin with'),
  },
  list: (o) => `limit: avg ${period.format(o.limit)} burst ${o['limit-burst']}`,
  match: ({ limit: period, 'limit-burst': burst }, { time }) => {
    const cost = credits(period)
    const most = credits(period * burst)
    let credit = most
    let last = time.now
    return () => {
      const { now } = time
      // Compared by difference: the clock wraps. A clock that was set back gives nothing and takes nothing.
      const passed = (now - last) | 0
      if (passed > 0) credit = Math.min(most, credit + passed * CREDITS_PER_MS)
      last = now
      if (credit < cost) return 0
      credit -= cost
      return 1
    }
  },
})
