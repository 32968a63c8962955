// Ranges of numbers as several matches take them: `N`, `FROM:TO`, either end left out for the least and the most.

import { parseNumber } from '../rule/number.ts'
import { type Option, Problem, type Range, shown, unexpected, word } from '../rule/option.ts'

/** From 0 to `most`. @param reversed a range that runs backwards is taken, and holds nothing */
export function numberRange(
  most: number,
  { reversed = false }: { reversed?: boolean } = {},
): Option<Range, false, false> {
  const expects = `a number or a range FROM:TO, from 0 to ${most}`
  return word<Range>(
    expects,
    (text) => {
      const parts = text.split(':')
      const ends = parts.map((part, i) => (part === '' && parts.length === 2 ? [0, most][i] : parseNumber(part, most)))
      const [min, max = min] = ends
      if (parts.length > 2 || ends.includes(undefined) || min === undefined || max === undefined)
        return unexpected(text, expects)
      if (min > max && !reversed) return new Problem(`${shown(text)} runs backwards: expected ${expects}`)
      return { min, max }
    },
    ({ min, max }) => (min === max ? String(min) : `${min}:${max}`),
  )
}

export const u16Range = (options?: { reversed?: boolean }) => numberRange(0xffff, options)
