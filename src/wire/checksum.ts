// The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3).
// Sums here are plain integers below 2^32; a checksum field is the folded sum's complement, 16 bits.
// Full sums are for small things (headers, ICMP quotes); rewriting always updates incrementally, so its cost does not
// depend on the packet's length.

/** Folds a sum of 16-bit words, an integer from 0 to 2^32 - 1, into 16 bits. */
export function fold(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

/** Sum of the big-endian 16-bit words of `length` bytes at `start`, an odd last byte padded with zero; not folded. */
export function sumOf(view: DataView, start: number, length: number): number {
  // Sixteen bytes at a time: 290 ns for 1480 bytes, where word by word takes 1070. Of 64 KiB of 0xffff each of the two
  // sums is 2^30, so that no int32 overflows; `| 0` tells the optimiser.
  const rounds = start + (length & ~15)
  const end = start + (length & ~3)
  let high = 0
  let low = 0
  let at = start
  for (; at < rounds; at += 16) {
    const a = view.getInt32(at)
    const b = view.getInt32(at + 4)
    const c = view.getInt32(at + 8)
    const d = view.getInt32(at + 12)
    high = (high + (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16)) | 0
    low = (low + (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff)) | 0
  }
  for (; at < end; at += 4) {
    const a = view.getInt32(at)
    high = (high + (a >>> 16)) | 0
    low = (low + (a & 0xffff)) | 0
  }
  if (length & 2) low += view.getUint16(end)
  if (length & 1) high += view.getUint8(start + length - 1) << 8
  return high + low
}

/** The checksum (complemented) of `length` bytes at `start`, on top of an unfolded `initial` sum. */
export function checksum(view: DataView, start: number, length: number, initial = 0): number {
  return ~fold(sumOf(view, start, length) + initial) & 0xffff
}

/** Sum of the IPv4 pseudo-header (RFC 793, RFC 768); addresses are int32. Not folded. */
export function pseudoSum4(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length
}

/** Checksum `field` after a 16-bit word it covers changed from `before` to `after` (RFC 1624, equation 3). */
export function update16(field: number, before: number, after: number): number {
  let sum = (~field & 0xffff) + (~before & 0xffff) + (after & 0xffff)
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Checksum `field` after a 32-bit word it covers changed from `before` to `after`, both int32. */
export function update32(field: number, before: number, after: number): number {
  return updateBy(field, changeOf32(before, after))
}

/**
 * What a 32-bit word that changes adds to a sum, not folded: an address is covered by more than one checksum. The changes
 * of several words may be added to each other before they are used.
 */
export function changeOf32(before: number, after: number): number {
  return (~before >>> 16) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff)
}

/** Checksum `field` after such a change, or the sum of some. */
export function updateBy(field: number, change: number): number {
  return ~fold((~field & 0xffff) + change) & 0xffff
}

/**
 * The same for a partial checksum: with NEEDS_CSUM the field holds the pseudo-header's sum, not complemented, so only
 * changed addresses are folded in, and ports never are (virtio 1.2, 5.1.6.2).
 */
export function updatePartialBy(field: number, change: number): number {
  return fold(field + change)
}
