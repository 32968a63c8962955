// What is known of a table besides its rules: how many rules jump to each chain, and which built-in chains reach it. A table
// that is made of another one is judged by that from what differs between the two: it costs what a command touches, while
// validate.ts looks at every rule.
//
// What always holds: a table is called right here only where validate.ts would have no complaint; wherever it might have one, it
// is asked, and finds the words. Which built-in chains reach a chain is a bound from above: rules that go may take ways with
// them that stay noted, until validate.ts is asked the next time.

import { BUILTIN_CHAINS, type Chain, type Rule, type Table, type TableName } from './model.ts'
import { hooksOf, isEnd, type TableComplaint, validateTable } from './validate.ts'
import { changedMap, differences } from './versioned-map.ts'

/** By chain: UNIT for every rule that jumps to it, and a bit for each of the table's built-in chains that reach it. */
type Facts = ReadonlyMap<string, number>

const UNIT = 32
const REACHED = UNIT - 1

/** Of tables that are right. */
const known = new WeakMap<Table, Facts>()

/** How many rules jump to the chain, wherever they stand. */
export function usesOf(table: Table, chain: string): number {
  let facts = known.get(table)
  if (facts === undefined) {
    const judged = judgedWhole(table)
    facts = judged.facts
    if (judged.complaints.length === 0) known.set(table, facts)
  }
  return Math.floor((facts.get(chain) ?? 0) / UNIT)
}

/**
 * All that is wrong with a table, as validateTable() says it.
 * @param before the table that it was made of, where there is one
 */
export function judgeTable(table: Table, before?: Table): TableComplaint[] {
  const factsBefore = before && known.get(before)
  const facts =
    before !== undefined && factsBefore !== undefined ? new Following(factsBefore, before, table).facts() : undefined
  if (facts !== undefined) {
    known.set(table, facts)
    return []
  }
  const judged = judgedWhole(table)
  if (judged.complaints.length === 0) known.set(table, judged.facts)
  return judged.complaints
}

function judgedWhole(table: Table): { facts: Facts; complaints: TableComplaint[] } {
  const facts = new Map<string, number>()
  for (const { rules } of table.chains.values())
    for (const { action } of rules)
      if (action?.kind === 'jump') facts.set(action.chain, (facts.get(action.chain) ?? 0) + UNIT)
  const complaints = validateTable(table, (chain, root) => {
    facts.set(chain, (facts.get(chain) ?? 0) | bitOf(table.name, root))
  })
  return { facts, complaints }
}

function bitOf(table: TableName, root: string): number {
  return 1 << BUILTIN_CHAINS[table].indexOf(root)
}

/** From what is known of a table to what holds of one that was made of it. */
class Following {
  readonly #factsBefore: Facts
  readonly #before: Table
  readonly #after: Table
  readonly #roots: readonly string[]
  /** Undefined for chains that are gone. */
  readonly #changes = new Map<string, number | undefined>()
  /** Chains that have gained bits, and which; their rules are to be looked at. */
  readonly #gained: [chain: string, bits: number][] = []
  /** Chains through which a new circle would lead. */
  readonly #suspects = new Set<string>()

  constructor(factsBefore: Facts, before: Table, after: Table) {
    this.#factsBefore = factsBefore
    this.#before = before
    this.#after = after
    this.#roots = BUILTIN_CHAINS[after.name]
  }

