// What a command's element stands for: ranges of addresses and ports as single keys, ranges of networks as the fewest
// prefixes that cover them. Keys come one by one, in order, each with what it has in META_KEY; the first one that fails ends
// it, and those before stay done. What the kernel refuses before it looks at any member is refused here, in its order.

import type { Addresses, Element } from './element.ts'
import * as fault from './fault.ts'
import type { HashSet } from './hash-set.ts'
import { MEMBERS_MAX, prefixesOf, span } from './portions.ts'
import { PHYSDEV } from './records.ts'
import { maskWord } from './words.ts'

/** The key is the set's; @returns a fault */
type Visit = (meta: number) => number

export class Expansion {
  readonly #set: HashSet
  readonly #element: Element

  constructor(set: HashSet, element: Element) {
    this.#set = set
    this.#element = element
  }

  /** Only the first key, as a test asks for. */
  first(visit: Visit): number {
    return this.#expand(visit, true)
  }

  each(visit: Visit): number {
    return this.#expand(visit, false)
  }

  #expand(visit: Visit, firstOnly: boolean): number {
    const { layout, key } = this.#set
    const { parts, offsets } = layout
    const element = this.#element
    const wrong = this.#check()
    if (wrong !== fault.OK) return wrong
    // From the last part to the first, each wrapping the loop over what follows it.
    let left = MEMBERS_MAX
    let step: Visit = (meta) => {
      if (left-- === 0) return fault.RANGE_TOO_LARGE
      layout.applyMask(key)
      return visit(meta)
    }
    for (let i = parts.length - 1; i >= 0; i--) {
      const next = step
      const at = offsets[i]
      const addresses = i === 0 ? element.first : element.second
      switch (parts[i]) {
        case 'ip':
          step = (meta) => this.#addresses(addresses as Addresses, at, meta, next, firstOnly)
          break
        case 'net': {
          const shift = layout.nets.indexOf(at) * 8
          step = (meta) => this.#networks(addresses as Addresses, at, shift, meta, next, firstOnly)
          break
        }
        case 'port':
          step = (meta) => this.#ports(at, meta, next, firstOnly)
          break
        case 'iface':
          step = (meta) => {
            this.#set.setDevice(element.iface)
            return next(meta | (element.physdev ? PHYSDEV : 0))
          }
          break
        case 'mark':
          step = (meta) => {
            key[at] = element.mark & layout.markMask
            return next(meta)
          }
          break
        default:
          step = (meta) => {
            key[at] = element.mac?.[0] ?? 0
            key[at + 1] = element.mac?.[1] ?? 0
            return next(meta)
          }
      }
    }
    return step(0)
  }

  /** What is wrong with the element whatever members there are. */
  #check(): number {
    const { layout, settings } = this.#set
    const { parts } = layout
    const element = this.#element
    if (parts.includes('mac') && element.mac?.every((word) => word === 0)) return fault.NULL_ELEMENT
    for (const [i, part] of parts.entries()) {
      const addresses = i === 0 ? element.first : element.second
      if (addresses === undefined || (part !== 'ip' && part !== 'net')) continue
      if (part === 'ip' && i === 0) {
        const first = new Int32Array(layout.words)
        first.set(addresses.ip)
        if (!layout.maskFirst(first)) return parts.length === 1 ? fault.NULL_ELEMENT : fault.INVALID
      }
      if (addresses.length === 0 && !ZERO_LENGTH.has(settings.type.name)) return fault.INVALID_CIDR
      if (part === 'net' && addresses.to !== undefined) {
        const { from, to } = span(addresses)
        if (from === 0 && to === 0xffffffff) return fault.WHOLE_RANGE
      }
    }
    return fault.OK
  }

  /** Distance of neighbouring addresses of a set with a netmask. */
  #stride(): number {
    const { netmask } = this.#set.settings
    return netmask === undefined || this.#set.layout.family === 6 ? 1 : 2 ** (32 - netmask)
  }

  #addresses(addresses: Addresses, at: number, meta: number, next: Visit, firstOnly: boolean): number {
    const { key, layout } = this.#set
    if (layout.family === 6 || firstOnly) {
      key.set(addresses.ip, at)
      return next(meta)
    }
    const stride = this.#stride()
    const { from, to } = span(addresses)
    for (let ip = from - (from % stride); ip <= to; ip += stride) {
      key[at] = ip | 0
      const wrong = next(meta)
      if (wrong !== fault.OK) return wrong
    }
    return fault.OK
  }

  #networks(addresses: Addresses, at: number, shift: number, meta: number, next: Visit, firstOnly: boolean): number {
    const { key, layout } = this.#set
    if (addresses.to === undefined || firstOnly) {
      const length = addresses.length ?? layout.host
      for (const [i, word] of addresses.ip.entries()) key[at + i] = word & maskWord(length, i)
      return next(meta | (length << shift))
    }
    for (const { ip, length } of prefixesOf(span(addresses))) {
      key[at] = ip | 0
      const wrong = next(meta | (length << shift))
      if (wrong !== fault.OK) return wrong
    }
    return fault.OK
  }

  #ports(at: number, meta: number, next: Visit, firstOnly: boolean): number {
    const { key } = this.#set
    const { protocol, port, portTo } = this.#element
    const last = firstOnly ? port : Math.max(port, portTo)
    for (let each = firstOnly ? port : Math.min(port, portTo); each <= last; each++) {
      key[at] = (protocol << 16) | each
      const wrong = next(meta)
      if (wrong !== fault.OK) return wrong
    }
    return fault.OK
  }
}

/** Sets that take a network of length 0, which every address is in. */
const ZERO_LENGTH = new Set(['hash:net,iface', 'hash:net,port,net'])
