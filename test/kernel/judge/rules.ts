// Random rule sets that mean something to the packets of the same network, made of the declarations of matches and targets. What stands
// where it may not is left out by asking the project's own parser; whether the real tools agree with it about the rest is part of
// the comparison.

import { RefusedError } from '../../../src/errors.ts'
import { BUILTIN } from '../../../src/iptables/builtin.ts'
import type { AnyDeclaration } from '../../../src/iptables/registry.ts'
import { parseRestore } from '../../../src/iptables/restore.ts'
import { BUILTIN_CHAINS, type TableName } from '../../../src/rule/model.ts'
import type { Chance } from './chance.ts'
import { MATCHES } from './matches.ts'
import type { World } from './network.ts'
import { TARGETS } from './targets.ts'
import { device, masked, type Uses, use } from './uses.ts'

const IN = ['PREROUTING', 'INPUT', 'FORWARD']
const OUT = ['FORWARD', 'OUTPUT', 'POSTROUTING']

/** Lines of one rule set, each of which may be left out: the text of `rulesText`. */
export interface Rules {
  /** `filter`, then its lines: chains, policies, rules. */
  readonly tables: readonly (readonly [table: TableName, lines: readonly string[]])[]
}

export function rulesText({ tables }: Rules): string {
  return tables.map(([table, lines]) => [`*${table}`, ...lines, 'COMMIT', ''].join('\n')).join('')
}

export function rules(chance: Chance, world: World): Rules {
  const writer = new RuleWriter(chance, world)
  const tables: (readonly [TableName, readonly string[]])[] = []
  if (chance.once(4)) tables.push(['raw', writer.table('raw', 4)])
  if (chance.once(2)) tables.push(['mangle', writer.table('mangle', 7)])
  if (!chance.once(3)) tables.push(['nat', writer.table('nat', 5)])
  tables.push(['filter', writer.table('filter', 10)])
  if (chance.once(10)) tables.push(['security', writer.table('security', 3)])
  return sound({ tables }, world)
}

/** Without the lines that the parser refuses where they stand: a target in a user's chain that is reached from a wrong hook. */
function sound(set: Rules, { family }: World): Rules {
  for (;;) {
    const text = rulesText(set)
    try {
      parseRestore(text, { file: '', family })
      return set
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      const wrong = new Set(error.complaints.map(({ line }) => line))
      let at = 0
      const tables = set.tables.map(([table, lines]) => {
        const first = at + 2
        at += lines.length + 2
        return [table, lines.filter((_, i) => !wrong.has(first + i))] as const
      })
      if (rulesText({ tables }) === text) throw error
      set = { tables }
    }
  }
}

interface Choice {
  readonly declaration: AnyDeclaration
  readonly uses: Uses
}

const PROTOCOLS = {
  4: [
    [0, 14],
    [6, 10],
    [17, 7],
    [1, 4],
    [132, 2],
    [50, 1],
    [51, 1],
    [33, 1],

    [108, 1],
  ],
  6: [
    [0, 14],
    [6, 10],
    [17, 7],
    [58, 4],
    [132, 2],
    [50, 1],
    [33, 1],

    [135, 1],
    [108, 1],
  ],
} as const
/** Protocols that are named without a match about them. */
const OTHER = [47, 50, 132, 17, 6, 1, 58, 44]
const NAT = ['SNAT', 'DNAT', 'MASQUERADE', 'REDIRECT', 'NETMAP', 'ACCEPT', 'RETURN', 'LOG', 'MARK', 'CONNMARK', 'SET']

class RuleWriter {
  readonly #chance: Chance
  readonly #world: World

  constructor(chance: Chance, world: World) {
    this.#chance = chance
    this.#world = world
  }

  table(table: TableName, most: number): string[] {
    const chance = this.#chance
    const bases = BUILTIN_CHAINS[table]
    const user = Array.from({ length: chance.below(3) }, (_, i) => `user${i}`)
    const lines = user.map((chain) => `:${chain} - [0:0]`)
    if (table !== 'nat' && chance.once(4)) lines.push(`:${chance.pick(bases)} DROP [0:0]`)
    // A user chain is only jumped to from those before it, and its rules stand where every caller may use them.
    for (const [i, chain] of user.entries())
      for (let n = chance.below(4); n > 0; n--) lines.push(`-A ${chain} ${this.#rule(table, chain, user.slice(i + 1))}`)
    for (let n = chance.between(1, most); n > 0; n--) {
      const base = chance.pick(bases)
      lines.push(`-A ${base} ${this.#rule(table, base, user)}`)
    }
    return lines
  }

