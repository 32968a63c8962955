// Changes of rules as the data plane takes them: piece by piece between rounds, put in force in one step, or not at all.

import type { Engine } from '../engine.ts'
import { BUILTIN } from '../iptables/builtin.ts'
import type { Build } from '../rule/build.ts'
import { revivedRun } from '../rule/run.ts'
import type { Order, Report } from './orders.ts'

export class RuleTaker {
  readonly #engine: Engine
  #build: Build | undefined
  #whole = false
  /** Why the change that is under way is not made; the pieces that still come are passed over. */
  #failure: unknown

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** All pieces of a change are there, and it has to be completed before anything else is taken. */
  get whole(): boolean {
    return this.#whole
  }

  take({ family, pieces, last }: Extract<Order, { kind: 'change' }>): void {
    this.#whole = last
    if (this.#failure !== undefined) return
    try {
      this.#build ??= this.#engine.beginChange(family)
      for (const piece of pieces)
        this.#build.take(
          piece.kind === 'rules' ? { kind: 'rules', run: revivedRun(piece.run, BUILTIN, family) } : piece,
        )
    } catch (error) {
      this.#failure = error
    }
  }

  /**
   * Goes on with a change that is whole, until soon after this reading of performance.now().
   * @returns what was done; undefined while there is more to do. Throws why it cannot be done; nothing is changed then.
   */
  complete(until: number): Extract<Report, { kind: 'changed' }> | undefined {
    const build = this.#build
    try {
      if (this.#failure !== undefined || build === undefined) throw this.#failure
      if (!build.complete(until)) return undefined
      const places = this.#engine.commitChange(build)
      this.#end()
      return { kind: 'changed', places, chunks: this.#engine.programOf(build.family).ledger.chunks }
    } catch (error) {
      build?.abandon()
      this.#end()
      throw error
    }
  }

  #end(): void {
    this.#build = undefined
    this.#failure = undefined
    this.#whole = false
  }
}
