// What can only be judged of a whole table: jumps that lead nowhere or in a circle, and matches and targets that a built-in
// chain reaches in which they cannot stand. As the kernel does (mark_source_chains), only what can be reached from a
// built-in chain is judged, and rules behind an unconditional verdict are not reached.

import type { MatchDeclaration, OptionValues, TargetDeclaration } from './define.ts'
import type { Chain, Rule, Table } from './model.ts'

export interface TableComplaint {
  readonly message: string
  /** The rule at which it is seen. */
  readonly rule: Rule
}

/** @param reachedFrom is told of each chain that a built-in one reaches */
export function validateTable(table: Table, reachedFrom?: (chain: string, root: string) => void): TableComplaint[] {
  const complaints: TableComplaint[] = []
  /** By chain: the built-in chains that reach it, each with the way. */
  const reached = new Map<string, Map<string, Way>>()
  const loops = new Set<Rule>()
  for (const root of table.chains.values()) {
    if (root.policy === undefined) continue
    walk(table, root, {
      enter: (chain, way) => {
        const ways = reached.get(chain.name) ?? new Map<string, Way>()
        reached.set(chain.name, ways.set(root.name, way))
        reachedFrom?.(chain.name, root.name)
      },
      loop: (rule, path) => {
        if (loops.has(rule)) return
        loops.add(rule)
        complaints.push({ message: `jumps run in a circle: ${shortened(path).join(' -> ')}`, rule })
      },
    })
  }
  for (const chain of table.chains.values()) {
    const ways = reached.get(chain.name)
    for (const rule of reachedRules(chain)) {
      if (rule.action?.kind === 'jump' && !table.chains.has(rule.action.chain))
        complaints.push({
          message: `there is no chain '${rule.action.chain}' in table ${table.name}`,
          rule,
        })
      if (ways !== undefined) checkHooks(rule, chain, ways, complaints)
    }
  }
  return complaints
}

interface Way {
  readonly chain: string
  readonly from: Way | undefined
}

interface Visitor {
  enter(chain: Chain, way: Way): void
  loop(rule: Rule, path: readonly string[]): void
}

/** Depth first from a built-in chain, each chain once; no recursion, since chains may be nested as deep as they like. */
function walk(table: Table, root: Chain, visitor: Visitor): void {
  const OPEN = 1
  const DONE = 2
  const state = new Map<string, number>()
  const stack: { chain: Chain; rules: readonly Rule[]; next: number; way: Way }[] = []
  const enter = (chain: Chain, from: Way | undefined) => {
    const way = { chain: chain.name, from }
    state.set(chain.name, OPEN)
    visitor.enter(chain, way)
    stack.push({ chain, rules: reachedRules(chain), next: 0, way })
  }
  enter(root, undefined)
  while (stack.length > 0) {
    const top = stack[stack.length - 1]
    const rule = top.rules[top.next++]
    if (rule === undefined) {
      state.set(top.chain.name, DONE)
      stack.pop()
      continue
    }
    if (rule.action?.kind !== 'jump') continue
    const to = table.chains.get(rule.action.chain)
    if (to === undefined) continue
    const seen = state.get(to.name)
    if (seen === undefined) enter(to, top.way)
    else if (seen === OPEN) {
      const path = stack.map((each) => each.chain.name)
      visitor.loop(rule, [...path.slice(path.indexOf(to.name)), to.name])
    }
  }
}

/** The rules up to one that ends every walk through the chain. */
function reachedRules(chain: Chain): readonly Rule[] {
  const end = chain.rules.findIndex(isEnd)
  return end < 0 ? chain.rules : chain.rules.slice(0, end + 1)
}

const VERDICTS = new Set(['ACCEPT', 'DROP', 'RETURN', 'QUEUE'])

/** Whether no packet comes to the rules behind this one. */
export function isEnd(rule: Rule): boolean {
  return (
    rule.action?.kind === 'target' &&
    rule.matches.length === 0 &&
    VERDICTS.has(rule.action.declaration.name) &&
    rule.source === undefined &&
    rule.destination === undefined &&
    rule.inInterface === undefined &&
    rule.outInterface === undefined &&
    rule.protocol === undefined &&
    rule.fragment === undefined
  )
}

interface Use {
  readonly declaration: MatchDeclaration | TargetDeclaration
  readonly options: OptionValues
}

/** Built-in chains from which a match or target may be reached; undefined for all. */
export function hooksOf({ declaration, options }: Use): readonly string[] | undefined {
  return declaration.hooksFor?.(options) ?? declaration.hooks
}

function checkHooks(rule: Rule, chain: Chain, ways: ReadonlyMap<string, Way>, complaints: TableComplaint[]): void {
  const { matches, action } = rule
  for (let i = 0; i <= matches.length; i++) {
    const use: Use | undefined = i < matches.length ? matches[i] : action?.kind === 'target' ? action : undefined
    if (use === undefined) continue
    const { declaration } = use
    const hooks = hooksOf(use)
    if (hooks === undefined) continue
    for (const [root, way] of ways) {
      if (hooks.includes(root)) continue
      const path: string[] = []
      for (let at: Way | undefined = way; at !== undefined; at = at.from) path.unshift(at.chain)
      const through = chain.name === root ? '' : ` (${shortened(path).join(' -> ')})`
      complaints.push({
        message: `${declaration.kind} ${declaration.name}${declaration.hooksFor === undefined ? '' : ' with these options'} cannot stand in ${root}${through}: expected ${hooks.join(' or ')}`,
        rule,
      })
      break
    }
  }
}

function shortened(path: readonly string[]): readonly string[] {
  return path.length <= 12 ? path : [...path.slice(0, 6), `(${path.length - 11} more)`, ...path.slice(-5)]
}
