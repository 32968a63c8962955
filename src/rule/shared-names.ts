// Names by which rules share what is more than a place to count: rate estimators, accounting objects. One rule makes it on its terms,
// another needs it to be there, and both are judged when a table is loaded, in the order in which the kernel takes its rules
// (built-in chains first, then the others by name; of a rule its matches, then its target). What rules in force name
// stays while new ones are judged.

import type { Chain, MatchUse, Rule, RuleSet, TableName } from './model.ts'
import type { TableComplaint } from './validate.ts'

export interface SharedUse {
  /** What sort of thing: names of different sorts have nothing to do with each other. */
  readonly kind: string
  readonly name: string
  /** On which terms it is made where it is not there; a rule without them needs it to be there. */
  readonly terms?: string
  /** No rule makes it: it is given, by a command or the configuration. */
  readonly isGiven?: true
}

/** Whether a thing that is given is there; undefined where that is not known, and any may be named. */
export type IsThere = (use: SharedUse) => boolean | undefined

export interface SharedComplaint extends TableComplaint {
  /** It is not there (Linux: ENOENT); otherwise it is there on other terms (EINVAL). */
  readonly missing: boolean
}

export class SharedNames {
  /** Terms by kind and name; undefined where only those who need it are left. */
  readonly #terms = new Map<string, string | undefined>()
  readonly #isThere: IsThere

  /** @param inForce the rule sets in force, of both families */
  constructor(inForce: readonly RuleSet[], isThere: IsThere = () => undefined) {
    this.#isThere = isThere
    for (const { tables } of inForce)
      for (const { chains } of tables.values())
        for (const { rules } of chains.values())
          for (const rule of rules)
            for (const { kind, name, terms } of usesOf(rule)) {
              const key = `${kind} ${name}`
              this.#terms.set(key, terms ?? this.#terms.get(key))
            }
  }

  /** What is wrong with a table that is loaded; what is right is there for those after it. */
  take(table: TableName, chains: Iterable<Chain>): SharedComplaint[] {
    const complaints: SharedComplaint[] = []
    for (const chain of chains)
      for (const rule of chain.rules)
        for (const use of usesOf(rule)) {
          const wrong = this.#judge(use)
          if (wrong === undefined) continue
          const message = `${use.kind} '${use.name}' ${wrong.message}`
          complaints.push({ message: `${table}: ${chain.name}: ${message}`, rule, missing: wrong.missing })
        }
    return complaints
  }

  #judge(use: SharedUse): { readonly message: string; readonly missing: boolean } | undefined {
    const { kind, name, terms } = use
    const key = `${kind} ${name}`
    const known = this.#terms.get(key)
    if (terms === undefined) {
      if (use.isGiven ? (this.#isThere(use) ?? true) : this.#terms.has(key)) return undefined
      return { message: 'is not there', missing: true }
    }
    if (known !== undefined && known !== terms)
      return { message: `is there already, with ${known}: expected the same`, missing: false }
    this.#terms.set(key, terms)
    return undefined
  }
}

/** Whether a rule names anything of that sort. */
export function sharesNames({ matches, action }: Rule): boolean {
  return (
    matches.some(({ declaration }) => declaration.shares !== undefined) ||
    (action?.kind === 'target' && action.declaration.shares !== undefined)
  )
}

function* usesOf({ matches, action }: Rule): Generator<SharedUse> {
  for (const match of matches) yield* namesIn(match)
  if (action?.kind === 'target') yield* action.declaration.shares?.(action.options) ?? []
}

const namesIn = ({ declaration, options }: MatchUse) => declaration.shares?.(options) ?? []
