// Match iprange (xt_iprange): source or destination between two addresses, both included. A range that runs backwards holds
// nothing.

import { formatAny, parseLoose } from '../rule/address.ts'
import { defineMatch, type MatchFunction } from '../rule/define.ts'
import { apart, words } from '../rule/listing.ts'
import type { Negatable } from '../rule/model.ts'
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
  options: {
    'src-range': addressRange.help('the source address lies there'),
    'dst-range': addressRange.help('the destination address lies there'),
  },
  anyOf: ['src-range', 'dst-range'],
  list: (o) =>
    words(
      o['src-range'] && `source IP range ${apart(o['src-range'])}${addressRange.kind.format(o['src-range'].value)}`,
      o['dst-range'] &&
        `destination IP range ${apart(o['dst-range'])}${addressRange.kind.format(o['dst-range'].value)}`,
    ),
  looks: 'flow',
  match: (o, _env, { family }) => (family === 4 ? match4(o) : match6(o)),
})

type Given = { readonly [K in 'src-range' | 'dst-range']?: Negatable<AddressRange> }

function match4(o: Given): MatchFunction {
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
}

function bounds(range: AddressRange | undefined): { readonly min: number; readonly max: number } {
  if (range === undefined) return { min: SIGN, max: 0x7fffffff }
  return { min: range.min[0] ^ SIGN, max: range.max[0] ^ SIGN }
}

function match6(o: Given): MatchFunction {
  const source = o['src-range']
  const destination = o['dst-range']
  return (p) => {
    if (source !== undefined && holds(source.value, p.source, p.source1, p.source2, p.source3) === source.not) return 0
    if (destination === undefined) return 1
    const { destination: word0, destination1, destination2, destination3 } = p
    return holds(destination.value, word0, destination1, destination2, destination3) === destination.not ? 0 : 1
  }
}

function holds({ min, max }: AddressRange, a: number, b: number, c: number, d: number): boolean {
  return !isLess(a, b, c, d, min) && !isGreater(a, b, c, d, max)
}

function isLess(a: number, b: number, c: number, d: number, bound: readonly number[]): boolean {
  if (a !== bound[0]) return a >>> 0 < bound[0] >>> 0
  if (b !== bound[1]) return b >>> 0 < bound[1] >>> 0
  if (c !== bound[2]) return c >>> 0 < bound[2] >>> 0
  return d >>> 0 < bound[3] >>> 0
}

function isGreater(a: number, b: number, c: number, d: number, bound: readonly number[]): boolean {
  return !isLess(a, b, c, d, bound) && (a !== bound[0] || b !== bound[1] || c !== bound[2] || d !== bound[3])
}
