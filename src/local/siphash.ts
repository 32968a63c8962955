// SipHash-2-4 (Aumasson and Bernstein, 2012): a short hash with a key of 128 bits, whose values nobody can foretell who has not
// the key. 64-bit words are pairs of int32, so that nothing is boxed.

/**
 * The lower 32 bits of the hash, as int32, of `count` words, an even number. Words are int32 in little-endian order: the lower
 * half of each 64-bit word stands first.
 * @param key four int32
 */
export function siphash(key: Int32Array, words: Int32Array, count: number): number {
  let a = key[0] ^ 0x70736575
  let aHigh = key[1] ^ 0x736f6d65
  let b = key[2] ^ 0x6e646f6d
  let bHigh = key[3] ^ 0x646f7261
  let c = key[0] ^ 0x6e657261
  let cHigh = key[1] ^ 0x6c796765
  let d = key[2] ^ 0x79746573
  let dHigh = key[3] ^ 0x74656462
  // The words, then one with the length in bytes in its top byte, then the end.
  for (let at = 0; at <= count + 2; at += 2) {
    const isEnd = at > count
    const low = at < count ? words[at] : 0
    const high = at < count ? words[at + 1] : isEnd ? 0 : count << 26
    d ^= low
    dHigh ^= high
    if (isEnd) c ^= 0xff
    for (let round = isEnd ? 4 : 2; round > 0; round--) {
      let sum = (a + b) | 0
      aHigh = (aHigh + bHigh + (sum >>> 0 < a >>> 0 ? 1 : 0)) | 0
      a = sum
      sum = (c + d) | 0
      cHigh = (cHigh + dHigh + (sum >>> 0 < c >>> 0 ? 1 : 0)) | 0
      c = sum
      let turned = (b << 13) | (bHigh >>> 19)
      bHigh = ((bHigh << 13) | (b >>> 19)) ^ aHigh
      b = turned ^ a
      turned = (d << 16) | (dHigh >>> 16)
      dHigh = ((dHigh << 16) | (d >>> 16)) ^ cHigh
      d = turned ^ c
      // a turns by 32 bits: its halves change places.
      sum = (aHigh + d) | 0
      aHigh = (a + dHigh + (sum >>> 0 < aHigh >>> 0 ? 1 : 0)) | 0
      a = sum
      sum = (c + b) | 0
      cHigh = (cHigh + bHigh + (sum >>> 0 < c >>> 0 ? 1 : 0)) | 0
      c = sum
      turned = (d << 21) | (dHigh >>> 11)
      dHigh = ((dHigh << 21) | (d >>> 11)) ^ aHigh
      d = turned ^ a
      turned = (b << 17) | (bHigh >>> 15)
      bHigh = ((bHigh << 17) | (b >>> 15)) ^ cHigh
      b = turned ^ c
      turned = c
      c = cHigh
      cHigh = turned
    }
    if (!isEnd) {
      a ^= low
      aHigh ^= high
    }
  }
  return a ^ b ^ c ^ d
}
