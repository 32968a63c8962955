// What a rule set needs of the router: conntrack runs only while something asks for it, as in Linux.

import type { MatchUse, RuleSet } from './model.ts'

/**
 * Whether conntrack (and defragmentation) must run: some match or target looks at flows. A nat table alone does not ask
 * for it: without a rule that translates, Linux never even walks it.
 */
export function conntrackNeeded({ tables }: RuleSet): boolean {
  for (const table of tables.values())
    for (const chain of table.chains.values())
      for (const { matches, action } of chain.rules)
        if (matches.some(asks) || (action?.kind === 'target' && asks(action))) return true
  return false
}

function asks({ declaration, options }: Pick<MatchUse, 'options'> & { declaration: Asking }): boolean {
  return declaration.conntrackFor?.(options) ?? declaration.conntrack ?? false
}

type Asking = Pick<MatchUse['declaration'], 'conntrack' | 'conntrackFor'>
