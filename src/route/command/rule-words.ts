// A policy rule in the words of `ip rule`: read and written.

import { type PortRange, RFC1349_TOS } from '../comparison.ts'
import { PROTOCOL_BOOT, PROTOCOL_KERNEL, TABLE_MAIN } from '../entry.ts'
import { type Action, GOTO, LOOKUP, NOP, type PolicyRule } from '../policy.ts'
import { type Names, protocolNameOf, protocolOf, tosNameOf, tosOf } from './names.ts'
import { type Family, formatPrefix, prefixOf } from './prefix.ts'
import { IpFault, numberOf, refused, USAGE, type Words, wrongArgument } from './words.ts'

/** What was said; the rest is for who adds it, or looks for such a rule. */
export type RuleWords = Partial<Omit<PolicyRule, 'protocol'>> & { readonly protocol?: number }

const ENDS = ['blackhole', 'unreachable', 'prohibit', 'nop'] as const

export function readRule(words: Words, family: Family, names: Names): RuleWords {
  const said: { -readonly [K in keyof RuleWords]: RuleWords[K] } = {}
  while (!words.done) {
    const word = words.next()
    switch (word) {
      case 'not':
        said.not = true
        break
      case 'from':
        said.from = prefixOf(words.next(), family)
        break
      case 'to':
        said.to = prefixOf(words.next(), family)
        break
      case 'preference':
      case 'pref':
      case 'order':
      case 'priority':
        said.priority = words.number('preference value is invalid')
        break
      case 'tos':
      case 'dsfield':
        said.tos = tos(words.next(), family)
        break
      case 'fwmark':
        Object.assign(said, mark(words.next()))
        break
      case 'protocol':
        said.protocol = read(words.next(), protocolOf, '"protocol" value is invalid')
        break
      case 'table':
      case 'lookup':
        said.table = read(words.next(), (name) => names.tables.number(name), 'invalid table ID\n')
        break
      case 'suppress_prefixlength':
      case 'sup_pl':
        said.suppressPrefixLength = words.number('suppress_prefixlength value is invalid', 128)
        break
      case 'dev':
      case 'iif':
        said.iif = device(words.next())
        break
      case 'oif':
        said.oif = device(words.next())
        break
      case 'ipproto':
        said.ipproto = ipproto(words.next(), names)
        break
      case 'sport':
        said.sport = ports(words.next(), 'sport')
        break
      case 'dport':
        said.dport = ports(words.next(), 'dport')
        break
      case 'suppress_ifgroup':
      case 'sup_group':
      case 'realms':
      case 'l3mdev':
      case 'uidrange':
      case 'nat':
      case 'map-to':
      case 'tun_id':
        throw new IpFault(`Error: "${word}" is not supported here: there is nothing that it could compare.\n`, USAGE)
      case 'type':
        Object.assign(said, action(words.next(), words))
        break
      default:
        Object.assign(said, action(word, words))
    }
  }
  return said
}

/** The rule that `ip rule add` makes of what was said. @param priority where none was said */
export function ruleOf(said: RuleWords, priority: number): PolicyRule {
  const { action = LOOKUP, table = TABLE_MAIN, ...rest } = said
  const lookUp = action === LOOKUP
  if (said.suppressPrefixLength !== undefined && !lookUp)
    throw refused('Suppression is for rules that look up a table.')
  const rule = { protocol: PROTOCOL_BOOT, ...rest, priority: said.priority ?? priority, action }
  if (action === GOTO && (said.target as number) <= rule.priority) throw refused('Backward goto not supported.')
  return lookUp ? { ...rule, table } : rule
}

function action(word: string, words: Words): { action: Action; target?: number } {
  if (word === GOTO) return { action: GOTO, target: words.number('invalid target') }
  if (word === 'unicast') return { action: LOOKUP }
  const found = ENDS.find((each) => each === word)
  if (found === undefined) throw wrongArgument(word, 'Failed to parse rule type')
  return { action: found === 'nop' ? NOP : found }
}

