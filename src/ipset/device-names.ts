// Names of devices in sets of hash:net,iface as numbers, so that they fit into a key's word. A name stays known as long as
// some member has it.

export class DeviceNames {
  #numbers = new Map<string, number>()
  #names: string[] = []
  #members: number[] = []
  /** Names that stand for every name that begins so, each with how many members say so. */
  #wildcards = new Map<number, number>()
  /** What the names of packets' devices stand for, worked out when first asked. */
  #candidates = new Map<string, readonly number[]>()

  name(number: number): string {
    return this.#names[number]
  }

  /** -1 where no member has it. */
  number(name: string): number {
    return this.#numbers.get(name) ?? -1
  }

  /** Numbers of members that may mean a device: its own name's first, then beginnings of it. */
  candidates(name: string): readonly number[] {
    let found = this.#candidates.get(name)
    if (found === undefined) {
      const own = this.number(name)
      found = own < 0 ? [] : [own]
      for (const number of this.#wildcards.keys())
        if (number !== own && name.startsWith(this.#names[number])) (found as number[]).push(number)
      // Packets have few devices; commands may ask for any number of names.
      if (this.#candidates.size >= 256) this.#candidates.clear()
      this.#candidates.set(name, found)
    }
    return found
  }

  /** A member has this name. */
  take(name: string): number {
    let number = this.number(name)
    if (number < 0) {
      number = this.#members.indexOf(0)
      if (number < 0) number = this.#names.length
      this.#names[number] = name
      this.#members[number] = 0
      this.#numbers.set(name, number)
      this.#candidates.clear()
    }
    this.#members[number]++
    return number
  }

  /** A member that had it is gone. */
  give(number: number): void {
    if (--this.#members[number] > 0) return
    this.#numbers.delete(this.#names[number])
    this.#candidates.clear()
  }

  /** A member became a wildcard, or is none any more. */
  setWildcard(number: number, is: boolean): void {
    const members = (this.#wildcards.get(number) ?? 0) + (is ? 1 : -1)
    if (members > 0) this.#wildcards.set(number, members)
    else this.#wildcards.delete(number)
    this.#candidates.clear()
  }

  clone(): DeviceNames {
    const copy = new DeviceNames()
    copy.#numbers = new Map(this.#numbers)
    copy.#names = [...this.#names]
    copy.#members = [...this.#members]
    copy.#wildcards = new Map(this.#wildcards)
    return copy
  }
}
