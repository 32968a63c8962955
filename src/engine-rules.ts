// The rules of both families, and generations of them: packets go on under the rules in force while the next ones are made ready, and
// a change is seen whole or not at all, between two rounds.

import { RefusedError } from './errors.ts'
import type { SetStore } from './ipset/store.ts'
import { parseRestore } from './iptables/restore.ts'
import { save } from './iptables/save.ts'
import type { Build } from './rule/build.ts'
import { carried } from './rule/carry.ts'
import { changeOf } from './rule/change.ts'
import { countersIn, countsIn } from './rule/counters.ts'
import type { Chain, Counters, Family, Rule, RuleSet } from './rule/model.ts'
import type { Program } from './rule/program.ts'
import { wrongSets } from './rule/set-reference.ts'
import type { IsThere } from './rule/shared-names.ts'

export class Generations {
  readonly #programs: Readonly<Record<Family, Program>>
  readonly #sets: SetStore
  readonly #isThere: IsThere
  readonly #ruleSets: Record<Family, RuleSet> = {
    4: { family: 4, tables: new Map() },
    6: { family: 6, tables: new Map() },
  }
  /** The counters of rules and policies by the rule sets' objects; made when they are first asked for. */
  readonly #countersOf: Partial<Record<Family, (of: Chain | Rule) => Counters>> = {}

  /** @param isThere what is given besides sets that rules may name */
  constructor(programs: Readonly<Record<Family, Program>>, sets: SetStore, isThere: IsThere) {
    this.#programs = programs
    this.#sets = sets
    this.#isThere = isThere
  }

  /** The rules in force, as they were written. */
  ruleSet(family: Family): RuleSet {
    return this.#ruleSets[family]
  }

  /** The rules in force, made ready for packets. */
  program(family: Family): Program {
    return this.#programs[family]
  }

  load(text: string, { file = 'rules', family = 4 }: { readonly file?: string; readonly family?: Family }): void {
    const inForce = [this.#ruleSets[4], this.#ruleSets[6]]
    this.loadRules(parseRestore(text, { file, family, sets: this.#sets, inForce, isThere: this.#isThere }))
  }

  loadRules(ruleSet: RuleSet): void {
    const wrong = wrongSets(ruleSet, this.#sets)
    if (wrong.length > 0)
      throw new RefusedError(
        'ERR_RULES',
        wrong.map((message) => ({ file: 'rules', line: 1, column: 1, message })),
      )
    this.change(carried(this.#ruleSets[ruleSet.family], ruleSet))
  }

  change(ruleSet: RuleSet): void {
    const { family } = ruleSet
    const build = this.begin(family)
    try {
      for (const piece of changeOf(this.#ruleSets[family], ruleSet)) build.take(piece)
      build.complete()
    } catch (error) {
      build.abandon()
      build.clear()
      throw error
    }
    this.#ruleSets[family] = ruleSet
    this.commit(build)
    build.clear()
  }

  begin(family: Family): Build {
    return this.#programs[family].begin()
  }

  commit(build: Build): Int32Array {
    const places = build.commit()
    const program = this.#programs[build.family]
    delete this.#countersOf[build.family]
    this.#sets.setRules(build.family, () => program.setUses())
    return places
  }

  countersOf(of: Chain | Rule, family: Family): Counters {
    const counters = this.#countersOf[family] ?? countersIn(this.#ruleSets[family], this.#programs[family])
    this.#countersOf[family] = counters
    return counters(of)
  }

  save({ counters = false, family = 4 }: { readonly counters?: boolean; readonly family?: Family }): string {
    return save(this.#ruleSets[family], { counters, countsOf: countsIn(this.#programs[family]) })
  }
}
