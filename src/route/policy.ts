// Policy rules (ip rule): which table, or which end, a look-up comes to. Rules are asked in order of their priority; those of the
// same priority in the order in which they were added. The default rules ask the tables local, main and (IPv4 only) default.

import { Comparison, type Selector } from './comparison.ts'
import { PROTOCOL_KERNEL, TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN } from './entry.ts'
import type { FlowKey } from './key.ts'
import * as type from './type.ts'

export const LOOKUP = 'lookup'
export const GOTO = 'goto'
export const NOP = 'nop'
export type Action = 'lookup' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit'

export interface PolicyRule extends Selector {
  /** 0 to 2^32-1. */
  readonly priority: number
  /** It counts for whom it would not be for. */
  readonly not?: boolean
  readonly action: Action
  /** For LOOKUP. */
  readonly table?: number
  /** Priority of the rule that GOTO goes on with. */
  readonly target?: number
  /** LOOKUP: routes of prefixes that are no longer than this do not count. */
  readonly suppressPrefixLength?: number
  /** Who made it (rt_protos). */
  readonly protocol: number
}

export function defaultRules(family: 4 | 6): PolicyRule[] {
  const rule = (priority: number, table: number): PolicyRule => ({
    priority,
    action: LOOKUP,
    table,
    protocol: PROTOCOL_KERNEL,
  })
  const both = [rule(0, TABLE_LOCAL), rule(32766, TABLE_MAIN)]
  return family === 4 ? [...both, rule(32767, TABLE_DEFAULT)] : both
}

/** A rule ready for packets. */
export interface ReadyRule {
  readonly rule: PolicyRule
  readonly comparison: Comparison
  /** For GOTO: where in the list it goes on, -1 while there is no such rule. */
  readonly target: number
}

export class PolicyRules {
  readonly family: 4 | 6
  #rules: readonly PolicyRule[]
  /** Somebody has changed them once; Linux is then more careful for good. */
  touched = false

  constructor(family: 4 | 6) {
    this.family = family
    this.#rules = defaultRules(family)
  }

  /** In the order in which they are asked. */
  get all(): readonly PolicyRule[] {
    return this.#rules
  }

  /** Nothing but local, main and default, in this order, for all packets. */
  get isDefault(): boolean {
    return JSON.stringify(this.#rules) === JSON.stringify(defaultRules(this.family))
  }

  /** The TOS of packets counts. */
  get askTos(): boolean {
    return this.#rules.some(({ tos }) => tos !== undefined && tos !== 0)
  }

  /** The priority of a rule that names none: just before the second one. */
  get nextPriority(): number {
    const second = this.#rules[1]
    return second === undefined || second.priority === 0 ? 0 : second.priority - 1
  }

  /** Behind those of the same priority. */
  add(rule: PolicyRule): void {
    this.touched = true
    const at = this.#rules.findIndex(({ priority }) => priority > rule.priority)
    this.#rules = at < 0 ? [...this.#rules, rule] : this.#rules.toSpliced(at, 0, rule)
  }

  remove(rule: PolicyRule): void {
    this.touched = true
    this.#rules = this.#rules.filter((other) => other !== rule)
  }

  /** @param linkOf the index of a device by its name, 0 where there is none */
  ready(linkOf: (name: string) => number): readonly ReadyRule[] {
    const rules = this.#rules
    return rules.map((rule, i) => ({
      rule,
      comparison: new Comparison(rule, linkOf),
      target: rule.action === GOTO ? rules.findIndex(({ priority }, j) => j > i && priority === rule.target) : -1,
    }))
  }
}

interface Found {
  readonly type: number
  readonly prefixLength: number
}

/**
 * Where a look-up comes to: the route that the first rule finds that fits, or END's where it ends the look-up.
 * @param find the best route of a table
 */
export function decide<R extends Found>(
  ready: readonly ReadyRule[],
  key: FlowKey,
  find: (table: number, key: FlowKey) => R | undefined,
  end: End<R>,
): R | undefined {
  for (let i = 0; i < ready.length; i++) {
    const { rule, comparison, target } = ready[i]
    if (comparison.fits(key) === (rule.not === true)) continue
    if (rule.action === GOTO) {
      // What it goes on with is asked as well.
      if (target >= 0) i = target - 1
    } else if (rule.action === LOOKUP) {
      const route = find(rule.table as number, key)
      if (route !== undefined && route.type !== type.THROW && !isSuppressed(route, rule.suppressPrefixLength))
        return route
    } else if (rule.action !== NOP) {
      return end[rule.action]
    }
  }
  return undefined
}

/** What rules end a look-up with; `unreachable` is as if there were no route at all. */
export type End<R> = Readonly<Record<'blackhole' | 'unreachable' | 'prohibit', R | undefined>>

export function ends<R extends Found>(nowhere: Omit<R, 'type'>): End<R> {
  const of = (kind: number) => ({ ...nowhere, type: kind }) as unknown as R
  return { blackhole: of(type.BLACKHOLE), unreachable: undefined, prohibit: of(type.PROHIBIT) }
}

/** The rule wants more than a route of so short a prefix; one that leads nowhere is told all the same. */
function isSuppressed({ type: kind, prefixLength }: Found, longest: number | undefined): boolean {
  return longest !== undefined && prefixLength <= longest && !type.leadsNowhere(kind)
}
