// The hash by which Linux spreads flows over a range of addresses (and over marks and queues), so that the same flow gets the same
// address here and there: Bob Jenkins' lookup3 (public domain, 2006) over the source address as four words in network byte order, seeded
// with the destination. It is not a secret and needs not be.

const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k))

const swap = (x: number) => (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)

/**
 * The hash of an address's four words, an IPv4 address standing first and followed by zeros.
 * @param initial of seedOf(), or 0 for --persistent
 * @returns uint32
 */
export function hashAddress(word0: number, word1: number, word2: number, word3: number, initial: number): number {
  const begin = (0xdeadbeef + (4 << 2) + initial) | 0
  // First block of three words.
  let a = (begin + swap(word0)) | 0
  let b = (begin + swap(word1)) | 0
  let c = (begin + swap(word2)) | 0
  a = (a - c) ^ rotate(c, 4)
  c = (c + b) | 0
  b = (b - a) ^ rotate(a, 6)
  a = (a + c) | 0
  c = (c - b) ^ rotate(b, 8)
  b = (b + a) | 0
  a = (a - c) ^ rotate(c, 16)
  c = (c + b) | 0
  b = (b - a) ^ rotate(a, 19)
  a = (a + c) | 0
  c = (c - b) ^ rotate(b, 4)
  b = (b + a) | 0
  // Last block: one word.
  return last(a + swap(word3), b, c)
}

/** What the hash begins with: the destination's last word and the zone. */
export function seedOf(destination: number, zone: number): number {
  return swap(destination) ^ zone
}

/** The hash after a word of the destination was mixed into it (IPv6, where a range leaves further words open). */
export function mixedWith(hash: number, destination: number): number {
  return (hash ^ swap(destination)) >>> 0
}

/** The same hash over three words, seeded: what HMARK and NFQUEUE's balance take. @returns uint32 */
export function hashWords(first: number, second: number, third: number, seed: number): number {
  const initial = (0xdeadbeef + (3 << 2) + seed) | 0
  return last((first + initial) | 0, (second + initial) | 0, (third + initial) | 0)
}

/** How lookup3 mixes its last block. */
function last(a: number, b: number, c: number): number {
  let x = a | 0
  let y = b | 0
  let z = c | 0
  z = (z ^ y) - rotate(y, 14)
  x = (x ^ z) - rotate(z, 11)
  y = (y ^ x) - rotate(x, 25)
  z = (z ^ y) - rotate(y, 16)
  x = (x ^ z) - rotate(z, 4)
  y = (y ^ x) - rotate(x, 14)
  z = (z ^ y) - rotate(y, 24)
  return z >>> 0
}

/** A hash scaled to 0 .. size - 1; both uint32. In halves, because their product has up to 64 bits. */
export function scale(hash: number, size: number): number {
  return Math.floor(((hash >>> 16) * size + Math.floor(((hash & 0xffff) * size) / 0x1_0000)) / 0x1_0000)
}

/** The hash of one word alone, which is an IPv4 address. @returns uint32 */
export function hashWord(word: number, seed: number): number {
  let c = (0xdeadbeef + (1 << 2) + seed) | 0
  let b = c
  let a = (c + swap(word)) | 0
  c = (c ^ b) - rotate(b, 14)
  a = (a ^ c) - rotate(c, 11)
  b = (b ^ a) - rotate(a, 25)
  c = (c ^ b) - rotate(b, 16)
  a = (a ^ c) - rotate(c, 4)
  b = (b ^ a) - rotate(a, 14)
  c = (c ^ b) - rotate(b, 24)
  return c >>> 0
}
