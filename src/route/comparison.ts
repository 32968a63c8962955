// What a policy rule asks of a look-up, as plain numbers (fib_rule_match, and what each family adds).

import { maskWords6 } from '../wire/address6.ts'
import type { Words } from './entry.ts'
import type { FlowKey } from './key.ts'

export interface RulePrefix {
  readonly network: Words
  readonly length: number
}

/** Ports from `low` to `high`. */
export interface PortRange {
  readonly low: number
  readonly high: number
}

/** Whom a rule is for; what is left out is not asked. */
export interface Selector {
  readonly from?: RulePrefix
  readonly to?: RulePrefix
  /** Names of devices, which need not be there. */
  readonly iif?: string
  readonly oif?: string
  readonly mark?: number
  /** Bits of the mark that count; where it is left out all, or none for the mark 0. */
  readonly mask?: number
  /** Without the two bits for congestion. */
  readonly tos?: number
  readonly ipproto?: number
  readonly sport?: PortRange
  readonly dport?: PortRange
}

/** IPv4's rules look at these bits of TOS alone. */
export const RFC1349_TOS = 0x1c

/** The device of a rule that is not there: no packet comes or goes by it. */
const NOWHERE = -1

export class Comparison {
  readonly #from: readonly number[] | undefined
  readonly #fromMask: readonly number[]
  readonly #to: readonly number[] | undefined
  readonly #toMask: readonly number[]
  readonly #inLink: number
  readonly #outLink: number
  readonly #mark: number
  readonly #mask: number
  readonly #tos: number
  readonly #protocol: number
  readonly #sport: PortRange | undefined
  readonly #dport: PortRange | undefined

  /** @param linkOf the index of a device by its name, 0 where there is none */
  constructor(selector: Selector, linkOf: (name: string) => number) {
    const index = (name: string | undefined) => (name === undefined ? 0 : linkOf(name) || NOWHERE)
    const { from, to, iif, oif, mark = 0, mask = mark === 0 ? 0 : -1, tos = 0, ipproto = 0, sport, dport } = selector
    this.#from = network(from)
    this.#fromMask = maskWords6(from?.length ?? 0)
    this.#to = network(to)
    this.#toMask = maskWords6(to?.length ?? 0)
    this.#inLink = index(iif)
    this.#outLink = index(oif)
    this.#mark = mark
    this.#mask = mask
    this.#tos = tos
    this.#protocol = ipproto
    this.#sport = sport
    this.#dport = dport
  }

  fits(key: FlowKey): boolean {
    if (this.#inLink !== 0 && this.#inLink !== key.inLink) return false
    if (this.#outLink !== 0 && this.#outLink !== key.outLink) return false
    if (((this.#mark ^ key.mark) & this.#mask) !== 0) return false
    if (this.#tos !== 0 && this.#tos !== (key.isIPv6 ? key.tos : key.tos & RFC1349_TOS)) return false
    if (this.#protocol !== 0 && this.#protocol !== key.protocol) return false
    if (!within(this.#sport, key.sport) || !within(this.#dport, key.dport)) return false
    return this.#fitsSource(key) && this.#fitsDestination(key)
  }

  #fitsSource(key: FlowKey): boolean {
    const from = this.#from
    if (from === undefined) return true
    const mask = this.#fromMask
    return (
      ((from[0] ^ key.source) & mask[0]) === 0 &&
      (from.length === 1 ||
        (key.hasSource &&
          (((from[1] ^ key.source1) & mask[1]) |
            ((from[2] ^ key.source2) & mask[2]) |
            ((from[3] ^ key.source3) & mask[3])) ===
            0))
    )
  }

  #fitsDestination(key: FlowKey): boolean {
    const to = this.#to
    if (to === undefined) return true
    const mask = this.#toMask
    return (
      ((to[0] ^ key.destination) & mask[0]) === 0 &&
      (to.length === 1 ||
        (((to[1] ^ key.destination1) & mask[1]) |
          ((to[2] ^ key.destination2) & mask[2]) |
          ((to[3] ^ key.destination3) & mask[3])) ===
          0)
    )
  }
}

function network(prefix: RulePrefix | undefined): Words | undefined {
  return prefix === undefined || prefix.length === 0 ? undefined : prefix.network
}

function within(range: PortRange | undefined, port: number): boolean {
  return range === undefined || (port >= range.low && port <= range.high)
}
