// Rules that no packet can reach, because an earlier rule of their chain takes every packet that they would match. Only
// what is certain is told: the earlier rule ends the chain's walk, and all that it asks (addresses, devices, protocol,
// ports, states, mark) is asked by the later one too, at least as narrowly. Whatever else the later one asks only narrows
// it further. Nothing is told of rules that only several earlier ones cover together.

import { formatRule } from '../iptables/save.ts'
import type { Chain, InterfaceName, Negatable, Network, Rule } from '../rule/model.ts'

/** Targets after which a packet never comes to the next rule, whatever they make of it. */
const ENDS = new Set(['ACCEPT', 'DROP', 'RETURN', 'REJECT', 'SNAT', 'DNAT', 'MASQUERADE', 'REDIRECT'])
/** Comparisons after which no more are looked for: a chain in which thousands of rules stand on the same addresses. */
const MOST = 20_000_000

export interface Shadow {
  /** Positions in the chain, from 0. */
  readonly rule: number
  readonly by: number
}

interface Asked {
  readonly rule: Rule
  readonly at: number
  readonly sports: readonly number[] | undefined
  readonly dports: readonly number[] | undefined
  readonly states: number
  readonly marks: ReadonlySet<string>
}

/** @returns what is shadowed, and whether every pair of rules was looked at */
export function shadowedIn(chain: Chain): { readonly shadows: Shadow[]; readonly complete: boolean } {
  /** Earlier rules by the masks of their addresses, then by the addresses. */
  const earlier = new Map<string, { readonly masks: Masks; readonly by: Map<string, Asked[]> }>()
  const shadows: Shadow[] = []
  let compared = 0
  for (const [at, rule] of chain.rules.entries()) {
    if (compared > MOST) return { shadows, complete: false }
    const asked = readRule(rule, at)
    let by: number | undefined
    const [source, destination] = [network(rule.source), network(rule.destination)]
    for (const { masks, by: rules } of earlier.values()) {
      compared++
      if (!asNarrow(source.mask, masks[0]) || !asNarrow(destination.mask, masks[1])) continue
      for (const first of rules.get(keyOf(source.address, destination.address, masks)) ?? []) {
        compared++
        if (covers(first, asked) && (by === undefined || first.at < by)) by = first.at
      }
    }
    if (by !== undefined) shadows.push({ rule: at, by })
    if (by !== undefined || !endsWalk(rule) || !isPlain(rule)) continue
    const masks: Masks = [source.mask, destination.mask]
    const group = earlier.get(masks.join(' ')) ?? { masks, by: new Map() }
    earlier.set(masks.join(' '), group)
    const key = keyOf(source.address, destination.address, masks)
    const same = group.by.get(key)
    if (same === undefined) group.by.set(key, [asked])
    else same.push(asked)
  }
  return { shadows, complete: true }
}

function endsWalk({ action }: Rule): boolean {
  return action?.kind === 'jump' ? action.goto : action !== undefined && ENDS.has(action.declaration.name)
}

/** Whether all that the rule asks is understood here; what is negated is not. */
function isPlain(rule: Rule): boolean {
  const { source, destination, inInterface, outInterface, protocol, fragment, matches } = rule
  if ([source, destination, inInterface, outInterface, protocol].some((of) => of?.not === true)) return false
  return (
    fragment === undefined &&
    matches.every(
      ({ declaration, options }) => declaration.remark || declaration.plain?.(options as never) !== undefined,
    )
  )
}

/** Of source and destination. */
type Masks = readonly [readonly number[], readonly number[]]

/** Everything, of either family. */
const ANYWHERE: Network = { address: [0, 0, 0, 0], mask: [0, 0, 0, 0] }

/** A network; everything where it is not given or negated. */
function network(of: Negatable<Network> | undefined): Network {
  return of === undefined || of.not ? ANYWHERE : of.value
}

/** Whether a mask looks at all the bits that a wider one looks at. */
function asNarrow(mask: readonly number[], wide: readonly number[]): boolean {
  return wide.every((word, i) => word === 0 || (mask[i] & word) === word)
}

function keyOf(source: readonly number[], destination: readonly number[], [first, second]: Masks): string {
  const seen = (address: readonly number[], mask: readonly number[]) => mask.map((word, i) => address[i] & word)
  return `${seen(source, first)} ${seen(destination, second)}`
}

const ALL_PORTS = [0, 0xffff]

function readRule(rule: Rule, at: number): Asked {
  let states = -1
  let sports: readonly number[] | undefined
  let dports: readonly number[] | undefined
  const marks = new Set<string>()
  for (const { declaration, options } of rule.matches) {
    const plain = declaration.plain?.(options as never)
    const bounds = declaration.bounds?.(options as never)
    if (plain?.states !== undefined) states &= plain.states
    if (plain?.mark !== undefined) marks.add(`${plain.mark.value}/${plain.mark.mask}`)
    if (plain?.ports !== undefined) {
      sports = narrower(sports, [plain.ports.sport.min, plain.ports.sport.max])
      dports = narrower(dports, [plain.ports.dport.min, plain.ports.dport.max])
    } else if (bounds?.sports !== undefined || bounds?.dports !== undefined) {
      sports = narrower(sports, bounds.sports ?? ALL_PORTS)
      dports = narrower(dports, bounds.dports ?? ALL_PORTS)
    }
  }
  return { rule, at, sports, dports, states, marks }
}

/** Of two conditions on a port one: both hold, and either is enough to be certain. */
function narrower(a: readonly number[] | undefined, b: readonly number[]): readonly number[] {
  return a === undefined || (a[0] === 0 && a[1] === 0xffff) ? b : a
}

/** Whether a plain rule matches everything that the other one does; their addresses are compared already. */
function covers(first: Asked, then: Asked): boolean {
  const { rule: a } = first
  const { rule: b } = then
  if (!deviceCovers(a.inInterface, b.inInterface) || !deviceCovers(a.outInterface, b.outInterface)) return false
  if (a.protocol !== undefined && (b.protocol?.not !== false || a.protocol.value !== b.protocol.value)) return false
  if (first.states !== -1 && (then.states === -1 || (then.states & ~first.states) !== 0)) return false
  for (const mark of first.marks) if (!then.marks.has(mark)) return false
  return portsCover(first.sports, then.sports) && portsCover(first.dports, then.dports)
}

function deviceCovers(a: Negatable<InterfaceName> | undefined, b: Negatable<InterfaceName> | undefined): boolean {
  if (a === undefined) return true
  if (b === undefined || b.not) return false
  return a.value.wildcard ? b.value.name.startsWith(a.value.name) : !b.value.wildcard && a.value.name === b.value.name
}

/** A rule that compares ports, even with all of them, does not match later fragments. */
function portsCover(wide: readonly number[] | undefined, narrow: readonly number[] | undefined): boolean {
  if (wide === undefined) return true
  if (narrow === undefined) return false
  for (let i = 0; i < narrow.length; i += 2) if (narrow[i] < wide[0] || narrow[i + 1] > wide[1]) return false
  return true
}

/** `-A CHAIN ...`, as it is saved. */
export function textOf(chain: Chain, rule: Rule): string {
  return `-A ${chain.name}${formatRule(rule, { whole: true })}`
}
