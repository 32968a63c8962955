// What a rule set needs of the router: conntrack runs only while something asks for it, as in Linux.

import type { MatchUse, RuleSet } from './model.ts'

/**
 * Whether conntrack (and defragmentation) must run: some match or target looks at flows. A nat table alone does not ask
 * for it: without a rule that translates, Linux never even walks it.
 */
export function conntrackNeeded(ruleSet: RuleSet): boolean {
  return uses(ruleSet, asks)
}

/** Whether defragmentation must run where conntrack need not: some match or target looks at whole packets. */
export function defragNeeded(ruleSet: RuleSet): boolean {
  return uses(ruleSet, ({ declaration }) => declaration.defrag === true)
}

type Use = Pick<MatchUse, 'options'> & { declaration: Asking }

function uses({ tables }: RuleSet, wanted: (use: Use) => boolean): boolean {
  for (const table of tables.values())
    for (const chain of table.chains.values())
      for (const { matches, action } of chain.rules)
        if (matches.some(wanted) || (action?.kind === 'target' && wanted(action))) return true
  return false
}

function asks({ declaration, options }: Use): boolean {
  return declaration.conntrackFor?.(options) ?? declaration.conntrack ?? false
}

type Asking = Pick<MatchUse['declaration'], 'conntrack' | 'conntrackFor' | 'defrag'>
