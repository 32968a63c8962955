// Match statistic (xt_statistic): by chance, or every n-th packet. A rule counts by itself; its first packet is number 0.

import { defineMatch } from '../rule/define.ts'
import { apart, words } from '../rule/listing.ts'
import { readDouble } from '../rule/number.ts'
import { oneOf, u32, unexpected, word } from '../rule/option.ts'

const EXPECTS = 'a probability from 0 to 1'
/** Chance is drawn of so many equal parts. */
const WHOLE = 0x80000000

/** In parts of WHOLE. */
const probability = word<number>(
  EXPECTS,
  (text) => {
    const { value, rest } = readDouble(text) ?? { value: 2, rest: '' }
    if (rest !== '' || value < 0 || value > 1) return unexpected(text, EXPECTS)
    return Math.round(WHOLE * (value || 0))
  },
  formatProbability,
)

/** Eleven places, a tie rounded to even as C does. */
function formatProbability(value: number): string {
  const scaled = BigInt(value) * 100_000_000_000n
  const whole = BigInt(WHOLE)
  let digits = scaled / whole
  const rest = 2n * (scaled % whole)
  if (rest > whole || (rest === whole && digits % 2n === 1n)) digits++
  const text = digits.toString().padStart(12, '0')
  return `${text.slice(0, -11)}.${text.slice(-11)}`
}

export const statistic = defineMatch({
  name: 'statistic',
  summary: 'some packets by chance, or every n-th',
  options: {
    mode: oneOf(['random', 'nth']).required().help('how packets are chosen'),
    probability: probability.negatable().help('mode random: with this probability'),
    every: u32({ min: 1 }).negatable().help('mode nth: one of so many'),
    packet: u32().help('mode nth: which one of them, counted from 0'),
  },
  exclusive: [
    ['probability', 'every'],
    ['probability', 'packet'],
  ],
  check: ({ mode, probability: chance, every, packet }) => {
    if (every !== undefined && packet === undefined) return '--every needs --packet'
    if (packet !== undefined && every === undefined) return '--packet needs --every'
    if (mode === 'random') return chance === undefined ? 'mode random needs --probability' : undefined
    if (every === undefined || packet === undefined) return 'mode nth needs --every and --packet'
    return packet >= every.value ? `--packet ${packet} is too large: expected less than --every` : undefined
  },
  list: ({ mode, probability: chance, every, packet }) =>
    words(
      `statistic mode ${mode}`,
      chance && `${apart(chance)}probability ${probability.kind.format(chance.value)}`,
      every && `${apart(every)}every ${every.value}`,
      packet !== undefined && packet !== 0 && `packet ${packet}`,
    ),
  match: ({ probability: chance, every, packet = 0 }, { random }) => {
    if (chance !== undefined) {
      const { value, not } = chance
      return () => ((random() & 0x7fffffff) < value === not ? 0 : 1)
    }
    const count = every?.value ?? 1
    const hit = every?.not ? 0 : 1
    let next = 0
    return () => {
      const chosen = next === packet
      next = next + 1 === count ? 0 : next + 1
      return chosen ? hit : 1 - hit
    }
  },
})
