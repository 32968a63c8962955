// An immutable map of which another is made that differs in a few keys: what that costs does not depend on how many keys there
// are (kube-proxy has tens of thousands of chains). Versions share one map that nobody changes, and each has what differs from
// it beside it. What always holds: nothing that was handed out changes; keys keep their order, one that comes again stands where it stood, and new ones come last.

type Changes<V> = ReadonlyMap<string, V | undefined>

/** So many keys may differ from the map that is shared; beyond, one is made anew. About the square root balances both costs. */
function mostChanges(size: number): number {
  return 64 + 2 * Math.sqrt(size)
}

/** The same map, with these values in it and without the keys whose change is undefined. */
export function changedMap<V>(map: ReadonlyMap<string, V>, changes: Changes<V>): ReadonlyMap<string, V> {
  const version = map instanceof VersionedMap ? (map as VersionedMap<V>) : new VersionedMap(map, new Map())
  const all = new Map(version.changes)
  for (const [key, value] of changes) all.set(key, value)
  const after = new VersionedMap(version.shared, all)
  return all.size <= mostChanges(version.shared.size) ? after : new Map(after)
}

/** Keys of which the two do not have the same value: those of both where nothing is shared, and then all are looked at. */
export function* differences<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): Generator<string> {
  if (before === after) return
  const [a, b] = [partsOf(before), partsOf(after)]
  const [first, second] = a.shared === b.shared ? [a.changes, b.changes] : [before, after]
  for (const key of first.keys()) if (before.get(key) !== after.get(key)) yield key
  for (const key of second.keys()) if (!first.has(key) && before.get(key) !== after.get(key)) yield key
}

function partsOf<V>(map: ReadonlyMap<string, V>): { shared: ReadonlyMap<string, V>; changes: Changes<V> } {
  return map instanceof VersionedMap ? (map as VersionedMap<V>) : { shared: map, changes: new Map() }
}

class VersionedMap<V> implements ReadonlyMap<string, V> {
  readonly shared: ReadonlyMap<string, V>
  readonly changes: Changes<V>
  readonly size: number

  constructor(shared: ReadonlyMap<string, V>, changes: Changes<V>) {
    this.shared = shared
    this.changes = changes
    let { size } = shared
    for (const [key, value] of changes) size += Number(value !== undefined) - Number(shared.has(key))
    this.size = size
  }

  get(key: string): V | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.shared.get(key)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  *entries(): MapIterator<[string, V]> {
    const { shared, changes } = this
    for (const entry of shared) {
      const [key] = entry
      if (!changes.has(key)) yield entry
      else {
        const value = changes.get(key)
        if (value !== undefined) yield [key, value]
      }
    }
    for (const [key, value] of changes) if (value !== undefined && !shared.has(key)) yield [key, value]
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries()
  }

  forEach(take: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) take(value, key, this)
  }
}
