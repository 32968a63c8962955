// IPv4 addresses as text and as int32. Only the forms that Linux prints are written; what is read is exactly four
// decimal parts (RFC 6943, 3.1.1: "strict" form). Names and other notations are the business of who reads a rule file.

/** Text of an int32 address: `10.0.0.1`. */
export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** The int32 of a dotted address, or undefined where the text is none. */
export function parseAddress(text: string): number | undefined {
  const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (found === null) return undefined
  let address = 0
  for (let i = 1; i <= 4; i++) {
    const part = Number(found[i])
    if (part > 255) return undefined
    address = (address << 8) | part
  }
  return address
}

/** The int32 mask of a prefix length from 0 to 32. */
export function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength)
}

/** The prefix length of a contiguous mask, or undefined where the mask has holes. */
export function prefixLengthOf(mask: number): number | undefined {
  const length = Math.clz32(~mask)
  return maskOf(length) === mask ? length : undefined
}
