// By what a rule can be looked up: the bits of a packet's fields that it fixes. A rule that compares nothing else than these
// fields under a mask certainly does not match a packet whose bits there are others; what else the rule asks does not matter
// here, the index only passes rules over (rule/chain-index.ts).

import type { Packet } from '../packet/packet.ts'
import type { Entries } from './entries.ts'
import { ADDRESSES } from './run.ts'
import type { Tests } from './tests.ts'

// Words of a key, and of its mask.
const SOURCE = 0
const DESTINATION = 4
/** sport << 16 | dport */
const PORTS = 8
const MARK = 9
/** inLink | outLink << 16 */
const LINKS = 10
/** protocol | ctinfo << 8 */
const OTHER = 11
export const KEY_WORDS = 12

/** A rule with more keys than this is not looked up by what would make them so many. */
const KEYS_MAX = 32

/** The mask of a rule, and one key or several (a rule for three ports has three) under it. */
export class RuleKey {
  readonly mask = new Int32Array(KEY_WORDS)
  /** `count` keys of KEY_WORDS words each. */
  keys = new Int32Array(KEY_WORDS * KEYS_MAX)
  count = 0

  /** Reads the rule of an entry. */
  read(rules: Entries, entry: number): void {
    const { mask, keys } = this
    mask.fill(0)
    keys.fill(0, 0, KEY_WORDS)
    this.count = 1
    const tests = rules.testsOf(entry)
    const size = (rules.row - ADDRESSES) / 4
    if (!tests.sourceNot) this.#address(SOURCE, rules, entry, ADDRESSES, size)
    if (!tests.destinationNot) this.#address(DESTINATION, rules, entry, ADDRESSES + 2 * size, size)
    this.#ports(tests, true)
    this.#ports(tests, false)
    if (tests.markMask !== 0 && !tests.markNot) {
      mask[MARK] = tests.markMask
      this.#all(MARK, tests.mark)
    }
    this.#links(tests.inLinks, 0)
    this.#links(tests.outLinks, 16)
    // These have few values: they are only worth it where there is nothing better.
    if (mask.some((word) => word !== 0)) return
    if (tests.protocol !== 0 && !tests.protocolNot) {
      mask[OTHER] |= 0xff
      this.#all(OTHER, tests.protocol)
    }
    if (tests.states === -1) return
    mask[OTHER] |= 0xff00
    const states: number[] = []
    for (let ctinfo = 0; ctinfo < 8; ctinfo++) if ((tests.states & (1 << ctinfo)) !== 0) states.push(ctinfo << 8)
    this.#each(OTHER, states)
  }

  /** @param from where the address stands among the words of the entry; its mask follows  @param size words of each */
  #address(at: number, rules: Entries, entry: number, from: number, size: number): void {
    for (let i = 0; i < size; i++) {
      this.mask[at + i] = rules.word(entry, from + size + i)
      this.#all(at + i, rules.word(entry, from + i))
    }
  }

  #ports(tests: Tests, source: boolean): void {
    const shift = source ? 16 : 0
    let min = source ? tests.sportMin : tests.dportMin
    let max = source ? tests.sportMax : tests.dportMax
    if (!tests.ports || (min === 0 && max === 0xffff)) {
      const ranges = source ? tests.sports : tests.dports
      if (ranges === undefined) return
      if (ranges.every((port, i) => i % 2 === 0 || port === ranges[i - 1])) {
        if (!this.#fits(ranges.length / 2)) return
        this.mask[PORTS] |= 0xffff << shift
        return this.#each(
          PORTS,
          ranges.filter((_, i) => i % 2 === 0).map((port) => port << shift),
        )
      }
      min = Math.min(...ranges)
      max = Math.max(...ranges)
    }
    // What all ports of the range begin with.
    if (min > max) return
    const bits = Math.clz32(min ^ max) - 16
    const mask = (0xffff << (16 - bits)) & 0xffff
    if (mask === 0) return
    this.mask[PORTS] |= mask << shift
    this.#all(PORTS, (min & mask) << shift)
  }

  #links(links: Uint8Array | undefined, shift: number): void {
    if (links === undefined) return
    const matching: number[] = []
    for (let i = 0; i < links.length; i++) if (links[i] === 1) matching.push(i << shift)
    if (matching.length === 0 || matching.length > 4 || !this.#fits(matching.length)) return
    this.mask[LINKS] |= 0xffff << shift
    this.#each(LINKS, matching)
  }

  #fits(times: number): boolean {
    return this.count * times <= KEYS_MAX
  }

  /** Adds bits to every key. */
  #all(at: number, bits: number): void {
    for (let i = 0; i < this.count; i++) this.keys[i * KEY_WORDS + at] |= bits
  }

  /** Makes as many of every key as there are values. */
  #each(at: number, values: readonly number[]): void {
    const { keys, count } = this
    const size = count * KEY_WORDS
    for (let v = values.length - 1; v >= 0; v--) {
      if (v > 0) keys.copyWithin(v * size, 0, size)
      for (let i = 0; i < count; i++) keys[v * size + i * KEY_WORDS + at] |= values[v]
    }
    this.count = count * values.length
  }
}

