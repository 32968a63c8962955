// Which rule says the same as another: its saved form, with what iptables-save loses, is the same. Where that can be told without the text it is, since a chain
// may have a hundred thousand rules.

import type { InterfaceName, MatchUse, Negatable, Network, Rule } from '../rule/model.ts'
import { formatOptions, formatRule } from './save.ts'

const WHOLE = { whole: true }

/** Place of the first rule that says the same; -1 where there is none. */
export function indexOfSame(rules: readonly Rule[], wanted: Rule): number {
  let text: string | undefined
  for (let i = 0; i < rules.length; i++) {
    if (!mayBeSame(rules[i], wanted)) continue
    text ??= formatRule(wanted, WHOLE)
    if (rules[i] === wanted || formatRule(rules[i], WHOLE) === text) return i
  }
  return -1
}

/** False only where the saved forms differ. */
function mayBeSame(a: Rule, b: Rule): boolean {
  return (
    isSameNetwork(a.source, b.source) &&
    isSameNetwork(a.destination, b.destination) &&
    a.protocol?.value === b.protocol?.value &&
    isSameDevice(a.inInterface, b.inInterface) &&
    isSameDevice(a.outInterface, b.outInterface) &&
    isSameTarget(a.action, b.action) &&
    a.matches.length === b.matches.length &&
    a.matches.every((use, i) => isSameUse(use, b.matches[i]))
  )
}

function isSameNetwork(a: Negatable<Network> | undefined, b: Negatable<Network> | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if (a.not !== b.not) return false
  const { address, mask } = a.value
  for (let i = 0; i < address.length; i++)
    if (address[i] !== b.value.address[i] || mask[i] !== b.value.mask[i]) return false
  return true
}

function isSameDevice(a: Negatable<InterfaceName> | undefined, b: Negatable<InterfaceName> | undefined): boolean {
  return a?.not === b?.not && a?.value.name === b?.value.name && a?.value.wildcard === b?.value.wildcard
}

function isSameTarget(a: Rule['action'], b: Rule['action']): boolean {
  if (a?.kind === 'jump') return b?.kind === 'jump' && a.chain === b.chain
  return b?.kind !== 'jump' && a?.declaration === b?.declaration
}

function isSameUse(a: MatchUse, b: MatchUse): boolean {
  if (a.declaration !== b.declaration) return false
  if (a.options === b.options) return true
  return formatOptions(a.declaration, a.options, WHOLE) === formatOptions(b.declaration, b.options, WHOLE)
}