function read<T>(word: string, reader: (word: string) => T | undefined, why: string): T {
  const value = reader(word)
  if (value === undefined) throw wrongArgument(word, why)
  return value
}

/** IPv4's rules know the four bits of RFC 1349 alone, IPv6's the whole class. */
function tos(word: string, family: Family): number {
  const value = read(word, tosOf, 'TOS value is invalid\n')
  if ((value & 3) !== 0) throw refused('Invalid dsfield (tos): ECN bits must be 0.')
  if (family === 4 && (value & ~RFC1349_TOS) !== 0) throw refused('Invalid tos.')
  return value
}

function mark(word: string): { mark: number; mask?: number } {
  const [value, bits, ...more] = word.split('/')
  const mark = numberOf(value)
  const mask = bits === undefined ? undefined : numberOf(bits)
  if (mark === undefined || mark > 0xffffffff) throw wrongArgument(word, 'fwmark value is invalid\n')
  if ((bits !== undefined && (mask === undefined || mask > 0xffffffff)) || more.length > 0)
    throw wrongArgument(bits ?? word, 'fwmask value is invalid\n')
  return mask === undefined ? { mark: mark | 0 } : { mark: mark | 0, mask: mask | 0 }
}

function device(word: string): string {
  if (!/^[^\s/]{1,15}$/.test(word)) throw wrongArgument(word, 'not a valid ifname')
  return word
}

function ipproto(word: string, names: Names): number {
  return read(word, (name) => numberOf(name) ?? names.protocolNumber(name), 'Invalid "ipproto" value\n')
}

function ports(word: string, which: string): PortRange {
  const [low, high = low, ...more] = word.split('-').map(numberOf)
  if (low === undefined || high === undefined || more.length > 0 || low === 0 || high > 0xffff || low > high)
    throw new IpFault(`Error: argument "${which}" is wrong: invalid port range\n`, USAGE)
  return { low, high }
}

// ── written ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** As `ip rule` lists it. @param isThere whether there is a device of this name */
export function formatRule(
  rule: PolicyRule,
  names: Names,
  isThere: (device: string) => boolean,
  resolved: boolean,
): string {
  const detached = (device: string) => (isThere(device) ? device : `${device} [detached]`)
  const range = ({ low, high }: PortRange) => (low === high ? String(low) : `${low}-${high}`)
  const words = [
    rule.not && 'not',
    `from ${rule.from && rule.from.length > 0 ? formatPrefix(rule.from) : 'all'}`,
    rule.to && rule.to.length > 0 && `to ${formatPrefix(rule.to)}`,
    rule.tos && `tos ${tosNameOf(rule.tos)}`,
    formatMark(rule),
    rule.iif && `iif ${detached(rule.iif)}`,
    rule.oif && `oif ${detached(rule.oif)}`,
    rule.ipproto && `ipproto ${names.protocolName(rule.ipproto)}`,
    rule.sport && `sport ${range(rule.sport)}`,
    rule.dport && `dport ${range(rule.dport)}`,
    formatAction(rule, names, resolved),
    rule.suppressPrefixLength !== undefined && `suppress_prefixlength ${rule.suppressPrefixLength}`,
    ![PROTOCOL_KERNEL, PROTOCOL_BOOT].includes(rule.protocol) && `proto ${protocolNameOf(rule.protocol)}`,
  ]
  return `${rule.priority}:\t${words.filter(Boolean).join(' ')}`
}

function formatMark({ mark, mask }: PolicyRule): string | undefined {
  const bits = mask ?? (mark ? -1 : 0)
  if (!mark && bits === 0) return undefined
  const hex = (value: number) => `0x${(value >>> 0).toString(16)}`
  return bits === -1 ? `fwmark ${hex(mark ?? 0)}` : `fwmark ${hex(mark ?? 0)}/${hex(bits)}`
}

function formatAction({ action, table, target }: PolicyRule, names: Names, resolved: boolean): string {
  if (action === LOOKUP) return `lookup ${names.tables.name(table as number)}`
  if (action === GOTO) return `goto ${target}${resolved ? '' : ' [unresolved]'}`
  return action
}
