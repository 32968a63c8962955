// What the listings of `iptables -L` have in common: how a match shows numbers and ranges behind a name, and what is negated.

import type { Negatable } from './model.ts'
import type { Range } from './option.ts'

/** `!` where it is negated. */
export const bang = (of: { readonly not: boolean } | undefined) => (of?.not ? '!' : '')

/** `! ` where it is negated. */
export const apart = (of: { readonly not: boolean } | undefined) => (of?.not ? '! ' : '')

/** `spi:5`, `spis:!1:2`; nothing where it is not given. */
export function listRange(name: string, range: Negatable<Range> | undefined): string {
  if (range === undefined) return ''
  const { min, max } = range.value
  return min === max ? `${name}:${bang(range)}${min}` : `${name}s:${bang(range)}${min}:${max}`
}

/** `length:5`, `length:!5`; nothing where it is not given. */
export function listNumber(name: string, number: Negatable<number> | undefined): string {
  return number === undefined ? '' : `${name}:${bang(number)}${number.value}`
}

/** What is there, with a blank between each. */
export const words = (...of: readonly (string | undefined | false)[]) =>
  of.filter((one) => one !== undefined && one !== false && one !== '').join(' ')
