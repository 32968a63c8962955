// How RATEEST and rateest write an estimator's name and bytes a second.

import { type Option, option, Problem, shown, unexpected, word } from './option.ts'

const NAME_MAX = 15
const EXPECTS_NAME = `a name without blanks and quotes, of which ${NAME_MAX} bytes count`

/** What could not be read again as it is saved is no name. */
export function estimatorName(): Option<string, false, false> {
  return word<string>(
    EXPECTS_NAME,
    (text) => {
      if (text === '' || /[\s"'\\]/.test(text))
        return new Problem(`${shown(text)} can be no estimator's name: expected ${EXPECTS_NAME}`)
      return Buffer.from(text).toString('utf8', 0, NAME_MAX)
    },
    (name) => name,
  )
}

const EXPECTS_RATE = 'a rate such as 8bit, 5kbit, 1.5mbit or 2MBps (bits a second where no unit is given)'
const UNIT = /^\s*\+?((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:([kmgt])(i?))?(bit|bps|)$/i
const POWERS = ' kmgt'

/** Whole bytes a second in 32 bits, as Linux keeps them: what is above that wraps. May be left out, which is 0. */
export function byteRate(): Option<number, false, false> {
  return option<number>({
    words: 1,
    optional: true,
    expects: EXPECTS_RATE,
    parse: ([text]) => {
      if (text === undefined) return 0
      const [, digits, power = ' ', binary, unit] = UNIT.exec(text) ?? []
      const scale = (binary ? 1024 : 1000) ** POWERS.indexOf(power.toLowerCase())
      const bytes = Math.floor((Number(digits) * scale) / (unit?.toLowerCase() === 'bps' ? 1 : 8))
      if (digits === undefined || (unit === '' && power !== ' ') || !(bytes < 2 ** 64))
        return unexpected(text, EXPECTS_RATE)
      return bytes % 2 ** 32
    },
    format: formatByteRate,
  })
}

/** `8bit`, `1000Kbit`, `34000Mbit`: rounded. */
export function formatByteRate(bytes: number): string {
  const bits = bytes * 8
  if (bits >= 1e9) return `${rounded(bits / 1e6)}Mbit`
  return bits >= 1e6 ? `${rounded(bits / 1e3)}Kbit` : `${bits}bit`
}

/** Ties to even, as C does. */
function rounded(value: number): number {
  const whole = Math.round(value)
  return whole - value === 0.5 && whole % 2 === 1 ? whole - 1 : whole
}
