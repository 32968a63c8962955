// How matches and targets are declared. One declaration gives the parser, the saved form, validation, help,
// documentation, and the plain meaning that the interpreter runs. Built-in ones use the same functions as a user's own:
//
//     export const ttl = defineMatch({
//       name: 'ttl',
//       summary: 'the time to live',
//       options: { 'ttl-eq': u8().negatable(), 'ttl-lt': u8(), 'ttl-gt': u8() },
//       exclusive: [['ttl-eq', 'ttl-lt', 'ttl-gt']],
//       match: (o) => (p) => ...,
//     })
//
// Options are saved in the order in which they are declared, under the name by which they are declared.

import type { Packet } from '../packet/packet.ts'
import type { Environment } from './environment.ts'
import type { Family, MatchUse, Negatable, TableName } from './model.ts'
import type { Option, RefusedBy } from './option.ts'
import type { SharedUse } from './shared-names.ts'

// What a target says. DROP, ACCEPT, STOLEN, QUEUE, REPEAT are the verdicts of hook/hook.ts.
/** Go on with the next rule. */
export const CONTINUE = -1
/** Go back to the calling chain, or to the policy. */
export const RETURN = -2
/** A match's way to drop a packet that is too short to be judged (the rule set is left with DROP at once). */
export const HOTDROP = -3

export type Options = Readonly<Record<string, Option<unknown, boolean>>>

/** The values of one use, by option name; an option that was not given is absent. */
export type OptionValues = Readonly<Record<string, unknown>>

/** `Option<T, true>` (negatable) gives { value, not }, others the value itself. */
type ValueOf<O> = O extends Option<infer T, infer N> ? (N extends true ? Negatable<T> : T) : never

/** Options that are required or have a default are always there; others may be absent. */
export type ValuesOf<O extends Options> = {
  readonly [K in keyof O as O[K] extends Option<unknown, boolean, true> ? K : never]: ValueOf<O[K]>
} & {
  readonly [K in keyof O as O[K] extends Option<unknown, boolean, true> ? never : K]?: ValueOf<O[K]>
}

/** Of these options the one that was written last; for normalize(), whose values stand in the order of writing. */
export function lastOf<const N extends string>(values: object, names: readonly N[]): N | undefined {
  return Object.keys(values).findLast((key) => names.includes(key as N)) as N | undefined
}

/** What the rule around a match or target looks like: for protocol and hook checks. */
export interface Surroundings {
  readonly family: Family
  readonly table: TableName
  /** The chain's name; the hooks from which a user chain is reached are checked when the rule set is complete. */
  readonly chain: string
  /** -p, when it is not negated. */
  readonly protocol?: number
  /** For a target: the rule's matches. */
  readonly matches?: readonly MatchUse[]
}

/** The words are right, but the kernel takes no such rule. */
export class NotTaken {
  readonly by: RefusedBy
  /** What is wrong, and what was expected. */
  readonly message: string

  constructor(by: RefusedBy, message: string) {
    this.by = by
    this.message = message
  }
}

