// What the matches esp and ah have in common: a range of security parameters indexes. A later fragment does not match; a header that
// is cut off is dropped at once.

import type { Packet } from '../packet/packet.ts'
import { HOTDROP, type MatchFunction } from '../rule/define.ts'
import type { Negatable } from '../rule/model.ts'
import type { Range } from '../rule/option.ts'
import { fragmentOffset } from './port-match.ts'

export const EVERY_INDEX: Negatable<Range> = { value: { min: 0, max: 0xffffffff }, not: false }

/** Every index is nothing at all; negated it stays, and matches nothing. */
export function unlessEvery(range: Negatable<Range> | undefined): Negatable<Range> | undefined {
  return range !== undefined && !range.not && range.value.min === 0 && range.value.max === EVERY_INDEX.value.max
    ? undefined
    : range
}

/** A range as iptables-save has it: negated, every index is lost too. */
export function savedRange(range: Negatable<Range> | undefined): Negatable<Range> | undefined {
  return unlessEvery(range && { ...range, not: false }) && range
}

/** @param at where the index stands in a header of `header` bytes */
export function indexMatch(range: Negatable<Range> | undefined, at: number, header: number): MatchFunction {
  const { value, not } = range ?? EVERY_INDEX
  const { min, max } = value
  return (p: Packet) => {
    if (fragmentOffset(p) !== 0) return 0
    const start = p.start + p.headerLength
    if (start + header > p.start + p.length) return HOTDROP
    const index = p.view.getInt32(start + at) >>> 0
    return (index >= min && index <= max) === not ? 0 : 1
  }
}
