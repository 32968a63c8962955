// What is said of a name that is not known here: an option, a match, a target or a chain.

import type { Family, Negatable, TableName } from '../rule/model.ts'
import { protocolName } from '../rule/names.ts'
import { shown } from '../rule/option.ts'
import type { Extension } from './extension.ts'
import { findLong, GLOBAL_NAMES } from './global.ts'
import { didYouMean } from './nearest.ts'
import { NOT_ENFORCED, type Registry } from './registry.ts'

// A word between the quotes that iptables' messages have.
export const likeThere = (text: string) => shown(text).replace(/^'/, '`')
export const quoted = (text: string) => shown(text).replace(/^'|'$/g, '"')

/** `-dport` is what people write who mean `--dport`. @param letters behind the - */
export function hintForShort(letters: string, { declarations }: Registry): string {
  const known = GLOBAL_NAMES.includes(letters) || declarations.some((d) => Object.hasOwn(d.options, letters))
  return known ? `; did you mean '--${letters}'?` : ''
}

/** @param extensions matches and the target that were named before  @param protocol -p, where it was given */
export function unknownOption(
  name: string,
  extensions: readonly Extension[],
  protocol: Negatable<number> | undefined,
  registry: Registry,
  family: Family,
): string {
  const found = findLong(name, extensions)
  if (found.kind === 'ambiguous') return `'--${name}' could be ${found.names.map((one) => `--${one}`).join(' or ')}`
  const owners = registry.declarations.filter(
    (d) => Object.hasOwn(d.options, name) && (d.families ?? [4, 6]).includes(family),
  )
  if (owners.length > 0) {
    const where = owners.map((d) =>
      d.protocols?.length === 1
        ? `-p ${protocolName(d.protocols[0])}`
        : `${d.kind === 'match' ? '-m' : '-j'} ${d.name}`,
    )
    return `unknown option ${quoted(`--${name}`)} here: expected ${where.join(' or ')} to stand before it`
  }
  const known = [...GLOBAL_NAMES, ...extensions.flatMap((e) => Object.keys(e.declaration.options))]
  const implied = protocol === undefined ? undefined : registry.ofProtocol(protocol.value, family)
  if (implied !== undefined) known.push(...Object.keys(implied.options))
  return `unknown option ${quoted(`--${name}`)}${didYouMean(name, known).replace("'", "'--")}`
}

export function unknownMatch(name: string, registry: Registry, family: Family): string {
  if (NOT_ENFORCED.match.has(name)) return `match ${name} is not enforced yet, so the rule would match too much`
  const hint = didYouMean(name, registry.names('match', family))
  return `Couldn't load match ${likeThere(name)}:No such file or directory${hint}`
}

interface InTable {
  readonly registry: Registry
  readonly family: Family
  readonly table: TableName
  chainNames(): Iterable<string>
}

/** A target, or a chain to jump to, or with isGoto a chain alone. */
export function unknownTarget(name: string, isGoto: boolean, context: InTable): string {
  const { registry, family, table } = context
  if (!isGoto && NOT_ENFORCED.target.has(name)) return `target ${name} is not enforced yet`
  const hint = didYouMean(name, [...context.chainNames(), ...(isGoto ? [] : registry.names('target', family))])
  return isGoto
    ? `goto ${shown(name)} is not a chain of table ${table} at this line${hint}`
    : `Couldn't load target ${likeThere(name)}:No such file or directory${hint}`
}
