// Target RATEEST (xt_RATEEST): counts its packets into a rate estimator by name, which `-m rateest` compares. Rules of every table and of
// both families that say the name count into the same one, and have to say the same interval and weight; it is there for as
// long as a rule names it, the match's too.

import { TunfilterError } from '../errors.ts'
import { CONTINUE, defineTarget } from '../rule/define.ts'
import { readDouble, wrapped32 } from '../rule/number.ts'
import { type Problem, shown, unexpected, word } from '../rule/option.ts'
import { RATE_ESTIMATORS, RateEstimator, SHORTEST_MS } from '../rule/rate-estimator.ts'
import { estimatorName, savedName } from '../rule/rate-words.ts'

const LONGEST = 5
const EWMA_MAX = 30
const EXPECTS_TIME = 'a time such as 250ms, 0.5s or 100000us (us where no unit is given)'
const UNITS: Readonly<Record<string, number>> = {
  ...{ s: 1_000_000, sec: 1_000_000, secs: 1_000_000 },
  ...{ ms: 1000, msec: 1000, msecs: 1000 },
  ...{ us: 1, usec: 1, usecs: 1, '': 1 },
}

/** Microseconds; of 32 bits, as Linux has them. */
function readTime(text: string): number | Problem {
  const read = readDouble(text)
  const scale = UNITS[read?.rest.toLowerCase() ?? 'none']
  return read === undefined || scale === undefined ? unexpected(text, EXPECTS_TIME) : wrapped32(read.value * scale)
}

/** `250.0ms`, `4.0s`: the shortest interval times 2^power, in 32 bits of microseconds. */
function formatTime(power: number): string {
  const time = (SHORTEST_MS * 1000 * 2 ** power) % 2 ** 32
  if (time >= 1_000_000) return `${(time / 1_000_000).toFixed(1)}s`
  return time >= 1000 ? `${(time / 1000).toFixed(1)}ms` : `${time}us`
}

/** Microseconds as they are written; in their one form Linux's numbers for them, powers of two. */
const time = word<number>(EXPECTS_TIME, readTime, String)

/** The largest weight 2^k that an average can have that follows within the time: after it, 1/e of what was is left. */
function ewmaOf(interval: number, time: number): number {
  let k = 0
  while (k <= EWMA_MAX && interval / -Math.log(1 - 2 ** -(k + 1)) <= time) k++
  return k
}

export const rateest = defineTarget({
  name: 'RATEEST',
  summary: 'counts packets into a rate estimator by name, for the match rateest',
  terminal: false,
  options: {
    'rateest-name': estimatorName().required().help("the estimator's name"),
    'rateest-interval': time
      .required()
      .help('how often the average is made; rounded up to 250 ms, 500 ms, 1 s, 2 s, 4 s or 8 s'),
    'rateest-ewmalog': time
      .required()
      .help('how slowly the average follows; rounded down to a power of two of the interval'),
  },
  normalize: (o) => {
    const us = o['rateest-interval']
    return {
      ...o,
      'rateest-interval': Math.max(0, Math.ceil(Math.log2(us / (SHORTEST_MS * 1000)))),
      'rateest-ewmalog': us === 0 ? 0 : ewmaOf(us, o['rateest-ewmalog']),
    }
  },
  check: ({ 'rateest-interval': interval, 'rateest-ewmalog': ewma }) => {
    if (interval > LONGEST) return '--rateest-interval is too long: expected at most 8s'
    return ewma < 1 || ewma > EWMA_MAX
      ? '--rateest-ewmalog does not go with the interval: expected at least one and a half of it'
      : undefined
  },
  saved: (o, whole) => {
    const [interval, ewma] = timesOf(o['rateest-interval'], o['rateest-ewmalog'])
    return ` --rateest-name ${savedName(o['rateest-name'], whole)} --rateest-interval ${interval} --rateest-ewmalog ${ewma}`
  },
  shares: ({ 'rateest-name': name, 'rateest-interval': interval, 'rateest-ewmalog': ewma }) => {
    const times = timesOf(interval, ewma)
    return [{ kind: RATE_ESTIMATORS, name, terms: `interval ${times[0]} and ewmalog ${times[1]}` }]
  },
  list: (o) => {
    const [interval, ewma] = timesOf(o['rateest-interval'], o['rateest-ewmalog'])
    return `name ${o['rateest-name']} interval ${interval} ewmalog ${ewma}`
  },
  target: ({ 'rateest-name': name, 'rateest-interval': interval, 'rateest-ewmalog': ewma }, { shared, time }) => {
    const estimator = shared.of(RATE_ESTIMATORS, name, () => new RateEstimator(time))
    if (!estimator.begin(interval, ewma))
      throw new TunfilterError('ERR_RULES', `Invalid argument. ${shown(name)} counts with another interval or weight.`)
    return (p) => {
      estimator.count(p.length)
      return CONTINUE
    }
  },
})

function timesOf(interval: number, ewma: number): readonly [interval: string, ewma: string] {
  return [formatTime(interval), formatTime(interval + ewma)]
}
