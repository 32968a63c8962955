// Where the data plane counts for the rules that the control side knows: shared memory that is read without asking. The places
// of rules are told once, when they come; what stays keeps its place, so the same outline of a change that the data plane
// took leads from the places before to the places after.

import type { Piece } from '../rule/change.ts'
import { countersBy } from '../rule/counters.ts'
import type { Chunks } from '../rule/ledger.ts'
import type { Chain, Counters, Rule, RuleSet, TableName } from '../rule/model.ts'

/** A piece of a change, of whose rules only the number matters. */
export type OutlinePiece = Piece<{ readonly count: number }>

/** By chain: the place of its policy, then those of its rules. */
type ChainPlaces = Map<string, Int32Array>

export class Counts {
  readonly #tables = new Map<TableName, ChainPlaces>()
  #chunks: Chunks = []

  /** @param places of each new chain's policy and each new rule, in the order of the outline */
  follow(outline: readonly OutlinePiece[], places: Int32Array, chunks: Chunks): void {
    this.#chunks = chunks
    let next = 0
    let before: ChainPlaces = new Map()
    let after: ChainPlaces = before
    for (let i = 0; i < outline.length; ) {
      const piece = outline[i++]
      if (piece.kind === 'table') {
        before = this.#tables.get(piece.name) ?? new Map()
        after = new Map(before)
        if (piece.gone) this.#tables.delete(piece.name)
        else this.#tables.set(piece.name, after)
      } else if (piece.kind === 'gone') for (const name of piece.chains) after.delete(name)
      else if (piece.kind === 'chain') {
        const begin = i
        let size = 1
        for (let part = outline[i]; part?.kind === 'kept' || part?.kind === 'rules'; part = outline[++i])
          size += part.kind === 'kept' ? part.to - part.from : part.run.count
        const made = new Int32Array(size)
        made[0] = before.get(piece.name)?.[0] ?? places[next++]
        const old = before.get(piece.from) ?? made
        let at = 1
        for (const part of outline.slice(begin, i)) {
          const copied =
            part.kind === 'kept'
              ? old.subarray(1 + part.from, 1 + part.to)
              : part.kind === 'rules'
                ? places.subarray(next, next + part.run.count)
                : undefined
          if (copied === undefined) continue
          made.set(copied, at)
          at += copied.length
          if (part.kind === 'rules') next += part.run.count
        }
        after.set(piece.name, made)
      }
    }
  }

  /** The counters of this rule set, which is the one that the last change made; laid out when they are first asked for. */
  of(ruleSet: RuleSet): (of: Chain | Rule) => Counters {
    let counters: ((of: Chain | Rule) => Counters) | undefined
    return (of) => {
      counters ??= countersBy(this.#layOut(ruleSet), this.#chunks)
      return counters(of)
    }
  }

  #layOut(ruleSet: RuleSet): Map<object, number> {
    const laidOut = new Map<object, number>()
    for (const [name, { chains }] of ruleSet.tables)
      for (const chain of chains.values()) {
        const places = this.#tables.get(name)?.get(chain.name)
        if (places === undefined) continue
        laidOut.set(chain, places[0])
        for (let i = 0; i < chain.rules.length; i++) laidOut.set(chain.rules[i], places[i + 1])
      }
    return laidOut
  }
}