  #rule(table: TableName, chain: string, user: readonly string[]): string {
    const chance = this.#chance
    const protocol = this.#protocol()
    const words = this.#conditions(chain, protocol)
    const count = chance.pick([0, 0, 1, 1, 1, 2])
    // Most rules about a protocol look at what only it has.
    if (protocol > 0 && !chance.once(4)) this.#add(words, this.#matches(protocol, true), table, chain)
    for (let i = 0; i < count; i++) this.#add(words, this.#matches(protocol, false), table, chain)
    if (user.length > 0 && chance.once(4)) words.push(`${chance.once(4) ? '-g' : '-j'} ${chance.pick(user)}`)
    else if (!chance.once(12)) this.#add(words, this.#targets(table, chain, protocol), table, chain)
    return words.filter((word) => word !== '').join(' ')
  }

  #protocol(): number {
    return this.#chance.weighted<readonly [number, number]>(PROTOCOLS[this.#world.family], ([, weight]) => weight)[0]
  }

  #not(): string {
    return this.#chance.once(5) ? '! ' : ''
  }

  #conditions(chain: string, protocol: number): string[] {
    const chance = this.#chance
    const world = this.#world
    const words: string[] = []
    if (chance.once(4)) words.push(`${this.#not()}-s ${masked(chance, world)}`)
    if (chance.once(4)) words.push(`${this.#not()}-d ${masked(chance, world)}`)
    if (IN.includes(chain) && chance.once(4)) words.push(`${this.#not()}-i ${device(chance, world)}`)
    if (OUT.includes(chain) && chance.once(4)) words.push(`${this.#not()}-o ${device(chance, world)}`)
    if (world.family === 4 && protocol === 0 && chance.once(20)) words.push(chance.pick(['-f', '! -f']))
    if (protocol > 0) words.push(`-p ${protocol}`)
    else if (chance.once(8)) words.push(`${this.#not()}-p ${chance.pick(OTHER)}`)
    return words
  }

  /** Appends one of them, if any may stand there. */
  #add(words: string[], choices: readonly Choice[], table: TableName, chain: string): void {
    if (choices.length === 0) return
    const { declaration, uses } = this.#chance.weighted(choices, ({ uses: { weight = 2 } }) => weight)
    // A match stands once in a rule.
    if (words.some((word) => word.startsWith(`-m ${declaration.name} `))) return
    const before = words.filter((word) => word !== '').join(' ')
    const text = use(declaration, uses, this.#chance, this.#world, { table, chain, before })
    if (text !== undefined) words.push(text)
  }

  #matches(protocol: number, own: boolean): Choice[] {
    return choices(MATCHES, (name) => BUILTIN.match(name, this.#world.family)).filter(({ declaration, uses }) => {
      const protocols = uses.protocols ?? declaration.protocols
      return own ? protocols?.includes(protocol) : protocols === undefined || protocols.includes(protocol)
    })
  }

  #targets(table: TableName, chain: string, protocol: number): Choice[] {
    return choices(TARGETS, (name) => BUILTIN.target(name, this.#world.family)).filter(({ declaration }) => {
      const { name, tables, hooks, protocols } = declaration
      if (table === 'nat' && !NAT.includes(name)) return false
      if (tables !== undefined && !tables.includes(table)) return false
      if (/^[A-Z]/.test(chain) && hooks !== undefined && !hooks.includes(chain)) return false
      return protocols === undefined || protocols.includes(protocol)
    })
  }
}

function choices(
  of: Readonly<Record<string, Uses>>,
  declarationOf: (name: string) => AnyDeclaration | undefined,
): Choice[] {
  return Object.entries(of).flatMap(([name, uses]) => {
    const declaration = declarationOf(name)
    return declaration === undefined ? [] : [{ declaration, uses }]
  })
}
