// A rule set made ready for packets: chains as arrays of entries whose plain fields (addresses, devices, protocol) are
// tested where they stand, and closures for the rest. Testing plain fields of objects costs 3.5 ns a rule that does not
// match, a closure per rule 28 ns. This is the interpreter's form; it is a generation, never changed once made, but for
// its counters.

import type { Links } from '../device/link.ts'
import { TunfilterError } from '../errors.ts'
import { ACCEPT, DROP, HOOK_NAMES } from '../hook/hook.ts'
import { CONTINUE, type MatchFunction, RETURN, type TargetFunction } from './define.ts'
import type { Environment } from './environment.ts'
import {
  type Chain,
  type InterfaceName,
  type Negatable,
  type Rule,
  type RuleSet,
  TABLE_NAMES,
  type TableName,
} from './model.ts'
import { PlainTests } from './plain.ts'

// What an entry does when it matches.
export const DO_VERDICT = 0
export const DO_TARGET = 1
export const DO_JUMP = 2
export const DO_GOTO = 3

export class Entry {
  readonly source: number
  readonly sourceMask: number
  readonly sourceNot: boolean
  readonly destination: number
  readonly destinationMask: number
  readonly destinationNot: boolean
  /** By link index: 1 where the device matches; undefined for every device. */
  readonly inLinks: Uint8Array | undefined
  readonly outLinks: Uint8Array | undefined
  /** 0 for every protocol. */
  readonly protocol: number
  readonly protocolNot: boolean
  /** 0: whole packets and fragments alike, 1: only later fragments (-f), 2: all but those (! -f). */
  readonly fragments: number
  /** Ports are compared, where there is a transport header. */
  readonly ports: boolean
  readonly sportMin: number
  readonly sportMax: number
  readonly dportMin: number
  readonly dportMax: number
  /** Bits 1 << ctinfo of which the packet's must be one; -1 for every state. */
  readonly states: number
  readonly mark: number
  /** 0 for every mark. */
  readonly markMask: number
  /** Matches that are more than the comparisons above. */
  readonly matches: readonly MatchFunction[]
  /** All matches, for packets without a transport header, which each match judges in its own way. */
  readonly allMatches: readonly MatchFunction[]
  readonly action: number
  /** For DO_VERDICT; CONTINUE and RETURN among them. */
  readonly verdict: number
  readonly target: TargetFunction | undefined
  /** For DO_JUMP and DO_GOTO. */
  chain: ChainProgram | undefined
  /** Place of the packet counter in the counters; bytes follow. */
  readonly counter: number

  constructor(
    rule: Rule,
    links: Links,
    matches: readonly MatchFunction[],
    target: TargetFunction | undefined,
    counter: number,
  ) {
    this.sourceMask = word(rule.source?.value.mask)
    this.source = word(rule.source?.value.address) & this.sourceMask
    this.sourceNot = rule.source?.not === true
    this.destinationMask = word(rule.destination?.value.mask)
    this.destination = word(rule.destination?.value.address) & this.destinationMask
    this.destinationNot = rule.destination?.not === true
    this.inLinks = linksOf(rule.inInterface, links)
    this.outLinks = linksOf(rule.outInterface, links)
    this.protocol = rule.protocol?.value ?? 0
    this.protocolNot = rule.protocol?.not === true
    this.fragments = rule.fragment === undefined ? 0 : rule.fragment.not ? 2 : 1
    const plain = new PlainTests(rule.matches)
    this.ports = plain.ports
    this.sportMin = plain.sportMin
    this.sportMax = plain.sportMax
    this.dportMin = plain.dportMin
    this.dportMax = plain.dportMax
    this.states = plain.states
    this.mark = plain.mark
    this.markMask = plain.markMask
    this.matches = plain.rest(matches)
    this.allMatches = matches
    this.target = target
    this.counter = counter
    const { action } = rule
    if (action === undefined) {
      this.action = DO_VERDICT
      this.verdict = CONTINUE
    } else if (action.kind === 'jump') {
      this.action = action.goto ? DO_GOTO : DO_JUMP
      this.verdict = CONTINUE
    } else {
      const standard = STANDARD[action.declaration.name]
      this.action = standard === undefined ? DO_TARGET : DO_VERDICT
      this.verdict = standard ?? CONTINUE
    }
  }
}

