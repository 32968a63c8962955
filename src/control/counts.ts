// The counters of the running generation as the control side reads them: shared memory that the data plane counts in, laid
// out as rule/program.ts does it (tables in the order of TABLE_NAMES, chains in theirs, each policy before its rules).

import { type Chain, type Counters, type Rule, type RuleSet, TABLE_NAMES } from '../rule/model.ts'

export class Counts {
  readonly #ruleSet: RuleSet
  readonly #values: Float64Array
  /** Made when it is first asked for. */
  #places: Map<object, number> | undefined

  constructor(ruleSet: RuleSet, values: Float64Array) {
    this.#ruleSet = ruleSet
    this.#values = values
  }

  readonly of = (of: Chain | Rule): Counters => {
    this.#places ??= this.#layOut()
    const place = this.#places.get(of)
    // A table that was never made has no place, and nothing was counted in it.
    return place === undefined ? of.counters : { packets: this.#values[place], bytes: this.#values[place + 1] }
  }

  #layOut(): Map<object, number> {
    const places = new Map<object, number>()
    let place = 0
    for (const name of TABLE_NAMES)
      for (const chain of this.#ruleSet.tables.get(name)?.chains.values() ?? [])
        for (const each of [chain, ...chain.rules]) {
          places.set(each, place)
          place += 2
        }
    return places
  }
}
