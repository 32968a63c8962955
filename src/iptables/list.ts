// Rules as people and programs read them: `iptables -L` with its columns, `-S`, and the line that `-v` prints of a rule that
// is added or checked. Byte for byte what iptables 1.8.9 prints (it prints protocol 0 where 1.8.11 prints `all`), but that
// addresses are never looked up: without -n, too, they are printed as numbers.

import { formatAny, maskLength } from '../rule/address.ts'
import { type ChainCounts, type CountsOf, countsBegun } from '../rule/counters.ts'
import type { MatchDeclaration, OptionValues, TargetDeclaration } from '../rule/define.ts'
import { formatInterface } from '../rule/kinds.ts'
import type { Chain, Counters, Family, InterfaceName, Negatable, Network, Rule, Table } from '../rule/model.ts'
import { protocolName } from '../rule/names.ts'
import { usesOf } from '../rule/table-facts.ts'
import { formatOptions, formatRule, inSavedOrder } from './save.ts'

export interface ListOptions {
  readonly family: Family
  /** -n */
  readonly numeric?: boolean
  /** -v */
  readonly verbose?: boolean
  /** -x */
  readonly exact?: boolean
  /** --line-numbers */
  readonly lineNumbers?: boolean
  readonly countsOf?: CountsOf
}

/** `iptables -L [CHAIN [NUMBER]]`; a number alone lists that rule without heading. */
export function listTable(table: Table, options: ListOptions, only?: string, number?: number): string {
  if (number !== undefined) {
    const chain = table.chains.get(only as string)
    const rule = chain?.rules[number - 1]
    if (chain === undefined || rule === undefined) return ''
    return `${row(rule, number, options, countsOf(table, chain, options)?.rule(number - 1))}\n`
  }
  return chainsOf(table, only)
    .map((chain) => {
      const counts = countsOf(table, chain, options)
      const rows = chain.rules.map((rule, i) => `${row(rule, i + 1, options, counts?.rule(i))}\n`)
      return `${heading(table, chain, options, counts?.policy)}${rows.join('')}`
    })
    .join('\n')
}

/** `iptables -S [CHAIN [NUMBER]]` */
export function listCommands(table: Table, options: ListOptions, only?: string, number?: number): string {
  const chains = chainsOf(table, only)
  const command = (chain: Chain, i: number, counts: ChainCounts | undefined) =>
    `-A ${chain.name}${formatRule(chain.rules[i], { counters: counts?.rule(i) })}\n`
  if (number !== undefined) {
    const [chain] = chains
    return number > (chain?.rules.length ?? 0) ? '' : command(chain, number - 1, countsOf(table, chain, options))
  }
  const heads = chains.map((chain) => {
    if (chain.policy === undefined) return `-N ${chain.name}\n`
    const count = countsOf(table, chain, options)?.policy
    return `-P ${chain.name} ${chain.policy}${count === undefined ? '' : ` -c ${count.packets} ${count.bytes}`}\n`
  })
  const rules = chains.map((chain) => {
    const counts = countsOf(table, chain, options)
    return chain.rules.map((_, i) => command(chain, i, counts)).join('')
  })
  return heads.join('') + rules.join('')
}

/** The line that -v prints of a rule that is added, checked or deleted. */
export function echo(rule: Rule, family: Family): string {
  const device = (of: Negatable<InterfaceName> | undefined) => (of === undefined ? '*' : named(of))
  return [
    `${targetName(rule)} `,
    `${not(rule.protocol, ' ')}${protocolOf(rule)} `,
    `opt ${fragment(rule)} in ${device(rule.inInterface)} out ${device(rule.outInterface)} `,
    `${not(rule.source, ' ')}${network(rule.source, true, family)} `,
    `${not(rule.destination, ' ')}-> ${network(rule.destination, true, family)}  `,
    `${extensions(rule, true)}\n`,
  ].join('')
}

/** Protocols that iptables knows itself; others' names it does not look up here. */
const KNOWN = new Set(['tcp', 'udp', 'udplite', 'icmp', 'ipv6-icmp', 'esp', 'ah', 'sctp', 'mobility-header'])

function protocolOf({ protocol }: Rule): string {
  if (protocol === undefined) return 'all'
  const name = protocolName(protocol.value)
  return KNOWN.has(name) ? name : String(protocol.value)
}

/** One chain, or all as they are listed. */
function chainsOf(table: Table, only: string | undefined): readonly Chain[] {
  if (only === undefined) return inSavedOrder(table)
  const chain = table.chains.get(only)
  return chain === undefined ? [] : [chain]
}

/** Undefined where no counters are shown. */
function countsOf(
  { name }: Table,
  chain: Chain,
  { verbose, countsOf: of = countsBegun }: ListOptions,
): ChainCounts | undefined {
  return verbose === true ? of(name, chain) : undefined
}