  /** Undefined where the table may be wrong. */
  facts(): Facts | undefined {
    const names = [...differences(this.#before.chains, this.#after.chains)]
    for (const name of names) if (!this.#isChainRight(name)) return undefined
    for (let next = this.#gained.pop(); next !== undefined; next = this.#gained.pop()) {
      const [name, bits] = next
      const chain = this.#after.chains.get(name)
      if (chain === undefined) return undefined
      for (const rule of chain.rules) if (!this.#isRuleRight(rule, chain, bits)) return undefined
    }
    for (const name of names) {
      if (this.#after.chains.has(name)) continue
      if (this.#of(name) >= UNIT) return undefined
      this.#changes.set(name, undefined)
    }
    return isAcyclic(this.#after, this.#suspects) ? changedMap(this.#factsBefore, this.#changes) : undefined
  }

  #of(chain: string): number {
    return this.#changes.get(chain) ?? this.#factsBefore.get(chain) ?? 0
  }

  /** Counts the jumps that come and go, and looks at the rules that come. */
  #isChainRight(name: string): boolean {
    const before = this.#before.chains.get(name)?.rules ?? []
    const chain = this.#after.chains.get(name)
    const after = chain?.rules ?? []
    const [from, behind] = sameAtBothEnds(before, after)
    const removed = before.slice(from, before.length - behind)
    const added = after.slice(from, after.length - behind)
    for (const rule of removed) this.#count(rule, -UNIT)
    for (const rule of added) this.#count(rule, UNIT)
    if (chain === undefined) return true
    const bits = this.#of(name) & REACHED
    // Behind a rule that ended every walk there may be anything.
    const looked = removed.some(isEnd) ? after : added
    return looked.every((rule) => this.#isRuleRight(rule, chain, bits))
  }

  #count({ action }: Rule, more: number): void {
    if (action?.kind === 'jump') this.#changes.set(action.chain, this.#of(action.chain) + more)
  }

  #reach(name: string, bits: number): void {
    const before = this.#of(name)
    const more = bits & ~before
    if (more === 0) return
    this.#changes.set(name, before | more)
    this.#gained.push([name, more])
  }

  /** Whether a rule may stand in a chain that these built-in chains reach; what it jumps to is reached too, then. */
  #isRuleRight(rule: Rule, chain: Chain, bits: number): boolean {
    if (!this.#mayStand(rule, bits)) return false
    if (rule.action?.kind !== 'jump') return true
    const to = this.#after.chains.get(rule.action.chain)
    if (to === undefined) return false
    if (bits === 0) return true
    // Nothing leads back to a built-in chain; what one leads to comes here itself unless it was reached before.
    if (chain.policy === undefined) this.#suspects.add(to.name)
    this.#reach(to.name, bits)
    return true
  }

  #mayStand({ matches, action }: Rule, bits: number): boolean {
    if (bits === 0) return true
    const isRight = (hooks: readonly string[] | undefined) =>
      hooks === undefined || this.#roots.every((root, i) => (bits & (1 << i)) === 0 || hooks.includes(root))
    return matches.every((use) => isRight(hooksOf(use))) && (action?.kind !== 'target' || isRight(hooksOf(action)))
  }
}

/** How many rules at the front, and at the end, are the same objects. */
function sameAtBothEnds(before: readonly Rule[], after: readonly Rule[]): [front: number, end: number] {
  const most = Math.min(before.length, after.length)
  let front = 0
  while (front < most && before[front] === after[front]) front++
  let end = 0
  while (end < most - front && before[before.length - 1 - end] === after[after.length - 1 - end]) end++
  return [front, end]
}

/** Whether no way from these chains leads in a circle. */
function isAcyclic(table: Table, from: ReadonlySet<string>): boolean {
  const done = new Set<string>()
  const open = new Set<string>()
  for (const start of from) {
    const stack: { name: string; rules: readonly Rule[]; next: number }[] = []
    const enter = (name: string) => {
      open.add(name)
      stack.push({ name, rules: table.chains.get(name)?.rules ?? [], next: 0 })
    }
    if (!done.has(start)) enter(start)
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const rule = top.rules[top.next++]
      if (rule === undefined) {
        open.delete(top.name)
        done.add(top.name)
        stack.pop()
      } else if (rule.action?.kind === 'jump') {
        const { chain } = rule.action
        if (open.has(chain)) return false
        if (!done.has(chain)) enter(chain)
      }
    }
  }
  return true
}
