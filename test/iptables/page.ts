// The page of all matches and targets, made from their declarations: src/iptables/EXTENSIONS.md.

import { BUILTIN } from '../../src/iptables/builtin.ts'
import { type AnyDeclaration, NOT_ENFORCED } from '../../src/iptables/registry.ts'
import type { Family } from '../../src/rule/model.ts'
import { protocolName } from '../../src/rule/names.ts'
import type { Option } from '../../src/rule/option.ts'

const FAMILIES: readonly Family[] = [4, 6]

export function page(): string {
  return `# Matches and targets

Made from the declarations in \`src/match/\` and \`src/target/\` by \`scripts/docs\`; a test holds it against them. \`iptables -m NAME -h\` and
\`iptables -j NAME -h\` tell the same of one, with what each value may be.

Everything here is enforced as Linux does. Where a router in userspace has nothing to look at (a socket that belongs to a forwarded packet, a bridge,
an IPsec policy), it gives what Linux gives where there is nothing. \`[!]\` may be negated; options in *italics* are known and refused, with the reason;
a family, a table or a chain that is not named is every one.

## Matches

${table('match')}
## Targets

${table('target')}
## Not enforced

Known by name, and refused: ${missing('match')} (matches); ${missing('target')} (targets).
`
}

function table(kind: AnyDeclaration['kind']): string {
  const byName = new Map<string, AnyDeclaration[]>()
  for (const declaration of BUILTIN.declarations) {
    if (declaration.kind !== kind) continue
    const same = byName.get(declaration.name) ?? []
    byName.set(declaration.name, [...same, declaration])
  }
  const rows = [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, declarations]) => merged(declarations).map(row))
  return ['| | families | where | options | |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}

interface Row {
  readonly declaration: AnyDeclaration
  readonly families: readonly Family[]
}

/** A declaration for each family that differs in nothing that is shown is one row. */
function merged(declarations: readonly AnyDeclaration[]): Row[] {
  const rows: Row[] = []
  for (const declaration of declarations) {
    const families = declaration.families ?? FAMILIES
    const same = rows.findIndex((one) => shownOf(one.declaration) === shownOf(declaration))
    if (same < 0) rows.push({ declaration, families })
    else rows[same] = { declaration, families: [...new Set([...rows[same].families, ...families])].sort() }
  }
  return rows
}

function shownOf(declaration: AnyDeclaration): string {
  return [declaration.summary, where(declaration), options(declaration)].join('|')
}

function row({ declaration, families }: Row): string {
  const both = families.length === 2 ? '' : `IPv${families[0]}`
  const cells = [`\`${declaration.name}\``, both, where(declaration), options(declaration), declaration.summary]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function where({ protocols, tables, hooks, hooksFor }: AnyDeclaration): string {
  const parts: string[] = []
  if (protocols !== undefined) parts.push(protocols.map((each) => `-p ${protocolName(each)}`).join(', '))
  if (tables !== undefined) parts.push(tables.join(', '))
  if (hooks !== undefined) parts.push(hooks.join(', '))
  else if (hooksFor !== undefined) parts.push('chains as the options say')
  return parts.join('; ')
}

function options({ options }: AnyDeclaration): string {
  return Object.entries(options)
    .map(([name, of]) => {
      const { kind, traits } = of as Option<unknown>
      const others = traits.aliases.map((alias) => `, \`--${alias}\``).join('')
      const whole = `${traits.negated ? '[!] ' : ''}\`--${name}\`${others}`
      return kind.expects === 'not to be used' ? `*${whole}*` : whole
    })
    .join('<br>')
}

function missing(kind: AnyDeclaration['kind']): string {
  const there = new Set(FAMILIES.flatMap((family) => BUILTIN.names(kind, family)))
  const names = [...NOT_ENFORCED[kind]].filter((name) => !there.has(name)).sort()
  return names.length === 0 ? 'none' : names.map((name) => `\`${name}\``).join(', ')
}