// The hash is a sum of products, so that what is 0 under the mask costs nothing, and well mixed in the end. Two keys of one
// hash are no harm: the rule is then judged in vain.
const FACTORS = [
  0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1, 0x5bd1e995, 0xcc9e2d51, 0x1b873593, 0xe6546b65,
  0x38b34ae5, 0xa1e38b93, 0x2545f491,
] as const

/** The hash of a key under a mask; never 0. */
export function hashOfKey(keys: Int32Array, at: number, masks: Int32Array, m: number, seed: number): number {
  let h = seed
  for (let i = 0; i < KEY_WORDS; i++) h = (h + Math.imul(keys[at + i] & masks[m + i], FACTORS[i])) | 0
  return mixed(h)
}

/** The same of an IPv4 packet's fields. `m` is where the mask stands in `masks`. */
export function hashOfPacket4(p: Packet, masks: Int32Array, m: number, seed: number): number {
  return mixed(
    (seed +
      Math.imul(p.source & masks[m + SOURCE], FACTORS[SOURCE]) +
      Math.imul(p.destination & masks[m + DESTINATION], FACTORS[DESTINATION]) +
      others(p, masks, m)) |
      0,
  )
}

export function hashOfPacket6(p: Packet, masks: Int32Array, m: number, seed: number): number {
  const source =
    Math.imul(p.source & masks[m], FACTORS[0]) +
    Math.imul(p.source1 & masks[m + 1], FACTORS[1]) +
    Math.imul(p.source2 & masks[m + 2], FACTORS[2]) +
    Math.imul(p.source3 & masks[m + 3], FACTORS[3])
  const destination =
    Math.imul(p.destination & masks[m + 4], FACTORS[4]) +
    Math.imul(p.destination1 & masks[m + 5], FACTORS[5]) +
    Math.imul(p.destination2 & masks[m + 6], FACTORS[6]) +
    Math.imul(p.destination3 & masks[m + 7], FACTORS[7])
  return mixed((seed + source + destination + others(p, masks, m)) | 0)
}

function others(p: Packet, masks: Int32Array, m: number): number {
  return (
    (Math.imul(((p.sport << 16) | p.dport) & masks[m + PORTS], FACTORS[PORTS]) +
      Math.imul(p.mark & masks[m + MARK], FACTORS[MARK]) +
      Math.imul((p.inLink | (p.outLink << 16)) & masks[m + LINKS], FACTORS[LINKS]) +
      Math.imul((p.protocol | (p.ctinfo << 8)) & masks[m + OTHER], FACTORS[OTHER])) |
    0
  )
}

function mixed(sum: number): number {
  let h = sum ^ (sum >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return h === 0 ? 1 : h
}
