// How RATEEST and rateest write an estimator's name and bytes a second.

import { readDouble, wrapped32 } from './number.ts'
import { bareName, type Option, option, unexpected } from './option.ts'

const NAME_MAX = 15

const name = bareName(`a name, of which ${NAME_MAX} bytes count`, (text) =>
  Buffer.from(text).toString('utf8', 0, NAME_MAX),
)

export const estimatorName = () => name

/** @param whole so that it can be read again */
export function savedName(of: string, whole: boolean): string {
  return (whole ? name.kind.formatWhole?.(of) : undefined) ?? of
}

const EXPECTS_RATE = 'a rate such as 8bit, 5kbit, 1.5mbit or 2MBps (bits a second where no unit is given)'
const UNIT = /^(?:([kmgt])(i?))?(bit|bps|)$/i
const POWERS = ' kmgt'

/** Whole bytes a second in 32 bits, as Linux keeps them: what is above that wraps. May be left out, which is 0. */
export function byteRate(): Option<number, false, false> {
  return option<number>({
    words: 1,
    optional: true,
    expects: EXPECTS_RATE,
    parse: ([text]) => {
      if (text === undefined) return 0
      const read = readDouble(text)
      const [, power = ' ', binary, unit] = UNIT.exec(read?.rest ?? 'none') ?? []
      const scale = (binary ? 1024 : 1000) ** POWERS.indexOf(power.toLowerCase())
      if (read === undefined || unit === undefined || (unit === '' && power !== ' '))
        return unexpected(text, EXPECTS_RATE)
      return wrapped32((read.value * scale) / (unit.toLowerCase() === 'bps' ? 1 : 8))
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
