// What a rule asks of a packet besides its addresses, made ready: plain comparisons, and functions for the rest. Rules that ask
// the same share one of these, as long as nothing in it remembers packets (Looks in define.ts).

import type { Links } from '../device/link.ts'
import type { Looks, MatchFunction, PortBounds } from './define.ts'
import type { InterfaceName, MatchUse, Negatable, Rule } from './model.ts'
import { PlainTests } from './plain.ts'

/** What rules can have in common besides their action. */
export type Conditions = Pick<Rule, 'inInterface' | 'outInterface' | 'protocol' | 'fragment' | 'matches'> & {
  readonly sourceNot: boolean
  readonly destinationNot: boolean
}

export class Tests {
  readonly sourceNot: boolean
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
  /** It has to be another. */
  readonly markNot: boolean
  /** Matches that are more than the comparisons above. */
  readonly matches: readonly MatchFunction[]
  /** All matches, for packets without a transport header, which each match judges in its own way. */
  readonly allMatches: readonly MatchFunction[]
  /** Nothing in `matches` looks at more than what is the same for all packets of a flow and direction. */
  readonly flow: boolean
  /** Ranges of which the port must be in one, least and most in turn, where a match says so (bounds in define.ts). */
  readonly sports: readonly number[] | undefined
  readonly dports: readonly number[] | undefined

  constructor(conditions: Conditions, links: Links, matches: readonly MatchFunction[]) {
    this.sourceNot = conditions.sourceNot
    this.destinationNot = conditions.destinationNot
    this.inLinks = linksOf(conditions.inInterface, links)
    this.outLinks = linksOf(conditions.outInterface, links)
    this.protocol = conditions.protocol?.value ?? 0
    this.protocolNot = conditions.protocol?.not === true
    this.fragments = conditions.fragment === undefined ? 0 : conditions.fragment.not ? 2 : 1
    const plain = new PlainTests(conditions.matches)
    this.ports = plain.ports
    this.sportMin = plain.sportMin
    this.sportMax = plain.sportMax
    this.dportMin = plain.dportMin
    this.dportMax = plain.dportMax
    this.states = plain.states
    this.mark = plain.mark
    this.markMask = plain.markMask
    this.markNot = plain.markNot
    this.matches = plain.rest(matches)
    this.allMatches = matches
    this.flow = conditions.matches.every((use) => looksOf(use) === 'flow')
    const bounds = boundsOf(conditions.matches)
    this.sports = bounds.sports
    this.dports = bounds.dports
  }
}

/** Of the matches at the front that remember nothing: one behind a match that counts does not keep a packet from that. */
function boundsOf(uses: readonly MatchUse[]): PortBounds {
  for (const use of uses) {
    const bounds = use.declaration.bounds?.(use.options)
    if (bounds !== undefined) return bounds
    if (looksOf(use) !== 'flow') break
  }
  return {}
}

/** Whether every match may be shared: none of them remembers packets. */
export function remembersNothing(uses: readonly MatchUse[]): boolean {
  return uses.every((use) => looksOf(use) !== undefined)
}

/** What a match looks at; undefined where it may be anything. */
export function looksOf({ declaration, options }: MatchUse): Looks | undefined {
  if (declaration.plain?.(options) !== undefined) return 'flow'
  return declaration.looksFor === undefined ? declaration.looks : declaration.looksFor(options)
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