/** Targets that are nothing but a verdict. */
const STANDARD: Readonly<Record<string, number | undefined>> = { ACCEPT, DROP, RETURN }

export class ChainProgram {
  readonly name: string
  readonly entries: Entry[] = []
  /** Of built-in chains: ACCEPT or DROP. */
  readonly policy: number
  /** Place of the policy's packet counter. */
  readonly counter: number

  constructor(name: string, policy: number, counter: number) {
    this.name = name
    this.policy = policy
    this.counter = counter
  }
}

export class Program {
  readonly ruleSet: RuleSet
  /** Pairs of packets and bytes, in the order of tables, chains, and each chain's policy before its rules. */
  readonly counters: Float64Array<SharedArrayBuffer>
  readonly #bases = new Map<TableName, (ChainProgram | undefined)[]>()
  readonly #places = new Map<object, number>()

  /** Instantiates every match and target; `places` are handed out in order. */
  constructor(ruleSet: RuleSet, env: Environment) {
    this.ruleSet = ruleSet
    let size = 0
    for (const table of ruleSet.tables.values())
      for (const chain of table.chains.values()) size += 2 + 2 * chain.rules.length
    this.counters = new Float64Array(new SharedArrayBuffer(size * 8))
    let place = 0
    const next = (of: Chain | Rule) => {
      this.#places.set(of, place)
      this.counters[place] = of.counters.packets
      this.counters[place + 1] = of.counters.bytes
      place += 2
      return place - 2
    }
    for (const tableName of TABLE_NAMES) {
      const table = ruleSet.tables.get(tableName)
      if (table === undefined) continue
      const programs = new Map<string, ChainProgram>()
      for (const chain of table.chains.values()) {
        const program = new ChainProgram(chain.name, chain.policy === 'DROP' ? DROP : ACCEPT, next(chain))
        programs.set(chain.name, program)
        for (const rule of chain.rules) {
          const around = {
            family: ruleSet.family,
            table: tableName,
            chain: chain.name,
            protocol: rule.protocol?.not === false ? rule.protocol.value : undefined,
          }
          const matches = rule.matches.map((m) => m.declaration.match(m.options, env, around))
          const { action } = rule
          const target = action?.kind === 'target' ? action.declaration.target(action.options, env, around) : undefined
          program.entries.push(new Entry(rule, env.links, matches, target, next(rule)))
        }
      }
      for (const chain of table.chains.values()) {
        const entries = programs.get(chain.name)?.entries ?? []
        chain.rules.forEach((rule, i) => {
          if (rule.action?.kind !== 'jump') return
          entries[i].chain = programs.get(rule.action.chain)
          if (entries[i].chain === undefined)
            throw new TunfilterError(
              'ERR_RULES',
              `${tableName}: ${chain.name}: there is no chain '${rule.action.chain}'`,
            )
        })
      }
      this.#bases.set(
        tableName,
        HOOK_NAMES.map((hook) => programs.get(hook)),
      )
    }
  }

  /** The built-in chain of a table at a hook; undefined where the table is not loaded or has none there. */
  base(table: TableName, hook: number): ChainProgram | undefined {
    return this.#bases.get(table)?.[hook]
  }

  /** Whether this very rule, or chain, is of this generation. */
  has(of: Chain | Rule): boolean {
    return this.#places.has(of)
  }

  /** Current counters of a chain's policy or a rule of this generation. */
  countersOf(of: Chain | Rule): { packets: number; bytes: number } {
    const place = this.#places.get(of) as number
    return { packets: this.counters[place], bytes: this.counters[place + 1] }
  }

  /** Sets the counters of a chain's policy or a rule of this generation. */
  setCounters(of: Chain | Rule, packets: number, bytes: number): void {
    const place = this.#places.get(of) as number
    this.counters[place] = packets
    this.counters[place + 1] = bytes
  }
}

function word(words: readonly number[] | undefined): number {
  return words === undefined ? 0 : words[0]
}

function linksOf(wanted: Negatable<InterfaceName> | undefined, links: Links): Uint8Array | undefined {
  if (wanted === undefined) return undefined
  const { name, wildcard } = wanted.value
  const matching = new Uint8Array(links.size)
  for (let i = 0; i < matching.length; i++) {
    const link = links.name(i)
    const hit = wildcard ? link.startsWith(name) : link === name
    matching[i] = hit !== wanted.not ? 1 : 0
  }
  return matching
}
