// A table while commands change it. It begins as a copy of a table or as an empty one, and becomes an immutable table of
// the rule model in the end; nothing of the rule set that it came from is touched.

import { changedRule } from '../rule/kept-rule.ts'
import {
  BUILTIN_CHAINS,
  type Chain,
  type Counters,
  NO_COUNTERS,
  type Rule,
  type RuleSet,
  type Table,
  type TableName,
} from '../rule/model.ts'
import { shown } from '../rule/option.ts'
import { usesOf } from '../rule/table-facts.ts'
import { changedMap } from '../rule/versioned-map.ts'
import type { Command } from './command.ts'
import type { Complain } from './extension.ts'
import { didYouMean } from './nearest.ts'
import type { Program } from './program.ts'
import { indexOfSame } from './same-rule.ts'
import { formatRule } from './save.ts'

interface DraftChain {
  readonly name: string
  policy: 'ACCEPT' | 'DROP' | undefined
  counters: Counters
  rules: Rule[]
}

export class Draft {
  readonly name: TableName
  /** The table as it was; its chains stand here for as long as they are not touched. */
  #from: Table
  /** Chains that are not, or not any more, as they were; undefined for those that are gone. */
  readonly #touched = new Map<string, DraftChain | undefined>()
  /** How many rules more than in `#from` jump to each chain; undefined where rules have come or gone since. */
  #jumps: Map<string, number> | undefined

  /** @param from the table as it was; without it an empty one */
  constructor(name: TableName, from: Table = emptyTable(name)) {
    this.name = name
    this.#from = from
  }

  has(chain: string): boolean {
    return this.#seen(chain) !== undefined
  }

