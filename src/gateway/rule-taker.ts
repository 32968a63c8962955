// Changes of rules as the data plane takes them: piece by piece between rounds, put in force in one step, or not at all.

import type { Engine } from '../engine.ts'
import { BUILTIN } from '../iptables/builtin.ts'
import type { Build } from '../rule/build.ts'
import type { Piece } from '../rule/change.ts'
import { type PlainRun, revivedRun } from '../rule/run.ts'
import type { Order, Report } from './orders.ts'

type Change = Extract<Order, { kind: 'change' }>

export class RuleTaker {
  readonly #engine: Engine
  #build: Build | undefined
  /** What came and is not taken in yet. */
  #pieces: readonly Piece<PlainRun>[] = []
  #next = 0
  #isBegun = false
  /** All pieces of the change are there. */
  #whole = false
  /** Why the change that is under way is not made; the pieces that still come are passed over. */
  #failure: unknown
  /** It is in force, or is not made, and what is no more goes. */
  #clearing = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** There is something to do before anything else is taken: goOn(). */
  get isBusy(): boolean {
    return this.#next < this.#pieces.length || this.#whole || this.#clearing
  }

  take({ family, pieces, last }: Change): void {
    this.#whole = last
    if (this.#failure !== undefined) return
    this.#pieces = pieces
    this.#next = 0
    try {
      this.#build ??= this.#engine.beginChange(family)
    } catch (error) {
      this.#failure = error
    }
  }

  /**
   * Goes on with what there is to do, until soon after this reading of performance.now().
   * @returns what was done when the change has come in force; undefined otherwise. Throws why it is not made; nothing is changed then.
   */
  goOn(until: number): Extract<Report, { kind: 'changed' }> | undefined {
    const build = this.#build
    if (this.#clearing) {
      if (build?.clear(until) === false) return undefined
      this.#build = undefined
      this.#clearing = false
      return undefined
    }
    try {
      if (this.#failure === undefined && build !== undefined && !this.#takeIn(build, until)) return undefined
    } catch (error) {
      this.#failure = error
    }
    if (this.#failure !== undefined) this.#pieces = []
    if (!this.#whole) return undefined
    try {
      if (this.#failure !== undefined || build === undefined) throw this.#failure
      if (!build.complete(until)) return undefined
      const places = this.#engine.commitChange(build)
      this.#end()
      return { kind: 'changed', places, chunks: this.#engine.programOf(build.family).entries.counters }
    } catch (error) {
      build?.abandon()
      this.#end()
      throw error
    }
  }

  /** @returns true when all that came is taken in */
  #takeIn(build: Build, until: number): boolean {
    while (this.#next < this.#pieces.length) {
      const isWhole = this.#isBegun ? build.goOn(until) : build.take(this.#revived(build), until)
      this.#isBegun = !isWhole
      if (isWhole) this.#next++
      if (performance.now() >= until) break
    }
    return this.#next === this.#pieces.length
  }

  #revived({ family }: Build): Piece {
    const piece = this.#pieces[this.#next]
    return piece.kind === 'rules' ? { kind: 'rules', run: revivedRun(piece.run, BUILTIN, family) } : piece
  }

  #end(): void {
    this.#pieces = []
    this.#next = 0
    this.#isBegun = false
    this.#failure = undefined
    this.#whole = false
    this.#clearing = true
  }
}
