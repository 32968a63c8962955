// What rules name: the devices, addresses, protocols and ports that a packet must have to meet a rule. A rule of a user
// chain adds to what the first rule that leads there names. What is negated, and what other matches ask, is left aside:
// this aims packets, it judges nothing.

import type { Chain, InterfaceName, Negatable, Network, Rule, RuleSet, Table } from '../rule/model.ts'

export interface Named {
  readonly in?: InterfaceName
  readonly out?: InterfaceName
  readonly source?: Network
  readonly destination?: Network
  readonly protocol?: number
  /** Ranges, least and most in turn. */
  readonly sports?: readonly number[]
  readonly dports?: readonly number[]
  /** The built-in chain that leads to the rule. */
  readonly root: string
}

/** What each rule that a built-in chain leads to names. */
export function namedIn(ruleSet: RuleSet): Named[] {
  const all: Named[] = []
  for (const table of ruleSet.tables.values()) {
    const seen = new Set<Chain>()
    for (const chain of table.chains.values())
      if (chain.policy !== undefined) collect(table, chain, { root: chain.name }, seen, all)
  }
  return all
}

function collect(table: Table, first: Chain, from: Named, seen: Set<Chain>, all: Named[]): void {
  // No recursion: chains may be nested as deep as there are chains.
  const waiting: [Chain, Named][] = [[first, from]]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [chain, above] = next
    if (seen.has(chain)) continue
    seen.add(chain)
    for (const rule of chain.rules) {
      const named = namedBy(rule, above)
      all.push(named)
      const to = rule.action?.kind === 'jump' ? table.chains.get(rule.action.chain) : undefined
      if (to !== undefined) waiting.push([to, named])
    }
  }
}

function namedBy(rule: Rule, above: Named): Named {
  const plain = <T>(of: Negatable<T> | undefined): T | undefined => (of?.not === false ? of.value : undefined)
  let { sports, dports } = above
  for (const { declaration, options } of rule.matches) {
    const ports = declaration.plain?.(options as never)?.ports
    const bounds = declaration.bounds?.(options as never)
    sports = bounds?.sports ?? (ports && narrow(ports.sport)) ?? sports
    dports = bounds?.dports ?? (ports && narrow(ports.dport)) ?? dports
  }
  return {
    root: above.root,
    in: plain(rule.inInterface) ?? above.in,
    out: plain(rule.outInterface) ?? above.out,
    source: plain(rule.source) ?? above.source,
    destination: plain(rule.destination) ?? above.destination,
    protocol: plain(rule.protocol) ?? above.protocol,
    sports,
    dports,
  }
}

function narrow({ min, max }: { readonly min: number; readonly max: number }): readonly number[] | undefined {
  return min === 0 && max === 0xffff ? undefined : [min, max]
}
