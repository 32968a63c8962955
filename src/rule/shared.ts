// State that several rules share by a name (the lists of `recent`, the tables of `hashlimit`), and that outlives a change of
// rules. As in Linux it lives for as long as a rule of either family names it: what neither the new generation asked for while
// it was made, nor the other family's, is gone when it is in force.

import type { Family } from './model.ts'

export class Shared {
  readonly #states = new Map<string, unknown>()
  readonly #askedBy: Record<Family, Set<string>> = { 4: new Set(), 6: new Set() }
  #asked = this.#askedBy[4]

  /** The state of this kind and name; made by the first rule that asks. */
  of<T>(kind: string, name: string, make: () => T): T {
    const key = `${kind} ${name}`
    this.#asked.add(key)
    const found = this.#states.get(key)
    if (found !== undefined) return found as T
    const made = make()
    this.#states.set(key, made)
    return made
  }

  /** Every state of a kind, in the order in which they were made. */
  all<T>(kind: string): T[] {
    return [...this.#states].filter(([key]) => key.startsWith(`${kind} `)).map(([, state]) => state as T)
  }

  /** A generation of a family's rules is about to be made. */
  begin(family: Family): void {
    this.#asked = this.#askedBy[family]
    this.#asked.clear()
  }

  /** The generation is in force, and the one before it is gone. */
  commit(): void {
    const { 4: asked4, 6: asked6 } = this.#askedBy
    for (const key of this.#states.keys()) if (!asked4.has(key) && !asked6.has(key)) this.#states.delete(key)
  }
}