/** @param policy what was counted for its policy, where that is shown */
function heading(table: Table, chain: Chain, options: ListOptions, policy: Counters | undefined): string {
  const { verbose, exact, lineNumbers } = options
  let said: string
  if (chain.policy === undefined) said = `${usesOf(table, chain.name)} references`
  else {
    said = `policy ${chain.policy}`
    if (policy !== undefined) {
      const { packets, bytes } = policy
      const [p, b] = exact ? [packets, bytes] : [scaled(packets), scaled(bytes)]
      said += ` ${p} packets, ${b} bytes`
    }
  }
  const counts = exact ? '    pkts      bytes ' : ' pkts bytes '
  return [
    `Chain ${chain.name} (${said})\n`,
    `${lineNumbers ? 'num  ' : ''}${verbose ? counts : ''}target     prot opt${verbose ? ' in     out    ' : ''}`,
    ` ${'source'.padEnd(19)}  ${'destination'.padEnd(19)} \n`,
  ].join('')
}

/** @param counts what was counted for it, where that is shown */
function row(rule: Rule, number: number, options: ListOptions, counts: Counters | undefined): string {
  const { family, numeric = false, verbose, exact, lineNumbers } = options
  let text = lineNumbers ? `${String(number).padEnd(4)} ` : ''
  if (counts !== undefined) {
    const { packets, bytes } = counts
    text += exact ? `${padded(packets, 8)} ${padded(bytes, 8)} ` : `${aligned(packets)}${aligned(bytes)}`
  }
  const { protocol } = rule
  const name = numeric ? String(protocol?.value ?? 0) : protocol === undefined ? 'all' : protocolName(protocol.value)
  text += `${targetName(rule).padEnd(9)} ${not(protocol, ' ')}${name.padEnd(4)} ${fragment(rule)} `
  if (verbose) {
    const device = (of: Negatable<InterfaceName> | undefined) =>
      (of === undefined ? (numeric ? '*' : 'any') : named(of)).padEnd(6)
    text += ` ${device(rule.inInterface)} ${device(rule.outInterface)} `
  }
  text += `${not(rule.source, ' ')}${network(rule.source, numeric, family).padEnd(19)} `
  text += `${not(rule.destination, ' ')}${network(rule.destination, numeric, family).padEnd(19)} `
  return text + extensions(rule, numeric)
}

const not = (of: Negatable<unknown> | undefined, otherwise: string) => (of?.not ? '!' : otherwise)
const named = (of: Negatable<InterfaceName>) => `${of.not ? '!' : ''}${formatInterface(of.value)}`
const fragment = ({ fragment: of }: Rule) => (of === undefined ? '--' : of.not ? '!f' : '-f')
const padded = (n: number, width: number) => String(n).padStart(width)

function targetName({ action }: Rule): string {
  if (action === undefined) return ''
  return action.kind === 'jump' ? action.chain : (action.declaration.listedAs ?? action.declaration.name)
}

const EVERY: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' }

function network(of: Negatable<Network> | undefined, numeric: boolean, family: Family): string {
  const length = of === undefined ? 0 : maskLength(of.value.mask)
  if (of === undefined || (length === 0 && !numeric)) return numeric ? EVERY[family] : 'anywhere'
  const address = formatAny(of.value.address)
  return length === 32 * of.value.mask.length ? address : `${address}/${length ?? formatAny(of.value.mask)}`
}

function extensions({ matches, action, protocol }: Rule, numeric: boolean): string {
  let text = action?.kind === 'jump' && action.goto ? '[goto] ' : ''
  for (const { declaration, options } of matches) text += listed(declaration, options, numeric, protocol?.value)
  return action?.kind === 'target' ? text + listed(action.declaration, action.options, numeric, protocol?.value) : text
}

function listed(
  declaration: MatchDeclaration | TargetDeclaration,
  options: OptionValues,
  numeric: boolean,
  protocol: number | undefined,
): string {
  const own = declaration.list?.(options, numeric, protocol)
  if (own === undefined) return formatOptions(declaration, options, { named: !numeric }).replace(/ --/g, ' ')
  return own === '' ? '' : `${declaration.listedClose ? '' : ' '}${own}`
}

const STEPS = ['K', 'M', 'G', 'T']

/** 99999, 100K, 12M: at most five digits, each step rounded. */
function scaled(n: number): string {
  if (n <= 99_999) return String(n)
  let shown = n
  for (const [i, step] of STEPS.entries()) {
    shown = Math.floor((shown + 500) / 1000)
    if (shown <= 9999 || i === STEPS.length - 1) return `${shown}${step}`
  }
  return String(n)
}

function aligned(n: number): string {
  return `${scaled(n).padStart(5)} `
}
