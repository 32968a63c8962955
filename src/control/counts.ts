// Where the data plane counts for the rules that the control side knows: shared memory that is read without asking. The places
// of rules are told once, when they come; what stays keeps its place, so the same outline of a change that the data plane
// took leads from the places before to the places after.

import type { Piece } from '../rule/change.ts'
import { type CountsOf, countsBegun } from '../rule/counters.ts'
import { type Chunks, countsAt } from '../rule/ledger.ts'
import type { TableName } from '../rule/model.ts'

/** A piece of a change, of whose rules only the number matters. */
export type OutlinePiece = Piece<{ readonly count: number }>

/** By chain: the place of its policy, then those of its rules. */
type ChainPlaces = Map<string, Places>
type Places = Int32Array | readonly number[]

/** Shorter lists are plain arrays: what a typed one costs besides its words is more than they have. */
const SHORT = 32

export class Counts {
  readonly #tables = new Map<TableName, ChainPlaces>()
  #chunks: Chunks = []

  /** @param places of each new chain's policy and each new rule, in the order of the outline */
  follow(outline: readonly OutlinePiece[], places: Int32Array, chunks: Chunks): void {
    this.#chunks = chunks
    let next = 0
    let chains: ChainPlaces = new Map()
    /** Chains that go: one that has another name now begins with the places of one of them. */
    let gone: ChainPlaces = new Map()
    for (let i = 0; i < outline.length; ) {
      const piece = outline[i++]
      if (piece.kind === 'table') {
        chains = this.#tables.get(piece.name) ?? new Map()
        gone = new Map()
        if (piece.gone) this.#tables.delete(piece.name)
        else this.#tables.set(piece.name, chains)
      } else if (piece.kind === 'gone') {
        for (const name of piece.chains) {
          const places = chains.get(name)
          if (places !== undefined) gone.set(name, places)
          chains.delete(name)
        }
      } else if (piece.kind === 'chain') {
        const begin = i
        let size = 1
        for (let part = outline[i]; part?.kind === 'kept' || part?.kind === 'rules'; part = outline[++i])
          size += part.kind === 'kept' ? part.to - part.from : part.run.count
        const made = new Int32Array(size)
        made[0] = chains.get(piece.name)?.[0] ?? places[next++]
        const old = gone.get(piece.from) ?? chains.get(piece.from) ?? made
        let at = 1
        for (const part of outline.slice(begin, i)) {
          const copied =
            part.kind === 'kept'
              ? old.slice(1 + part.from, 1 + part.to)
              : part.kind === 'rules'
                ? places.subarray(next, next + part.run.count)
                : undefined
          if (copied === undefined) continue
          made.set(copied, at)
          at += copied.length
          if (part.kind === 'rules') next += part.run.count
        }
        chains.set(piece.name, size < SHORT ? [...made] : made)
      }
    }
  }

  /** The counts of the rule set that the last change made; they are read when they are asked for. */
  get of(): CountsOf {
    return (table, chain) => {
      const places = this.#tables.get(table)?.get(chain.name)
      if (places === undefined) return countsBegun(table, chain)
      const chunks = this.#chunks
      return { policy: countsAt(chunks, places[0]), rule: (at) => countsAt(chunks, places[at + 1]) }
    }
  }
}
