// State that several rules share by a name (the lists of `recent`, the tables of `hashlimit`), and that outlives a change of
// rules. As in Linux it lives for as long as a rule names it: what the new generation did not ask for while it was made
// is gone when it is in force.

export class Shared {
  readonly #states = new Map<string, unknown>()
  readonly #asked = new Set<string>()

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

  /** A generation of rules is about to be made. */
  begin(): void {
    this.#asked.clear()
  }

  /** The generation is in force, and the one before it is gone. */
  commit(): void {
    for (const key of this.#states.keys()) if (!this.#asked.has(key)) this.#states.delete(key)
  }
}
