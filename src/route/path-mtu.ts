// What the router has learned of the MTU of paths (RFC 1191, RFC 8201): by destination, as exceptions of the route by which the
// destination is reached. One lasts for ten minutes, and no longer than its route.

import type { Time } from '../time.ts'
import type { RouteEntry, Words } from './entry.ts'

/** Milliseconds (net.ipv4.route.mtu_expires, net.ipv6.route.mtu_expires). */
const LIFETIME = 600_000
/** What is remembered at once; who learns more forgets the oldest. */
const DESTINATIONS_MAX = 4096

export interface PathMtu {
  readonly entry: RouteEntry | undefined
  readonly mtu: number
  /** The path's MTU was said to be smaller than is believed: it counts for what is forwarded as well. */
  readonly locked: boolean
  readonly expires: number
}

export class PathMtus {
  readonly #time: Time
  readonly #known = new Map<number | string, PathMtu>()
  /** Called when something is learned: what was decided before may be wrong. */
  onLearned = () => {}

  constructor(time: Time) {
    this.#time = time
  }

  /** Nothing is known: look-ups need not ask. */
  get isEmpty(): boolean {
    return this.#known.size === 0
  }

  /** @param entry the route that a look-up of the destination found */
  find(destination: Words, entry: RouteEntry | undefined): PathMtu | undefined {
    const key = keyOf(destination)
    const known = this.#known.get(key)
    if (known === undefined) return undefined
    if (known.entry === entry && ((known.expires - this.#time.now) | 0) > 0) return known
    this.#known.delete(key)
    return undefined
  }

  learn(destination: Words, entry: RouteEntry | undefined, mtu: number, locked: boolean): void {
    const key = keyOf(destination)
    this.#known.delete(key)
    if (this.#known.size >= DESTINATIONS_MAX)
      for (const [oldest] of this.#known) {
        this.#known.delete(oldest)
        break
      }
    this.#known.set(key, { entry, mtu, locked, expires: (this.#time.now + LIFETIME) | 0 })
    this.onLearned()
  }
}

function keyOf(address: Words): number | string {
  return address.length === 1 ? address[0] : address.join()
}
