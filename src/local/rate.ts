// How often the router speaks: Linux's limits on ICMP. Per destination a bucket that refills with one message each
// icmp_ratelimit milliseconds and holds six; over all destinations icmp_msgs_per_sec; redirects back off exponentially and
// fall silent after nine. A destination that was never seen begins with a full bucket, so forgetting one is harmless.

import type { Sysctl } from '../sysctl.ts'
import type { Time } from '../time.ts'
import * as icmp from '../wire/icmp.ts'

const BURST = 6
/** What is unroutable pays twice: once here, with a smaller bucket, and then like every ICMP error. */
const ROUTE_ERROR_COST = 1000
const ROUTE_ERROR_BURST = 5
const REDIRECT_SILENCE = 20_480
const REDIRECT_LOAD = 20
const REDIRECT_NUMBER = 9
/** Destinations that are remembered; the oldest is forgotten for a new one. */
const PEERS = 4096

/** How many messages the router sends to all destinations together, of both families (icmp_msgs_per_sec). */
export class IcmpCredit {
  readonly #time: Time
  readonly #perSecond: number
  readonly #burst: number
  #credit: number
  #stamp: number

  constructor(time: Time, sysctl: Sysctl) {
    this.#time = time
    this.#perSecond = sysctl['net.ipv4.icmp_msgs_per_sec']
    this.#burst = sysctl['net.ipv4.icmp_msgs_burst']
    this.#credit = this.#burst
    this.#stamp = time.wall
  }

  draw(): boolean {
    const { wall } = this.#time
    this.#credit = Math.min(this.#burst, this.#credit + ((wall - this.#stamp) * this.#perSecond) / 1000)
    this.#stamp = wall
    if (this.#credit < 1) return false
    this.#credit--
    return true
  }
}

interface Peer {
  tokens: number
  last: number
  redirects: number
}

export class IcmpRate {
  readonly #time: Time
  readonly #limit: number
  readonly #mask: number
  readonly #credit: IcmpCredit
  readonly #peers = new Map<number, Peer>()

  constructor(time: Time, sysctl: Sysctl, credit: IcmpCredit) {
    this.#time = time
    this.#limit = sysctl['net.ipv4.icmp_ratelimit']
    this.#mask = sysctl['net.ipv4.icmp_ratemask']
    this.#credit = credit
  }

  /** May a message of this type and code go to this address now? */
  allow(destination: number, type: number, code: number): boolean {
    if (((1 << type) & this.#mask) === 0) return true
    if (type === icmp.DEST_UNREACHABLE && code === icmp.FRAGMENTATION_NEEDED) return true
    if (!this.#credit.draw()) return false
    if (this.#limit === 0) return true
    return this.#draw(destination, this.#limit, BURST)
  }

  /** Draws one message from a destination's bucket, which fills by time and holds `burst` of them. */
  #draw(destination: number, cost: number, burst: number): boolean {
    const peer = this.#peer(destination)
    const { wall } = this.#time
    const tokens = Math.min(peer.tokens + wall - peer.last, burst * cost)
    peer.last = wall
    const allowed = tokens >= cost
    peer.tokens = allowed ? tokens - cost : tokens
    return allowed
  }

  /** May this address be told now that there is no route? Asked before allow(), out of the same bucket. */
  allowRouteError(destination: number): boolean {
    return this.#draw(destination, ROUTE_ERROR_COST, ROUTE_ERROR_BURST)
  }

  /** May a redirect go to this address now? */
  allowRedirect(destination: number): boolean {
    const peer = this.#peer(destination)
    const { wall } = this.#time
    if (wall > peer.last + REDIRECT_SILENCE) {
      peer.tokens = 0
      peer.redirects = 0
    }
    if (peer.redirects >= REDIRECT_NUMBER) {
      peer.last = wall
      return false
    }
    if (peer.redirects > 0 && wall <= peer.last + (REDIRECT_LOAD << peer.redirects)) return false
    peer.last = wall
    peer.redirects++
    return true
  }

  #peer(address: number): Peer {
    let peer = this.#peers.get(address)
    if (peer === undefined) {
      if (this.#peers.size >= PEERS) this.#peers.delete(this.#peers.keys().next().value as number)
      peer = { tokens: 0, last: this.#time.wall - 60_000, redirects: 0 }
      this.#peers.set(address, peer)
    }
    return peer
  }
}
