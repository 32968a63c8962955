// Numbers of 64 bits as iptables reads them: decimal, octal with a leading 0, or hexadecimal.

/** The number, or undefined where the text is none or it is too large. */
export function readCounter(text: string): bigint | undefined {
  const digits = /^\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text)?.[1]
  if (digits === undefined) return undefined
  const value = BigInt(/^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits)
  return value < 2n ** 64n ? value : undefined
}
