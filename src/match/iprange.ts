// Match iprange (xt_iprange): source or destination between two addresses, both included. A range that runs backwards holds
// nothing.

import { formatAny, parseLoose } from '../rule/address.ts'
import { defineMatch } from '../rule/define.ts'
import { unexpected, word } from '../rule/option.ts'

interface AddressRange {
  readonly min: readonly number[]
  readonly max: readonly number[]
}

const EXPECTS = 'an address, or a range FIRST-LAST of them'

const addressRange = word<AddressRange>(
  EXPECTS,
  (text, { family }) => {
    const dash = text.indexOf('-')
    const min = parseLoose(dash < 0 ? text : text.slice(0, dash), family)
    const max = dash < 0 ? min : parseLoose(text.slice(dash + 1), family)
    if (text === '' || min === undefined) return unexpected(text, EXPECTS)
    if (max === undefined || dash === text.length - 1) return unexpected(text.slice(dash + 1), EXPECTS)
    return { min, max }
  },
  ({ min, max }) => `${formatAny(min)}-${formatAny(max)}`,
).negatable()

/** Orders addresses that are kept as int32 by their unsigned value. */
const SIGN = 0x80000000 | 0

export const iprange = defineMatch({
  name: 'iprange',
  summary: 'ranges of addresses',
  families: [4],
  options: {
    'src-range': addressRange.help('the source address lies there'),
    'dst-range': addressRange.help('the destination address lies there'),
  },
  anyOf: ['src-range', 'dst-range'],
  looks: 'flow',
  match: (o) => {
    const source = bounds(o['src-range']?.value)
    const sourceNot = o['src-range']?.not === true
    const destination = bounds(o['dst-range']?.value)
    const destinationNot = o['dst-range']?.not === true
    return (p) => {
      const from = p.source ^ SIGN
      if ((from >= source.min && from <= source.max) === sourceNot) return 0
      const to = p.destination ^ SIGN
      return (to >= destination.min && to <= destination.max) === destinationNot ? 0 : 1
    }
  },
})

function bounds(range: AddressRange | undefined): { readonly min: number; readonly max: number } {
  if (range === undefined) return { min: SIGN, max: 0x7fffffff }
  return { min: range.min[0] ^ SIGN, max: range.max[0] ^ SIGN }
}
