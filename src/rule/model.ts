// The rule model: what a rule file means, as plain immutable data. It knows nothing of text (iptables/ reads and prints
// it) and nothing of packets (the interpreter runs it). One generation of rules is one RuleSet per family.

import type { MatchDeclaration, OptionValues, TargetDeclaration } from './define.ts'

export type Family = 4 | 6

export const TABLE_NAMES = ['raw', 'mangle', 'nat', 'filter', 'security'] as const
export type TableName = (typeof TABLE_NAMES)[number]

/** Built-in chains of each table, in the order in which iptables-save prints them. */
export const BUILTIN_CHAINS: Readonly<Record<TableName, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
}

/** The longest name of a user chain, in bytes. */
export const CHAIN_NAME_MAX = 28

export interface RuleSet {
  readonly family: Family
  /** Only the tables that exist: a table that no rule file named is not walked (and not saved). */
  readonly tables: ReadonlyMap<TableName, Table>
}

export interface Table {
  readonly name: TableName
  /** Built-in chains first, in BUILTIN_CHAINS' order; then user chains. */
  readonly chains: ReadonlyMap<string, Chain>
}

export interface Chain {
  readonly name: string
  /** Of built-in chains only. */
  readonly policy?: 'ACCEPT' | 'DROP'
  /** What the chain's policy began with (`:FORWARD DROP [12:345]`). */
  readonly counters: Counters
  readonly rules: readonly Rule[]
}

/** Packets and bytes; exact up to 2^53. */
export interface Counters {
  readonly packets: number
  readonly bytes: number
}

export interface Rule {
  readonly source?: Negatable<Network>
  readonly destination?: Negatable<Network>
  readonly inInterface?: Negatable<InterfaceName>
  readonly outInterface?: Negatable<InterfaceName>
  /** IP protocol number, never 0 ("all" is leaving it out). */
  readonly protocol?: Negatable<number>
  /** -f: second and later fragments (IPv4). */
  readonly fragment?: Negatable<true>
  readonly matches: readonly MatchUse[]
  /** Left out: the rule only counts. */
  readonly action?: Action
  readonly counters: Counters
}

export interface Negatable<T> {
  readonly value: T
  readonly not: boolean
}

/** Address and mask as int32 words: one for IPv4, four for IPv6. The mask need not be contiguous. */
export interface Network {
  readonly address: readonly number[]
  readonly mask: readonly number[]
}

/** `eth0`, or with wildcard every name that begins with it (`eth+`; an empty name with wildcard is every device). */
export interface InterfaceName {
  readonly name: string
  readonly wildcard: boolean
}

export interface MatchUse {
  readonly declaration: MatchDeclaration
  readonly options: OptionValues
}

export type Action =
  /** -j CHAIN, or with goto -g CHAIN. */
  | { readonly kind: 'jump'; readonly chain: string; readonly goto: boolean }
  /** -j TARGET, the standard targets ACCEPT, DROP, RETURN and QUEUE among them. */
  | { readonly kind: 'target'; readonly declaration: TargetDeclaration; readonly options: OptionValues }

export const NO_COUNTERS: Counters = { packets: 0, bytes: 0 }
