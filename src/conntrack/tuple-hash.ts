// The hash of tuples, and the digest of IPv6 addresses. Who sends packets chooses addresses and ports, and must not be able to
// choose such as meet in one place of the table, whatever number a seed is mixed in with: where differences pass through
// multiplications with a known factor, tuples can be made that meet under half of all seeds.
//
// What always holds: for any two different inputs the share of keys under which both have one hash is 2^-32 or hardly more. Each
// half word is multiplied by a key and all is added up; a second sum takes each key one place later, which makes it independent of the
// first (a difference in the last half word that differs meets a key there that the first sum does not have). The upper halves of both
// sums are the hash: Dietzfelbinger's universal hashing, the upper 16 bits of sums of products of 16 bits by 32. The mixing behind that is a
// bijection, and only sees to it that inputs that count up do not stand in rows.

import { seededRandom } from '../random.ts'

/** Where the keys of addresses' digests begin. */
const OF_ADDRESSES = 9
const KEYS = 20

/** Keys for both functions below, which share none. @param seed an int32, the secret */
export function hashKeys(seed: number): Int32Array {
  return Int32Array.from({ length: KEYS }, seededRandom(seed))
}

/**
 * @param ports sport << 16 | dport
 * @param key protocol and zone as f.key() packs them. Nobody who sends packets chooses among many, so it needs no key of its own: each
 * offsets both sums.
 */
export function hashTuple(keys: Int32Array, source: number, destination: number, ports: number, key: number): number {
  const source0 = source & 0xffff
  const source1 = source >>> 16
  const destination0 = destination & 0xffff
  const destination1 = destination >>> 16
  const ports0 = ports & 0xffff
  const ports1 = ports >>> 16
  const k1 = keys[1]
  const k2 = keys[2]
  const k3 = keys[3]
  const k4 = keys[4]
  const k5 = keys[5]
  const k6 = keys[6]
  let a = (keys[0] + Math.imul(key, 0x9e3779b1)) | 0
  let b = (keys[8] + Math.imul(key, 0x85ebca6b)) | 0
  a = (a + Math.imul(k1, source0)) | 0
  b = (b + Math.imul(k2, source0)) | 0
  a = (a + Math.imul(k2, source1)) | 0
  b = (b + Math.imul(k3, source1)) | 0
  a = (a + Math.imul(k3, destination0)) | 0
  b = (b + Math.imul(k4, destination0)) | 0
  a = (a + Math.imul(k4, destination1)) | 0
  b = (b + Math.imul(k5, destination1)) | 0
  a = (a + Math.imul(k5, ports0)) | 0
  b = (b + Math.imul(k6, ports0)) | 0
  a = (a + Math.imul(k6, ports1)) | 0
  b = (b + Math.imul(keys[7], ports1)) | 0
  return mixed(a, b)
}

/** An int32 that stands for an address of four words. */
export function digest(keys: Int32Array, w0: number, w1: number, w2: number, w3: number): number {
  const w0Low = w0 & 0xffff
  const w0High = w0 >>> 16
  const w1Low = w1 & 0xffff
  const w1High = w1 >>> 16
  const w2Low = w2 & 0xffff
  const w2High = w2 >>> 16
  const w3Low = w3 & 0xffff
  const w3High = w3 >>> 16
  const k0 = keys[OF_ADDRESSES]
  const k1 = keys[OF_ADDRESSES + 1]
  const k2 = keys[OF_ADDRESSES + 2]
  const k3 = keys[OF_ADDRESSES + 3]
  const k4 = keys[OF_ADDRESSES + 4]
  const k5 = keys[OF_ADDRESSES + 5]
  const k6 = keys[OF_ADDRESSES + 6]
  const k7 = keys[OF_ADDRESSES + 7]
  const k8 = keys[OF_ADDRESSES + 8]
  const k9 = keys[OF_ADDRESSES + 9]
  let a = (k0 + Math.imul(k1, w0Low)) | 0
  let b = (keys[OF_ADDRESSES + 10] + Math.imul(k2, w0Low)) | 0
  a = (a + Math.imul(k2, w0High)) | 0
  b = (b + Math.imul(k3, w0High)) | 0
  a = (a + Math.imul(k3, w1Low)) | 0
  b = (b + Math.imul(k4, w1Low)) | 0
  a = (a + Math.imul(k4, w1High)) | 0
  b = (b + Math.imul(k5, w1High)) | 0
  a = (a + Math.imul(k5, w2Low)) | 0
  b = (b + Math.imul(k6, w2Low)) | 0
  a = (a + Math.imul(k6, w2High)) | 0
  b = (b + Math.imul(k7, w2High)) | 0
  a = (a + Math.imul(k7, w3Low)) | 0
  b = (b + Math.imul(k8, w3Low)) | 0
  a = (a + Math.imul(k8, w3High)) | 0
  b = (b + Math.imul(k9, w3High)) | 0
  return mixed(a, b)
}

/** The upper halves of two sums. */
function mixed(a: number, b: number): number {
  const both = (a >>> 16) | (b & 0xffff0000)
  const h = Math.imul(both ^ (both >>> 15), 0x2c1b3c6d)
  return h ^ (h >>> 16)
}
