// Which prefix lengths the members of a set have: a look-up tries these, from the most specific to the least, and no others.

export class PrefixLengths {
  /** Lengths that are there, the longest first. */
  readonly list = new Uint8Array(129)
  size = 0
  readonly #members = new Int32Array(129)

  add(length: number): void {
    if (this.#members[length]++ > 0) return
    let at = this.size++
    for (; at > 0 && this.list[at - 1] < length; at--) this.list[at] = this.list[at - 1]
    this.list[at] = length
  }

  remove(length: number): void {
    if (--this.#members[length] > 0) return
    this.list.copyWithin(this.list.indexOf(length), this.list.indexOf(length) + 1, this.size)
    this.size--
  }

  clone(): PrefixLengths {
    const copy = new PrefixLengths()
    copy.list.set(this.list)
    copy.size = this.size
    copy.#members.set(this.#members)
    return copy
  }
}
