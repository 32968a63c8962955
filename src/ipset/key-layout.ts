// Where the parts of a hash set's members stand in the key, and how addresses in it are masked.

import type { Settings } from './settings.ts'
import type { Part } from './type.ts'
import { bits, maskWord, type SetFamily, wordsOf } from './words.ts'

export class KeyLayout {
  readonly parts: readonly Part[]
  /** Word at which each part begins. */
  readonly offsets: readonly number[]
  readonly words: number
  readonly family: SetFamily
  /** Words at which the networks begin, one or two or none. */
  readonly nets: readonly number[]
  /** Word of the device's number, -1 where there is none. */
  readonly device: number
  readonly markMask: number
  /** Mask of the first address, or of both networks (netmask, bitmask). */
  readonly mask: readonly number[] | undefined

  constructor({ type, family, netmask, bitmask, markmask = -1 }: Settings) {
    this.family = family || 4
    this.parts = type.parts
    const size = (part: Part) => (part === 'ip' || part === 'net' ? wordsOf(this.family) : part === 'mac' ? 2 : 1)
    let at = 0
    this.offsets = type.parts.map((part) => {
      at += size(part)
      return at - size(part)
    })
    this.words = at
    this.nets = this.offsets.filter((_, i) => type.parts[i] === 'net')
    const device = type.parts.indexOf('iface')
    this.device = device < 0 ? -1 : this.offsets[device]
    this.markMask = markmask | 0
    this.mask =
      netmask === undefined ? bitmask : Array.from({ length: wordsOf(this.family) }, (_, i) => maskWord(netmask, i))
  }

  /** Copies network i from one key to another with the bits behind the prefix cleared. */
  maskNet(i: number, length: number, from: Int32Array, to: Int32Array): void {
    const at = this.nets[i]
    if (this.family === 4) to[at] = from[at] & maskWord(length, 0)
    else for (let word = 0; word < 4; word++) to[at + word] = from[at + word] & maskWord(length, word)
  }

  /** Applies the set's own mask; false where nothing is left of an address that must not be null. */
  maskFirst(key: Int32Array): boolean {
    const { mask } = this
    if (mask !== undefined) this.applyMask(key)
    // Only hash:ip, and hash:ip,port, refuse the null address.
    if (this.parts[0] !== 'ip' || this.parts.length > 2 || (this.parts.length === 2 && this.parts[1] !== 'port'))
      return true
    for (let i = 0; i < wordsOf(this.family); i++) if (key[i] !== 0) return true
    return false
  }

  applyMask(key: Int32Array): void {
    const { mask } = this
    if (mask === undefined) return
    for (let i = 0; i < mask.length; i++) key[i] &= mask[i]
    if (this.nets.length === 2) for (let i = 0; i < mask.length; i++) key[this.nets[1] + i] &= mask[i]
  }

  get host(): number {
    return bits(this.family)
  }
}
