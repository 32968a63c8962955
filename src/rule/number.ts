// Numbers as iptables reads them: strtoull with base 0, so `10`, `0xa` and `012` are the same, white space and a plus
// sign may stand in front, and nothing may stand behind.

const NUMBER = /^\s*\+?(0[xX][0-9a-fA-F]+|[0-9]+)$/

/** The number, or undefined where the text is none or it lies outside; `max` at most 2^53 - 1. */
export function parseNumber(text: string, max: number, min = 0): number | undefined {
  const found = NUMBER.exec(text)
  if (found === null) return undefined
  const digits = found[1]
  const octal = digits.length > 1 && digits[0] === '0' && digits[1] !== 'x' && digits[1] !== 'X'
  if (octal && /[89]/.test(digits)) return undefined
  const value = octal ? Number.parseInt(digits, 8) : Number(digits)
  return value >= min && value <= max ? value : undefined
}

/** Whether the text has the form of a number, whatever its size. */
export function isNumber(text: string): boolean {
  return NUMBER.test(text)
}

/** Decimal digits only, as getaddrinfo reads a service. */
export function parseDecimal(text: string, max: number): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined
  const value = Number(text)
  return value <= max ? value : undefined
}

const DOUBLE =
  /^\s*([+-]?)(0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)(.*)$/is

/** What strtod reads, and what stands behind it; undefined where the text does not begin with a number. */
export function readDouble(text: string): { readonly value: number; readonly rest: string } | undefined {
  const found = DOUBLE.exec(text)
  if (found === null) return undefined
  const [, sign, digits, rest] = found
  const size = /^0x/i.test(digits)
    ? hexadecimal(digits)
    : /^i/i.test(digits)
      ? Number.POSITIVE_INFINITY
      : Number(digits)
  return { value: sign === '-' ? -size : size, rest }
}

function hexadecimal(text: string): number {
  const [, whole, fraction = '', power = '0'] = /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/i.exec(
    text,
  ) as unknown as string[]
  return Number.parseInt(`${whole}${fraction}`, 16) * 2 ** (Number(power) - 4 * fraction.length)
}

/** The 32 bits that a processor makes of a number by way of 64 bits: what is too large for those is 0. */
export function wrapped32(value: number): number {
  return Math.abs(value) < 2 ** 63 ? Number(BigInt.asUintN(32, BigInt(Math.trunc(value)))) : 0
}
