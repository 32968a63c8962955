// Which matches and targets there are. A rule file is read against one registry; the built-in one holds what src/match/ and
// src/target/ declare, and a user's own declarations are added with `with()`.

import { TunfilterError } from '../errors.ts'
import type { MatchDeclaration, Options, TargetDeclaration } from '../rule/define.ts'
import type { Family } from '../rule/model.ts'
import { protocolName } from '../rule/names.ts'

export type AnyDeclaration = MatchDeclaration | TargetDeclaration

export class Registry {
  readonly declarations: readonly AnyDeclaration[]
  readonly #found = new Map<string, AnyDeclaration>()

  /** Later declarations of the same kind, name and family stand in for earlier ones. */
  constructor(declarations: readonly AnyDeclaration[]) {
    this.declarations = declarations
    for (const declaration of declarations) {
      if (!/^[A-Za-z0-9_-]{1,28}$/.test(declaration.name))
        throw new TunfilterError(
          'ERR_DECLARATION',
          `${declaration.kind} '${declaration.name}': expected a name of 1 to 28 letters, digits, _ and -`,
        )
      for (const family of declaration.families ?? FAMILIES)
        this.#found.set(`${declaration.kind} ${declaration.name} ${family}`, declaration)
    }
  }

  /** This registry and more. */
  with(...declarations: readonly (MatchDeclaration<Options> | TargetDeclaration<Options>)[]): Registry {
    return new Registry([...this.declarations, ...declarations])
  }

  match(name: string, family: Family): MatchDeclaration | undefined {
    return this.#found.get(`match ${MATCH_ALIASES[name] ?? name} ${family}`) as MatchDeclaration | undefined
  }

  target(name: string, family: Family): TargetDeclaration | undefined {
    return this.#found.get(`target ${name} ${family}`) as TargetDeclaration | undefined
  }

  /** The match that `-p PROTOCOL` brings in. */
  ofProtocol(protocol: number, family: Family): MatchDeclaration | undefined {
    return this.match(OWN_MATCHES[protocol] ?? protocolName(protocol), family)
  }

  names(kind: AnyDeclaration['kind'], family: Family): string[] {
    return this.declarations
      .filter((d) => d.kind === kind && (d.families ?? FAMILIES).includes(family))
      .map((d) => d.name)
  }
}

/** Other names under which the tools know a match; it is saved under its own. */
const MATCH_ALIASES: Readonly<Record<string, string>> = { icmpv6: 'icmp6', 'ipv6-icmp': 'icmp6' }

const FAMILIES: readonly Family[] = [4, 6]

/** Protocols whose match has another name than they have. */
const OWN_MATCHES: Readonly<Record<number, string>> = { 58: 'icmp6', 135: 'mh' }

/** Names of iptables' own that nothing here enforces yet: they are refused by name, not as unknown. */
export const NOT_ENFORCED: Readonly<Record<AnyDeclaration['kind'], ReadonlySet<string>>> = {
  match: new Set(`ipvs unclean`.split(/\s+/)),
  target: new Set(`CLUSTERIP LED MIRROR SECMARK ULOG`.split(/\s+/)),
}
