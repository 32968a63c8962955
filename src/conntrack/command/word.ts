// Single words of a conntrack command as conntrack 1.4.7 reads them: numbers as C's library does, so that what is no number is 0.

import { wrongUsage } from './fault.ts'

/** C's strtoul with base 0: what comes behind the number, or is none, counts for nothing. */
export function strtoul(text: string): number {
  const [, sign = '', hex, octal, decimal] = /^\s*([-+]?)(?:0x([0-9a-f]+)|0([0-7]+)|(\d+))/i.exec(text) ?? []
  const digits = hex ?? octal ?? decimal
  if (digits === undefined) return 0
  const value = hex !== undefined ? BigInt(`0x${hex}`) : octal !== undefined ? BigInt(`0o${octal}`) : BigInt(digits)
  return Number(BigInt.asUintN(32, sign === '-' ? -value : value))
}

/** C's atoi: decimal digits at the beginning. */
export function atoi(text: string): number {
  return Number(/^\s*\+?(\d+)/.exec(text)?.[1] ?? 0) % 0x1_0000_0000
}

/** What stands before and behind the first `at`. */
export function split(text: string, at: string): [string, string | undefined] {
  const place = text.indexOf(at)
  return place < 0 ? [text, undefined] : [text.slice(0, place), text.slice(place + 1)]
}

/** VALUE[/MASK] */
export function mark(text: string): { value: number; mask: number | undefined } {
  const [value, mask] = split(text, '/')
  return { value: strtoul(value) | 0, mask: mask === undefined ? undefined : strtoul(mask) | 0 }
}

/** Words of a list, whatever their case; throws a Fault for one that is not known. */
export function listed(text: string, known: readonly string[]): string[] {
  return text.split(',').map((word) => {
    const found = known.find((name) => name.toLowerCase() === word.toLowerCase())
    if (found === undefined) throw wrongUsage(`Bad parameter \`${word}'`)
    return found
  })
}

/** The bits of a list of words. */
export function bits(text: string, known: Readonly<Record<string, number | undefined>>): number {
  return listed(text, Object.keys(known)).reduce((sum, name) => sum | (known[name] ?? 0), 0)
}
