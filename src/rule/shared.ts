// State that several rules share by a name (the lists of `recent`, the tables of `hashlimit`), and that outlives a change of
// rules. As in Linux it lives for as long as a rule names it: a new generation takes what it names while it is made, and
// only when it is in force lets go of what the rules that are gone had named.

interface Named {
  readonly state: unknown
  users: number
}

export class Shared {
  readonly #states = new Map<string, Named>()
  #taken: string[] = []

  /** The state of this kind and name; made by the first rule that asks. */
  of<T>(kind: string, name: string, make: () => T): T {
    const key = `${kind} ${name}`
    let named = this.#states.get(key)
    if (named === undefined) {
      named = { state: make(), users: 0 }
      this.#states.set(key, named)
    }
    named.users++
    this.#taken.push(key)
    return named.state as T
  }

  /** The state of this kind and name, where there is one. */
  find<T>(kind: string, name: string): T | undefined {
    return this.#states.get(`${kind} ${name}`)?.state as T | undefined
  }

  /** How many have it. */
  users(kind: string, name: string): number {
    return this.#states.get(`${kind} ${name}`)?.users ?? 0
  }

  /** Every state of a kind, in the order in which they were made. */
  all<T>(kind: string): T[] {
    return [...this.#states].filter(([key]) => key.startsWith(`${kind} `)).map(([, { state }]) => state as T)
  }

  /** What was asked for since the last call; whoever asked lets go of each in the end. */
  taken(): readonly string[] {
    const taken = this.#taken
    if (taken.length > 0) this.#taken = []
    return taken
  }

  /** Who had these is gone. */
  release(keys: readonly string[]): void {
    for (const key of keys) {
      const named = this.#states.get(key)
      if (named !== undefined && --named.users === 0) this.#states.delete(key)
    }
  }
}
