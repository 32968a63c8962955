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
