// How often the router speaks by ICMPv6: Linux's limits. Per destination a bucket that refills with one error each
// net.ipv6.icmp.ratelimit milliseconds and holds six of them; redirects draw from the same buckets, at a second each.

import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import * as icmpv6 from '../wire/icmpv6.ts'
import type { IcmpCredit } from './rate.ts'

const BURST = 6
const REDIRECT_COST = 1000
/** What a destination begins with: a bucket that has filled for a minute. */
const INITIAL = 60_000
/** Destinations that are remembered; the oldest is forgotten for a new one. */
const PEERS = 4096

interface Peer {
  tokens: number
  last: number
}

export class IcmpRate6 {
  readonly #time: Time
  readonly #limit: number
  readonly #credit: IcmpCredit
  readonly #peers = new Map<string, Peer>()

  constructor(time: Time, sysctl: Sysctl, credit: IcmpCredit) {
    this.#time = time
    this.#limit = sysctl['net.ipv6.icmp.ratelimit']
    this.#credit = credit
  }

  /** May an error of this type go to this address now? "Packet too big" always may (net.ipv6.icmp.ratemask). */
  allow(address: readonly number[], type: number): boolean {
    if (type === icmpv6.PACKET_TOO_BIG || !icmpv6.isError(type)) return true
    if (!this.#credit.draw()) return false
    return this.#limit === 0 || this.#draw(address, this.#limit)
  }

  /** May a redirect about this address, or to it, be sent now? */
  allowRedirect(address: readonly number[]): boolean {
    return this.#draw(address, REDIRECT_COST)
  }

  #draw(address: readonly number[], cost: number): boolean {
    const peer = this.#peer(address)
    const { wall } = this.#time
    const tokens = Math.min(peer.tokens + wall - peer.last, BURST * cost)
    peer.last = wall
    const allowed = tokens >= cost
    peer.tokens = allowed ? tokens - cost : tokens
    return allowed
  }

  #peer([word0, word1, word2, word3]: readonly number[]): Peer {
    const key = `${word0},${word1},${word2},${word3}`
    let peer = this.#peers.get(key)
    if (peer === undefined) {
      if (this.#peers.size >= PEERS) this.#peers.delete(this.#peers.keys().next().value as string)
      peer = { tokens: 0, last: this.#time.wall - INITIAL }
      this.#peers.set(key, peer)
    }
    return peer
  }
}
