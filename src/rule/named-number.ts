// Numbers that have names in a file of iproute2's (routing realms, device groups): `N`, `N/MASK`, or a name. They are saved by
// name where the mask leaves nothing out.

import { readFileSync } from 'node:fs'
import { formatMark, type MaskedMark } from './kinds.ts'
import { parseNumber } from './number.ts'
import { type Option, unexpected, word } from './option.ts'

const MAX = 0xffffffff

/**
 * @param what for messages: `a realm`
 * @param known what the file says where it cannot be read
 */
export function namedNumber(
  what: string,
  file: string,
  known: Readonly<Record<string, number>>,
): Option<MaskedMark, false, false> {
  const expects = `${what} by its name or number, numbers with or without /MASK`
  let names: ReadonlyMap<string, number> | undefined
  const read = () => {
    names ??= namesOf(file) ?? new Map(Object.entries(known))
    return names
  }
  return word<MaskedMark>(
    expects,
    (text) => {
      const parts = text.split('/')
      const [value, mask = MAX] = parts.map((part) => parseNumber(part, MAX) ?? Number.NaN)
      if (parts.length <= 2 && value >= 0 && mask >= 0) return { value: value | 0, mask: mask | 0 }
      const named = read().get(text)
      return named === undefined ? unexpected(text, expects) : { value: named | 0, mask: -1 }
    },
    (given) => {
      const name = given.mask === -1 ? [...read()].find(([, value]) => (value | 0) === given.value)?.[0] : undefined
      return name ?? formatMark(given)
    },
  )
}

/** `NUMBER NAME` a line; undefined where the file cannot be read. */
function namesOf(file: string): ReadonlyMap<string, number> | undefined {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    return undefined
  }
  const names = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [number, name] = line.replace(/#.*/, '').trim().split(/\s+/)
    const value = parseNumber(number, MAX)
    if (value !== undefined && name !== undefined) names.set(name, value)
  }
  return names
}
