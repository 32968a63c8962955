// A data plane in the same thread, for tests of what talks to one: an engine that takes changes of rules as the gateway's worker does,
// through messages that have crossed from one thread to another.

import type { Plane } from '../../src/control/commands.ts'
import type { Order } from '../../src/gateway/orders.ts'
import { RuleSender } from '../../src/gateway/rule-sender.ts'
import { RuleTaker } from '../../src/gateway/rule-taker.ts'
import type { CountsOf } from '../../src/rule/counters.ts'
import type { RuleSet } from '../../src/rule/model.ts'
import { Router } from '../engine/router.ts'

export class DataPlane implements Plane {
  readonly router = new Router()
  readonly engine = this.router.engine
  /** Sizes of the changes so far, as text. */
  readonly sizes: number[] = []
  readonly #taker = new RuleTaker(this.engine)
  readonly #sender = new RuleSender((order) => this.#take(structuredClone(order)))
  #size = 0

  change(before: RuleSet, after: RuleSet): Promise<CountsOf> {
    this.#size = 0
    const changed = this.#sender.change(before, after)
    this.sizes.push(this.#size)
    return changed
  }

  #take(order: Order): void {
    this.#size += JSON.stringify(order).length
    if (order.kind !== 'change') throw new Error(`an order of kind ${order.kind}`)
    this.#taker.take(order)
    try {
      while (this.#taker.isBusy) {
        // A clock that is always over: the smallest steps.
        const changed = this.#taker.goOn(0)
        if (changed !== undefined) this.#sender.changed(changed)
      }
    } catch (error) {
      this.#sender.failed(error as Error)
    }
  }
}