export interface Declaration<O extends Options> {
  readonly name: string
  /** One line for help and documentation, beginning in lower case. */
  readonly summary: string
  /** Further lines of its help, each ending in a line break: names that its values may have, and the like. */
  readonly notes?: string
  /** Families that have it; both when left out. */
  readonly families?: readonly Family[]
  /** `-p` must be one of these. */
  readonly protocols?: readonly number[]
  /** Tables in which it may stand; all when left out. */
  readonly tables?: readonly TableName[]
  /** Built-in chains from which it may be reached; all when left out. */
  readonly hooks?: readonly string[]
  /** The same where it depends on the options; undefined for no bound. */
  hooksFor?(o: ValuesOf<O>): readonly string[] | undefined
  readonly options: O
  /** Groups of options of which at most one may be given. */
  readonly exclusive?: readonly (readonly (keyof O & string)[])[]
  /** At least one of these must be given. */
  readonly anyOf?: readonly (keyof O & string)[]
  /** true: conntrack (and defragmentation) must run while a rule uses this. */
  readonly conntrack?: boolean
  /** true: packets are put together from their fragments while a rule uses this, also without conntrack. */
  readonly defrag?: boolean
  /** true: packets that meet it are traced from there on. */
  readonly traces?: boolean
  /** conntrack where it depends on the options. */
  conntrackFor?(o: ValuesOf<O>): boolean
  /** Brings values into their one saved form (`--set-mark 1` into `--set-xmark 0x1/0xffffffff`). */
  normalize?(o: ValuesOf<O>, around: Surroundings): ValuesOf<O>
  /**
   * Its values as iptables-save has them, where it loses some of what they say: read again, a rule is then another one, there as here.
   * What tells rules from each other, and keeps them, has them whole.
   */
  asSaved?(o: ValuesOf<O>): ValuesOf<O>
  /**
   * Its options as they are saved, each with a blank before it, where that is not one after the other under its name.
   * @param whole so that they can be read again, where what iptables-save prints cannot
   */
  saved?(o: ValuesOf<O>, whole: boolean): string
  /** What it makes, or needs to be there, under a name that other rules say too. */
  shares?(o: ValuesOf<O>): readonly SharedUse[]
  /** Of a target: the name that listings have in their column, where that is another. */
  readonly listedAs?: string
  /** true: listings have no blank before it. */
  readonly listedClose?: true
  /**
   * What `iptables -L` shows of it behind the columns, where that is not its name and its options; '' for nothing.
   * @param numeric `-n`: numbers instead of names of services and types
   * @param protocol the rule's, whose services are meant
   */
  list?(o: ValuesOf<O>, numeric: boolean, protocol?: number): string
  /** What no single option can see; returns what is wrong and what was expected. */
  check?(o: ValuesOf<O>, around: Surroundings): string | NotTaken | undefined
}

/** true, false, or HOTDROP. A number, so that one return type serves: 1 matches, 0 does not. */
export type MatchFunction = (p: Packet) => number

/** CONTINUE, RETURN, or a verdict. */
export type TargetFunction = (p: Packet, hook: number) => number

interface Range {
  readonly min: number
  readonly max: number
}

/** A match that only compares fields of the packet descriptor with constants, all of which have to hold. */
export interface PlainTest {
  /** p.sport and p.dport, where there is a transport header; without one the match function is asked. */
  readonly ports?: { readonly sport: Range; readonly dport: Range }
  /** Bits 1 << p.ctinfo, one of which has to be set. */
  readonly states?: number
  /** p.mark under a mask, which is not 0; with `not` it has to be another. */
  readonly mark?: { readonly value: number; readonly mask: number; readonly not: boolean }
}

/** Ranges, least and most in turn: the port lies in one of them. */
export interface PortBounds {
  readonly sports?: readonly number[]
  readonly dports?: readonly number[]
}

/**
 * What a match looks at. 'flow': at nothing but what is the same for every packet of an established flow in one direction
 * (addresses, ports, protocol, devices, state, direction, and the mark, which is compared apart), so that what it said may
 * be remembered for the next one. 'packet': at more than that, but it remembers no packet and changes nothing, so that
 * equal rules may share one function.
 */
export type Looks = 'flow' | 'packet'

export interface MatchDeclaration<O extends Options = Options> extends Declaration<O> {
  readonly kind: 'match'
  /** true: it says nothing about packets, matches every one, and need not be asked. */
  readonly remark?: true
  /** Left out: at anything, and each rule has a function of its own. */
  readonly looks?: Looks
  /** The same where it depends on the options. */
  looksFor?(o: ValuesOf<O>): Looks | undefined
  match(o: ValuesOf<O>, env: Environment, around: Surroundings): MatchFunction
  /** Ports without which it cannot match, of packets that have a transport header. */
  bounds?(o: ValuesOf<O>): PortBounds | undefined
  /** The same as plain tests, where it is nothing else; a test holds it against `match`. */
  plain?(o: ValuesOf<O>): PlainTest | undefined
}

export interface TargetDeclaration<O extends Options = Options> extends Declaration<O> {
  readonly kind: 'target'
  /** Does a packet that meets this target never reach the rule behind it? (LOG and MARK go on.) */
  readonly terminal: boolean
  target(o: ValuesOf<O>, env: Environment, around: Surroundings): TargetFunction
}

export function defineMatch<O extends Options>(declaration: Omit<MatchDeclaration<O>, 'kind'>): MatchDeclaration<O> {
  return { kind: 'match', ...declaration }
}

export function defineTarget<O extends Options>(declaration: Omit<TargetDeclaration<O>, 'kind'>): TargetDeclaration<O> {
  return { kind: 'target', ...declaration }
}
