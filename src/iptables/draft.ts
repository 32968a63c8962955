// A table while commands change it. It begins as a copy of a table or as an empty one, and becomes an immutable table of
// the rule model in the end; nothing of the rule set that it came from is touched.

import {
  BUILTIN_CHAINS,
  type Chain,
  type Counters,
  NO_COUNTERS,
  type Rule,
  type Table,
  type TableName,
} from '../rule/model.ts'
import { shown } from '../rule/option.ts'
import type { Command } from './command.ts'
import type { Complain } from './extension.ts'
import { didYouMean } from './nearest.ts'
import { formatRule } from './save.ts'

interface DraftChain {
  readonly name: string
  policy: 'ACCEPT' | 'DROP' | undefined
  counters: Counters
  rules: Rule[]
}

export class Draft {
  readonly name: TableName
  readonly #chains = new Map<string, DraftChain>()

  /** @param from the table as it was; without it an empty one */
  constructor(name: TableName, from?: Table) {
    this.name = name
    for (const chain of BUILTIN_CHAINS[name])
      this.#chains.set(chain, { name: chain, policy: 'ACCEPT', counters: NO_COUNTERS, rules: [] })
    for (const { name: chain, policy, counters, rules } of from?.chains.values() ?? [])
      this.#chains.set(chain, { name: chain, policy, counters, rules: [...rules] })
  }

  has(chain: string): boolean {
    return this.#chains.has(chain)
  }

  /** Whether there is a chain of this name that is not built in. */
  hasOwn(chain: string): boolean {
    const found = this.#chains.get(chain)
    return found !== undefined && found.policy === undefined
  }

  names(): Iterable<string> {
    return this.#chains.keys()
  }

  /** Takes away what the table held, its policies stay: what a restore without --noflush begins with. */
  clear(): void {
    for (const chain of this.#chains.values()) {
      chain.rules = []
      if (chain.policy === undefined) this.#chains.delete(chain.name)
    }
  }

  isBuiltin(chain: string): boolean {
    return BUILTIN_CHAINS[this.name].includes(chain)
  }

  create(chain: string): void {
    this.#chains.set(chain, { name: chain, policy: undefined, counters: NO_COUNTERS, rules: [] })
  }

  flush(chain: string): void {
    const found = this.#chains.get(chain)
    if (found !== undefined) found.rules = []
  }

  setPolicy(chain: string, policy: 'ACCEPT' | 'DROP', counters: Counters): void {
    const found = this.#chains.get(chain)
    if (found === undefined) return
    found.policy = policy
    found.counters = counters
  }

  /** Appends a rule; false where the chain is not there. */
  append(chain: string, rule: Rule): boolean {
    const found = this.#chains.get(chain)
    found?.rules.push(rule)
    return found !== undefined
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
    const chain = this.#chains.get(command.chain)
    if (chain === undefined) {
      const hint = didYouMean(command.chain, this.names())
      complain(place.column, `there is no chain ${shown(command.chain)} in table ${this.name} at this line${hint}`)
      return
    }
    const wrong = this.#change(chain, command)
    if (wrong !== undefined) complain(place.column, wrong)
  }

  #change(chain: DraftChain, command: Exclude<Command, { kind: 'new' }>): string | undefined {
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
      case 'delete-chain':
        return this.#remove(chain)
      case 'policy':
        if (chain.policy === undefined) return `${chain.name} is no built-in chain: only those have a policy`
        chain.policy = command.policy
        return undefined
      case 'rename':
        return this.#rename(chain, command.to)
    }
  }

  #applyToAll(kind: Command['kind'], column: number, complain: Complain): void {
    for (const chain of this.#chains.values()) {
      if (kind === 'flush') chain.rules = []
      else if (kind === 'zero') zero(chain)
    }
    if (kind !== 'delete-chain') return
    // All or none: a chain that is not empty, or that rules of a built-in chain jump to, stays and is complained of.
    for (const chain of [...this.#chains.values()]) {
      if (chain.policy !== undefined) continue
      const wrong = this.#remove(chain)
      if (wrong !== undefined) return complain(column, wrong)
    }
  }

  #deleteRules(chain: DraftChain, rules: readonly Rule[], really: boolean): string | undefined {
    const left = [...chain.rules]
    for (const rule of rules) {
      const wanted = formatRule(rule)
      const at = left.findIndex((one) => formatRule(one) === wanted)
      if (at < 0) return `chain ${chain.name} has no such rule:${wanted.replace(/\s+/g, ' ')}`
      if (really) left.splice(at, 1)
    }
    if (really) chain.rules = left
    return undefined
  }

  #remove(chain: DraftChain): string | undefined {
    if (chain.policy !== undefined) return `${chain.name} is a built-in chain and stays`
    if (chain.rules.length > 0) return `chain ${chain.name} is not empty (${chain.rules.length} rules)`
    const user = this.#jumpTo(chain.name)
    if (user !== undefined) return `chain ${chain.name} is jumped to from ${user}`
    this.#chains.delete(chain.name)
    return undefined
  }

  #jumpTo(name: string): string | undefined {
    for (const chain of this.#chains.values())
      if (chain.rules.some((rule) => rule.action?.kind === 'jump' && rule.action.chain === name)) return chain.name
    return undefined
  }

  #rename(chain: DraftChain, to: string): string | undefined {
    if (chain.policy !== undefined) return `${chain.name} is a built-in chain and keeps its name`
    if (this.has(to)) return `there is a chain ${shown(to)} already`
    this.#chains.delete(chain.name)
    this.#chains.set(to, { ...chain, name: to })
    for (const one of this.#chains.values())
      one.rules = one.rules.map((rule) =>
        rule.action?.kind === 'jump' && rule.action.chain === chain.name
          ? { ...rule, action: { ...rule.action, chain: to } }
          : rule,
      )
    return undefined
  }

  toTable(): Table {
    const chains = new Map<string, Chain>()
    for (const { name, policy, counters, rules } of this.#chains.values())
      chains.set(name, policy === undefined ? { name, counters, rules } : { name, policy, counters, rules })
    return { name: this.name, chains }
  }
}

function outOfRange(number: number, chain: DraftChain): string {
  return `rule number ${number} is too large: chain ${chain.name} has ${chain.rules.length} rules`
}

function zero(chain: DraftChain, number?: number): string | undefined {
  if (number !== undefined && number > chain.rules.length) return outOfRange(number, chain)
  chain.rules = chain.rules.map((rule, i) =>
    number === undefined || number === i + 1 ? { ...rule, counters: NO_COUNTERS } : rule,
  )
  if (number === undefined) chain.counters = NO_COUNTERS
  return undefined
}
