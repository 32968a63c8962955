// Objects that are known by a number, each for as long as somebody uses it.

export class Shelf<T> {
  /** By number; undefined where a number is nobody's. */
  readonly all: (T | undefined)[] = []
  readonly #uses: number[] = []
  readonly #free: number[] = []

  /** Puts something there that nobody uses yet; gives its number. */
  put(thing: T): number {
    const number = this.#free.pop() ?? this.all.length
    this.all[number] = thing
    this.#uses[number] = 0
    return number
  }

  use(number: number): void {
    this.#uses[number]++
  }

  /** One user less; with the last one it goes. */
  release(number: number): void {
    if (--this.#uses[number] > 0) return
    this.all[number] = undefined
    this.#free.push(number)
  }
}
