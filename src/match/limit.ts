// Match limit (xt_limit): a token bucket. It begins full, with `burst` packets' worth of credit, and fills by time up to
// that again; a packet that finds a whole packet's credit takes it and matches. Credit is counted as the kernel counts it:
// 32,000 a second, in 32 bits, in which times from 13.4217 s on count by whole seconds, and what is long enough overflows. A burst that
// overflows to less than one packet's worth is refused, one that does not is what it comes to.

import { defineMatch, NotTaken } from '../rule/define.ts'
import { RATE_SCALE, rate } from '../rule/kinds.ts'
import { parseNumber } from '../rule/number.ts'
import { Problem, u32, word } from '../rule/option.ts'

const CREDITS_PER_MS = 32

const CREDITS_PER_SECOND = 1000 * CREDITS_PER_MS
/** Longer times are divided before they are multiplied. */
const EXACT = Math.floor(0xffffffff / CREDITS_PER_SECOND)

/** Credit for a time of 32 bits in 1/RATE_SCALE seconds. */
function credits(time: number): number {
  return time > EXACT
    ? Math.imul(Math.floor(time / RATE_SCALE), CREDITS_PER_SECOND) >>> 0
    : Math.floor((time * CREDITS_PER_SECOND) / RATE_SCALE)
}

const creditsOfBurst = (period: number, burst: number) => credits(Math.imul(period, burst) >>> 0)

const period = rate().kind

const { expects, parse, format } = u32({ min: 1, max: 10_000 }).kind
/** It is the kernel that does not take 0. */
const bursts = word<number>(
  expects,
  (text, context) => {
    const read = parse([text], context)
    return read instanceof Problem && parseNumber(text, 0) === 0 ? new Problem(read.message, 0, 'range') : read
  },
  format,
)

export const limit = defineMatch({
  name: 'limit',
  summary: 'matches at most so often',
  options: {
    limit: rate()
      .default((3600 * RATE_SCALE) / 3, true)
      .help('how many packets in the long run'),
    'limit-burst': bursts.default(5).help('how many at once to begin with'),
  },
  check: ({ limit: period, 'limit-burst': burst }) =>
    creditsOfBurst(period, burst) < credits(period)
      ? new NotTaken('range', `so slow a rate has no burst of ${burst}: expected a smaller one, or a faster rate`)
      : undefined,
  list: (o) => `limit: avg ${period.format(o.limit)} burst ${o['limit-burst']}`,
  match: ({ limit: period, 'limit-burst': burst }, { time }) => {
    const cost = credits(period)
    const most = creditsOfBurst(period, burst)
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
