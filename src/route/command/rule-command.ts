// `ip rule`: the policy rules of a router.

import { LOOKUP, type PolicyRule } from '../policy.ts'
import { protocolNameOf, tosNameOf } from './names.ts'
import { type Family, formatWords, readPrefix } from './prefix.ts'
import { type How, type IpRouter, planeOf } from './router.ts'
import { formatRule, type RuleWords, readRule, ruleOf } from './rule-words.ts'
import { answered, IpFault, refused, USAGE, Words } from './words.ts'

const BITS = { 4: 32, 6: 128 } as const

export function ruleCommand(router: IpRouter, args: readonly string[], how: How): string {
  const [command = 'list', ...rest] = args
  const { family = 4 } = how
  for (const [word, which] of [
    ['from', 'src'],
    ['to', 'dst'],
  ] as const) {
    const given = rest[rest.indexOf(word) + 1]
    if (rest.includes(word) && family === 4 && readPrefix(given ?? '', 6) !== undefined && given?.includes(':'))
      throw refused(`Invalid ${which} address.`)
  }
  const { rules } = planeOf(router, family)
  const read = () => readRule(new Words(rest), family, router.names)
  switch (command) {
    case 'add':
    case 'a':
      add(router, family, read())
      return ''
    case 'delete':
    case 'del':
    case 'd': {
      if (rest.length === 0) throw new IpFault('"ip rule del" requires arguments.\n', 1)
      const said = read()
      const found = rules.all.find((rule) => fits(rule, said))
      if (found === undefined) throw answered('ENOENT')
      rules.remove(found)
      planeOf(router, family).renew()
      return ''
    }
    case 'flush': {
      const said = rest.length > 0 ? read() : undefined
      for (const rule of rules.all)
        if (rule.priority !== 0 && (said === undefined || fits(rule, said))) rules.remove(rule)
      planeOf(router, family).renew()
      return ''
    }
    case 'list':
    case 'lst':
    case 'show':
    case 'sh':
    case 's':
    case 'l':
    case 'ls':
      return list(router, family, rest.length > 0 ? read() : {}, how)
    default:
      throw new IpFault(`Command "${command}" is unknown, try "ip rule help".\n`, USAGE)
  }
}

function add(router: IpRouter, family: Family, said: RuleWords): void {
  const plane = planeOf(router, family)
  const rule = ruleOf(said, plane.rules.nextPriority)
  if (plane.rules.all.some((other) => sameRule(other, rule))) throw answered('EEXIST')
  plane.rules.add(rule)
  plane.renew()
}

/** Two rules that say the same, whoever made them. */
function sameRule(a: PolicyRule, b: PolicyRule): boolean {
  const plain = (rule: PolicyRule) => JSON.stringify(Object.entries({ ...rule, protocol: 0 }).sort())
  return plain(a) === plain(b)
}

/** Whether a rule is what was said of it. */
function fits(rule: PolicyRule, said: RuleWords): boolean {
  return Object.entries(said).every(([key, wanted]) => {
    const has = rule[key as keyof PolicyRule]
    if (key === 'mask') return (has ?? -1) === wanted
    return JSON.stringify(has) === JSON.stringify(wanted)
  })
}

function list(router: IpRouter, family: Family, said: RuleWords, how: How): string {
  const { links, names } = router
  const { rules } = planeOf(router, family)
  const isThere = (device: string) => links.byName(device) !== undefined
  const shown = rules.all.filter((rule) => fits(rule, said))
  const resolved = (rule: PolicyRule) => rules.all.some(({ priority }) => priority === rule.target)
  if (how.json) return `${JSON.stringify(shown.map((rule) => ruleJson(rule, router, family, resolved(rule))))}\n`
  return shown.map((rule) => `${formatRule(rule, names, isThere, resolved(rule))}\n`).join('')
}

function ruleJson(rule: PolicyRule, { names, links }: IpRouter, family: Family, resolved: boolean): object {
  const { from, to, mark = 0, mask = mark === 0 ? 0 : -1, sport, dport, iif, oif, protocol } = rule
  const hex = (value: number) => `0x${(value >>> 0).toString(16)}`
  const prefix = (which: 'src' | 'dst', given: typeof from) => {
    if (given === undefined || given.length === 0) return which === 'src' ? { src: 'all' } : {}
    const address = { [which]: formatWords(given.network) }
    return given.length === BITS[family] ? address : { ...address, [`${which}len`]: given.length }
  }
  const ports = (which: string, range: typeof sport) => {
    if (range === undefined) return {}
    return range.low === range.high
      ? { [which]: range.low }
      : { [`${which}_start`]: range.low, [`${which}_end`]: range.high }
  }
  const device = (which: string, name: string | undefined) =>
    name !== undefined && { [which]: name, ...(links.byName(name) === undefined && { [`${which}_detached`]: null }) }
  return {
    priority: rule.priority,
    ...(rule.not && { not: null }),
    ...prefix('src', from),
    ...prefix('dst', to),
    ...(rule.tos && { tos: tosNameOf(rule.tos) }),
    ...((mark !== 0 || mask !== 0) && { fwmark: hex(mark), ...(mask !== -1 && { fwmask: hex(mask) }) }),
    ...device('iif', iif),
    ...device('oif', oif),
    ...(rule.ipproto && { ipproto: names.protocolName(rule.ipproto) }),
    ...ports('sport', sport),
    ...ports('dport', dport),
    ...actionJson(rule, names.tables.name(rule.table ?? 0), resolved),
    ...(![2, 3].includes(protocol) && { protocol: protocolNameOf(protocol) }),
  }
}

function actionJson({ action, target, suppressPrefixLength }: PolicyRule, table: string, resolved: boolean): object {
  if (action === LOOKUP)
    return { table, ...(suppressPrefixLength !== undefined && { suppress_prefixlen: suppressPrefixLength }) }
  if (action === 'goto') return { goto: target, ...(!resolved && { unresolved: null }) }
  return action === 'nop' ? { nop: null } : { action }
}
