// The routing tables of one family, by number, and what may be done to them (fib_table_insert and fib_table_delete, ip6_route_add
// and ip6_route_del). A table is there as soon as it has had a route.

import { type RouteEntry, sameKey, samePrefix } from './entry.ts'

/** As flags of RTM_NEWROUTE: what is to happen where there is such a route already, and where there is none. */
export type Insertion = 'add' | 'append' | 'prepend' | 'replace' | 'change'

/** Why something could not be done; the names are errno's. */
export type Refusal = 'EEXIST' | 'ENOENT' | 'ESRCH'

export class RouteTables {
  readonly #byNumber = new Map<number, readonly RouteEntry[]>()

  /** In ascending order. */
  get numbers(): number[] {
    return [...this.#byNumber.keys()].sort((a, b) => a - b)
  }

  entries(table: number): readonly RouteEntry[] {
    return this.#byNumber.get(table) ?? []
  }

  /** Of all tables. */
  get all(): readonly RouteEntry[] {
    return this.numbers.flatMap((number) => this.entries(number))
  }

  insert(entry: RouteEntry, how: Insertion): Refusal | undefined {
    const entries = this.entries(entry.table)
    const first = entries.findIndex((other) => sameKey(other, entry))
    if (first < 0) {
      if (how === 'change') return 'ENOENT'
      this.#set(entry.table, [...entries, entry])
      return undefined
    }
    if (how === 'add') return 'EEXIST'
    if (how === 'replace' || how === 'change') this.#set(entry.table, entries.with(first, entry))
    else if (entries.some((other) => sameKey(other, entry) && sameRoute(other, entry))) return 'EEXIST'
    else this.#set(entry.table, how === 'prepend' ? entries.toSpliced(first, 0, entry) : [...entries, entry])
    return undefined
  }

  /** Takes away the first route of a table that `fits`; of equal prefixes the one with the least metric. */
  remove(table: number, fits: (entry: RouteEntry) => boolean): Refusal | undefined {
    const entries = this.entries(table)
    let best: RouteEntry | undefined
    for (const entry of entries) {
      if (!fits(entry)) continue
      if (best === undefined || (samePrefix(best, entry) && entry.metric < best.metric)) best = entry
    }
    if (best === undefined) return 'ESRCH'
    this.drop((entry) => entry === best)
    return undefined
  }

  /** Takes away all routes that fit; gives how many. */
  drop(fits: (entry: RouteEntry) => boolean): number {
    let dropped = 0
    for (const [number, entries] of this.#byNumber) {
      const kept = entries.filter((entry) => !fits(entry))
      dropped += entries.length - kept.length
      if (kept.length < entries.length) this.#set(number, kept)
    }
    return dropped
  }

  /** Puts another route in the place of one. */
  exchange(entry: RouteEntry, other: RouteEntry): void {
    this.#set(
      entry.table,
      this.entries(entry.table).map((each) => (each === entry ? other : each)),
    )
  }

  #set(table: number, entries: readonly RouteEntry[]): void {
    this.#byNumber.set(table, entries)
  }
}

/** The very same route, which cannot be there twice. */
function sameRoute(a: RouteEntry, b: RouteEntry): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
