// Rules as they are kept, in little memory: a rule set may have a hundred thousand. What rules have in common besides addresses and
// action is one object for all of them, an IPv4 network of a rule is a single one, and a comment, which is often the only
// thing that differs, stands beside the others' matches. To whoever reads them they are rules of the model like any other, but
// for one thing: they have getters, so that a copy is made by changedRule(), not by spreading them.

import type { MatchUse, Negatable, Network, Rule } from './model.ts'

export type InCommon = Pick<Rule, 'inInterface' | 'outInterface' | 'protocol' | 'fragment' | 'matches'>

export class KeptRule implements Rule {
  readonly common: InCommon
  readonly source: Rule['source']
  readonly destination: Rule['destination']
  readonly action: Rule['action']
  readonly counters: Rule['counters']

  constructor(common: InCommon, { source, destination, action, counters }: Omit<Rule, keyof InCommon>) {
    this.common = common
    this.source = source
    this.destination = destination
    this.action = action
    this.counters = counters
  }

  get inInterface(): Rule['inInterface'] {
    return this.common.inInterface
  }

  get outInterface(): Rule['outInterface'] {
    return this.common.outInterface
  }

  get protocol(): Rule['protocol'] {
    return this.common.protocol
  }

  get fragment(): Rule['fragment'] {
    return this.common.fragment
  }

  get matches(): readonly MatchUse[] {
    return this.common.matches
  }
}

/** A rule that has a comment of its own in the place of the one that is in `common`. */
export class CommentedRule extends KeptRule {
  readonly comment: MatchUse

  constructor(common: InCommon, comment: MatchUse, rest: Omit<Rule, keyof InCommon>) {
    super(common, rest)
    this.comment = comment
  }

  override get matches(): readonly MatchUse[] {
    const { comment } = this
    return this.common.matches.map((use) => (use.declaration === comment.declaration ? comment : use))
  }
}

/** The rule as a plain object: two that say the same have the same fields. */
export function plainRule(rule: Rule): Rule {
  const { source, destination, inInterface, outInterface, protocol, fragment, matches, action, counters } = rule
  const plain = (of: Rule['source']) => of && { value: { address: of.value.address, mask: of.value.mask }, not: of.not }
  const networks = { source: plain(source), destination: plain(destination) }
  return { ...networks, inInterface, outInterface, protocol, fragment, matches, action, counters }
}

/** The same rule with something else in it. */
export function changedRule(rule: Rule, change: Partial<Omit<Rule, keyof InCommon>>): Rule {
  const { source, destination, action, counters } = rule
  const rest = { source, destination, action, counters, ...change }
  if (rule instanceof CommentedRule) return new CommentedRule(rule.common, rule.comment, rest)
  if (rule instanceof KeptRule) return new KeptRule(rule.common, rest)
  return { ...rule, ...rest }
}

class Network4 implements Negatable<Network>, Network {
  readonly word: number
  readonly mask: readonly number[]
  readonly not: boolean

  constructor(word: number, mask: readonly number[], not: boolean) {
    this.word = word
    this.mask = mask
    this.not = not
  }

  get address(): readonly number[] {
    return [this.word]
  }

  get value(): Network {
    return this
  }
}

/** A network as part of a rule. */
export function keptNetwork(network: Network, not: boolean): Negatable<Network> {
  const { address, mask } = network
  return mask.length === 1 ? new Network4(address[0], mask, not) : { value: network, not }
}