  /** The chain as it is, only to be looked at. */
  #seen(name: string): Chain | undefined {
    const touched = this.#touched.get(name)
    return touched === undefined && !this.#touched.has(name) ? this.#from.chains.get(name) : touched
  }

  /** The name itself, of a chain of one's own, as it is kept once; undefined where there is none. */
  ownName(chain: string): string | undefined {
    const found = this.#seen(chain)
    return found?.policy === undefined ? found?.name : undefined
  }

  names(): Iterable<string> {
    return this.toTable().chains.keys()
  }

  /** Takes away what the table held, its policies stay: what a restore without --noflush begins with. */
  clear(): void {
    const chains = new Map<string, Chain>()
    for (const name of BUILTIN_CHAINS[this.name]) {
      const chain = this.#seen(name)
      if (chain !== undefined) chains.set(name, { ...chain, rules: [] })
    }
    this.#from = { name: this.name, chains }
    this.#touched.clear()
    this.#jumps = undefined
  }

  isBuiltin(chain: string): boolean {
    return BUILTIN_CHAINS[this.name].includes(chain)
  }

  create(chain: string): void {
    this.#touched.set(chain, { name: chain, policy: undefined, counters: NO_COUNTERS, rules: [] })
  }

  flush(chain: string): void {
    const found = this.#change(chain)
    if (found !== undefined) found.rules = []
  }

  setPolicy(chain: string, policy: 'ACCEPT' | 'DROP', counters: Counters): void {
    const found = this.#change(chain)
    if (found === undefined) return
    found.policy = policy
    found.counters = counters
  }

  /** Appends a rule; false where the chain is not there. */
  append(chain: string, rule: Rule): boolean {
    const found = this.#change(chain)
    found?.rules.push(rule)
    return found !== undefined
  }

  /** The chain, to be changed. */
  #change(name: string): DraftChain | undefined {
    this.#jumps = undefined
    const touched = this.#touched.get(name)
    if (touched !== undefined || this.#touched.has(name)) return touched
    const chain = this.#from.chains.get(name)
    if (chain === undefined) return undefined
    const { policy, counters, rules } = chain
    const made = { name, policy, counters, rules: [...rules] }
    this.#touched.set(name, made)
    return made
  }

  /** Does what the command says, or complains and does nothing. */
  apply(command: Command, complain: Complain): void {
    const { place } = command
    if (command.kind === 'new') {
      if (this.has(command.chain)) complain(place.column, `there is a chain ${shown(command.chain)} already`)
      else this.create(command.chain)
      return
    }
    if (command.chain === undefined) {
      this.#applyToAll(command.kind, place.column, complain)
      return
    }
    if (!this.has(command.chain)) {
      const hint = didYouMean(command.chain, this.names())
      complain(place.column, `there is no chain ${shown(command.chain)} in table ${this.name} at this line${hint}`)
      return
    }
    const wrong = this.#do(command.chain, command)
    // Whether a chain can go is the kernel's to say.
    if (wrong !== undefined) complain(place.column, wrong, command.kind === 'delete-chain' ? 'tables' : undefined)
  }

  /** @param name of a chain that is there */
  #do(name: string, command: Exclude<Command, { kind: 'new' }>): string | undefined {
    if (command.kind === 'delete-chain') return this.#remove(name)
    const chain = this.#change(name) as DraftChain
    const { rules } = chain
    switch (command.kind) {
      case 'append':
        for (const rule of command.rules) rules.push(rule)
        return undefined
      case 'insert':
        if (command.number > rules.length + 1) return outOfRange(command.number, chain)
        // One after the other at the same place, so they end up in reverse order.
        for (const rule of command.rules) rules.splice(command.number - 1, 0, rule)
        return undefined
      case 'replace':
        if (command.number > rules.length) return outOfRange(command.number, chain)
        rules[command.number - 1] = command.rules[0]
        return undefined
      case 'delete-number':
        if (command.number > rules.length) return outOfRange(command.number, chain)
        rules.splice(command.number - 1, 1)
        return undefined
      case 'delete':
      case 'check':
        return this.#deleteRules(chain, command.rules, command.kind === 'delete')
      case 'flush':
        chain.rules = []
        return undefined
      case 'zero':
        return zero(chain, command.number)
      case 'policy':
        if (chain.policy === undefined) return `${chain.name} is no built-in chain: only those have a policy`
        chain.policy = command.policy
        return undefined
      case 'rename':
        return this.#rename(chain, command.to)
    }
  }

  #applyToAll(kind: Command['kind'], column: number, complain: Complain): void {
    const names = [...this.names()]
    if (kind === 'delete-chain') {
      // All or none: a chain that is not empty, or that rules of a built-in chain jump to, stays and is complained of.
      for (const name of names) {
        const wrong = this.isBuiltin(name) ? undefined : this.#remove(name)
        if (wrong !== undefined) return complain(column, wrong)
      }
      return
    }
    for (const name of names) {
      const chain = this.#change(name) as DraftChain
      if (kind === 'flush') chain.rules = []
      else if (kind === 'zero') zero(chain)
    }
  }

  #deleteRules(chain: DraftChain, rules: readonly Rule[], really: boolean): string | undefined {
    const left = [...chain.rules]
    for (const rule of rules) {
      const at = indexOfSame(left, rule)
      if (at < 0)
        return `chain ${chain.name} has no such rule:${formatRule(rule, { whole: true }).replace(/\s+/g, ' ')}`
      if (really) left.splice(at, 1)
    }
    if (really) chain.rules = left
    return undefined
  }

  #remove(name: string): string | undefined {
    const rules = this.#seen(name)?.rules ?? []
    if (this.isBuiltin(name)) return `${name} is a built-in chain and stays`
    if (rules.length > 0) return `chain ${name} is not empty (${rules.length} rules)`
    if (this.#uses(name) > 0) return `chain ${name} is jumped to from ${this.#usersOf(name).next().value?.name}`
    this.#touched.set(name, undefined)
    return undefined
  }

  #uses(name: string): number {
    if (this.#jumps === undefined) {
      const jumps = new Map<string, number>()
      const count = (rules: readonly Rule[], by: number) => {
        for (const { action } of rules)
          if (action?.kind === 'jump') jumps.set(action.chain, (jumps.get(action.chain) ?? 0) + by)
      }
      for (const [chain, touched] of this.#touched) {
        count(this.#from.chains.get(chain)?.rules ?? [], -1)
        count(touched?.rules ?? [], 1)
      }
      this.#jumps = jumps
    }
    return usesOf(this.#from, name) + (this.#jumps.get(name) ?? 0)
  }

  /** Chains with rules that jump there. */
  *#usersOf(name: string): Generator<Chain> {
    for (const chain of this.toTable().chains.values())
      if (chain.rules.some((rule) => rule.action?.kind === 'jump' && rule.action.chain === name)) yield chain
  }

  #rename(chain: DraftChain, to: string): string | undefined {
    if (chain.policy !== undefined) return `${chain.name} is a built-in chain and keeps its name`
    if (this.has(to)) return `there is a chain ${shown(to)} already`
    const users = [...this.#usersOf(chain.name)].map(({ name }) => name)
    this.#touched.set(chain.name, undefined)
    this.#touched.set(to, { ...chain, name: to })
    for (const name of users) {
      const user = this.#change(name === chain.name ? to : name) as DraftChain
      user.rules = user.rules.map((rule) =>
        rule.action?.kind === 'jump' && rule.action.chain === chain.name
          ? changedRule(rule, { action: { ...rule.action, chain: to } })
          : rule,
      )
    }
    return undefined
  }

  /** What it began with stays as it is. */
  toTable(): Table {
    const changes = new Map<string, Chain | undefined>()
    for (const [name, chain] of this.#touched) changes.set(name, chain && chainOf(chain))
    return { name: this.name, chains: changedMap(this.#from.chains, changes) }
  }

  /** The table that it is made of. */
  get from(): Table {
    return this.#from
  }
}

function chainOf({ name, policy, counters, rules: made }: DraftChain): Chain {
  // A copy has no room to grow.
  const rules = made.slice()
  return policy === undefined ? { name, counters, rules } : { name, policy, counters, rules }
}

function emptyTable(name: TableName): Table {
  const chains = BUILTIN_CHAINS[name].map((chain): [string, Chain] => [
    chain,
    { name: chain, policy: 'ACCEPT', counters: NO_COUNTERS, rules: [] },
  ])
  return { name, chains: new Map(chains) }
}

function outOfRange(number: number, chain: DraftChain): string {
  return `rule number ${number} is too large: chain ${chain.name} has ${chain.rules.length} rules`
}

function zero(chain: DraftChain, number?: number): string | undefined {
  if (number !== undefined && number > chain.rules.length) return outOfRange(number, chain)
  chain.rules = chain.rules.map((rule, i) =>
    number === undefined || number === i + 1 ? changedRule(rule, { counters: NO_COUNTERS }) : rule,
  )
  if (number === undefined) chain.counters = NO_COUNTERS
  return undefined
}

/** The rule set as it is once a table of it was asked for: the legacy tools make the kernel have it by that. */
export function asked(ruleSet: RuleSet, table: TableName, { variant }: Pick<Program, 'variant'>): RuleSet {
  if (variant !== 'legacy' || ruleSet.tables.has(table)) return ruleSet
  return { ...ruleSet, tables: new Map(ruleSet.tables).set(table, new Draft(table).toTable()) }
}
