// Match mh (xt_mh's part for IPv6): the type of a mobility header (RFC 6275, 6.1). A later fragment does not match; a header that is
// cut off, or behind which another one is announced, is dropped at once.

import { defineMatch, HOTDROP } from '../rule/define.ts'
import type { Negatable } from '../rule/model.ts'
import { parseNumber } from '../rule/number.ts'
import { Problem, type Range, shown, unexpected, word } from '../rule/option.ts'
import { NO_NEXT } from '../wire/ipv6-extension.ts'
import { fragmentOffset } from './port-match.ts'

export const PROTO_MH = 135

const HEADER = 6
const TYPE = 2
const MOST = 255

/** Each under its long name and its short one; the number is its place. */
const NAMES = [
  ['binding-refresh-request', 'brr'],
  ['home-test-init', 'hoti'],
  ['careof-test-init', 'coti'],
  ['home-test', 'hot'],
  ['careof-test', 'cot'],
  ['binding-update', 'bu'],
  ['binding-acknowledgement', 'ba'],
  ['binding-error', 'be'],
] as const
const EXPECTS = `a type's name (${NAMES.flat().join(', ')}) or number from 0 to 255, or a range FIRST:LAST of them`

/** By name, or the first that begins so, in any case. */
function readType(text: string): number | undefined {
  const wanted = text.toLowerCase()
  const whole = NAMES.findIndex((names) => names.some((name) => name === wanted))
  const begun = wanted === '' ? -1 : NAMES.findIndex((names) => names.some((name) => name.startsWith(wanted)))
  const named = whole >= 0 ? whole : begun
  return named >= 0 ? named : parseNumber(text, MOST)
}

const types = word<Range>(
  EXPECTS,
  (text) => {
    const parts = text.split(':')
    const ends = parts.map((part, i) => (part === '' && parts.length === 2 ? [0, MOST][i] : readType(part)))
    const min = ends[0]
    const max = ends[parts.length - 1]
    if (parts.length > 2 || min === undefined || max === undefined) return unexpected(text, EXPECTS)
    return min > max ? new Problem(`${shown(text)} runs backwards: expected ${EXPECTS}`) : { min, max }
  },
  ({ min, max }) => (min === max ? String(min) : `${min}:${max}`),
)

export const mh = defineMatch({
  name: 'mh',
  summary: 'the type of a mobility header',
  families: [6],
  protocols: [PROTO_MH],
  options: { 'mh-type': types.negatable().help('it lies there') },
  normalize: (o) => ({ 'mh-type': unlessEveryType(o['mh-type']) }),
  asSaved: (o) => ({ 'mh-type': o['mh-type'] && unlessEveryType({ ...o['mh-type'], not: false }) && o['mh-type'] }),
  list: (o, numeric) => {
    const { value, not } = o['mh-type'] ?? { value: { min: 0, max: MOST }, not: false }
    if (o['mh-type'] === undefined) return 'mh'
    const name = (type: number) => (numeric ? undefined : NAMES[type]?.[0]) ?? String(type)
    const ends = value.min === value.max ? [value.min] : [value.min, value.max]
    return `mh ${not ? '!' : ''}${ends.map(name).join(':')}`
  },
  looks: 'packet',
  match: (o) => {
    const { value, not } = o['mh-type'] ?? { value: { min: 0, max: MOST }, not: false }
    const { min, max } = value
    return (p) => {
      if (fragmentOffset(p) !== 0) return 0
      const at = p.start + p.headerLength
      if (at + HEADER > p.start + p.length || p.view.getUint8(at) !== NO_NEXT) return HOTDROP
      const type = p.view.getUint8(at + TYPE)
      return (type >= min && type <= max) === not ? 0 : 1
    }
  },
})

/** Every type is nothing at all; negated it stays, and matches nothing. */
function unlessEveryType(range: Negatable<Range> | undefined): Negatable<Range> | undefined {
  return range !== undefined && !range.not && range.value.min === 0 && range.value.max === MOST ? undefined : range
}
