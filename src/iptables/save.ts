// The rule model as text: byte for byte what iptables-save 1.8.9 prints, without its comment lines. Tables stand in the
// reverse order of their making (a new table goes to the head of the kernel's list), user chains by name in byte order.

import { formatNetwork } from '../rule/address.ts'
import { type CountsOf, countsBegun } from '../rule/counters.ts'
import type { MatchDeclaration, OptionValues, TargetDeclaration } from '../rule/define.ts'
import { formatInterface } from '../rule/kinds.ts'
import type { Chain, Counters, InterfaceName, Negatable, Rule, RuleSet, Table } from '../rule/model.ts'
import { protocolName } from '../rule/names.ts'
import type { Option } from '../rule/option.ts'

export interface SaveOptions {
  /** iptables-save -c: `[packets:bytes]` before every rule, and policies with their counts. */
  readonly counters?: boolean
  /** Counts as they are now; what the rule set began with where this is left out. */
  readonly countsOf?: CountsOf
  /** To be read again, and be the same: with what iptables-save loses of some rules. */
  readonly whole?: boolean
}

/** The whole rule set; '' for one without tables. */
export function save(ruleSet: RuleSet, options: SaveOptions = {}): string {
  return [...ruleSet.tables.values()]
    .reverse()
    .map((table) => saveTable(table, options))
    .join('')
}

export function saveTable(table: Table, { counters = false, countsOf = countsBegun, whole }: SaveOptions = {}): string {
  const lines = [`*${table.name}`]
  const chains = inSavedOrder(table)
  for (const chain of chains) {
    const count = counters && chain.policy !== undefined ? countsOf(table.name, chain).policy : { packets: 0, bytes: 0 }
    lines.push(`:${chain.name} ${chain.policy ?? '-'} [${count.packets}:${count.bytes}]`)
  }
  for (const chain of chains) {
    const counts = counters ? countsOf(table.name, chain) : undefined
    for (const [i, rule] of chain.rules.entries()) {
      const text = `-A ${chain.name}${formatRule(rule, { whole })}`
      if (counts === undefined) lines.push(text)
      else {
        const { packets, bytes } = counts.rule(i)
        lines.push(`[${packets}:${bytes}] ${text}`)
      }
    }
  }
  lines.push('COMMIT\n')
  return lines.join('\n')
}

/** Built-in chains, then the others by name in byte order: as they are saved and listed. */
export function inSavedOrder(table: Table): readonly Chain[] {
  const builtin: Chain[] = []
  const own: [Buffer, Chain][] = []
  for (const chain of table.chains.values()) {
    if (chain.policy !== undefined) builtin.push(chain)
    else own.push([Buffer.from(chain.name), chain])
  }
  own.sort(([a], [b]) => Buffer.compare(a, b))
  return [...builtin, ...own.map(([, chain]) => chain)]
}

/**
 * What stands behind `-A CHAIN`; begins with a blank unless it is empty.
 * @param counters are shown as `-c` where they are given (`iptables -v -S`)
 * @param whole with what iptables-save loses
 */
export function formatRule(
  rule: Rule,
  { counters, whole = false }: { readonly counters?: Counters; readonly whole?: boolean } = {},
): string {
  let text = ''
  const add = <T>(name: string, of: Negatable<T> | undefined, format: (value: T) => string) => {
    if (of === undefined) return
    const value = format(of.value)
    text += `${of.not ? ' !' : ''} ${name}${value === '' ? '' : ` ${value}`}`
  }
  add('-s', rule.source, formatNetwork)
  add('-d', rule.destination, formatNetwork)
  const device = (of: Negatable<InterfaceName> | undefined) => (whole || of?.value.name !== '' ? of : undefined)
  add('-i', device(rule.inInterface), formatInterface)
  add('-o', device(rule.outInterface), formatInterface)
  add('-p', rule.protocol, protocolName)
  add('-f', rule.fragment, () => '')
  for (const { declaration, options } of rule.matches)
    text += ` -m ${declaration.name}${formatOptions(declaration, options, { whole })}`
  if (counters !== undefined) text += ` -c ${counters.packets} ${counters.bytes}`
  const { action } = rule
  if (action?.kind === 'jump') text += ` ${action.goto ? '-g' : '-j'} ${action.chain}`
  else if (action !== undefined)
    text += ` -j ${action.declaration.name}${formatOptions(action.declaration, action.options, { whole })}`
  return text
}

/**
 * Options as they are saved, each with a blank before it.
 * @param whole with what iptables-save loses
 * @param named with names in place of numbers
 */
export function formatOptions(
  declaration: MatchDeclaration | TargetDeclaration,
  given: OptionValues,
  { whole = false, named = false } = {},
): string {
  const { options } = declaration
  const values = whole ? given : (declaration.asSaved?.(given) ?? given)
  const own = declaration.saved?.(values, whole)
  if (own !== undefined) return own
  let text = ''
  for (const name in options) {
    const one = values[name]
    if (one === undefined) continue
    const { kind, traits } = options[name] as Option<unknown>
    const { value, not } = traits.negated ? (one as Negatable<unknown>) : { value: one, not: false }
    const formatted =
      (named ? kind.formatNamed?.(value) : whole ? kind.formatWhole?.(value) : undefined) ?? kind.format(value)
    if (traits.initial !== undefined && !traits.savesInitial && !not && formatted === kind.format(traits.initial))
      continue
    text += `${not ? ' !' : ''} --${name}${formatted === '' ? '' : ` ${formatted}`}`
  }
  return text
}
